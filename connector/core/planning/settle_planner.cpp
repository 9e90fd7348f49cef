#include "connector/core/planning/settle_planner.h"

#include <algorithm>
#include <chrono>

namespace connector::core {

using common::Duration;
using common::Instant;
using common::Interval;

namespace {

constexpr Duration kDay = std::chrono::days{1};

Instant next_midnight(Instant instant) {
  return common::start_of_day(instant) + kDay;
}

// The window of the grid that holds `instant`.
Interval grid_window(Instant instant, Duration length) {
  const Instant day = common::start_of_day(instant);
  const Duration step = std::clamp<Duration>(length, Duration{1}, kDay);
  const Instant begin = day + ((instant - day) / step) * step;
  return {.start = begin, .end = std::min(begin + step, day + kDay)};
}

Interval cut(Interval window, const Interval& bounds) {
  return {.start = std::max(window.start, bounds.start), .end = std::min(window.end, bounds.end)};
}

bool contains(std::span<const Interval> windows, const Interval& window) {
  return std::ranges::find(windows, window) != windows.end();
}

// One look at the ledger.
class Planning {
 public:
  Planning(const SettlePlanOptions& options, const Ledger& ledger, const SettleTime& time, std::span<const Interval> running)
      : options_(options), ledger_(ledger), time_(time), running_(running) {
    // Windows of a day may be beside each other only as long as each is read just once.
    whole_days_ = options.sequential_days || !ledger.passes().empty() || !ledger.owed().empty();
    for (const Interval& window : running) block(window);
  }

  SettlePlan plan() {
    if (running_.size() >= options_.max_jobs + options_.waiting) return WaitForJobs{};
    const bool only_first = running_.size() >= options_.max_jobs;
    for (const OpenWindow& open : ledger_.open()) {
      if (only_first && !open.pass.is_first()) continue;
      if (!contains(running_, open.window) && !blocked_.overlaps(open.window)) return ResumeWindow{open};
    }
    for (const OpenWindow& open : ledger_.open()) block(open.window);

    std::optional<SubmitWindow> found = first_pass();
    if (!found && !only_first) found = owed();
    if (!found && !only_first) found = older_ages();
    if (!found) {
      // A clock that lags behind the date must be waited for, too: the date is asked for meanwhile.
      const bool date_is_there = time_.availability && due_ <= *time_.availability;
      return AskAvailability{date_is_there ? *time_.availability + Duration{1} : due_};
    }
    // Windows that run but are not in the ledger yet will need their room, too.
    const auto unrecorded = static_cast<std::size_t>(
        std::ranges::count_if(running_, [&](const Interval& window) { return ledger_.find_open(window) == nullptr; }));
    if (!ledger_.has_room_to_open() || ledger_.open().size() + unrecorded >= Ledger::kMaxOpenWindows) return WaitForJobs{};
    return *found;
  }

 private:
  void block(const Interval& window) {
    blocked_.add(whole_days_
                     ? Interval{.start = common::start_of_day(window.start), .end = next_midnight(window.end - Duration{1})}
                     : window);
  }

  [[nodiscard]] bool is_available(Instant until) const { return time_.availability && until <= *time_.availability; }

  std::optional<SubmitWindow> not_before(Instant due) {
    due_ = std::min(due_, due);
    return std::nullopt;
  }

  std::optional<SubmitWindow> first_pass() {
    IntervalSet taken = ledger_.complete();
    for (const Interval& window : blocked_.intervals()) taken.add(window);
    if (options_.newest_first && time_.availability) {
      const Instant limit = grid_window(*time_.availability, options_.window).start;
      if (const auto gap = taken.last_gap({.start = ledger_.start(), .end = limit})) {
        return SubmitWindow{cut(grid_window(gap->end - Duration{1}, options_.window), *gap)};
      }
    }
    // The first part that nobody has: everything after the last one taken is free, so there always is one.
    const Instant begin = taken.prefix_end(ledger_.start());
    Interval window = settle_window_at(begin, options_.window);
    if (const auto gap = taken.first_gap(window)) window.end = gap->end;
    if (!is_available(window.end)) return not_before(window.end);
    return SubmitWindow{window};
  }

  std::optional<SubmitWindow> owed() {
    for (const OwedDay& day : ledger_.owed()) {
      const Instant due = std::min(day.after + Duration{1}, std::max(day.since + Duration{1}, day.since + options_.owed_gather));
      for (const Interval& complete : ledger_.complete().intervals()) {
        const Interval within = cut(day.window, complete);
        if (within.empty()) continue;
        const auto is_due = [&](const Interval& window) { return std::max(due, window.end); };
        if (auto found = first_due(within, IntervalSet(), is_due, time_.availability)) {
          return SubmitWindow{*found, {.is_owed = true}};
        }
      }
    }
    return std::nullopt;
  }

  std::optional<SubmitWindow> older_ages() {
    std::optional<Instant> horizon = time_.availability;
    if (horizon) horizon = std::min(*horizon, time_.now);
    for (const auto& [age, pass] : ledger_.passes()) {
      for (const Interval& complete : ledger_.complete().intervals()) {
        const auto is_due = [&](const Interval& window) { return window.end + age; };
        if (auto found = first_due(complete, pass, is_due, horizon)) return SubmitWindow{*found, {.age = age}};
      }
    }
    return std::nullopt;
  }

  // The first window inside `within` that is not done, of a day that is free, and due; later ones are due later.
  template <class DueAt>
  std::optional<Interval> first_due(const Interval& within, const IntervalSet& done, const DueAt& due_at,
                                    std::optional<Instant> horizon) {
    Interval rest = within;
    while (const auto gap = done.first_gap(rest)) {
      const Interval window = cut(settle_window_at(gap->start, options_.window), *gap);
      const Instant due = due_at(window);
      if (!horizon || due > *horizon) {
        not_before(due);
        return std::nullopt;
      }
      if (!blocked_.overlaps(window)) return window;
      rest.start = next_midnight(window.start);
    }
    return std::nullopt;
  }

  const SettlePlanOptions& options_;
  const Ledger& ledger_;
  const SettleTime& time_;
  std::span<const Interval> running_;
  bool whole_days_ = true;
  IntervalSet blocked_;
  Instant due_ = Instant::max();  // the earliest at which anything is, on the service's date
};

}  // namespace

Interval settle_window_at(Instant begin, Duration length) {
  return {.start = begin, .end = grid_window(begin, length).end};
}

SettlePlan plan_settle(const SettlePlanOptions& options, const Ledger& ledger, const SettleTime& time,
                       std::span<const Interval> running) {
  return Planning(options, ledger, time, running).plan();
}

std::vector<LedgerChange> availability_lost(const SettlePlanOptions& options, const Ledger& ledger, Instant availability) {
  std::vector<LedgerChange> changes;
  const Instant from = grid_window(availability, options.window).start;
  for (const Interval& complete : ledger.complete().intervals()) {
    const Interval beyond{.start = std::max(complete.start, from), .end = complete.end};
    if (complete.end > availability) changes.emplace_back(OwedAdded{.window = beyond, .after = availability});
  }
  return changes;
}

}  // namespace connector::core
