// Live windows over buckets that begin by the clock of a time zone: each is one of them, of whatever length it is.

#include "connector/core/planning/ages.h"
#include "connector/core/planning/caught_up.h"
#include "connector/core/planning/estimate.h"
#include "connector/core/planning/live_planner.h"

#include <gtest/gtest.h>
#include <map>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Duration;
using common::Instant;
using common::Interval;

Instant at(const std::string& instant) {
  return common::parse_instant(instant).value();
}

LivePlanOptions local(const std::string& zone, Duration length) {
  return {.every = length, .delay = 30s, .min_window = length, .buckets = Buckets(length, common::TimeZone::find(zone).value())};
}

std::string show(const LivePlan& plan) {
  if (const auto* wait = std::get_if<WaitUntil>(&plan)) return "wait until " + common::format_instant(wait->instant, false);
  const auto& read = std::get<ReadWindow>(plan);
  return common::format_instant(read.window.start, false) + "/" + common::format_instant(read.window.end, false);
}

Ledger complete_until(Instant start, Instant end) {
  Ledger ledger({}, start);
  if (start < end) EXPECT_TRUE(ledger.apply(WindowCompleted{.window = {.start = start, .end = end}}));
  return ledger;
}

TEST(LiveLocalBuckets, ADayIsReadWhenItHasEndedThere) {
  const LivePlanner planner(local("Europe/Berlin", 24h));
  const Ledger ledger = complete_until(at("2026-03-27T23:00:00Z"), at("2026-03-28T23:00:00Z"));

  EXPECT_EQ(show(planner.next(ledger, at("2026-03-29T22:00:29Z"))), "wait until 2026-03-29T22:00:30Z");
  EXPECT_EQ(show(planner.next(ledger, at("2026-03-29T22:00:30Z"))), "2026-03-28T23:00:00Z/2026-03-29T22:00:00Z") << "23 hours";
  EXPECT_EQ(show(planner.next(ledger, at("2026-04-20T00:00:00Z"))), "2026-03-28T23:00:00Z/2026-03-29T22:00:00Z")
      << "behind: one by one all the same";
}

TEST(LiveLocalBuckets, NoneIsCutHoweverMuchItHolds) {
  LivePlanner planner(local("Europe/Berlin", 24h));
  const Ledger ledger = complete_until(at("2026-10-24T22:00:00Z"), at("2026-10-24T22:00:00Z"));
  const Interval day{.start = at("2026-10-24T22:00:00Z"), .end = at("2026-10-25T23:00:00Z")};

  planner.narrow(day, 1h);

  EXPECT_EQ(show(planner.next(ledger, at("2026-10-27T00:00:00Z"))), "2026-10-24T22:00:00Z/2026-10-25T23:00:00Z");
}

TEST(LiveLocalBuckets, AreReadAgainWholeAtTheirAge) {
  const LivePlanner planner(local("Asia/Kolkata", 1h));
  Ledger ledger = complete_until(at("2026-05-04T22:30:00Z"), at("2026-05-04T22:30:00Z"));
  ASSERT_TRUE(ledger.apply(AgeStarted{.age = 6h, .from = at("2026-05-04T22:30:00Z")}));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = at("2026-05-04T22:30:00Z"), .end = at("2026-05-05T06:30:00Z")}}));

  EXPECT_EQ(show(planner.next(ledger, at("2026-05-05T05:29:59Z"))), "wait until 2026-05-05T05:30:00Z");
  EXPECT_EQ(show(planner.next(ledger, at("2026-05-05T05:30:00Z"))), "2026-05-04T22:30:00Z/2026-05-04T23:30:00Z");
  ASSERT_TRUE(ledger.apply(
      WindowCompleted{.window = {.start = at("2026-05-04T22:30:00Z"), .end = at("2026-05-04T23:30:00Z")}, .pass = {.age = 6h}}));
  EXPECT_EQ(show(planner.next(ledger, at("2026-05-05T07:00:00Z"))), "2026-05-04T23:30:00Z/2026-05-05T00:30:00Z")
      << "over midnight UTC, and the first of those of age alone";
}

// An age that is begun later begins at a midnight of UTC, inside a day of the zone.
TEST(LiveLocalBuckets, AnAgeBegunLaterReadsTheDayWhole) {
  const LivePlanner planner(local("Europe/Berlin", 24h));
  Ledger ledger = complete_until(at("2026-05-01T22:00:00Z"), at("2026-05-06T22:00:00Z"));
  ASSERT_TRUE(ledger.apply(AgeStarted{.age = 48h, .from = at("2026-05-04T00:00:00Z")}));

  EXPECT_EQ(show(planner.next(ledger, at("2026-05-06T22:00:00Z"))), "2026-05-03T22:00:00Z/2026-05-04T22:00:00Z");
}

// The zone was another before, and the operator chose to go on.
TEST(LiveLocalBuckets, AfterAnotherZoneTheLaneGoesOnWithTheWholeBucket) {
  const LivePlanner planner(local("America/New_York", 24h));
  Ledger ledger = complete_until(at("2026-05-01T04:00:00Z"), at("2026-05-06T22:00:00Z"));

  EXPECT_EQ(show(planner.next(ledger, at("2026-05-07T04:00:29Z"))), "wait until 2026-05-07T04:00:30Z");
  EXPECT_EQ(show(planner.next(ledger, at("2026-05-07T04:00:30Z"))), "2026-05-06T04:00:00Z/2026-05-07T04:00:00Z");

  // At its age the one that was read in part alone waits until it has been read.
  ASSERT_TRUE(ledger.apply(AgeStarted{.age = 1h, .from = at("2026-05-06T00:00:00Z")}));
  ASSERT_TRUE(
      ledger.apply(PassCompleted{.window = {.start = at("2026-05-06T00:00:00Z"), .end = at("2026-05-06T04:00:00Z")}, .age = 1h}));
  EXPECT_EQ(show(planner.next(ledger, at("2026-05-06T23:30:00Z"))), "wait until 2026-05-07T04:00:30Z");
}

TEST(LiveLocalBuckets, ARunThatIsToEndDoesNotWaitForTheDay) {
  const LivePlanOptions berlin = local("Europe/Berlin", 24h);
  const Ledger ledger = complete_until(at("2026-03-26T23:00:00Z"), at("2026-03-28T23:00:00Z"));
  EXPECT_TRUE(live_is_caught_up(berlin, ledger, at("2026-03-29T22:00:29Z")));
  EXPECT_FALSE(live_is_caught_up(berlin, ledger, at("2026-03-29T22:00:30Z")));
}

TEST(LiveLocalBuckets, AreARequestEach) {
  const LiveSettings hours{.plan = local("Asia/Kolkata", 1h), .ages = {6h, 24h}, .page_size = 1'000'000'000};
  const LaneEstimate estimate = estimate_live(hours, {}, std::chrono::days{10});
  EXPECT_NEAR(estimate.a_day.requests, 24 * 3, 0.1);
  EXPECT_NEAR(estimate.catch_up.requests, 24 * 10, 0.1);
}

struct Year {
  std::string name;
  std::string zone;
  Duration length;
  std::string start;
  friend void PrintTo(const Year& year, std::ostream* out) { *out << year.name; }
};
class AYear : public testing::TestWithParam<Year> {};

// Whatever happens on the way: reads that fail and are late, restarts, days of downtime. Every bucket is read, one at a time,
// none in part, and each again at every age.
TEST_P(AYear, IsReadBucketByBucket) {
  const Year& year = GetParam();
  std::mt19937 random(11);
  const LivePlanOptions options = local(year.zone, year.length);
  LivePlanner planner(options);
  const Instant start = options.buckets.start_of(at(year.start));
  const Instant end = start + std::chrono::days{year.length < 24h ? 60 : 380};
  Ledger ledger({}, start);
  Instant now = start;
  for (const LedgerChange& change : change_ages(ledger, std::vector<Duration>{6h, 72h}, now)) ASSERT_TRUE(ledger.apply(change));
  std::map<Duration, std::vector<Interval>> read_at;
  for (int step = 0; ledger.settled_until() < end; ++step) {
    ASSERT_LT(step, 20'000) << "it stands still at " << common::format_instant(ledger.settled_until());
    const LivePlan plan = planner.next(ledger, now);
    if (const auto* wait = std::get_if<WaitUntil>(&plan)) {
      ASSERT_GT(wait->instant, now) << "a wait must pass";
      now = wait->instant + std::uniform_int_distribution(0, 20)(random) / 20 * 60h;
      continue;
    }
    const auto& read = std::get<ReadWindow>(plan);
    ASSERT_EQ(read.window, options.buckets.at(read.window.start)) << show(plan);
    ASSERT_LE(read.window.end, now - (read.pass.is_first() ? options.delay : read.pass.age));
    switch (std::uniform_int_distribution(0, 5)(random)) {
      case 0:
        if (!read.pass.is_first()) planner.put_off(read, now, {});
        break;
      case 1:
        planner.narrow(read.window, read.window.length() / 3);
        break;
      case 2:  // a new life
        planner = LivePlanner(options);
        ledger = Ledger::parse(ledger.serialize()).value();
        break;
      default:
        read_at[read.pass.age].push_back(read.window);
        ASSERT_TRUE(ledger.apply(WindowCompleted{.window = read.window, .pass = read.pass}));
        for (const auto& change : passes_satisfied(ledger, read.window, now, Satisfied::kWhole))
          ASSERT_TRUE(ledger.apply(change));
        planner.went_well(read.window, read.pass.age);
        planner.widen();
    }
  }
  Instant reached = start;
  for (const Interval& window : read_at[0s]) {
    ASSERT_EQ(window.start, reached) << "no gap, and nothing twice";
    reached = window.end;
  }
  EXPECT_GE(reached, end);
  for (const auto& [age, pass] : ledger.passes()) {
    EXPECT_TRUE(pass.covers({.start = start, .end = end}));
    EXPECT_EQ(pass.intervals().back().end, options.buckets.start_of(pass.intervals().back().end));
  }
  EXPECT_GT(read_at[6h].size(), 10U);
  EXPECT_GT(read_at[72h].size(), 10U);
}

INSTANTIATE_TEST_SUITE_P(Zones, AYear,
                         testing::Values(Year{"DaysOfBerlin", "Europe/Berlin", 24h, "2025-12-15T00:00:00Z"},
                                         Year{"DaysOfNewYork", "America/New_York", 24h, "2025-12-15T00:00:00Z"},
                                         Year{"DaysOfKolkata", "Asia/Kolkata", 24h, "2025-12-15T00:00:00Z"},
                                         Year{"DaysOfLordHowe", "Australia/Lord_Howe", 24h, "2025-12-15T00:00:00Z"},
                                         Year{"DaysOfApia", "Pacific/Apia", 24h, "2011-09-01T00:00:00Z"},
                                         Year{"DaysOfSaoPaulo", "America/Sao_Paulo", 24h, "2017-09-01T00:00:00Z"},
                                         Year{"DaysOfStJohns", "America/St_Johns", 24h, "2010-01-01T00:00:00Z"},
                                         Year{"HoursOfKolkata", "Asia/Kolkata", 1h, "2025-12-15T00:00:00Z"},
                                         Year{"HoursOfLordHowe", "Australia/Lord_Howe", 1h, "2026-03-15T00:00:00Z"},
                                         Year{"ShiftsOfBerlin", "Europe/Berlin", 8h, "2026-03-15T00:00:00Z"}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace connector::core
