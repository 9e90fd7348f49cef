#include "connector/core/digest/day_standing.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;

Ledger having_read(int days) {
  Ledger ledger({}, kDay);
  const common::Interval read{.start = kDay, .end = kDay + std::chrono::days(days)};
  EXPECT_TRUE(ledger.apply(WindowCompleted{.window = read, .availability = read.end}));
  return ledger;
}

TEST(DayStanding, ADayIsDoneWithWhenEveryLaneHasReadItAtEveryAge) {
  Ledger live = having_read(2);
  ASSERT_TRUE(live.apply(AgeStarted{.age = 1h, .from = kDay + 24h}));
  const Ledger settle = having_read(1);

  EXPECT_TRUE(is_done_with(kDay, &live, &settle));
  EXPECT_FALSE(is_done_with(kDay + std::chrono::days(1), &live, nullptr)) << "its age is to come";
  EXPECT_FALSE(is_done_with(kDay + std::chrono::days(1), nullptr, &settle));
  EXPECT_TRUE(is_done_with(kDay - std::chrono::days(1), &live, &settle)) << "it is before the lanes' start";
}

TEST(DayStanding, ADayThatIsOwedIsSettledButNotDoneWith) {
  Ledger settle = having_read(2);
  ASSERT_TRUE(settle.apply(OwedAdded{.window = {.start = kDay + 12h, .end = kDay + 24h}, .after = kDay + 60h}));

  EXPECT_FALSE(is_done_with(kDay, nullptr, &settle));
  EXPECT_TRUE(is_settled(kDay, &settle));
  EXPECT_TRUE(is_done_with(kDay + std::chrono::days(1), nullptr, &settle));
}

// What it will read again must be known when it does; what it does not ask for is none of its.
TEST(DayStanding, ADayIsAwaitedByABackfillUntilItHasReadItsPart) {
  const common::Interval range{.start = kDay + 6h, .end = kDay + 24h};
  Ledger backfill;
  EXPECT_FALSE(awaits(&backfill, kDay)) << "it was never asked for anything";
  ASSERT_TRUE(backfill.apply(BackfillBegan{.order = {.id = "a", .range = range}, .at = kDay + 100h}));

  EXPECT_TRUE(awaits(&backfill, kDay));
  EXPECT_FALSE(awaits(&backfill, kDay + std::chrono::days(1)));
  EXPECT_FALSE(awaits(nullptr, kDay));
  ASSERT_TRUE(backfill.apply(WindowCompleted{.window = range}));
  EXPECT_FALSE(awaits(&backfill, kDay));
}

TEST(DayStanding, ABackfillThatEndedAwaitsNothing) {
  Ledger backfill;
  ASSERT_TRUE(
      backfill.apply(BackfillBegan{.order = {.id = "a", .range = {.start = kDay, .end = kDay + 24h}}, .at = kDay + 100h}));
  ASSERT_TRUE(backfill.apply(BackfillEnded{.state = BackfillState::kCancelled, .detail = {}, .at = kDay + 101h}));

  EXPECT_FALSE(awaits(&backfill, kDay));
}

TEST(DayStanding, ADayIsNotDoneWithBeforeItIsDecidedWhatOfItIsGone) {
  Ledger settle = having_read(2);
  ASSERT_TRUE(settle.apply(JudgingBegun{{.start = kDay, .end = kDay + 24h}}));

  EXPECT_FALSE(is_done_with(kDay, nullptr, &settle));
  EXPECT_TRUE(is_settled(kDay, &settle));
  EXPECT_TRUE(is_done_with(kDay + std::chrono::days(1), nullptr, &settle));
}

}  // namespace
}  // namespace connector::core
