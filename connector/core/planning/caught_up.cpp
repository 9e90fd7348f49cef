#include "connector/core/planning/caught_up.h"

#include <variant>

namespace connector::core {

using common::Instant;

bool live_is_caught_up(const LivePlanOptions& options, const Ledger& live, Instant due) {
  if (live.complete_until() < options.buckets.start_of(due - options.delay)) return false;
  // What is open was begun for what was due later, or it is planned again here.
  Ledger at_rest = live;
  for (const OpenWindow& open : live.open()) static_cast<void>(at_rest.apply(WindowAbandoned{open.window}));
  return !std::holds_alternative<ReadWindow>(LivePlanner(options).next(at_rest, due));
}

bool settle_is_caught_up(const SettlePlanOptions& options, const Ledger& settle, Instant due,
                         std::optional<Instant> availability) {
  // What is not decided when the process ends is forgotten, and the day is read once more: by every run, if none waited for it.
  return availability && settle.unjudged().intervals().empty() &&
         has_settled(options, settle, {.availability = availability, .now = due});
}

bool backfill_is_caught_up(const SettlePlanOptions& options, const Ledger& backfill, std::optional<Instant> availability) {
  const auto& mark = backfill.backfill();
  if (!mark || !mark->is_running()) return true;
  if (!availability) return false;
  SettlePlanOptions bounded = options;
  bounded.until = mark->order.range.end;
  // Complete and not ended yet: its end is a commit away.
  const bool is_complete = backfill.complete().covers(mark->order.range);
  return !is_complete && has_settled(bounded, backfill, {.availability = availability, .now = *availability});
}

}  // namespace connector::core
