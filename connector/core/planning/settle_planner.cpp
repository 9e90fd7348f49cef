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
  Planning(const SettlePlanOptions& options, const Ledger& ledger, const SettleTime& time, std::span<const Interval> running,
           const JobsElsewhere& elsewhere)
      : options_(options), ledger_(ledger), time_(time), running_(running), elsewhere_(elsewhere) {
    // Windows of a day may be beside each other only as long as each is read just once.
    whole_days_ = options.sequential_days || !ledger.passes().empty() || !ledger.owed().empty();
    for (const Interval& window : running) block(window);
    for (const Interval& window : elsewhere.running) block_days(window);
  }

  SettlePlan plan() {
    if (running_.size() >= options_.max_jobs + options_.waiting) return WaitForJobs{};
    const bool only_first = running_.size() >= options_.max_jobs;
    for (const OpenWindow& open : ledger_.open()) {
      if (only_first && !open.pass.is_first()) continue;
      if (!contains(running_, open.window) && !blocked_.overlaps(open.window)) return ResumeWindow{open};
    }
    for (const OpenWindow& open : ledger_.open()) block(open.window);
    for (const Interval& window : elsewhere_.open) block_days(window);

    std::optional<SubmitWindow> found = first_pass();
    if (!found && !only_first) found = owed();
    if (!found && !only_first) found = older_ages();
    if (!found && options_.until && due_ == Instant::max()) return is_finished() ? SettlePlan{NothingLeft{}} : WaitForJobs{};
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
    if (whole_days_) {
      block_days(window);
    } else {
      blocked_.add(window);
    }
  }

  void block_days(const Interval& window) {
    blocked_.add({.start = common::start_of_day(window.start), .end = next_midnight(window.end - Duration{1})});
  }

  [[nodiscard]] bool is_finished() const {
    return running_.empty() && ledger_.open().empty() && ledger_.owed().empty() &&
           ledger_.complete().covers({.start = ledger_.start(), .end = *options_.until});
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
    if (options_.until && begin >= *options_.until) return std::nullopt;
    Interval window = settle_window_at(begin, options_.window);
    if (const auto gap = taken.first_gap(window)) window.end = gap->end;
    if (options_.until) window.end = std::min(window.end, *options_.until);
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
  const JobsElsewhere& elsewhere_;
  bool whole_days_ = true;
  IntervalSet blocked_;
  Instant due_ = Instant::max();  // the earliest at which anything is, on the service's date
};

}  // namespace

Interval settle_window_at(Instant begin, Duration length) {
  return {.start = begin, .end = grid_window(begin, length).end};
}

SettlePlan plan_settle(const SettlePlanOptions& options, const Ledger& ledger, const SettleTime& time,
                       std::span<const Interval> running, const JobsElsewhere& elsewhere) {
  return Planning(options, ledger, time, running, elsewhere).plan();
}

bool has_settled(const SettlePlanOptions& options, const Ledger& ledger, const SettleTime& time) {
  Ledger at_rest = ledger;
  for (const OpenWindow& open : ledger.open()) {
    // It is open, so this cannot be refused.
    static_cast<void>(at_rest.apply(WindowAbandoned{open.window}));
  }
  const SettlePlan plan = plan_settle(options, at_rest, time, {});
  return std::holds_alternative<AskAvailability>(plan) || std::holds_alternative<NothingLeft>(plan);
}

std::vector<LedgerChange> availability_lost(const SettlePlanOptions& options, const Ledger& ledger, Instant before,
                                            Instant availability) {
  std::vector<LedgerChange> changes;
  const Instant from = grid_window(availability, options.window).start;
  for (const Interval& complete : ledger.complete().intervals()) {
    const Interval beyond{.start = std::max(complete.start, from), .end = complete.end};
    if (complete.end > availability) changes.emplace_back(OwedAdded{.window = beyond, .after = before});
  }
  return changes;
}

}  // namespace connector::core
