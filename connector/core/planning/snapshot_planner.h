#pragma once

// When a snapshot is read next: a state that the service tells only as it is now. The ledger says up to when it was looked at; a
// reading covers everything since, however long that was, since nothing older can be had. Pure.

#include "connector/core/ledger/ledger.h"
#include "connector/core/planning/live_planner.h"

namespace connector::core {

struct SnapshotPlanOptions {
  common::Duration every{60'000};
};

// Where a lane that was never read begins, so that its first reading is due at once.
common::Instant snapshot_start(const SnapshotPlanOptions& options, common::Instant start);

// ReadWindow from the last reading to the newest of the instants `every` after each other that has passed; or WaitUntil the next.
// `now`: the earlier of host and service clock.
LivePlan plan_snapshot(const SnapshotPlanOptions& options, const Ledger& ledger, common::Instant now);

// Of the committed ledger: what was to be read at `due` has been read.
bool snapshot_is_caught_up(const SnapshotPlanOptions& options, const Ledger& ledger, common::Instant due);

}  // namespace connector::core
