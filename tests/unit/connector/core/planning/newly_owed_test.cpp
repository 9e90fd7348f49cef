#include "connector/core/planning/newly_owed.h"

#include <gtest/gtest.h>
#include <string>
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
  void read(std::string_view key, int hours, bool open = false, std::uint64_t content = 1) {
    const KeyedSighting row{key,
                            {.open = open,
                             .digests = {content, content},
                             .read_at = kDay + std::chrono::hours(hours),
                             .home_day = kDay,
                             .home_day_settled = true}};
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

// The list of what is owed is short: days that have begun to expire must not take the place of those that can be read.
TEST_F(NewlyOwed, NothingIsOwedOfDaysThatHaveBegunToExpire) {
  constexpr int kExpired = 70;
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = kDay + 24h, .end = kDay + (kExpired + 2) * 24h}}));
  for (int day = 0; day < kExpired + 2; ++day) {
    const std::string key = std::to_string(day);
    const KeyedSighting row{key,
                            {.digests = {static_cast<std::uint64_t>(day + 1), 1},
                             .read_at = kDay + (kExpired + 2) * 24h,
                             .home_day = kDay + std::chrono::days(day),
                             .home_day_settled = true}};
    digests.apply(digests.decide({{row}}).number);
  }
  const common::Instant from = kDay + kExpired * 24h + 1h;

  const auto changes = newly_owed({.gather = 6h, .from = from}, ledger, digests, kDay + (kExpired + 3) * 24h, passes);

  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(std::get<OwedAdded>(changes[0]).window.start, kDay + (kExpired + 1) * 24h);
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

// As with `follow: off`: a record that stays open for weeks costs a job of its day ever more seldom.
TEST_F(NewlyOwed, WhatIsOpenAndReadByNobodyElseIsSettledTheMoreSeldomTheLongerItHasNotChanged) {
  digests = StreamDigests(StreamName("conversations"), StreamRules{.has_by_id = false});
  read("open", 10, true);
  const auto passed_at = [&](int hours) {
    const KeyedSighting row{"open",
                            {.form = SightingForm::kJob,
                             .open = true,
                             .digests = {1, 2},
                             .read_at = kDay + std::chrono::hours(hours),
                             .availability = kDay + std::chrono::hours(hours),
                             .home_day = kDay}};
    digests.apply(digests.decide({{row}}).number);
    passes.note(kWhole, kDay + std::chrono::hours(hours));
  };
  passed_at(18);
  EXPECT_TRUE(owed(23).empty());
  EXPECT_EQ(owed(24).size(), 1U) << "it changed 8 hours before";

  passed_at(40);
  EXPECT_TRUE(owed(54).empty());
  EXPECT_EQ(owed(55).size(), 1U) << "half of 30 hours";

  passed_at(1'010);
  EXPECT_TRUE(owed(1'033).empty());
  EXPECT_EQ(owed(1'034).size(), 1U) << "a day at most";

  read("open", 1'011, true, 2);
  EXPECT_EQ(owed(1'016).size(), 1U) << "it has changed";
}

TEST_F(NewlyOwed, AClosedRecordOfTheDayDoesNotWaitForTheOpenOne) {
  digests = StreamDigests(StreamName("conversations"), StreamRules{.has_by_id = false});
  read("open", 10, true);
  passes.note(kWhole, kDay + 100h);
  EXPECT_TRUE(owed(107).empty());

  read("closed", 101);

  EXPECT_EQ(owed(107).size(), 1U);
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

// Joined with its neighbour, a day stands for all days between them, whose digests are gone: they would be published again.
TEST_F(NewlyOwed, AFullListIsNotJoined) {
  constexpr int kDays = 200;
  ledger = Ledger({}, kDay);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = kDay, .end = kDay + kDays * 24h}}));
  for (int day = 0; day < kDays; day += 2) {
    const HomeDay home_day = kDay + std::chrono::days(day);
    const std::string key = std::to_string(day);
    const KeyedSighting row{key, {.digests = {1, 1}, .read_at = home_day + 30h, .home_day = home_day, .home_day_settled = true}};
    digests.apply(digests.decide({{row}}).number);
  }

  for (const LedgerChange& change : owed(kDays * 25)) ASSERT_TRUE(ledger.apply(change));

  ASSERT_EQ(ledger.owed().size(), OwedDays::kMax);
  for (const OwedDay& day : ledger.owed()) EXPECT_EQ(day.window.length(), 24h);
  EXPECT_TRUE(owed(kDays * 25).empty());
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = kWhole, .pass = {.is_owed = true}, .availability = kDay + kDays * 25h}));
  passes.note(kWhole, kDay + kDays * 25h);
  EXPECT_EQ(owed(kDays * 25).size(), 1U) << "as soon as there is room";
}

}  // namespace
}  // namespace connector::core
