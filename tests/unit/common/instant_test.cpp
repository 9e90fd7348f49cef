#include "common/instant.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace common {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year;

constexpr Instant kMayFourth = sys_days(year{2026} / 5 / 4) + hours{9} + minutes{12} + seconds{3} + Duration{386};

struct InstantCase {
  std::string name;
  std::string text;
  Instant expected;
};
class ParseInstant : public testing::TestWithParam<InstantCase> {};

TEST_P(ParseInstant, ReadsTheInstant) {
  const auto parsed = parse_instant(GetParam().text);

  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Spellings, ParseInstant,
                         testing::Values(InstantCase{"Milliseconds", "2026-05-04T09:12:03.386Z", kMayFourth},
                                         InstantCase{"NoFraction", "2026-05-04T09:12:03Z", kMayFourth - Duration{386}},
                                         InstantCase{"ShortFraction", "2026-05-04T09:12:03.4Z", kMayFourth + Duration{14}},
                                         InstantCase{"NanosecondsAreCut", "2026-05-04T09:12:03.386999999Z", kMayFourth},
                                         InstantCase{"EastOfGreenwich", "2026-05-04T11:12:03.386+02:00", kMayFourth},
                                         InstantCase{"WestAcrossMidnight", "2026-05-03T23:42:03.386-09:30", kMayFourth},
                                         InstantCase{"LeapDay", "2024-02-29T00:00:00Z", sys_days(year{2024} / 2 / 29)},
                                         InstantCase{"BeforeTheEpoch", "1969-12-31T23:59:59.999Z", Instant(Duration{-1})}),
                         [](const auto& info) { return info.param.name; });

struct BadText {
  std::string name;
  std::string text;
};
class RefuseInstant : public testing::TestWithParam<BadText> {};

TEST_P(RefuseInstant, NamesTheText) {
  const auto parsed = parse_instant(GetParam().text);

  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kMalformedResponse);
  EXPECT_NE(parsed.error().message.find(GetParam().text.substr(0, 64)), std::string::npos) << parsed.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Spellings, RefuseInstant,
    testing::Values(BadText{"Empty", ""}, BadText{"DateAlone", "2026-05-04"}, BadText{"NoZone", "2026-05-04T09:12:03"},
                    BadText{"NoSuchDay", "2026-02-29T00:00:00Z"}, BadText{"NoSuchMonth", "2026-13-01T00:00:00Z"},
                    BadText{"MonthZero", "2026-00-01T00:00:00Z"}, BadText{"Hour24", "2026-05-04T24:00:00Z"},
                    BadText{"Minute60", "2026-05-04T09:60:00Z"}, BadText{"LeapSecond", "2016-12-31T23:59:60Z"},
                    BadText{"EmptyFraction", "2026-05-04T09:12:03.Z"}, BadText{"OffsetWithoutColon", "2026-05-04T09:12:03+0200"},
                    BadText{"TextBehind", "2026-05-04T09:12:03Zx"}, BadText{"Blank", "2026-05-04 09:12:03Z"},
                    BadText{"Signs", "2026-+5-04T09:12:03Z"}, BadText{"ShortYear", "26-05-04T09:12:03Z"},
                    BadText{"Long", std::string(1000, '2')}),
    [](const auto& info) { return info.param.name; });

TEST(FormatInstant, AlwaysShowsMillisecondsUnlessToldOtherwise) {
  const Instant whole = kMayFourth - Duration{386};

  EXPECT_EQ(format_instant(kMayFourth), "2026-05-04T09:12:03.386Z");
  EXPECT_EQ(format_instant(whole), "2026-05-04T09:12:03.000Z");
  EXPECT_EQ(format_instant(whole, false), "2026-05-04T09:12:03Z");
  EXPECT_EQ(format_instant(kMayFourth, false), "2026-05-04T09:12:03.386Z");
  EXPECT_EQ(format_instant(Instant(Duration{-1})), "1969-12-31T23:59:59.999Z");
}

TEST(Interval, FormatAndParseAreInverse) {
  const Interval interval{.start = start_of_day(kMayFourth), .end = kMayFourth};

  EXPECT_EQ(format_interval(interval), "2026-05-04T00:00:00.000Z/2026-05-04T09:12:03.386Z");
  const auto parsed = parse_interval(format_interval(interval));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, interval);
}

TEST(Interval, RefusesWhatIsNotOne) {
  for (const std::string text : {"", "2026-05-04T00:00:00Z", "2026-05-04T00:00:00Z/", "/2026-05-04T00:00:00Z",
                                 "2026-05-05T00:00:00Z/2026-05-04T00:00:00Z", "2026-05-04T00:00:00Z/PT1H"}) {
    const auto parsed = parse_interval(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kMalformedResponse);
  }
}

TEST(Interval, IsHalfOpen) {
  const Instant zero{};
  const Interval first{.start = zero, .end = zero + hours{1}};
  const Interval second{.start = first.end, .end = first.end + hours{1}};

  EXPECT_TRUE(first.contains(first.start));
  EXPECT_FALSE(first.contains(first.end));
  EXPECT_FALSE(first.overlaps(second));
  EXPECT_TRUE(first.overlaps({.start = zero + minutes{59}, .end = second.end}));
  EXPECT_TRUE((Interval{.start = zero, .end = zero}).empty());
}

struct DurationCase {
  std::string name;
  std::string text;
  Duration expected;
  std::string shortest;
};
class Durations : public testing::TestWithParam<DurationCase> {};

TEST_P(Durations, ReadAndWritten) {
  const auto parsed = parse_duration(GetParam().text);

  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, GetParam().expected);
  EXPECT_EQ(format_duration(*parsed), GetParam().shortest);
}

INSTANTIATE_TEST_SUITE_P(Spellings, Durations,
                         testing::Values(DurationCase{"Milliseconds", "500ms", Duration{500}, "500ms"},
                                         DurationCase{"Seconds", "90s", seconds{90}, "90s"},
                                         DurationCase{"WholeMinutes", "600s", minutes{10}, "10m"},
                                         DurationCase{"Hours", "6h", hours{6}, "6h"},
                                         DurationCase{"Days", "168h", std::chrono::days{7}, "7d"},
                                         DurationCase{"Zero", "0h", Duration{0}, "0s"},
                                         DurationCase{"NotWholeSeconds", "1500ms", Duration{1500}, "1500ms"}),
                         [](const auto& info) { return info.param.name; });

TEST(ParseDuration, RefusesAndSaysWhatIsAllowed) {
  for (const std::string text :
       {"", "60", "s", "-5s", "+5s", "1.5h", "5 s", "5S", "5w", "1h30m", "99999999999999999999s", "9223372036854775807d"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kConfigInvalid);
    EXPECT_NE(parsed.error().message.find("ms, s, m, h, d"), std::string::npos);
  }
}

TEST(StartOfDay, IsUtcMidnightOfTheSameDay) {
  EXPECT_EQ(start_of_day(kMayFourth), Instant(sys_days(year{2026} / 5 / 4)));
  EXPECT_EQ(start_of_day(Instant(Duration{-1})), Instant(sys_days(year{1969} / 12 / 31)));
  EXPECT_EQ(from_time_t(86'400), Instant(sys_days(year{1970} / 1 / 2)));
}

TEST(HttpDate, IsReadWhateverItsDayOfTheWeek) {
  const auto parsed = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
  const auto wrong_day = parse_http_date("Mon, 06 Nov 1994 08:49:37 GMT");

  ASSERT_TRUE(parsed);
  EXPECT_EQ(format_instant(*parsed, false), "1994-11-06T08:49:37Z");
  ASSERT_TRUE(wrong_day);
  EXPECT_EQ(*wrong_day, *parsed);
}

TEST(HttpDate, RefusesOtherForms) {
  for (const std::string text : {"", "Su", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                                 "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
                                 "Foo, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nvo 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(text)) << text;
  }
}

}  // namespace
}  // namespace common
