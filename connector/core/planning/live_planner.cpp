#include "connector/core/planning/live_planner.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <ranges>

namespace connector::core {

using common::Duration;
using common::Instant;
using common::Interval;

namespace {

constexpr Duration kDay = std::chrono::days{1};

// Whether the ledger has more intervals when this window was read at this age and, with it, at the younger ones.
bool adds_gap(const Ledger& ledger, const Interval& window, Duration oldest) {
  std::size_t before = 0;
  std::size_t after = 0;
  for (const auto& [age, done] : ledger.passes()) {
    if (age > oldest) continue;
    IntervalSet with_it = done;
    with_it.add(window);
    before += done.intervals().size();
    after += with_it.intervals().size();
  }
  return after > before;
}

}  // namespace

struct LivePlanner::Due {
  Interval window;
  Instant at;  // when it is (or became) due
};

LivePlan LivePlanner::next(const Ledger& ledger, Instant now, std::span<const Interval> running) const {
  IntervalSet blocked;
  for (const Interval& window : running) blocked.add(options_.buckets.bound_of(window.start));
  for (const OpenWindow& open : ledger.open()) {
    if (!blocked.overlaps(open.window)) return ReadWindow{.window = open.window, .is_open = true, .pass = open.pass};
  }

  const Due fresh = first_pass(ledger, now);
  const bool is_blocked = blocked.overlaps(fresh.window);
  if (fresh.at <= now && !is_blocked) return ReadWindow{.window = fresh.window};
  Instant wait = fresh.at <= now ? Instant::max() : fresh.at;

  // The oldest age first: one read at it is one at the younger ages, too.
  for (const auto& [age, pass] : ledger.passes() | std::views::reverse) {
    const std::optional<Due> due = reread(ledger, now, age, blocked);
    if (due && due->at <= now) return ReadWindow{.window = due->window, .pass = {.age = age}};
    if (due) wait = std::min(wait, due->at);
  }
  for (const Failed& failed : put_off_) {
    if (failed.until > now) wait = std::min(wait, failed.until);
  }
  if (!running.empty()) return WaitForReads{wait};
  return WaitUntil{wait};
}

Duration LivePlanner::bounded(Duration width) const {
  if (options_.buckets.is_local()) return options_.buckets.longest();  // one of them: it ends with its bound
  if (width_ > Duration{0}) width = std::min(width, width_);
  if (options_.buckets) width = std::max(width - width % options_.buckets.length(), options_.buckets.length());
  return std::clamp<Duration>(width, Duration{1}, kDay);
}

LivePlanner::Due LivePlanner::first_pass(const Ledger& ledger, Instant now) const {
  // A gap that begins inside a bucket (its length was another before) is read with the whole of it.
  const Instant begin = options_.buckets.start_of(ledger.complete_until());
  const auto [earliest, midnight] = options_.buckets.bound_of(begin);
  Instant bound = midnight;
  // A complete part ahead (a gap was left by a failure) ends the window, so that nothing is read twice.
  if (const auto gap = ledger.complete().first_gap({.start = ledger.complete_until(), .end = midnight})) {
    bound = options_.buckets.end_of(gap->end);
  }

  // The parts of a cut window end with it, so that the lane keeps its rhythm.
  if (begin < cut_end_) bound = std::min(bound, cut_end_);

  Duration width = options_.every;
  const Instant horizon = now - options_.delay;
  if (const Duration backlog = horizon - begin; backlog >= 2 * options_.every) {
    // Whole multiples, so that the lane falls back into its rhythm when it has caught up.
    width = backlog - backlog % options_.every;
  }
  if (options_.max_window > Duration{0}) width = std::min(width, options_.max_window - options_.overlap);

  const Instant end = std::min(begin + bounded(width), bound);
  // The overlap reaches back, but not over midnight (the rows of another start day) nor to before the lane's start.
  const Instant start = std::max({begin - options_.overlap, earliest, ledger.start()});
  return {.window = {.start = start, .end = end}, .at = end + options_.delay};
}

Duration LivePlanner::step_at(Duration age) const {
  constexpr Duration kHour = std::chrono::hours{1};
  const Duration quarter = age / 4 - age / 4 % options_.every;
  const Duration step =
      options_.reread_width > Duration{0} ? options_.reread_width : std::max(std::min(quarter, kHour), options_.every);
  return bounded(std::min(step, widest()));
}

Duration LivePlanner::widest() const {
  return bounded(options_.max_window > Duration{0} ? options_.max_window : kDay);
}

// The first window of this age, due or not, on a day that is free. Where one that is put off leaves a gap, and the ledger has no
// room for more of them, only what closes gaps is read: those that are put off are waited for.
std::optional<LivePlanner::Due> LivePlanner::reread(const Ledger& ledger, Instant now, Duration age,
                                                    const IntervalSet& blocked) const {
  const Duration step = step_at(age);
  const Instant seen = ledger.complete_until();
  const Instant horizon = now - age;
  Interval rest{.start = ledger.start(), .end = seen};
  const IntervalSet done = done_at(ledger, now, age);
  while (const auto gap = done.first_gap(rest)) {
    const Instant begin = std::max(options_.buckets.start_of(gap->start), ledger.start());
    const Instant midnight = options_.buckets.bound_of(begin).end;
    const Instant bound = std::min({options_.buckets.end_of(gap->end), midnight, seen});
    if (blocked.overlaps({.start = begin, .end = bound})) {
      rest.start = bound;
      continue;
    }
    const bool goes_on = bound == seen && bound != midnight;  // more of this day will follow
    const Instant first = goes_on ? begin + step : std::min(begin + step, bound);
    if (first > seen) return std::nullopt;  // waits for its neighbours to be seen
    if (first > horizon) return Due{.window = {.start = begin, .end = first}, .at = first + age};
    Instant end = std::min(bound, horizon);
    if (end != bound || goes_on) end -= (end - begin) % step;  // whole steps
    end = std::min({end, begin + widest(), end_alone(begin, age)});
    if (!ledger.has_room_to_open() && adds_gap(ledger, {.start = begin, .end = end}, age)) {
      rest.start = bound;
      continue;
    }
    return Due{.window = {.start = begin, .end = end}, .at = first + age};
  }
  return std::nullopt;
}

// What is put off is passed over. (A clock that went back does not make it wait for longer.)
IntervalSet LivePlanner::done_at(const Ledger& ledger, Instant now, Duration age) const {
  IntervalSet done = ledger.passes().at(age);
  for (const Failed& failed : put_off_) {
    if (failed.age == age && failed.since <= now && now < failed.until) done.add(failed.window);
  }
  return done;
}

// How far a window that begins there may reach, so that what has failed is tried again by itself: its neighbours must not fail
// with it.
Instant LivePlanner::end_alone(Instant begin, Duration age) const {
  Instant end = Instant::max();
  for (const Failed& failed : put_off_) {
    if (failed.age != age || failed.window.end <= begin) continue;
    end = std::min(end, failed.window.start <= begin ? failed.window.end : failed.window.start);
  }
  return end;
}

Duration LivePlanner::put_off(const ReadWindow& failed, Instant now, PutOff how) {
  const auto is_same = [&](const Failed& one) { return one.window == failed.window && one.age == failed.pass.age; };
  auto found = std::ranges::find_if(put_off_, is_same);
  if (found == put_off_.end()) {
    if (put_off_.size() >= kMostFailed) put_off_.erase(std::ranges::min_element(put_off_, {}, &Failed::until));
    put_off_.push_back({.window = failed.window, .age = failed.pass.age, .backoff = LaneBackoff(), .since = now, .until = now});
    found = std::prev(put_off_.end());
  }
  const Duration wait = how.patience == Patience::kSlow ? found->backoff.slow() : found->backoff.next(how.chance);
  found->since = now;
  found->until = now + std::max(wait, how.at_least);
  return found->until - now;
}

void LivePlanner::went_well(const Interval& window, Duration age) {
  std::erase_if(put_off_, [&](const Failed& failed) { return failed.age <= age && failed.window.overlaps(window); });
}

void LivePlanner::forget_before(Instant from) {
  std::erase_if(put_off_, [&](const Failed& failed) { return failed.window.end <= from; });
  for (Failed& failed : put_off_) failed.window.start = std::max(failed.window.start, from);
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
