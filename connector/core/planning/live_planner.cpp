#include "connector/core/planning/live_planner.h"

#include <algorithm>
#include <chrono>

namespace connector::core {

using common::Duration;
using common::Instant;
using common::Interval;

namespace {

constexpr Duration kDay = std::chrono::days{1};

}  // namespace

LivePlan LivePlanner::next(const Ledger& ledger, Instant now) const {
  if (!ledger.open().empty()) return ReadWindow{.window = ledger.open().front().window, .is_open = true};

  const Instant begin = ledger.complete_until();
  const Instant midnight = common::start_of_day(begin) + kDay;
  Instant bound = midnight;
  // A complete part ahead (a gap was left by a failure) ends the window, so that nothing is read twice.
  if (const auto gap = ledger.complete().first_gap({.start = begin, .end = midnight})) bound = gap->end;

  // The parts of a cut window end with it, so that the lane keeps its rhythm.
  if (begin < cut_end_) bound = std::min(bound, cut_end_);

  Duration width = options_.every;
  const Instant horizon = now - options_.delay;
  if (const Duration backlog = horizon - begin; backlog >= 2 * options_.every) {
    // Whole multiples, so that the lane falls back into its rhythm when it has caught up.
    width = backlog - backlog % options_.every;
  }
  width = std::min(width, kDay);
  if (options_.max_window > Duration{0}) width = std::min(width, options_.max_window - options_.overlap);
  if (width_ > Duration{0}) width = std::min(width, width_);
  width = std::max(width, Duration{1});

  const Instant end = std::min(begin + width, bound);
  if (end > horizon) return WaitUntil{end + options_.delay};
  // The overlap reaches back, but not over midnight (the rows of another start day) nor to before the lane's start.
  const Instant start = std::max({begin - options_.overlap, common::start_of_day(begin), ledger.start()});
  return ReadWindow{.window = {.start = start, .end = end}};
}

void LivePlanner::narrow(const Interval& window, Duration part) {
  width_ = std::max(part, options_.min_window);
  cut_end_ = std::max(cut_end_, window.end);
}

void LivePlanner::widen() {
  if (width_ == Duration{0}) return;
  width_ *= 2;
  if (width_ >= kDay) width_ = Duration{0};
}

}  // namespace connector::core
