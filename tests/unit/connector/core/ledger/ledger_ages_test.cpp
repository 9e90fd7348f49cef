// Windows that are read again: ages, owed days, and the watermarks that rest on them.

#include "connector/core/ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::ErrorCode;
using common::Instant;
using common::Interval;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Instant kStart = common::parse_instant("2026-05-04T00:00:00Z").value();

Instant day(int number) {
  return kStart + number * 24h;
}
Interval days(int start, int end) {
  return {.start = day(start), .end = day(end)};
}

// The days before `complete` have been read once.
Ledger begun(int complete, std::initializer_list<common::Duration> ages = {72h}) {
  Ledger ledger({}, kStart);
  for (const common::Duration age : ages) EXPECT_TRUE(ledger.apply(AgeStarted{.age = age, .from = kStart}));
  if (complete > 0) EXPECT_TRUE(ledger.apply(WindowCompleted{.window = days(0, complete)}));
  return ledger;
}

TEST(LedgerAges, AWindowIsReadAgainAtItsAge) {
  Ledger ledger = begun(2);
  ASSERT_TRUE(ledger.apply(WindowOpened{days(0, 1), AtCursor{"a"}, {.age = 72h}}));
  ASSERT_TRUE(ledger.apply(PageRead{.window = days(0, 1), .next = AtCursor{"b"}, .page = 1}));
  EXPECT_EQ(ledger.open().front().pass, Pass{.age = 72h});
  EXPECT_EQ(ledger.settled_until(), kStart);

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1), .page = 2}));

  EXPECT_THAT(ledger.passes().at(72h).intervals(), ElementsAre(days(0, 1)));
  EXPECT_THAT(ledger.complete().intervals(), ElementsAre(days(0, 2)));
  EXPECT_EQ(ledger.complete_until(), day(2));
  EXPECT_EQ(ledger.settled_until(), day(1));
}

TEST(LedgerAges, APassAtAnAgeIsOneAtTheYoungerAgesToo) {
  Ledger ledger = begun(2, {1h, 72h, 7 * 24h});

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1), .pass = {.age = 72h}}));

  EXPECT_TRUE(ledger.passes().at(1h).covers(days(0, 1)));
  EXPECT_TRUE(ledger.passes().at(72h).covers(days(0, 1)));
  EXPECT_FALSE(ledger.passes().at(7 * 24h).covers(days(0, 1)));
}

TEST(LedgerAges, WhatWasReadLateNeedNotBeReadAgain) {
  Ledger ledger = begun(0, {1h, 72h});
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1)}));

  ASSERT_TRUE(ledger.apply(PassCompleted{.window = days(0, 1), .age = 1h}));
  ASSERT_TRUE(ledger.apply(PassCompleted{.window = days(0, 1), .age = 1h})) << "said twice is no contradiction";

  EXPECT_TRUE(ledger.passes().at(1h).covers(days(0, 1)));
  EXPECT_THAT(ledger.passes().at(72h).intervals(), IsEmpty());
}

TEST(LedgerAges, ContradictionsAreRefusedAndLeaveNoTrace) {
  Ledger ledger = begun(2);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1), .pass = {.age = 72h}}));
  ASSERT_TRUE(ledger.apply(WindowOpened{days(1, 2), AtStart{}, {.age = 72h}}));
  const Ledger before = ledger;
  const std::vector<LedgerChange> contradictions{
      WindowOpened{days(0, 1), AtStart{}, {.age = 72h}},                   // complete at that age
      WindowOpened{days(2, 3), AtStart{}, {.age = 72h}},                   // not read for the first time yet
      WindowOpened{days(0, 1), AtStart{}, {.age = 1h}},                    // an age that has not begun
      WindowOpened{days(0, 1), AtStart{}, {}},                             // first pass, complete
      WindowOpened{days(1, 2), AtStart{}, {}},                             // open in another pass
      WindowOpened{days(1, 2), AtStart{}, {.is_owed = true}},              // likewise
      WindowOpened{days(0, 1), AtStart{}, {.age = 72h, .is_owed = true}},  // which is it?
      WindowOpened{days(2, 3), AtStart{}, {.is_owed = true}},              // not read for the first time yet
      WindowCompleted{.window = days(2, 3), .pass = {.age = 72h}},
      WindowCompleted{.window = days(0, 1), .pass = {.is_owed = true}},  // without an availability date nothing is paid
      PassCompleted{.window = days(2, 3), .age = 72h},
      PassCompleted{.window = days(0, 1), .age = 1h},
      AgeStarted{.age = 72h, .from = kStart},
      AgeStarted{.age = 0h, .from = kStart},
      AgeStarted{.age = 1h, .from = day(3)},
      AgeEnded{1h},
      AgeEnded{72h},  // a window is open at it
  };
  for (std::size_t i = 0; i < contradictions.size(); ++i) {
    const auto applied = ledger.apply(contradictions[i]);
    ASSERT_FALSE(applied) << "case " << i;
    EXPECT_EQ(applied.error().code, ErrorCode::kInternal) << "case " << i;
    EXPECT_EQ(ledger, before) << "case " << i;
  }
}

TEST(LedgerAges, AnAgeBegunLaterCountsWhatLiesBehindItAsRead) {
  Ledger ledger = begun(9);

  ASSERT_TRUE(ledger.apply(AgeStarted{.age = 7 * 24h, .from = day(5)}));

  EXPECT_THAT(ledger.passes().at(7 * 24h).intervals(), ElementsAre(days(0, 5)));
}

TEST(LedgerAges, NoWatermarkGoesBackWhenAnAgeIsBegun) {
  Ledger ledger = begun(9, {});
  EXPECT_EQ(ledger.settled_until(), day(9));

  ASSERT_TRUE(ledger.apply(AgeStarted{.age = 72h, .from = day(5)}));
  EXPECT_EQ(ledger.settled_until(), day(9));
  EXPECT_EQ(Ledger::parse(ledger.serialize())->settled_until(), day(9));

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(9, 11)}));
  EXPECT_EQ(ledger.settled_until(), day(9));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(5, 10), .pass = {.age = 72h}}));
  EXPECT_EQ(ledger.settled_until(), day(10));

  ASSERT_TRUE(ledger.apply(AgeEnded{72h}));
  EXPECT_EQ(ledger.settled_until(), day(11));
}

TEST(LedgerAges, AnAgeThatEndedBeginsAnew) {
  Ledger ledger = begun(9);
  ASSERT_TRUE(ledger.apply(AgeEnded{72h}));
  EXPECT_THAT(ledger.passes(), IsEmpty());

  ASSERT_TRUE(ledger.apply(AgeStarted{.age = 72h, .from = day(6)}));
  EXPECT_THAT(ledger.passes().at(72h).intervals(), ElementsAre(days(0, 6)));
}

TEST(LedgerAges, AnOwedDayIsPaidByAPassBehindTheReadOnly) {
  Ledger ledger = begun(2);
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(1, 2), .after = day(3)}));

  const auto pass = [&](Instant availability) {
    ASSERT_TRUE(ledger.apply(WindowOpened{days(1, 2), AtStart{}, {.is_owed = true}}));
    ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(1, 2), .page = 1, .availability = availability}));
  };
  pass(day(3));
  EXPECT_THAT(ledger.owed(), ElementsAre(OwedDay{.window = days(1, 2), .since = day(3), .after = day(3)}));

  pass(day(3) + 1ms);
  EXPECT_THAT(ledger.owed(), IsEmpty());
}

TEST(LedgerAges, EveryPassPaysWhatItsDateCovers) {
  Ledger ledger = begun(1);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(i, i + 1), .after = day(4)}));

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1), .pass = {.age = 72h}, .availability = day(5)}));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(1, 2), .availability = day(5)}));

  EXPECT_THAT(ledger.owed(), ElementsAre(OwedDay{.window = days(2, 3), .since = day(4), .after = day(4)}));
}

// No pass reads what lies before the lane's start: it would be owed for ever.
TEST(LedgerAges, NothingIsOwedBeforeTheLanesStart) {
  Ledger ledger = begun(1);
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(-2, -1), .after = day(1)}));
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(-1, 1), .after = day(1)}));

  EXPECT_THAT(ledger.owed(), ElementsAre(OwedDay{.window = days(0, 1), .since = day(1), .after = day(1)}));
}

TEST(LedgerAges, AShortWindowThatIsReadWholeLaterIsShortNoMore) {
  Ledger ledger = begun(0);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1), .is_short = true}));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1), .is_short = true, .pass = {.age = 72h}}));
  EXPECT_THAT(ledger.short_windows(), ElementsAre(days(0, 1)));

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1), .pass = {.is_owed = true}, .availability = day(9)}));
  EXPECT_THAT(ledger.short_windows(), IsEmpty());
}

// Windows are read again side by side or cut, seldom as they were read first.
TEST(LedgerAges, OfAShortWindowThatIsReadInPartsTheWholeOnesAreShortNoMore) {
  Ledger ledger = begun(0);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 4), .is_short = true}));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(1, 2), .pass = {.age = 72h}}));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(3, 4), .is_short = true, .pass = {.age = 72h}}));

  EXPECT_THAT(ledger.short_windows(), ElementsAre(days(0, 1), days(2, 3), days(3, 4)));
}

TEST(LedgerAges, WhatAnotherLaneHasReadWholeIsShortNoMore) {
  Ledger ledger = begun(0);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 2), .is_short = true}));
  ASSERT_TRUE(ledger.apply(ShortMadeGood{days(-5, 1)}));

  EXPECT_THAT(ledger.short_windows(), ElementsAre(days(1, 2)));
}

TEST(LedgerAges, TheBoundHoldsOverAllAgesTogether) {
  Ledger ledger = begun(0, {24h, 48h, 72h});
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 2000)}));
  std::size_t room = 0;
  for (int i = 0; ledger.has_room_to_open(); ++i, ++room) {
    // Alternating days at the oldest age: a gap each, in three ages.
    ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(2 * i, 2 * i + 1), .pass = {.age = 72h}}));
  }
  EXPECT_EQ(room, 84U) << "1 + 3 * 84 + 4 > 256";
  EXPECT_FALSE(ledger.apply(WindowCompleted{.window = days(1000, 1001), .pass = {.age = 72h}}).has_value() &&
               ledger.apply(WindowCompleted{.window = days(1002, 1003), .pass = {.age = 72h}}).has_value());
  const Ledger full = ledger;
  EXPECT_FALSE(ledger.apply(WindowCompleted{.window = days(1004, 1005), .pass = {.age = 72h}}));
  EXPECT_FALSE(ledger.apply(PassCompleted{.window = days(1004, 1005), .age = 24h}) &&
               ledger.apply(PassCompleted{.window = days(1006, 1007), .age = 24h}));
  EXPECT_LE(full.serialize().size(), Ledger::kMaxBytes);
  EXPECT_EQ(Ledger::parse(full.serialize()), full);
}

TEST(LedgerAges, WhatIsOpenKeepsRoomToCompleteAtEveryAge) {
  Ledger ledger = begun(0, {1h, 2h, 3h, 4h, 5h, 6h, 7h, 8h});
  int opened = 0;
  while (ledger.has_room_to_open()) {
    ASSERT_TRUE(ledger.apply(WindowOpened{days(2 * opened, 2 * opened + 1), AtStart{}}));
    ++opened;
  }
  EXPECT_EQ(opened, 28) << "256 / 9";
  for (int i = 0; i < opened; ++i) {
    ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(2 * i, 2 * i + 1)}));
    for (int age = 1; age <= 8; ++age) {
      ASSERT_TRUE(ledger.apply(PassCompleted{.window = days(2 * i, 2 * i + 1), .age = age * 1h}));
    }
  }
}

TEST(LedgerJudging, DaysThatAreNotJudgedComeBackFromTheStoredValue) {
  Ledger ledger = begun(4);
  ASSERT_TRUE(ledger.apply(JudgingBegun{days(0, 1)}));
  ASSERT_TRUE(ledger.apply(JudgingBegun{days(1, 2)}));
  ASSERT_TRUE(ledger.apply(JudgingBegun{days(3, 4)}));
  EXPECT_EQ(Ledger::parse(ledger.serialize()), ledger);
  EXPECT_THAT(ledger.serialize(), HasSubstr(R"("unjudged":["2026-05-04T00:00:00.000Z/2026-05-06T00:00:00.000Z",)"));
  Ledger before = ledger;

  ASSERT_TRUE(ledger.apply(JudgingEnded{days(0, 1)}));
  EXPECT_THAT(ledger.unjudged().intervals(), ElementsAre(days(1, 2), days(3, 4)));
  EXPECT_FALSE(ledger.has_same_progress(before));
  ASSERT_TRUE(ledger.apply(JudgingEnded{days(0, 1)})) << "what has ended may end again";

  ASSERT_TRUE(ledger.apply(JudgingEnded{days(1, 4)}));
  EXPECT_THAT(ledger.serialize(), testing::Not(HasSubstr("unjudged"))) << "as older releases wrote it";
}

TEST(LedgerJudging, TooManyDaysAreNotRemembered) {
  Ledger ledger = begun(0);
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(ledger.apply(JudgingBegun{days(2 * i, 2 * i + 1)}));

  EXPECT_EQ(ledger.unjudged().intervals().size(), Ledger::kMaxUnjudged);
  EXPECT_EQ(Ledger::parse(ledger.serialize()), ledger);
}

TEST(LedgerJudging, DamageIsRefused) {
  Ledger ledger = begun(1);
  ASSERT_TRUE(ledger.apply(JudgingBegun{days(0, 1)}));
  std::string stored = ledger.serialize();
  stored.replace(stored.find("\"unjudged\":[") + 12, 1, "[7,");

  EXPECT_EQ(Ledger::parse(stored).error().code, ErrorCode::kStateRefused);
}

TEST(LedgerAges, FullOfEverythingItFitsItsBound) {
  Ledger ledger({.organization_id = std::string(36, 'o'),
                 .cluster_id = std::string(22, 'c'),
                 .topic_id = std::string(22, 't'),
                 .membership = std::string(18, 'm')},
                kStart);
  for (int i = 1; i <= static_cast<int>(Ledger::kMaxAges); ++i)
    ASSERT_TRUE(ledger.apply(AgeStarted{.age = i * 1001ms, .from = kStart}));
  EXPECT_FALSE(ledger.apply(AgeStarted{.age = 24h, .from = kStart}));
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(2 * i, 2 * i + 1), .is_short = true}));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(2 * i, 2 * i + 1), .after = day(i)}));
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(ledger.apply(JudgingBegun{days(2 * i, 2 * i + 1)}));
  for (int i = 0; i < 11; ++i) {
    ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(2 * i, 2 * i + 1), .pass = {.age = 16 * 1001ms}}));
  }
  for (int i = 0; i < 64; ++i) {
    const AtJob job{.job = JobId(std::string(36, 'j')), .cursor = std::string(200, 'c'), .submitted = day(i)};
    const auto opened = ledger.apply(WindowOpened{days(2 * i + 1, 2 * i + 2), job});
    if (!opened) EXPECT_EQ(opened.error().code, ErrorCode::kOversize);
  }
  ledger.set_stamp({.incarnation = std::string(32, 'f'), .number = std::numeric_limits<std::uint64_t>::max()});
  EXPECT_EQ(ledger.owed().size(), OwedDays::kMax);
  EXPECT_LE(ledger.serialize().size(), Ledger::kMaxBytes);
  EXPECT_EQ(Ledger::parse(ledger.serialize()), ledger);
}

TEST(LedgerLost, StaysToldUntilItIsReadAfterAll) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(1, 2)}));
  EXPECT_THAT(ledger.serialize(), testing::Not(HasSubstr("lost"))) << "as older releases wrote it";

  ASSERT_TRUE(ledger.apply(OutOfReach{days(0, 3)}));
  EXPECT_EQ(ledger.complete_until(), kStart + 3 * 24h);
  EXPECT_THAT(ledger.serialize(), HasSubstr(R"("lost":["2026-05-04T00:00:00.000Z/2026-05-05T00:00:00.000Z",)"));
  const auto read = Ledger::parse(ledger.serialize());
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, ledger);
  EXPECT_FALSE(read->has_same_progress(Ledger({}, kStart)));
  EXPECT_THAT(ledger.moved_to(kStart + 24h).lost().intervals(), ElementsAre(days(0, 1)));
  EXPECT_THAT(ledger.started_at(kStart + 24h).lost().intervals(), ElementsAre(days(2, 3)));

  Ledger again = ledger.without(days(0, 1));
  EXPECT_THAT(again.lost().intervals(), ElementsAre(days(2, 3)));
  ASSERT_TRUE(again.apply(OutOfReach{days(0, 4)}));
  EXPECT_THAT(again.lost().intervals(), ElementsAre(days(0, 1), days(2, 4))) << "what was lost before stays so";
}

// By it an alert tells a new loss from one that an older life of the process, or another instance, has told already.
TEST(LedgerLost, TheLastOfItHasATimeThatStaysUntilNothingIsLost) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(1, 2)}));
  ASSERT_TRUE(ledger.apply(OutOfReach{.window = days(0, 2), .at = day(9)}));
  EXPECT_EQ(ledger.lost_at(), day(9));
  EXPECT_THAT(ledger.serialize(), HasSubstr(R"("lost_at":"2026-05-13T00:00:00.000Z")"));
  EXPECT_EQ(Ledger::parse(ledger.serialize()), ledger);

  Ledger later = ledger;
  ASSERT_TRUE(later.apply(OutOfReach{.window = days(0, 2), .at = day(10)}));
  EXPECT_EQ(later.lost_at(), day(9)) << "nothing more is lost";
  ASSERT_TRUE(later.apply(OutOfReach{.window = days(0, 3), .at = day(10)}));
  EXPECT_EQ(later.lost_at(), day(10));
  ASSERT_TRUE(later.apply(OutOfReach{.window = days(0, 4), .at = day(9)}));
  EXPECT_EQ(later.lost_at(), day(10)) << "whatever the clock does";

  EXPECT_EQ(later.without(days(0, 1)).lost_at(), day(10));
  EXPECT_EQ(later.without(days(0, 4)).lost_at(), std::nullopt);
  EXPECT_EQ(ledger.started_at(day(1)).lost_at(), std::nullopt);
  EXPECT_EQ(Ledger::parse(ledger.without(days(0, 1)).serialize()), ledger.without(days(0, 1)));
}

TEST(LedgerLost, ThoughNobodyHasWrittenWhen) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(OutOfReach{.window = days(0, 1), .at = day(9)}));
  std::string stored = ledger.serialize();
  const std::string when = R"("lost_at":"2026-05-13T00:00:00.000Z",)";
  ASSERT_THAT(stored, HasSubstr(when));
  std::string damaged = stored;
  damaged.replace(damaged.find("2026-05-13T"), 4, "soon");
  EXPECT_FALSE(Ledger::parse(damaged));

  stored.erase(stored.find(when), when.size());
  const auto read = Ledger::parse(stored);
  ASSERT_TRUE(read) << "of the release before";
  EXPECT_EQ(read->lost_at(), std::nullopt);
  EXPECT_THAT(read->lost().intervals(), ElementsAre(days(0, 1)));
}

TEST(LedgerLost, AnOpenWindowIsNotOutOfReach) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = days(1, 2), .position = AtStart{}}));

  EXPECT_FALSE(ledger.apply(OutOfReach{days(0, 2)}));
  EXPECT_FALSE(ledger.apply(OutOfReach{days(1, 1)}));
  EXPECT_EQ(ledger.complete_until(), kStart);
}

TEST(LedgerLost, TheNewestAreKept) {
  Ledger ledger({}, kStart);
  for (int i = 0; i < static_cast<int>(Ledger::kMaxLost) + 5; ++i)
    ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(2 * i + 1, 2 * i + 2)}));
  ASSERT_TRUE(ledger.apply(OutOfReach{days(0, 2 * static_cast<int>(Ledger::kMaxLost) + 10)}));

  EXPECT_EQ(ledger.lost().intervals().size(), Ledger::kMaxLost);
  EXPECT_EQ(ledger.lost().intervals().back(),
            days(2 * static_cast<int>(Ledger::kMaxLost) + 8, 2 * static_cast<int>(Ledger::kMaxLost) + 9));
}

TEST(LedgerLost, DamageIsRefused) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(OutOfReach{days(0, 1)}));
  std::string stored = ledger.serialize();
  stored.replace(stored.find("\"lost\":[") + 8, 1, "[7,");

  EXPECT_FALSE(Ledger::parse(stored));
}

}  // namespace
}  // namespace connector::core
