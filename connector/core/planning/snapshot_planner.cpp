#include "connector/core/planning/snapshot_planner.h"

namespace connector::core {

using common::Instant;

Instant snapshot_start(const SnapshotPlanOptions& options, Instant start) {
  return start - options.every;
}

LivePlan plan_snapshot(const SnapshotPlanOptions& options, const Ledger& ledger, Instant now) {
  // Open in the ledger: a snapshot that did not fit into memory, and was not finished.
  if (!ledger.open().empty()) return ReadWindow{.window = ledger.open().front().window, .is_open = true, .pass = {}};
  const Instant seen = ledger.complete_until();
  const auto count = [&](Instant instant) { return (instant - ledger.start()) / options.every; };
  // (`every` may have been another before, so that the last reading lies between two of these.)
  const Instant next = ledger.start() + (count(seen) + 1) * options.every;
  if (next > now) return WaitUntil{next};
  return ReadWindow{.window = {.start = seen, .end = ledger.start() + count(now) * options.every}};
}

bool snapshot_is_caught_up(const SnapshotPlanOptions& options, const Ledger& ledger, Instant due) {
  Ledger at_rest = ledger;
  for (const OpenWindow& open : ledger.open()) static_cast<void>(at_rest.apply(WindowAbandoned{open.window}));
  return !std::holds_alternative<ReadWindow>(plan_snapshot(options, at_rest, due));
}

}  // namespace connector::core
