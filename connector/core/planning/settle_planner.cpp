#include "connector/core/planning/settle_planner.h"

#include <algorithm>
#include <chrono>

namespace connector::core {

using common::Duration;
using common::Instant;
using common::Interval;

Interval settle_window_at(Instant begin, Duration length) {
  const Instant day = common::start_of_day(begin);
  const Duration step = std::clamp<Duration>(length, Duration{1}, std::chrono::days{1});
  const Instant next = day + (((begin - day) / step) + 1) * step;
  return {.start = begin, .end = std::min(next, day + std::chrono::days{1})};
}

SettlePlan plan_settle(const SettlePlanOptions& options, const Ledger& ledger, std::optional<Instant> availability,
                       std::span<const Interval> running) {
  if (running.size() >= options.max_jobs) return WaitForJobs{};

  IntervalSet taken = ledger.complete();
  for (const Interval& window : running) taken.add(window);
  for (const OpenWindow& open : ledger.open()) {
    if (std::ranges::find(running, open.window) == running.end()) return ResumeWindow{open};
    taken.add(open.window);
  }

  // The first part that nobody has: everything after the last one taken is free, so there always is one.
  const Instant begin = taken.prefix_end(ledger.start());
  Interval window = settle_window_at(begin, options.window);
  if (const auto gap = taken.first_gap(window)) window.end = gap->end;
  if (!availability || window.end > *availability) return AskAvailability{window.end};
  // Windows that run but are not in the ledger yet will need their room, too.
  const auto unrecorded = static_cast<std::size_t>(std::ranges::count_if(
      running, [&](const Interval& window_running) { return ledger.find_open(window_running) == nullptr; }));
  if (!ledger.has_room_to_open() || ledger.open().size() + unrecorded >= Ledger::kMaxOpenWindows) return WaitForJobs{};
  return SubmitWindow{window};
}

}  // namespace connector::core
