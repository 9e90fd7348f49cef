// Where buckets begin, by transitions that have happened.

#include "connector/core/planning/buckets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ostream>
#include <ranges>
#include <string>
#include <utility>
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

Buckets local(const std::string& zone, Duration length) {
  return Buckets(length, common::TimeZone::find(zone).value());
}

TEST(Buckets, OfUtcBeginAtMultiplesOfTheirLengthSinceMidnight) {
  EXPECT_EQ(Buckets(15min).start_of(at("2026-05-04T10:14:59Z")), at("2026-05-04T10:00:00Z"));
  EXPECT_EQ(Buckets(15min).start_of(at("2026-05-04T10:15:00Z")), at("2026-05-04T10:15:00Z"));
  EXPECT_EQ(Buckets(24h).start_of(at("2026-05-04T23:59:59Z")), at("2026-05-04T00:00:00Z"));
  EXPECT_EQ(Buckets(15min).start_of(at("1969-12-31T23:50:00Z")), at("1969-12-31T23:45:00Z"));
  EXPECT_EQ(Buckets(15min).end_of(at("2026-05-04T10:14:59Z")), at("2026-05-04T10:15:00Z"));
  EXPECT_EQ(Buckets(15min).end_of(at("2026-05-04T10:15:00Z")), at("2026-05-04T10:15:00Z"));
  EXPECT_FALSE(Buckets(15min).is_local());
  EXPECT_EQ(Buckets(24h).longest(), 24h);
}

TEST(Buckets, WithoutAnyEveryInstantBeginsAWindow) {
  EXPECT_FALSE(Buckets());
  EXPECT_EQ(Buckets().start_of(at("2026-05-04T10:14:59Z")), at("2026-05-04T10:14:59Z"));
  EXPECT_EQ(Buckets().end_of(at("2026-05-04T10:14:59Z")), at("2026-05-04T10:14:59Z"));
  EXPECT_EQ(common::format_interval(Buckets().bound_of(at("2026-05-04T10:14:59Z"))),
            "2026-05-04T00:00:00.000Z/2026-05-05T00:00:00.000Z");
}

// What is verified: nothing that was asked for is left out, and no part of a bucket is asked for.
TEST(Buckets, AnIntervalIsWidenedToThoseThatItTouches) {
  const auto whole = [](std::string_view interval, const Buckets& buckets) {
    return common::format_interval(buckets.whole(common::parse_interval(interval).value()));
  };
  EXPECT_EQ(whole("2026-05-04T10:05:00Z/2026-05-04T10:25:00Z", Buckets(30min)),
            "2026-05-04T10:00:00.000Z/2026-05-04T10:30:00.000Z");
  EXPECT_EQ(whole("2026-05-04T10:00:00Z/2026-05-04T10:30:00Z", Buckets(30min)),
            "2026-05-04T10:00:00.000Z/2026-05-04T10:30:00.000Z");
  EXPECT_EQ(whole("2026-05-04T23:00:00Z/2026-05-04T23:50:00Z", Buckets(45min)),
            "2026-05-04T22:30:00.000Z/2026-05-05T00:00:00.000Z");
  EXPECT_EQ(whole("2026-05-04T10:05:00Z/2026-05-04T10:25:00Z", Buckets()), "2026-05-04T10:05:00.000Z/2026-05-04T10:25:00.000Z");
  EXPECT_EQ(whole("2026-05-04T22:00:00Z/2026-05-05T22:00:01Z", local("Europe/Berlin", 24h)),
            "2026-05-04T22:00:00.000Z/2026-05-06T22:00:00.000Z");
}

struct Local {
  std::string name;
  std::string zone;
  Duration length;
  std::string inside;
  std::string bucket;
  friend void PrintTo(const Local& local, std::ostream* out) { *out << local.name; }
};

class ALocalBucket : public testing::TestWithParam<Local> {};

TEST_P(ALocalBucket, HoldsItsInstants) {
  const auto& [name, zone, length, inside, expected] = GetParam();
  const Buckets buckets = local(zone, length);
  const Interval bucket = common::parse_interval(expected).value();

  EXPECT_TRUE(buckets.is_local());
  for (const Instant instant : {at(inside), bucket.start, bucket.end - 1ms}) {
    EXPECT_EQ(common::format_interval(buckets.at(instant)), common::format_interval(bucket)) << common::format_instant(instant);
    EXPECT_EQ(buckets.bound_of(instant), bucket);
  }
  EXPECT_EQ(buckets.at(bucket.start - 1ms).end, bucket.start);
  EXPECT_EQ(buckets.at(bucket.end).start, bucket.end);
  EXPECT_LE(bucket.length(), buckets.longest());
}

constexpr Duration kDay = std::chrono::days{1};

INSTANTIATE_TEST_SUITE_P(
    Transitions, ALocalBucket,
    testing::Values(
        Local{"AnyDay", "Europe/Berlin", kDay, "2024-07-10T12:00:00Z", "2024-07-09T22:00:00Z/2024-07-10T22:00:00Z"},
        Local{"Of23Hours", "Europe/Berlin", kDay, "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z/2024-03-31T22:00:00Z"},
        Local{"Of25Hours", "Europe/Berlin", kDay, "2024-10-27T12:00:00Z", "2024-10-26T22:00:00Z/2024-10-27T23:00:00Z"},
        Local{"Of23HoursInNewYork", "America/New_York", kDay, "2024-03-10T12:00:00Z",
              "2024-03-10T05:00:00Z/2024-03-11T04:00:00Z"},
        Local{"Of25HoursInNewYork", "America/New_York", kDay, "2024-11-03T12:00:00Z",
              "2024-11-03T04:00:00Z/2024-11-04T05:00:00Z"},
        Local{"TheYearsEnd", "America/New_York", kDay, "2025-01-01T04:59:00Z", "2024-12-31T05:00:00Z/2025-01-01T05:00:00Z"},
        Local{"OfAFixedOffset", "Etc/GMT+5", kDay, "2024-02-29T12:00:00Z", "2024-02-29T05:00:00Z/2024-03-01T05:00:00Z"},
        Local{"OfAHalfHour", "Asia/Kolkata", kDay, "2024-12-31T20:00:00Z", "2024-12-31T18:30:00Z/2025-01-01T18:30:00Z"},
        Local{"OfAQuarter", "Asia/Kathmandu", kDay, "2024-05-04T20:00:00Z", "2024-05-04T18:15:00Z/2024-05-05T18:15:00Z"},
        Local{"OfMoreThanHalfADay", "Pacific/Kiritimati", kDay, "2024-05-04T12:00:00Z",
              "2024-05-04T10:00:00Z/2024-05-05T10:00:00Z"},
        Local{"LongerByHalfAnHour", "Australia/Lord_Howe", kDay, "2024-04-07T00:00:00Z",
              "2024-04-06T13:00:00Z/2024-04-07T13:30:00Z"},
        Local{"ShorterByHalfAnHour", "Australia/Lord_Howe", kDay, "2024-10-06T00:00:00Z",
              "2024-10-05T13:30:00Z/2024-10-06T13:00:00Z"},
        Local{"BeforeADateThatIsLeftOut", "Pacific/Apia", kDay, "2011-12-30T09:59:00Z",
              "2011-12-29T10:00:00Z/2011-12-30T10:00:00Z"},
        Local{"AfterADateThatIsLeftOut", "Pacific/Apia", kDay, "2011-12-30T10:00:00Z",
              "2011-12-30T10:00:00Z/2011-12-31T10:00:00Z"},
        Local{"WithoutAMidnight", "America/Sao_Paulo", kDay, "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z/2018-11-05T02:00:00Z"},
        Local{"BeforeADayWithoutAMidnight", "America/Sao_Paulo", kDay, "2018-11-04T02:30:00Z",
              "2018-11-03T03:00:00Z/2018-11-04T03:00:00Z"},
        Local{"BeforeTwoHoursOfTwentyThree", "America/Sao_Paulo", kDay, "2018-02-18T02:30:00Z",
              "2018-02-17T02:00:00Z/2018-02-18T03:00:00Z"},
        Local{"OfTwoMidnights", "America/Havana", kDay, "2024-11-03T05:30:00Z", "2024-11-03T04:00:00Z/2024-11-04T05:00:00Z"},
        Local{"WhenClocksGoBackOverMidnight", "America/St_Johns", kDay, "2010-11-07T03:00:00Z",
              "2010-11-07T02:30:00Z/2010-11-08T03:30:00Z"},
        Local{"BeforeAMidnightThatIsPutOff", "Asia/Pyongyang", kDay, "2015-08-14T15:10:00Z",
              "2015-08-13T15:00:00Z/2015-08-14T15:30:00Z"},
        Local{"HourOfAHalfHour", "Asia/Kolkata", 1h, "2024-05-04T10:45:00Z", "2024-05-04T10:30:00Z/2024-05-04T11:30:00Z"},
        Local{"HourOverUtcMidnight", "Asia/Kolkata", 1h, "2024-05-04T23:45:00Z", "2024-05-04T23:30:00Z/2024-05-05T00:30:00Z"},
        Local{"HalfHourOfAQuarter", "Asia/Kathmandu", 30min, "2024-05-04T10:16:00Z", "2024-05-04T10:15:00Z/2024-05-04T10:45:00Z"},
        Local{"HourThatHalfIsShownTwice", "Australia/Lord_Howe", 1h, "2024-04-06T15:10:00Z",
              "2024-04-06T14:00:00Z/2024-04-06T15:30:00Z"},
        Local{"HourThatHalfIsLeftOut", "Australia/Lord_Howe", 1h, "2024-10-05T15:45:00Z",
              "2024-10-05T15:30:00Z/2024-10-05T16:00:00Z"},
        Local{"HourOfSummerThere", "Australia/Lord_Howe", 1h, "2024-01-05T15:45:00Z",
              "2024-01-05T15:00:00Z/2024-01-05T16:00:00Z"},
        Local{"TwentyMinutesOfFifty", "Australia/Lord_Howe", 20min, "2024-04-06T15:10:00Z",
              "2024-04-06T14:40:00Z/2024-04-06T15:30:00Z"},
        Local{"ShiftOfFiveHours", "Europe/Berlin", 6h, "2024-03-31T00:30:00Z", "2024-03-30T23:00:00Z/2024-03-31T04:00:00Z"},
        Local{"ShiftOfSevenHours", "Europe/Berlin", 6h, "2024-10-27T01:30:00Z", "2024-10-26T22:00:00Z/2024-10-27T05:00:00Z"},
        Local{"ShiftAfterIt", "Europe/Berlin", 6h, "2024-10-27T05:00:00Z", "2024-10-27T05:00:00Z/2024-10-27T11:00:00Z"},
        Local{"ShiftOfTwoMidnights", "America/Havana", 6h, "2024-11-03T05:30:00Z", "2024-11-03T04:00:00Z/2024-11-03T11:00:00Z"},
        Local{"TwoHoursOfThree", "Europe/Berlin", 2h, "2024-10-27T01:30:00Z", "2024-10-27T00:00:00Z/2024-10-27T03:00:00Z"},
        Local{"BeforeTheTable", "Asia/Kolkata", kDay, "1990-05-04T20:00:00Z", "1990-05-04T18:30:00Z/1990-05-05T18:30:00Z"},
        Local{"BehindTheTable", "Asia/Kolkata", kDay, "2150-05-04T20:00:00Z", "2150-05-04T18:30:00Z/2150-05-05T18:30:00Z"}),
    [](const auto& info) { return info.param.name; });

TEST(LocalBuckets, WhereTheyBeginAsInUtcAreThoseOfUtc) {
  EXPECT_FALSE(local("Europe/Berlin", 1h).is_local());
  EXPECT_FALSE(local("Asia/Kolkata", 30min).is_local());
  EXPECT_FALSE(local("Australia/Lord_Howe", 30min).is_local());
  EXPECT_FALSE(local("Asia/Kathmandu", 15min).is_local());
  EXPECT_FALSE(local("Africa/Abidjan", 24h).is_local());
  EXPECT_EQ(local("Europe/Berlin", 1h).at(at("2024-03-31T01:30:00Z")),
            common::parse_interval("2024-03-31T01:00:00Z/2024-03-31T02:00:00Z").value());
}

// That is no second rule: what the clock says comes to the same.
TEST(LocalBuckets, ByTheClockAreTheSameWhereverTheOffsetsAreWholeOnes) {
  const auto by_clock = [](const std::string& name, Duration length) {
    // An offset of a second, long ago, and the rule for local ones is followed.
    auto offsets = common::TimeZone::find(name).value().offsets();
    offsets.insert(offsets.begin(), {.from = at("1990-01-01T00:00:00Z"), .offset = 1s});
    return Buckets(length, common::TimeZone(std::move(offsets)));
  };
  for (const auto& [name, length] : std::vector<std::pair<std::string, Duration>>{{"Europe/Berlin", 1h},
                                                                                  {"Europe/Berlin", 20min},
                                                                                  {"America/Havana", 1h},
                                                                                  {"America/St_Johns", 30min},
                                                                                  {"Australia/Lord_Howe", 30min},
                                                                                  {"Asia/Kathmandu", 15min},
                                                                                  {"Pacific/Apia", 1h},
                                                                                  {"Africa/Casablanca", 15min}}) {
    const Buckets buckets = by_clock(name, length);
    ASSERT_TRUE(buckets.is_local());
    const common::TimeZone zone = common::TimeZone::find(name).value();
    for (const auto& change : zone.offsets() | std::views::drop(1)) {
      for (Instant instant = change.from - 3h; instant < change.from + 3h; instant += 7min) {
        ASSERT_EQ(buckets.at(instant), Buckets(length).at(instant)) << name << " " << common::format_instant(instant);
      }
    }
  }
}

// In zones of every kind, days over all years, shorter ones over every change of the clock: side by side, without a gap, and
// every instant inside one leads to it.
TEST(LocalBuckets, TileTheTime) {
  for (const char* name : {"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia",
                           "America/Sao_Paulo", "America/Havana", "America/St_Johns", "Africa/Casablanca", "Africa/Cairo",
                           "Asia/Gaza", "America/Caracas", "Asia/Pyongyang", "Antarctica/Troll", "Pacific/Chatham"}) {
    const common::TimeZone zone = common::TimeZone::find(name).value();
    const auto expect_no_gap = [&](const Buckets& buckets, Instant from, Instant until) {
      for (Instant instant = buckets.start_of(from); instant < until;) {
        const Interval bucket = buckets.at(instant);
        ASSERT_EQ(bucket.start, instant) << name;
        ASSERT_LT(bucket.start, bucket.end) << name;
        ASSERT_LE(bucket.length(), buckets.longest()) << name;
        ASSERT_EQ(buckets.at(bucket.end - 1ms), bucket) << name << " " << common::format_instant(instant);
        ASSERT_EQ(buckets.at(bucket.start + bucket.length() / 2), bucket) << name;
        instant = bucket.end;
      }
    };
    expect_no_gap(Buckets(24h, zone), at("2000-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z"));
    for (const Duration length : {Duration{6h}, Duration{1h}, Duration{10min}}) {
      const Duration around = length < 1h ? 3h : 30h;
      for (const auto& change : zone.offsets()) expect_no_gap(Buckets(length, zone), change.from - around, change.from + around);
    }
  }
}

TEST(LocalBuckets, AreNoLongerThanTheyEverAre) {
  EXPECT_EQ(local("Europe/Berlin", 24h).longest(), 25h);
  EXPECT_EQ(local("Australia/Lord_Howe", 24h).longest(), 24h + 30min);
  EXPECT_EQ(local("Australia/Lord_Howe", 1h).longest(), 90min);
  EXPECT_EQ(local("Asia/Kolkata", 1h).longest(), 1h);
  EXPECT_EQ(local("Antarctica/Troll", 24h).longest(), 26h);
}

}  // namespace
}  // namespace connector::core
