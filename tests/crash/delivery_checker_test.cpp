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

Delivered delivered(Lane lane, const std::string& key, const std::string& content = "1", const std::string& form = "query") {
  return {.lane = lane,
          .key = key,
          .form = form,
          .window = "w",
          .value = R"({"conversationId":")" + key + R"(","content":)" + content + "}"};
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

TEST(DeliveryChecker, ARecordOfAnyLaneBacksAClaim) {
  EXPECT_THAT(find_violations({{"a", kNoon}}, {{Lane::kSettle, minute_from(kNoon)}}, {delivered(Lane::kLive, "a")}), IsEmpty());
}

TEST(DeliveryChecker, WhatAJobShowedOpenMayBeAwaitedButNotByTheQuery) {
  EXPECT_THAT(find_violations({{"a", kNoon}}, {{Lane::kSettle, minute_from(kNoon)}}, {}, {"a"}), IsEmpty());
  EXPECT_THAT(find_violations({{"a", kNoon}}, {{Lane::kSettle, minute_from(kNoon)}}, {}, {"b"}), SizeIs(1));
  EXPECT_THAT(find_violations({{"a", kNoon}}, {{Lane::kLive, minute_from(kNoon)}}, {}, {"a"}), SizeIs(1));
}

TEST(DeliveryChecker, TheSameContentTwiceInARowIsSaidWhateverItsLaneAndSpelling) {
  auto other = delivered(Lane::kSettle, "a");
  other.value = R"({"content":1,"conversationId":"a"})";
  const auto twice = find_violations({}, {}, {delivered(Lane::kLive, "a"), other});
  ASSERT_THAT(twice, SizeIs(1));
  EXPECT_EQ(twice[0].kind, "twice");

  EXPECT_THAT(find_violations({}, {},
                              {delivered(Lane::kLive, "a"), delivered(Lane::kLive, "b"), delivered(Lane::kLive, "a", "2"),
                               delivered(Lane::kLive, "a", "1")}),
              IsEmpty())
      << "what was there before may come back";
}

Delivered tombstone(const std::string& key) {
  return {.lane = Lane::kSettle, .key = key, .form = "job", .window = "w", .value = {}, .is_tombstone = true};
}

TEST(DeliveryChecker, ATombstoneIsRightForWhatTheServiceNoLongerHas) {
  const std::vector<Delivered> deleted{delivered(Lane::kSettle, "a", "1", "job"), tombstone("a")};
  EXPECT_THAT(find_violations({}, {{Lane::kSettle, minute_from(kNoon)}}, deleted), IsEmpty());

  const auto lost = find_violations({{"a", kNoon}}, {{Lane::kSettle, minute_from(kNoon)}}, deleted);
  ASSERT_THAT(lost, SizeIs(1));
  EXPECT_EQ(lost[0].kind, "lost");
}

TEST(DeliveryChecker, WhatComesBackAfterATombstoneIsPublishedWhateverWasBefore) {
  EXPECT_THAT(find_violations({}, {}, {delivered(Lane::kSettle, "a", "1", "job"), tombstone("a"), delivered(Lane::kLive, "a")}),
              IsEmpty());
}

TEST(DeliveryChecker, ATombstoneOfNothingIsOneTooMany) {
  const auto twice = find_violations({}, {}, {delivered(Lane::kLive, "a"), tombstone("a"), tombstone("a")});
  ASSERT_THAT(twice, SizeIs(1));
  EXPECT_EQ(twice[0].kind, "twice");
}

TEST(DeliveryChecker, AQueryFormAfterAJobFormIsAStepBack) {
  const auto back = find_violations({}, {}, {delivered(Lane::kSettle, "a", "1", "job"), delivered(Lane::kLive, "a", "2")});

  ASSERT_THAT(back, SizeIs(1));
  EXPECT_EQ(back[0].kind, "step back");
}

TEST(DeliveryChecker, AKeyThatIsNotTheRecordsOwnIsSaid) {
  auto wrong = delivered(Lane::kLive, "a");
  wrong.key = "b";

  ASSERT_THAT(find_violations({}, {}, {wrong}), SizeIs(1));
  EXPECT_EQ(find_violations({}, {}, {wrong})[0].kind, "wrong key");
}

TEST(DeliveryChecker, TheLastRecordOfAKeyMustBeTheTruthWhateverItsSpelling) {
  const std::vector<Final> truth{{"a", R"({"content":2,"conversationId":"a"})"}};

  EXPECT_THAT(find_differences(truth, {delivered(Lane::kLive, "a"), delivered(Lane::kSettle, "a", "2")}), IsEmpty());

  const auto stale = find_differences(truth, {delivered(Lane::kSettle, "a", "2"), delivered(Lane::kLive, "a")});
  ASSERT_THAT(stale, SizeIs(1));
  EXPECT_EQ(stale[0].kind, "stale");

  const auto missing = find_differences(truth, {delivered(Lane::kLive, "b")});
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_EQ(missing[0].kind, "missing");
}

}  // namespace
}  // namespace tests::crash
