#include "connector/core/dead_letters/guard.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using testing::HasSubstr;

const StreamName kStream{"conversations"};

// One page of one lane whose records have these fates.
void add_page(TransactionBatch& batch, Lane lane, const std::vector<RecordFate>& fates) {
  Page page;
  page.source = {.stream = kStream, .lane = lane};
  page.window = *common::parse_interval("2026-05-04T00:00:00.000Z/2026-05-04T01:00:00.000Z");
  page.position = "page 3";
  page.buffer = std::make_unique<std::string>(100, 'x');
  for (std::size_t i = 0; i < fates.size(); ++i) page.records.push_back({.key = "k", .value = *page.buffer});
  batch.pages.push_back(std::move(page));
  batch.fates.insert(batch.fates.end(), fates.begin(), fates.end());
}
TransactionBatch batch_of(Lane lane, const std::vector<RecordFate>& fates) {
  TransactionBatch batch;
  batch.stream = kStream;
  add_page(batch, lane, fates);
  return batch;
}
DeadLetterGuard guard_with(const DeadLetterRules& rules) {
  DeadLetterGuard guard;
  guard.set_rules(kStream, rules);
  return guard;
}

constexpr auto kGood = RecordFate::kPublish;
constexpr auto kLarge = RecordFate::kOversize;
constexpr auto kRefused = RecordFate::kRefused;

TEST(DeadLetterGuard, WithoutRulesEverythingIsAllowed) {
  const DeadLetterGuard guard;

  EXPECT_TRUE(guard.allow(batch_of(Lane::kLive, {kLarge, kRefused, kLarge})));
}

TEST(DeadLetterGuard, ARecordThatIsTooLargeIsRefusedWithTheRemedyWhereThatIsAskedFor) {
  const DeadLetterGuard guard = guard_with({.on_oversize = OnOversize::kFail, .stop = {}});

  EXPECT_TRUE(guard.allow(batch_of(Lane::kLive, {kGood, kRefused})));
  const auto refused = guard.allow(batch_of(Lane::kLive, {kGood, kLarge}));

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, common::ErrorCode::kTopicUnusable);
  EXPECT_THAT(refused.error().message, HasSubstr("max.message.bytes"));
  EXPECT_THAT(refused.error().message, HasSubstr("page 3"));
}

TEST(DeadLetterGuard, TheBatchThatReachesTheThresholdIsRefused) {
  DeadLetterGuard guard = guard_with({.stop = {.stop_after = 3, .of_last = 100}});
  const auto first = batch_of(Lane::kLive, {kGood, kLarge, kRefused});
  ASSERT_TRUE(guard.allow(first));
  guard.commit(first);

  const auto refused = guard.allow(batch_of(Lane::kLive, {kGood, kRefused}));

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, common::ErrorCode::kTopicUnusable);
  EXPECT_THAT(refused.error().message, HasSubstr("3 of its last 100 records"));
  EXPECT_THAT(refused.error().message, HasSubstr("broker_refused 1"));
  EXPECT_THAT(refused.error().message, HasSubstr("stop_after"));
  EXPECT_FALSE(guard.allow(batch_of(Lane::kLive, {kGood, kRefused}))) << "and again, when it is read again";
  EXPECT_TRUE(guard.allow(batch_of(Lane::kLive, {kGood, kGood})));
}

TEST(DeadLetterGuard, LanesAreCountedApart) {
  DeadLetterGuard guard = guard_with({.stop = {.stop_after = 2, .of_last = 100}});
  auto both = batch_of(Lane::kLive, {kLarge});
  add_page(both, Lane::kSettle, {kLarge});

  EXPECT_TRUE(guard.allow(both));
  guard.commit(both);

  EXPECT_FALSE(guard.allow(batch_of(Lane::kSettle, {kLarge})));
}

TEST(DeadLetterGuard, WhatIsWithheldOrDroppedCountsNeitherWay) {
  DeadLetterGuard guard = guard_with({.on_oversize = OnOversize::kDrop, .stop = {.stop_after = 2, .of_last = 3}});
  const auto first = batch_of(Lane::kLive, {kRefused, RecordFate::kWithheld, RecordFate::kDropped, RecordFate::kDropped});
  ASSERT_TRUE(guard.allow(first));
  guard.commit(first);

  EXPECT_TRUE(guard.allow(batch_of(Lane::kLive, {RecordFate::kDropped, kGood, kGood, kRefused})));
  EXPECT_FALSE(guard.allow(batch_of(Lane::kLive, {RecordFate::kDropped, RecordFate::kSuspect, kRefused})));
}

TEST(DeadLetterGuard, WhatCouldNotBeReadCountsToo) {
  const DeadLetterGuard guard = guard_with({.stop = {.stop_after = 1, .of_last = 10}});
  auto batch = batch_of(Lane::kLive, {kGood});
  batch.pages.front().dead_letters.push_back({.reason = "no_key", .detail = {}, .key = {}, .bytes = {}});

  const auto refused = guard.allow(batch);

  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no_key 1"));
}

}  // namespace
}  // namespace connector::core
