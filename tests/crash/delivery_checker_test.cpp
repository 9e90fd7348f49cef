#include "tests/crash/delivery_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace tests::crash {
namespace {

using connector::core::IntervalSet;
using connector::core::Lane;
using testing::IsEmpty;
using testing::SizeIs;

const common::Instant kNoon = common::parse_instant("2026-03-01T12:00:00Z").value();

IntervalSet minute_from(common::Instant start) {
  IntervalSet set;
  set.add({start, start + std::chrono::minutes(1)});
  return set;
}

Delivered delivered(Lane lane, std::string key, std::string window = "w1") {
  return {.lane = lane, .key = key, .window = std::move(window), .value = R"({"conversationId":")" + key + R"("})"};
}

TEST(DeliveryChecker, FindsNothingWhenEveryClaimIsBacked) {
  const std::vector<Truth> truth{{"a", kNoon}, {"b", kNoon + std::chrono::minutes(2)}};  // b is not claimed yet

  EXPECT_THAT(find_violations(truth, {{Lane::kLive, minute_from(kNoon)}}, {delivered(Lane::kLive, "a")}), IsEmpty());
}

TEST(DeliveryChecker, ALedgerAheadOfItsRecordsIsALoss) {
  const auto violations = find_violations({{"a", kNoon}}, {{Lane::kLive, minute_from(kNoon)}}, {});

  ASSERT_THAT(violations, SizeIs(1));
  EXPECT_EQ(violations[0].kind, "lost");
}

TEST(DeliveryChecker, AnotherLanesRecordDoesNotBackAClaim) {
  EXPECT_THAT(find_violations({{"a", kNoon}}, {{Lane::kSettle, minute_from(kNoon)}}, {delivered(Lane::kLive, "a")}), SizeIs(1));
}

TEST(DeliveryChecker, TheSameKeyTwiceInAWindowIsSaid) {
  const auto twice = find_violations({}, {}, {delivered(Lane::kLive, "a"), delivered(Lane::kLive, "a")});
  ASSERT_THAT(twice, SizeIs(1));
  EXPECT_EQ(twice[0].kind, "twice");

  EXPECT_THAT(find_violations({}, {}, {delivered(Lane::kLive, "a", "w1"), delivered(Lane::kLive, "a", "w2")}), IsEmpty());
}

TEST(DeliveryChecker, AKeyThatIsNotTheRecordsOwnIsSaid) {
  auto wrong = delivered(Lane::kLive, "a");
  wrong.key = "b";

  ASSERT_THAT(find_violations({}, {}, {wrong}), SizeIs(1));
  EXPECT_EQ(find_violations({}, {}, {wrong})[0].kind, "wrong key");
}

}  // namespace
}  // namespace tests::crash
