#include "connector/core/planning/retention.h"

#include "connector/core/planning/ages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Duration;
using common::Instant;
using common::Interval;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const Instant kStart = common::parse_instant("2026-05-04T00:00:00Z").value();
const Instant kNow = kStart + 30 * 24h;

Interval days(int from, int to) {
  return {.start = kStart + from * 24h, .end = kStart + to * 24h};
}

Ledger read(std::vector<Interval> windows, const std::vector<Duration>& ages = {}) {
  Ledger ledger({}, kStart);
  for (const LedgerChange& change : change_ages(ledger, ages, kStart)) EXPECT_TRUE(ledger.apply(change));
  for (const Interval& window : windows) EXPECT_TRUE(ledger.apply(WindowCompleted{.window = window}));
  return ledger;
}

Ledger after(Ledger ledger, const BeyondReach& beyond) {
  for (const LedgerChange& change : beyond.changes) EXPECT_TRUE(ledger.apply(change));
  return ledger;
}

TEST(Retention, WithoutABoundEverythingCanBeRead) {
  EXPECT_EQ(kept_since({}, kStart), std::nullopt);
  EXPECT_EQ(readable_from({.kept = 0s, .buckets = Buckets(30min)}, kStart), std::nullopt);
}

TEST(Retention, WhatIsAskedForIsStillThereWhenItsRequestArrives) {
  EXPECT_EQ(kept_since({.kept = 24h}, kStart), kStart - 24h);
  EXPECT_EQ(readable_from({.kept = 14 * 24h}, kStart), kStart - 14 * 24h + 10min);
  EXPECT_EQ(readable_from({.kept = 100s}, kStart), kStart - 99s) << "and of little no more than a hundredth is left unread";
}

// Of a bucket that has expired in part the figures would be others, and take the place of the right ones.
TEST(Retention, BeginsWithAWholeBucket) {
  EXPECT_EQ(readable_from({.kept = 24h, .buckets = Buckets(30min)}, kStart + 5min), kStart - 24h + 30min);
  EXPECT_EQ(readable_from({.kept = 24h, .buckets = Buckets(10min)}, kStart), kStart - 24h + 10min);
}

TEST(Retention, NeededForAnAgeIsWhatLetsItBeRead) {
  for (const Duration age : {Duration{60s}, Duration{1h}, Duration{16h + 30min}, Duration{20h}, Duration{30 * 24h}}) {
    const Duration needed = needed_for(age);
    EXPECT_LT(readable_from({.kept = needed + 1ms}, kStart), kStart - age) << common::format_duration(age);
    EXPECT_GT(readable_from({.kept = needed - 1s}, kStart), kStart - age) << common::format_duration(age);
  }
}

TEST(RetentionProposal, IsRoundAndStillThereWhenItIsAskedFor) {
  EXPECT_EQ(proposal({}, kStart), std::nullopt);
  for (const Duration kept : {Duration{14 * 24h}, Duration{24h}, Duration{90min}, Duration{60s}}) {
    for (const Instant now : {kStart, kStart + 1ms, kStart + 49min + 59s + 999ms}) {
      const auto proposed = proposal({.kept = kept}, now);
      ASSERT_TRUE(proposed);
      EXPECT_EQ(proposed->lasts, kept >= 24h ? Duration{1h} : kept / 24);
      EXPECT_GE(proposed->from, readable_from({.kept = kept}, now + proposed->lasts)) << common::format_duration(kept);
      EXPECT_EQ((proposed->from - kStart) % (kept >= 24h ? Duration{1h} : Duration{1s}), Duration{0});
      EXPECT_LT(proposed->from, now) << "something of it is left";
    }
  }
  EXPECT_EQ(proposal({.kept = 14 * 24h}, kStart)->from, kStart - 14 * 24h + 2h);
  EXPECT_EQ(proposal({.kept = 14 * 24h, .buckets = Buckets(24h)}, kStart)->from, kStart - 13 * 24h) << "of a whole bucket";
}

TEST(BeyondReachOf, ALaneThatKeepsUpIsNothing) {
  const Ledger ledger = read({days(0, 5)}, {24h});
  Ledger again = ledger;
  ASSERT_TRUE(again.apply(PassCompleted{.window = days(0, 4), .age = 24h}));

  EXPECT_THAT(beyond_reach(again, kStart + 3 * 24h, kNow).changes, IsEmpty());
  EXPECT_THAT(beyond_reach(again, kStart - 24h, kNow).changes, IsEmpty()) << "nothing lies before the lane's start";
}

TEST(BeyondReachOf, WhatWasNeverReadIsLostAndSaidToBe) {
  const Ledger ledger = read({days(0, 1), days(2, 3)});

  const BeyondReach beyond = beyond_reach(ledger, kStart + 4 * 24h, kNow);

  EXPECT_THAT(beyond.lost, ElementsAre(days(1, 2), days(3, 4)));
  EXPECT_THAT(beyond.not_again, IsEmpty());
  const Ledger told = after(ledger, beyond);
  EXPECT_EQ(told.complete_until(), kStart + 4 * 24h);
  EXPECT_THAT(told.lost().intervals(), ElementsAre(days(1, 2), days(3, 4)));
  EXPECT_EQ(told.lost_at(), kNow);
  EXPECT_THAT(beyond_reach(told, kStart + 4 * 24h, kNow).changes, IsEmpty()) << "told once";
}

TEST(BeyondReachOf, WhatWasReadIsNotReadAgainAndNothingOfItIsOwed) {
  Ledger ledger = read({days(0, 6)}, {24h, 72h});
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(1, 2), .after = kStart + 9 * 24h}));
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(4, 5), .after = kStart + 9 * 24h}));
  ASSERT_TRUE(ledger.apply(PassCompleted{.window = days(0, 4), .age = 24h}));

  const BeyondReach beyond = beyond_reach(ledger, kStart + 3 * 24h, kNow);

  EXPECT_THAT(beyond.lost, IsEmpty());
  EXPECT_THAT(beyond.not_again, ElementsAre(days(0, 3))) << "at 72h";
  const Ledger told = after(ledger, beyond);
  EXPECT_THAT(told.lost().intervals(), IsEmpty());
  EXPECT_EQ(told.lost_at(), std::nullopt);
  EXPECT_EQ(told.passes().at(72h).prefix_end(kStart), kStart + 3 * 24h);
  ASSERT_THAT(told.owed(), SizeIs(1)) << "what can still be paid is";
  EXPECT_EQ(told.owed()[0].window, days(4, 5));
}

TEST(BeyondReachOf, WhatIsBeingReadIsLeftAloneAndOtherOpenWindowsAreGivenUp) {
  Ledger ledger = read({});
  const Position job = AtJob{.job = JobId("job-1"), .cursor = std::nullopt, .submitted = kStart};
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = days(0, 1), .position = AtStart{}}));
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = days(1, 2), .position = AtStart{}}));
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = days(3, 4), .position = job}));
  const std::vector<Interval> running{days(1, 2)};

  const BeyondReach beyond = beyond_reach(ledger, kStart + 60h, kNow, running);

  EXPECT_THAT(beyond.lost, ElementsAre(days(0, 1), Interval{.start = kStart + 48h, .end = kStart + 60h}));
  Ledger told = after(ledger, beyond);
  ASSERT_THAT(told.open(), SizeIs(2));
  EXPECT_TRUE(told.apply(WindowCompleted{.window = days(1, 2), .page = 1})) << "its answer comes after all";
  EXPECT_EQ(told.complete_until(), kStart + 60h);
}

// What was cut because its jobs failed would otherwise be one window again.
TEST(BeyondReachOf, APartThatWaitsForItsJobKeepsItsEnd) {
  Ledger ledger = read({days(1, 2)}, {24h});
  const Interval first{.start = kStart, .end = kStart + 12h};
  const Interval second{.start = kStart + 12h, .end = kStart + 24h};
  const Interval again{.start = kStart + 24h, .end = kStart + 36h};
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = first, .position = AtStart{}}));
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = second, .position = AtStart{}}));
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = again, .position = AtStart{}, .pass = {.age = 24h}}));

  const BeyondReach early = beyond_reach(ledger, kStart + 6h, kNow);
  const BeyondReach late = beyond_reach(ledger, kStart + 30h, kNow);

  EXPECT_THAT(early.lost, ElementsAre(Interval{.start = kStart, .end = kStart + 6h}));
  const Ledger cut = after(ledger, early);
  ASSERT_THAT(cut.open(), SizeIs(3));
  EXPECT_EQ(cut.open()[0].window, (Interval{.start = kStart + 6h, .end = kStart + 12h}));
  EXPECT_EQ(cut.open()[1].window, second);
  const Ledger cut_late = after(ledger, late);
  ASSERT_THAT(cut_late.open(), SizeIs(1));
  EXPECT_EQ(cut_late.open()[0].window, (Interval{.start = kStart + 30h, .end = kStart + 36h}));
  EXPECT_EQ(cut_late.open()[0].pass.age, 24h);
}

// After a restart the results of a job that was submitted in time may be there still.
TEST(BeyondReachOf, AJobThatWasHadInTimeIsTakenUp) {
  Ledger ledger = read({});
  const Position job = AtJob{.job = JobId("job-1"), .cursor = std::nullopt, .submitted = kStart};
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = days(1, 2), .position = job}));

  const BeyondReach beyond = beyond_reach(ledger, kStart + 4 * 24h, kNow);

  EXPECT_THAT(beyond.lost, ElementsAre(days(0, 1), days(2, 4)));
  EXPECT_THAT(after(ledger, beyond).open(), SizeIs(1));
}

TEST(BeyondReachOf, ADayThatHasBegunToExpireIsJudgedNoMore) {
  Ledger ledger = read({days(0, 4)});
  ASSERT_TRUE(ledger.apply(JudgingBegun{days(1, 2)}));
  ASSERT_TRUE(ledger.apply(JudgingBegun{days(2, 3)}));
  ASSERT_TRUE(ledger.apply(JudgingBegun{days(3, 4)}));

  const Ledger told = after(ledger, beyond_reach(ledger, kStart + 50h, kNow));

  EXPECT_THAT(told.unjudged().intervals(), ElementsAre(days(3, 4)));
}

TEST(BeyondReachOf, ABackfillSaysNothingOfWhatLiesBehindItsRange) {
  const Ledger ledger = read({days(0, 1)});

  EXPECT_THAT(beyond_reach(ledger, kStart + 5 * 24h, kNow, {}, kStart + 2 * 24h).lost, ElementsAre(days(1, 2)));
}

// A ledger without room for more gaps is refused nothing that would end the lane.
TEST(BeyondReachOf, AFullLedgerWaitsForRoom) {
  Ledger ledger({}, kStart);
  for (int i = 0; i < static_cast<int>(Ledger::kMaxIntervals); ++i) {
    ASSERT_TRUE(
        ledger.apply(WindowCompleted{.window = {.start = kStart + (2 * i + 100) * 24h, .end = kStart + (2 * i + 101) * 24h}}));
  }
  const std::vector<Interval> running{days(0, 1), days(2, 3)};

  const BeyondReach beyond = beyond_reach(ledger, kStart + 3 * 24h, kNow, running);

  EXPECT_THAT(beyond.changes, IsEmpty());
}

}  // namespace
}  // namespace connector::core
