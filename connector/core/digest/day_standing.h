#pragma once

// What the ledgers of a stream's lanes say of a home day: whether any of them is still to read it by itself. Pure.

#include "connector/core/digest/entry.h"
#include "connector/core/ledger/ledger.h"

namespace connector::core {

// Committed ledgers; null: the stream has no such lane. What lies before a lane's start is not that lane's.
// No lane is to read the day any more by itself, none owes it, and it is decided what of it is gone.
bool is_done_with(HomeDay day, const Ledger* live, const Ledger* settle);
// A backfill is under way that has the day, or a part of it, still to read. (What it is asked for once it has ended is not
// awaited.)
bool awaits(const Ledger* backfill, HomeDay day);
// No settle pass is to come for the day by itself, and jobs could read it.
bool is_settled(HomeDay day, const Ledger* settle);

}  // namespace connector::core
