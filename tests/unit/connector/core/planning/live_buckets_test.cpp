// Live windows over a service that answers in buckets of time: they begin and end where buckets do, whatever happens.

#include "connector/core/planning/ages.h"
#include "connector/core/planning/live_planner.h"

#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Duration;
using common::Instant;
using common::Interval;

Instant at(const std::string& time, const std::string& day = "2026-05-04") {
  return common::parse_instant(day + "T" + time + "Z").value();
}

LivePlanOptions quarters() {
  return {.every = 15min, .delay = 30s, .min_window = 15min, .max_window = std::chrono::days{31}, .buckets = Buckets(15min)};
}

Ledger complete_until(Instant start, Instant end) {
  Ledger ledger({}, start);
  if (start < end) EXPECT_TRUE(ledger.apply(WindowCompleted{.window = {.start = start, .end = end}}));
  return ledger;
}

std::string show(const LivePlan& plan) {
  if (const auto* wait = std::get_if<WaitUntil>(&plan)) return "wait until " + common::format_instant(wait->instant, false);
  const auto& read = std::get<ReadWindow>(plan);
  return common::format_instant(read.window.start, false).substr(11, 5) + "-" +
         common::format_instant(read.window.end, false).substr(11, 5);
}

TEST(LiveBuckets, ABucketIsReadWhenItHasEndedAndSettledForTheDelay) {
  const LivePlanner planner(quarters());
  const Ledger ledger = complete_until(at("10:00:00"), at("10:15:00"));

  EXPECT_EQ(show(planner.next(ledger, at("10:30:29"))), "wait until 2026-05-04T10:30:30Z");
  EXPECT_EQ(show(planner.next(ledger, at("10:30:30"))), "10:15-10:30");
  EXPECT_EQ(show(planner.next(ledger, at("11:14:59"))), "10:15-11:00") << "behind: several at once, but whole ones";
}

TEST(LiveBuckets, AMaximumThatHoldsNoWholeNumberOfThemIsNotUsedUp) {
  LivePlanOptions options = quarters();
  options.max_window = 40min;

  EXPECT_EQ(show(LivePlanner(options).next(complete_until(at("10:00:00"), at("10:00:00")), at("14:00:00"))), "10:00-10:30");
}

TEST(LiveBuckets, ACutWindowIsReadInWholeBuckets) {
  LivePlanner planner(quarters());
  const Ledger ledger = complete_until(at("10:00:00"), at("10:00:00"));

  planner.narrow({.start = at("10:00:00"), .end = at("10:45:00")}, 22min + 30s);
  EXPECT_EQ(show(planner.next(ledger, at("11:00:00"))), "10:00-10:15");

  planner.narrow({.start = at("10:00:00"), .end = at("10:15:00")}, 1s);
  EXPECT_EQ(show(planner.next(ledger, at("11:00:00"))), "10:00-10:15") << "one of them is not cut";
}

// The length of the buckets was another before, and the operator chose to go on.
TEST(LiveBuckets, AGapThatBeginsInsideABucketIsReadWithTheWholeOfIt) {
  LivePlanOptions halves = quarters();
  halves.buckets = Buckets(30min);
  halves.every = halves.min_window = 30min;

  EXPECT_EQ(show(LivePlanner(halves).next(complete_until(at("10:00:00"), at("11:15:00")), at("11:40:00"))), "11:00-11:30");
  EXPECT_EQ(show(LivePlanner(halves).next(complete_until(at("10:15:00"), at("10:15:00")), at("10:40:00"))), "10:15-10:30")
      << "but nothing before the lane's start";
}

TEST(LiveBuckets, AreReadAgainWhole) {
  LivePlanner planner(quarters());
  Ledger ledger = complete_until(at("10:00:00"), at("10:00:00"));
  for (const LedgerChange& change : change_ages(ledger, std::vector<Duration>{1h}, at("10:00:00")))
    ASSERT_TRUE(ledger.apply(change));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = at("10:00:00"), .end = at("11:00:00")}}));

  // An hour after 10:20 the second bucket is not old enough, though a part of it is.
  EXPECT_EQ(show(planner.next(ledger, at("11:14:00"))), "wait until 2026-05-04T11:15:00Z");
  EXPECT_EQ(show(planner.next(ledger, at("11:15:00"))), "10:00-10:15");
}

// However time passes, failures strike, windows are cut and read late: every window is of whole buckets of one day, and in the
// end everything was read at every age.
TEST(LiveBuckets, WindowsAreOfWholeBucketsWhateverHappens) {
  std::mt19937 random(7);
  const std::vector<Duration> buckets{1min, 15min, 40min, 45min, 1h, 6h, 24h};
  const std::vector<Duration> ages{1h, 24h};
  for (int round = 0; round < 60; ++round) {
    LivePlanOptions options = quarters();
    options.min_window = buckets[static_cast<std::size_t>(round) % buckets.size()];
    options.buckets = Buckets(options.min_window);
    options.every = std::min<Duration>(options.min_window * std::uniform_int_distribution(1, 4)(random), 24h);
    options.max_window = std::max<Duration>(options.every, Duration(std::uniform_int_distribution(1, 200)(random)) * 600'000);
    options.delay = Duration(std::uniform_int_distribution(0, 600'000)(random));
    LivePlanner planner(options);
    const Instant start = options.buckets.start_of(at("21:17:23"));
    Ledger ledger({}, start);
    Instant now = start;
    for (const LedgerChange& change : change_ages(ledger, ages, now)) ASSERT_TRUE(ledger.apply(change));
    const auto is_edge = [&](Instant instant) { return options.buckets.start_of(instant) == instant; };
    const auto complete = [&](const ReadWindow& read) {
      ASSERT_TRUE(ledger.apply(WindowCompleted{.window = read.window, .pass = read.pass}));
      for (const auto& change : passes_satisfied(ledger, read.window, now, Satisfied::kWhole)) ASSERT_TRUE(ledger.apply(change));
      planner.went_well(read.window, read.pass.age);
      planner.widen();
    };
    for (int step = 0; step < 400; ++step) {
      const LivePlan plan = planner.next(ledger, now);
      if (const auto* wait = std::get_if<WaitUntil>(&plan)) {
        ASSERT_GT(wait->instant, now) << "a wait must pass";
        now = wait->instant + std::uniform_int_distribution(0, 10)(random) / 10 * 36h;
        continue;
      }
      const auto& read = std::get<ReadWindow>(plan);
      ASSERT_FALSE(read.window.empty());
      ASSERT_TRUE(is_edge(read.window.start) && is_edge(read.window.end)) << show(plan);
      ASSERT_LE(read.window.end, now - (read.pass.is_first() ? options.delay : read.pass.age));
      ASSERT_EQ(common::start_of_day(read.window.start), common::start_of_day(read.window.end - 1ms));
      switch (std::uniform_int_distribution(0, 4)(random)) {
        case 0:
          if (!read.pass.is_first()) planner.put_off(read, now, {});
          break;
        case 1:
          planner.narrow(read.window, read.window.length() / 3);
          break;
        default:
          complete(read);
      }
    }
    const Instant end = common::start_of_day(ledger.complete_until()) + 24h;
    for (int step = 0; step < 20'000 && ledger.settled_until() < end; ++step) {
      const LivePlan plan = planner.next(ledger, now);
      if (const auto* wait = std::get_if<WaitUntil>(&plan)) {
        now = wait->instant;
      } else {
        complete(std::get<ReadWindow>(plan));
      }
    }
    ASSERT_GE(ledger.settled_until(), end);
    for (const auto& [age, pass] : ledger.passes()) {
      for (const Interval& interval : pass.intervals()) ASSERT_TRUE(is_edge(interval.start) && is_edge(interval.end));
    }
  }
}

}  // namespace
}  // namespace connector::core
