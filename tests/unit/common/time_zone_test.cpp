// Of the system's database; what is asked for lies in the past, or holds whatever a country decides.

#include "common/time_zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <chrono>

namespace common {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Duration offset_at(const TimeZone& zone, const char* instant) {
  Duration offset = zone.offsets().front().offset;
  for (const auto& change : zone.offsets()) {
    if (change.from <= parse_instant(instant).value()) offset = change.offset;
  }
  return offset;
}

TEST(TimeZone, HasTheOffsetsOfTheDatabase) {
  const TimeZone berlin = TimeZone::find("Europe/Berlin").value();
  EXPECT_EQ(offset_at(berlin, "2024-03-31T00:59:59Z"), 1h);
  EXPECT_EQ(offset_at(berlin, "2024-03-31T01:00:00Z"), 2h);
  EXPECT_EQ(offset_at(berlin, "2024-10-27T00:59:59Z"), 2h);
  EXPECT_EQ(offset_at(berlin, "2024-10-27T01:00:00Z"), 1h);
  EXPECT_EQ(offset_at(TimeZone::find("Australia/Lord_Howe").value(), "2024-04-06T14:59:59Z"), 11h);
  EXPECT_EQ(offset_at(TimeZone::find("Australia/Lord_Howe").value(), "2024-04-06T15:00:00Z"), 10h + 30min);
}

TEST(TimeZone, ChangesAreChangesAndAscend) {
  for (const char* name : {"Europe/Berlin", "Africa/Casablanca", "America/Caracas", "Pacific/Apia"}) {
    const auto offsets = TimeZone::find(name).value().offsets();
    ASSERT_GT(offsets.size(), 1U) << name;
    for (std::size_t i = 1; i < offsets.size(); ++i) {
      EXPECT_LT(offsets[i - 1].from, offsets[i].from) << name;
      EXPECT_NE(offsets[i - 1].offset, offsets[i].offset) << name;
    }
  }
}

TEST(TimeZone, IsKnownForYearsToCome) {
  // Whatever becomes of it in one country or another.
  EXPECT_GE(TimeZone::find("Europe/Berlin").value().offsets().back().from.time_since_epoch(), std::chrono::years{60})
      << "or summer time has been abolished: then take another zone here";
}

TEST(TimeZone, StepIsWhatEveryOffsetIsAMultipleOf) {
  const auto step = [](const char* name) { return TimeZone::find(name).value().step(); };
  EXPECT_EQ(step("Etc/UTC"), 0h);
  EXPECT_EQ(step("Africa/Abidjan"), 0h);
  EXPECT_EQ(step("Europe/London"), 1h);
  EXPECT_EQ(step("America/New_York"), 1h);
  EXPECT_EQ(step("Etc/GMT+5"), 5h);
  EXPECT_EQ(step("Asia/Kolkata"), 5h + 30min);
  EXPECT_EQ(step("Australia/Lord_Howe"), 30min);
  EXPECT_EQ(step("America/Caracas"), 30min) << "for eight years and a half";
  EXPECT_EQ(step("Asia/Kathmandu"), 5h + 45min);
}

TEST(TimeZone, UnknownNamesAreRefused) {
  for (const char* name : {"Europe/Berln", "europe/berlin", "+02:00", "", "../../etc/passwd", "Europe", "localtime"}) {
    const auto zone = TimeZone::find(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_EQ(zone.error().code, ErrorCode::kConfigInvalid);
    EXPECT_THAT(zone.error().message, HasSubstr("is not in the time zone database"));
  }
}

}  // namespace
}  // namespace common
