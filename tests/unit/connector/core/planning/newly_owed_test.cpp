#include "connector/core/planning/newly_owed.h"

#include <gtest/gtest.h>
#include <string_view>

namespace connector::core {
namespace {

using common::Interval;
using namespace std::chrono_literals;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;
const Interval kWhole{.start = kDay, .end = kDay + 24h};

class NewlyOwed : public testing::Test {
 protected:
  NewlyOwed() { EXPECT_TRUE(ledger.apply(WindowCompleted{.window = kWhole, .availability = kWhole.end})); }

  // A record of the day that was read by another lane at `hours`, after the day had been settled.
  void read(std::string_view key, int hours) {
    const KeyedSighting row{
        key, {.digests = {1, 1}, .read_at = kDay + std::chrono::hours(hours), .home_day = kDay, .home_day_settled = true}};
    digests.apply(digests.decide({{row}}).number);
  }
  [[nodiscard]] std::vector<LedgerChange> owed(int availability_hours) const {
    return newly_owed({.gather = 6h}, ledger, digests, kDay + std::chrono::hours(availability_hours), passes);
  }

  Ledger ledger{{}, kDay};
  StreamDigests digests{StreamName("conversations"), StreamRules{}};
  PassTimes passes;
};

TEST_F(NewlyOwed, ADayIsOwedAsSoonAsAJobMayKnowWhatWasRead) {
  read("a", 30);

  EXPECT_TRUE(owed(30).empty());
  const auto changes = owed(31);

  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(std::get<OwedAdded>(changes[0]).window, kWhole);
  EXPECT_EQ(std::get<OwedAdded>(changes[0]).after, kDay + 30h + 999ms);
}

TEST_F(NewlyOwed, WhatTheLastPassShouldHaveShownIsNotAskedForAgain) {
  read("a", 30);
  passes.note(kWhole, kDay + 31h);

  EXPECT_TRUE(owed(60).empty());

  read("b", 32);
  EXPECT_TRUE(owed(36).empty()) << "the day was settled a moment ago";
  EXPECT_EQ(owed(37).size(), 1U);
}

// Windows are shorter than the day: with the first one read the day would be owed from its beginning again, and the second one
// never be read.
TEST_F(NewlyOwed, WhatIsOwedOfADayIsPaidBeforeTheDayIsOwedAgain) {
  read("a", 30);
  ASSERT_TRUE(ledger.apply(owed(31).front()));
  EXPECT_TRUE(owed(31).empty());

  const Interval first{.start = kDay, .end = kDay + 12h};
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = first, .pass = {.is_owed = true}, .availability = kDay + 31h}));

  EXPECT_TRUE(owed(31).empty());
}

// As after a restart in the middle of a day's windows.
TEST_F(NewlyOwed, APartOfADayDoesNotStandForTheRest) {
  read("a", 30);
  passes.note({.start = kDay + 12h, .end = kDay + 18h}, kDay + 40h);
  passes.note({.start = kDay + 18h, .end = kDay + 24h}, kDay + 50h);
  EXPECT_EQ(owed(60).size(), 1U);

  passes.note({.start = kDay, .end = kDay + 12h}, kDay + 45h);
  EXPECT_TRUE(owed(60).empty());
}

TEST(PassTimes, TheOldestPartCounts) {
  PassTimes passes;
  EXPECT_EQ(passes.of(kDay, kDay), std::nullopt);
  passes.note({.start = kDay + 6h, .end = kDay + 12h}, kDay + 30h);
  passes.note({.start = kDay + 12h, .end = kDay + 24h}, kDay + 28h);

  EXPECT_EQ(passes.of(kDay, kDay), std::nullopt);
  EXPECT_EQ(passes.of(kDay, kDay + 6h), kDay + 28h) << "the lane began there";

  passes.note(kWhole, kDay + 40h);
  EXPECT_EQ(passes.of(kDay, kDay), kDay + 40h);
}

TEST_F(NewlyOwed, ADayThatWasNotReadYetIsNotOwed) {
  ledger = Ledger({}, kDay);
  read("a", 30);

  EXPECT_TRUE(owed(31).empty());
}

}  // namespace
}  // namespace connector::core
