#pragma once

// That no judgement about vanished records is missed for ever, though it is kept in memory only: what a restart has forgotten,
// and what could not be judged, is left to a later pass over the day, or the day is owed one. Pure.

#include "connector/core/digest/entry.h"
#include "connector/core/ledger/ledger.h"

#include <set>
#include <vector>

namespace connector::core {

// Days that the settle lane's ledger has unjudged and nobody judges now (`judged`: those that somebody does).
std::vector<LedgerChange> forgotten_judgements(const Ledger& ledger, const std::set<HomeDay>& judged);

// A pass over a part of the day, or over all of it by more than one job or life, is complete. `after`: the ledger then. Again and
// again would be no use if it is the day's jobs that fail: an owed pass over a part owes nothing.
std::vector<LedgerChange> judgement_missed(const Ledger& after, const common::Interval& window, const Pass& pass,
                                           common::Instant availability);

// All of it.
common::Interval whole_day(HomeDay day);

}  // namespace connector::core
