#include "connector/core/planning/caught_up.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Instant;
using common::Interval;

const Instant kMidnight = common::parse_instant("2026-05-04T00:00:00Z").value();
const Instant kDue = kMidnight + 10h;
const LivePlanOptions kLive{.every = 1min, .delay = 30s};

Ledger having_read(Instant until) {
  Ledger ledger({}, kMidnight);
  EXPECT_TRUE(ledger.apply(WindowCompleted{.window = {.start = kMidnight, .end = until}, .availability = until}));
  return ledger;
}

TEST(CaughtUp, LiveWhenItHasSeenWhatWasOldEnough) {
  EXPECT_FALSE(live_is_caught_up(kLive, Ledger({}, kMidnight), kDue));
  EXPECT_FALSE(live_is_caught_up(kLive, having_read(kDue - 31s), kDue));
  EXPECT_TRUE(live_is_caught_up(kLive, having_read(kDue - 30s), kDue));
  EXPECT_TRUE(live_is_caught_up(kLive, having_read(kDue + 10min), kDue));
}

// A bucket that has not ended is nobody's yet: a run that is to end does not wait for it.
TEST(CaughtUp, LiveWhenItHasSeenTheBucketsThatHadEnded) {
  const LivePlanOptions daily{.every = 24h, .delay = 30s, .min_window = 24h, .buckets = Buckets(24h)};
  EXPECT_TRUE(live_is_caught_up(daily, having_read(kMidnight + 24h), kDue + 24h));
  EXPECT_FALSE(live_is_caught_up(daily, having_read(kMidnight + 24h), kMidnight + 48h + 30s));
  EXPECT_TRUE(live_is_caught_up(daily, having_read(kMidnight + 24h), kMidnight + 48h + 29s)) << "not old enough";
}

TEST(CaughtUp, LiveWhenNoAgeWasDue) {
  Ledger live = having_read(kDue);
  ASSERT_TRUE(live.apply(AgeStarted{.age = 1h, .from = kMidnight}));
  EXPECT_FALSE(live_is_caught_up(kLive, live, kDue));

  ASSERT_TRUE(live.apply(PassCompleted{.window = {.start = kMidnight, .end = kDue - 1h}, .age = 1h}));
  EXPECT_TRUE(live_is_caught_up(kLive, live, kDue)) << "the rest comes of age later";
}

// Lanes go on while the others catch up: what they open then holds nobody up.
TEST(CaughtUp, LiveWhateverItHasBegunSince) {
  Ledger live = having_read(kDue + 1min);
  ASSERT_TRUE(live.apply(WindowOpened{.window = {.start = kDue + 1min, .end = kDue + 2min}, .position = AtPage{2}}));
  EXPECT_TRUE(live_is_caught_up(kLive, live, kDue));

  Ledger behind = having_read(kDue - 2min);
  ASSERT_TRUE(behind.apply(WindowOpened{.window = {.start = kDue - 2min, .end = kDue - 1min}, .position = AtPage{2}}));
  EXPECT_FALSE(live_is_caught_up(kLive, behind, kDue));
}

TEST(CaughtUp, SettleWhenEverythingIsReadThatWasGuaranteed) {
  const SettlePlanOptions hourly{.window = 1h};
  const Instant available = kMidnight + 8h + 20min;
  EXPECT_FALSE(settle_is_caught_up(hourly, having_read(kMidnight + 8h), kDue, std::nullopt)) << "nothing is known yet";
  EXPECT_FALSE(settle_is_caught_up(hourly, having_read(kMidnight + 7h), kDue, available));
  EXPECT_TRUE(settle_is_caught_up(hourly, having_read(kMidnight + 8h), kDue, available));
}

TEST(CaughtUp, SettleWhenNothingIsOwedOrOfAge) {
  const SettlePlanOptions hourly{.window = 1h};
  const Instant available = kMidnight + 8h + 20min;
  Ledger owed = having_read(kMidnight + 8h);
  ASSERT_TRUE(owed.apply(OwedAdded{.window = {.start = kMidnight, .end = kMidnight + 1h}, .after = kMidnight + 2h}));
  EXPECT_FALSE(settle_is_caught_up(hourly, owed, kDue, available));

  Ledger of_age = having_read(kMidnight + 8h);
  ASSERT_TRUE(of_age.apply(AgeStarted{.age = 1h, .from = kMidnight}));
  EXPECT_FALSE(settle_is_caught_up(hourly, of_age, kDue, available));
  ASSERT_TRUE(of_age.apply(PassCompleted{.window = {.start = kMidnight, .end = kMidnight + 7h}, .age = 1h}));
  EXPECT_TRUE(settle_is_caught_up(hourly, of_age, kDue, available));
}

TEST(CaughtUp, SettleWhenItIsDecidedWhatIsGone) {
  const Interval day{.start = kMidnight, .end = kMidnight + 24h};
  Ledger settle = having_read(day.end);
  ASSERT_TRUE(settle.apply(JudgingBegun{day}));
  EXPECT_FALSE(settle_is_caught_up({}, settle, day.end + 1h, day.end));

  ASSERT_TRUE(settle.apply(JudgingEnded{day}));
  EXPECT_TRUE(settle_is_caught_up({}, settle, day.end + 1h, day.end));
}

TEST(CaughtUp, BackfillWhenItHasEndedOrWaitsForTheService) {
  const SettlePlanOptions hourly{.window = 1h};
  const Interval range{.start = kMidnight, .end = kMidnight + 2h};
  Ledger backfill;
  EXPECT_TRUE(backfill_is_caught_up(hourly, backfill, std::nullopt)) << "none was ever asked for";
  ASSERT_TRUE(backfill.apply(BackfillBegan{.order = {.id = "a", .range = range}, .at = kDue}));
  EXPECT_FALSE(backfill_is_caught_up(hourly, backfill, std::nullopt));
  EXPECT_FALSE(backfill_is_caught_up(hourly, backfill, kMidnight + 2h));

  ASSERT_TRUE(backfill.apply(WindowCompleted{.window = {.start = kMidnight, .end = kMidnight + 1h}}));
  EXPECT_TRUE(backfill_is_caught_up(hourly, backfill, kMidnight + 90min)) << "the rest is not there yet";
  ASSERT_TRUE(backfill.apply(WindowCompleted{.window = {.start = kMidnight + 1h, .end = kMidnight + 2h}}));
  EXPECT_FALSE(backfill_is_caught_up(hourly, backfill, kMidnight + 2h)) << "its end is to be committed";
  ASSERT_TRUE(backfill.apply(BackfillEnded{.detail = {}, .at = kDue}));
  EXPECT_TRUE(backfill_is_caught_up(hourly, backfill, kMidnight + 2h));
}

}  // namespace
}  // namespace connector::core
