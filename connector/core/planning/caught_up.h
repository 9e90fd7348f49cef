#pragma once

// Whether the lanes of a stream have done what was due at an instant: when a run that is to end by itself ends
// (docs/operations.md, "From cron"). Pure.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/planning/live_planner.h"
#include "connector/core/planning/settle_planner.h"

#include <optional>

namespace connector::core {

// Of the committed ledger: `seen_until` has reached `due` minus the lane's delay (or the last bucket that had ended by then), and
// no window of an age was due.
bool live_is_caught_up(const LivePlanOptions& options, const Ledger& live, common::Instant due);

// Of the committed ledger: everything is read that the service guaranteed at `availability` (its first answer after `due`; none
// yet: not caught up), no window was owed or of age at `due`, and of no day it is undecided what is gone.
bool settle_is_caught_up(const SettlePlanOptions& options, const Ledger& settle, common::Instant due,
                         std::optional<common::Instant> availability);

// Of the committed ledger: none is under way, or what is left of it the service did not guarantee at `availability`.
bool backfill_is_caught_up(const SettlePlanOptions& options, const Ledger& backfill, std::optional<common::Instant> availability);

}  // namespace connector::core
