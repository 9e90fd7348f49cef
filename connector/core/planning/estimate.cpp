#include "connector/core/planning/estimate.h"

#include <algorithm>
#include <cmath>

namespace connector::core {

namespace {

using common::Duration;

constexpr Duration kDay = std::chrono::hours{24};
constexpr double kDaysOfAMonth = 31;

double ratio(Duration part, Duration whole) {
  return static_cast<double>(part.count()) / static_cast<double>(std::max(whole, Duration{1}).count());
}

// A page for every window, and one for every page full of records: no distribution of them over the windows needs more.
double pages(double windows, double records, std::size_t page_size) {
  return windows + records / static_cast<double>(std::max<std::size_t>(page_size, 1));
}

// Windows of this length over `span`, and the pages of all of them.
Requests read_windows(const LiveSettings& live, const Traffic& traffic, Duration length, Duration span) {
  const double days = ratio(span, kDay);
  const double windows = ratio(span, length);
  double records = traffic.records_per_day * days;
  // A record is a row of every window that it overlaps.
  if (live.rows == WindowRows::kOverlapping) records *= 1 + ratio(traffic.mean_duration, length);
  return {.windows = windows, .jobs = 0, .requests = pages(windows, records, live.page_size)};
}

void add(Requests& sum, const Requests& more) {
  sum.windows += more.windows;
  sum.jobs += more.jobs;
  sum.requests += more.requests;
}

// How often a record is read that does not change for so long.
double readings_within(const FollowOptions& follow, Duration silence) {
  constexpr int kMost = 100'000;  // `every` of a tenth of a second, for hours
  int readings = 0;
  for (Duration unchanged{0}; readings < kMost; ++readings) {
    const Duration grown{static_cast<Duration::rep>(static_cast<double>(unchanged.count()) * (follow.factor - 1))};
    unchanged += std::max({std::min(grown, follow.max), follow.every, Duration{1}});
    if (unchanged >= silence) return readings + 1;
  }
  return readings;
}

double polls_of_a_job(const SettleSettings& settle) {
  double polls = 0;
  Duration wait = std::max(settle.poll_initial, Duration{1});
  for (Duration waited{0}; waited < settle.job_duration; ++polls) {
    waited += wait;
    wait = std::max(std::min(wait * 2, settle.poll_max), Duration{1});
  }
  return polls;
}

}  // namespace

LaneEstimate estimate_live(const LiveSettings& live, const Traffic& traffic, Duration history) {
  const LivePlanner planner(live.plan);
  LaneEstimate estimate;
  add(estimate.a_day, read_windows(live, traffic, live.plan.every - live.plan.overlap, kDay));
  const Buckets& buckets = live.plan.buckets;
  const auto at_once = [&](Duration width) { return buckets.is_local() ? buckets.length() : width; };
  for (const Duration age : live.ages) add(estimate.a_day, read_windows(live, traffic, at_once(planner.step_at(age)), kDay));
  // A lane that is behind reads as much at once as it may; late reads satisfy the ages.
  const Duration widest = at_once(live.plan.max_window > Duration{0} ? std::min(live.plan.max_window, kDay) : kDay);
  if (history > Duration{0}) estimate.catch_up = read_windows(live, traffic, widest, history);
  return estimate;
}

LaneEstimate estimate_follow(const FollowOptions& follow, Duration seen_after, const Traffic& traffic) {
  LaneEstimate estimate;
  if (traffic.mean_duration <= Duration{0}) return estimate;
  // Durations are thought to be spread exponentially: the part of them that is longer.
  const double open = traffic.records_per_day * std::exp(-ratio(seen_after, traffic.mean_duration));
  const double ids = open * (readings_within(follow, traffic.mean_duration) + readings_within(follow, follow.quiet));
  // Ids that fall due within `gather` share a request; by chance there is one in so many of these spans.
  const double spans = ratio(kDay, std::max(follow.gather, Duration{1}));
  const double of_a_span = ids / spans;
  const double requests_of_a_span =
      std::max(1 - std::exp(-of_a_span), of_a_span / static_cast<double>(std::max<std::size_t>(follow.max_ids, 1)));
  estimate.a_day.requests = spans * requests_of_a_span;
  return estimate;
}

LaneEstimate estimate_settle(const SettleSettings& settle, const Traffic& traffic, Duration history) {
  const double jobs_per_day = ratio(kDay, settle.window);
  const auto read = [&](double days) {
    const double jobs = jobs_per_day * days;
    const double results = pages(jobs, traffic.records_per_day * days, settle.page_size);
    return Requests{.windows = jobs, .jobs = jobs, .requests = jobs * (1 + polls_of_a_job(settle)) + results};
  };
  LaneEstimate estimate;
  add(estimate.a_day, read(static_cast<double>(settle.passes)));
  estimate.a_day.requests += ratio(kDay, settle.availability_every);
  if (history > Duration{0}) {
    estimate.catch_up = read(ratio(history, kDay));
    const double in_turn = estimate.catch_up.jobs / static_cast<double>(std::max(settle.max_jobs, 1U));
    estimate.catch_up_least = Duration{static_cast<Duration::rep>(in_turn * static_cast<double>(settle.job_duration.count()))};
  }
  return estimate;
}

BudgetEstimate estimate_budget(const std::vector<LaneEstimate>& lanes, double permitted_per_minute) {
  constexpr double kMinutesOfADay = 1'440;
  BudgetEstimate estimate{.permitted_per_minute = permitted_per_minute, .catch_up = Duration{0}};
  double& catch_up = estimate.catch_up_requests;
  for (const LaneEstimate& lane : lanes) {
    estimate.requests_per_day += lane.a_day.requests;
    catch_up += lane.catch_up.requests;
    estimate.catch_up = std::max(*estimate.catch_up, lane.catch_up_least);
  }
  estimate.requests_per_month = estimate.requests_per_day * kDaysOfAMonth;
  const double permitted_per_day = permitted_per_minute * kMinutesOfADay;
  estimate.share_of_permitted = estimate.requests_per_day / permitted_per_day;
  if (catch_up <= 0) return estimate;
  const double left_per_day = permitted_per_day - estimate.requests_per_day;
  if (left_per_day <= 0) {
    estimate.catch_up.reset();
  } else {
    const Duration needed{static_cast<Duration::rep>(catch_up / left_per_day * static_cast<double>(kDay.count()))};
    estimate.catch_up = std::max(*estimate.catch_up, needed);
  }
  return estimate;
}

MonthVerdict judge_month(const BudgetEstimate& estimate, double max_requests_per_month) {
  return {.suffices = estimate.requests_per_month <= max_requests_per_month,
          .suffices_with_catch_up = estimate.requests_per_month + estimate.catch_up_requests <= max_requests_per_month,
          .used_up_after_days = estimate.requests_per_day > 0
                                    ? std::min(kDaysOfAMonth, max_requests_per_month / estimate.requests_per_day)
                                    : kDaysOfAMonth};
}

}  // namespace connector::core
