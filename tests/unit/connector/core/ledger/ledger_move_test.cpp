// How an operator moves a lane: what is read again then, and what never is.

#include "connector/core/ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Instant;
using common::Interval;
using testing::ElementsAre;
using testing::IsEmpty;

const Instant kStart = common::parse_instant("2026-05-04T00:00:00Z").value();

Instant day(int number) {
  return kStart + number * 24h;
}
Interval days(int start, int end) {
  return {.start = day(start), .end = day(end)};
}

// Read: the days 0 to 5 and 7; again at 3 d: 0 to 2. Under way: 5 for the first time, 3 again.
Ledger running() {
  Ledger ledger({}, kStart);
  EXPECT_TRUE(ledger.apply(AgeStarted{.age = 72h, .from = kStart}));
  EXPECT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 5)}));
  EXPECT_TRUE(ledger.apply(WindowCompleted{.window = days(7, 8), .is_short = true}));
  EXPECT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 2), .pass = {.age = 72h}}));
  EXPECT_TRUE(ledger.apply(WindowOpened{days(5, 6), AtStart{}}));
  EXPECT_TRUE(ledger.apply(WindowOpened{days(3, 4), AtStart{}, {.age = 72h}}));
  EXPECT_TRUE(ledger.apply(OwedAdded{.window = days(1, 2), .after = day(8)}));
  return ledger;
}

void expect_readable(const Ledger& ledger) {
  const auto parsed = Ledger::parse(ledger.serialize());
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, ledger);
}

TEST(LedgerMove, BackForgetsWhatLiesBehindAndKeepsThePasses) {
  const Ledger moved = running().moved_to(day(4));

  EXPECT_EQ(moved.complete_until(), day(4));
  EXPECT_THAT(moved.complete().intervals(), ElementsAre(days(0, 4)));
  // The days 2 and 3 are still to be read again.
  EXPECT_THAT(moved.passes().at(72h).intervals(), ElementsAre(days(0, 2)));
  EXPECT_EQ(moved.settled_until(), day(2));
  ASSERT_EQ(moved.open().size(), 1U);
  EXPECT_EQ(moved.open().front().window, days(3, 4));
  EXPECT_THAT(moved.short_windows(), IsEmpty());
  EXPECT_EQ(moved.owed(), running().owed());
  expect_readable(moved);
}

TEST(LedgerMove, ForwardCountsWhatIsSkippedAsReadAtEveryAge) {
  const Ledger moved = running().moved_to(day(10));

  EXPECT_EQ(moved.complete_until(), day(10));
  // Skipped: 5, 6, 8 and 9. What was read waits for its pass as before.
  EXPECT_THAT(moved.passes().at(72h).intervals(), ElementsAre(days(0, 2), days(5, 7), days(8, 10)));
  EXPECT_THAT(moved.short_windows(), ElementsAre(days(7, 8)));
  ASSERT_EQ(moved.open().size(), 1U);
  EXPECT_FALSE(moved.open().front().pass.is_first());
  expect_readable(moved);
}

TEST(LedgerMove, AWindowInTheMiddleIsReadAgainAtEveryAge) {
  const Ledger moved = running().without(days(1, 4));

  EXPECT_THAT(moved.complete().intervals(), ElementsAre(days(0, 1), days(4, 5), days(7, 8)));
  EXPECT_THAT(moved.passes().at(72h).intervals(), ElementsAre(days(0, 1)));
  EXPECT_EQ(moved.complete_until(), day(1));
  ASSERT_EQ(moved.open().size(), 1U);
  EXPECT_EQ(moved.open().front().window, days(5, 6));
  EXPECT_EQ(moved.short_windows(), running().short_windows());
  expect_readable(moved);
}

TEST(LedgerMove, AnEarlierStartAddsWhatLiesBeforeAndNothingElse) {
  const Ledger moved = running().started_at(day(-3));

  EXPECT_EQ(moved.start(), day(-3));
  EXPECT_EQ(moved.complete_until(), day(-3));
  EXPECT_EQ(moved.complete(), running().complete());
  EXPECT_EQ(moved.passes(), running().passes());
  EXPECT_EQ(moved.open(), running().open());
  expect_readable(moved);
}

TEST(LedgerMove, ALaterStartForgetsWhatLiesBefore) {
  const Ledger moved = running().started_at(day(1));

  EXPECT_EQ(moved.start(), day(1));
  EXPECT_EQ(moved.complete_until(), day(5));
  EXPECT_THAT(moved.passes().at(72h).intervals(), ElementsAre(days(1, 2)));
  expect_readable(moved);
}

// A stored `settled` beyond what is complete would be damage.
TEST(LedgerMove, SettledGoesBackWithWhatIsComplete) {
  Ledger ledger = running();
  ASSERT_TRUE(ledger.apply(AgeStarted{.age = 168h, .from = kStart}));
  ASSERT_EQ(ledger.settled_until(), day(2));

  EXPECT_EQ(ledger.moved_to(day(1)).settled_until(), day(1));
  EXPECT_EQ(ledger.without(days(0, 1)).settled_until(), day(0));
  EXPECT_EQ(ledger.started_at(day(-1)).settled_until(), day(-1));
  expect_readable(ledger.moved_to(day(1)));
  expect_readable(ledger.without(days(0, 1)));
  expect_readable(ledger.started_at(day(-1)));
}

}  // namespace
}  // namespace connector::core
