#include "connector/core/backfill/backfill_pace.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;

const common::Instant kBegan = common::parse_instant("2026-05-04T10:00:00Z").value();
const common::Instant kFrom = common::parse_instant("2026-01-01T00:00:00Z").value();

Ledger begun(int days) {
  Ledger ledger;
  EXPECT_TRUE(ledger.apply(
      BackfillBegan{.order = {.id = "a", .range = {.start = kFrom, .end = kFrom + days * 24h}, .parallel = 2}, .at = kBegan}));
  return ledger;
}

TEST(BackfillPace, OfOneThatHasJustBegunNothingIsGuessed) {
  const BackfillPace pace = pace_of(begun(4));

  EXPECT_EQ(pace.done, 0);
  EXPECT_FALSE(pace.left);
  EXPECT_FALSE(pace.quota);
}

TEST(BackfillPace, FollowsFromWhatIsReadAndWhatItCost) {
  Ledger ledger = begun(4);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = kFrom + 24h, .end = kFrom + 48h}, .records = 10}));
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = {.start = kFrom, .end = kFrom + 24h}, .position = AtStart{}}));
  ASSERT_TRUE(ledger.apply(BackfillUsed{.requests = 60, .permitted = 240, .at = kBegan + 10min}));

  const BackfillPace pace = pace_of(ledger);

  EXPECT_DOUBLE_EQ(pace.done, 0.25);
  EXPECT_EQ(pace.windows_open, 1U);
  EXPECT_EQ(pace.left, 30min);
  EXPECT_DOUBLE_EQ(pace.requests_per_minute, 6);
  EXPECT_DOUBLE_EQ(pace.quota.value(), 6.0 / 240);
  EXPECT_EQ(ledger.backfill()->records, 10U);
  EXPECT_EQ(ledger.backfill()->windows, 1U);
}

TEST(BackfillPace, OfOneThatHasEndedNothingIsLeft) {
  Ledger ledger = begun(1);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = kFrom, .end = kFrom + 24h}}));
  ASSERT_TRUE(ledger.apply(BackfillEnded{.state = BackfillState::kDone, .detail = {}, .at = kBegan + 1min}));

  EXPECT_DOUBLE_EQ(pace_of(ledger).done, 1);
  EXPECT_FALSE(pace_of(ledger).left);
}

}  // namespace
}  // namespace connector::core
