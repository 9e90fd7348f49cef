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

const Instant kStart = common::parse_instant("2026-05-04T06:00:00Z").value();
const Instant kMidnight = common::parse_instant("2026-05-04T00:00:00Z").value();

void apply_all(Ledger& ledger, const std::vector<LedgerChange>& changes) {
  for (const LedgerChange& change : changes) ASSERT_TRUE(ledger.apply(change));
}

Ledger complete_until(Instant end) {
  Ledger ledger({}, kStart);
  EXPECT_TRUE(ledger.apply(WindowCompleted{.window = {.start = kStart, .end = end}}));
  return ledger;
}

TEST(Ages, AFreshLaneReadsEverythingAgain) {
  Ledger ledger({}, kStart);
  apply_all(ledger, change_ages(ledger, std::vector<Duration>{0h, 72h, 168h}, kStart + 400 * 24h));

  ASSERT_THAT(ledger.passes(), SizeIs(2)) << "the first pass is no age";
  EXPECT_THAT(ledger.passes().at(72h).intervals(), IsEmpty());
  EXPECT_THAT(ledger.passes().at(168h).intervals(), IsEmpty());
  EXPECT_THAT(change_ages(ledger, std::vector<Duration>{168h, 72h}, kStart + 500 * 24h), IsEmpty()) << "nothing to change later";
}

TEST(Ages, AnAgeThatIsNewToARunningLaneBeginsAtItsDayAndReadsNoHistoryAgain) {
  Ledger ledger = complete_until(kMidnight + 100 * 24h);
  apply_all(ledger, change_ages(ledger, std::vector<Duration>{72h}, kMidnight + 100 * 24h + 5h));

  EXPECT_THAT(ledger.passes().at(72h).intervals(), ElementsAre(Interval{.start = kStart, .end = kMidnight + 97 * 24h}));
}

// What lies beyond will be read late, and satisfies the age by itself.
TEST(Ages, ANewAgeBeginsNoLaterThanTheFirstGap) {
  Ledger ledger = complete_until(kMidnight + 10 * 24h);
  apply_all(ledger, change_ages(ledger, std::vector<Duration>{72h}, kMidnight + 100 * 24h));

  EXPECT_THAT(ledger.passes().at(72h).intervals(), ElementsAre(Interval{.start = kStart, .end = kMidnight + 10 * 24h}));
}

TEST(Ages, ANewAgeDoesNotBeginBeforeTheLane) {
  Ledger ledger = complete_until(kMidnight + 24h);
  apply_all(ledger, change_ages(ledger, std::vector<Duration>{72h}, kMidnight + 24h));

  EXPECT_THAT(ledger.passes().at(72h).intervals(), IsEmpty());
}

TEST(Ages, AnAgeThatIsConfiguredNoLongerEndsWithItsWindows) {
  Ledger ledger = complete_until(kMidnight + 24h);
  apply_all(ledger, change_ages(ledger, std::vector<Duration>{1h, 72h}, kStart));
  apply_all(ledger, {WindowOpened{{.start = kStart, .end = kStart + 1h}, AtPage{2}, {.age = 1h}},
                     WindowOpened{{.start = kStart + 1h, .end = kStart + 2h}, AtPage{2}, {.age = 72h}}});

  apply_all(ledger, change_ages(ledger, std::vector<Duration>{72h}, kStart));

  EXPECT_FALSE(ledger.passes().contains(1h));
  ASSERT_THAT(ledger.open(), SizeIs(1));
  EXPECT_EQ(ledger.open().front().pass, Pass{.age = 72h});
}

// A lane that has read at its ages until `now`.
Ledger settled_at(const std::vector<Duration>& ages, Instant now) {
  Ledger ledger({}, kMidnight);
  apply_all(ledger, change_ages(ledger, ages, kMidnight));
  apply_all(ledger, {WindowCompleted{.window = {.start = kMidnight, .end = now}}});
  for (const Duration age : ages) {
    if (age > 0h) apply_all(ledger, {PassCompleted{.window = {.start = kMidnight, .end = now - age}, .age = age}});
  }
  return ledger;
}

// What the age that ends has not read has been read at no such age: nobody may be told that it is settled.
TEST(Ages, AnAgeInThePlaceOfAnotherDoesNotMoveWhatIsSettled) {
  const Instant now = kMidnight + 100 * 24h;
  for (const std::vector<Duration>& ages :
       {std::vector<Duration>{0h, 72h, 192h}, std::vector<Duration>{0h, 72h, 144h}, std::vector<Duration>{192h}}) {
    Ledger ledger = settled_at({0h, 72h, 168h}, now);
    ASSERT_EQ(ledger.settled_until(), now - 168h);

    apply_all(ledger, change_ages(ledger, ages, now));

    EXPECT_EQ(ledger.settled_until(), now - 168h);
  }
}

TEST(Ages, OfALaneWithoutJobsWhatIsCompleteDoesNotLeapToWhatIsSeen) {
  const Instant now = kMidnight + 5 * 24h;
  Ledger ledger = settled_at({6h}, now);

  apply_all(ledger, change_ages(ledger, std::vector<Duration>{8h}, now));

  EXPECT_EQ(ledger.settled_until(), now - 6h);
}

TEST(Ages, AllOfThemCanBeReplacedAtOnce) {
  const Instant now = kMidnight + 100 * 24h;
  std::vector<Duration> old;
  std::vector<Duration> other;
  for (int i = 1; i <= static_cast<int>(Ledger::kMaxAges); ++i) {
    old.push_back(i * 24h);
    other.push_back(i * 24h + 12h);
  }
  Ledger ledger = settled_at(old, now);
  const Instant settled = ledger.settled_until();

  apply_all(ledger, change_ages(ledger, other, now));

  EXPECT_THAT(ledger.passes(), SizeIs(Ledger::kMaxAges));
  for (const Duration age : other) EXPECT_TRUE(ledger.passes().contains(age));
  EXPECT_EQ(ledger.settled_until(), settled);
}

TEST(Ages, AWindowThatIsReadLateSatisfiesTheAgesThatAreOver) {
  Ledger ledger({}, kMidnight);
  apply_all(ledger, change_ages(ledger, std::vector<Duration>{72h, 168h}, kMidnight));
  const Interval day{.start = kMidnight, .end = kMidnight + 24h};
  apply_all(ledger, {WindowCompleted{.window = day}});

  EXPECT_THAT(passes_satisfied(ledger, day, day.end + 72h - 1ms, Satisfied::kWhole), IsEmpty());
  apply_all(ledger, passes_satisfied(ledger, day, day.end + 72h, Satisfied::kWhole));
  EXPECT_TRUE(ledger.passes().at(72h).covers(day));
  EXPECT_FALSE(ledger.passes().at(168h).covers(day));
  apply_all(ledger, passes_satisfied(ledger, day, day.end + 400h, Satisfied::kWhole));
  EXPECT_TRUE(ledger.passes().at(168h).covers(day));
}

TEST(Ages, OfAWideLiveWindowThePartThatIsOldEnoughIsSatisfied) {
  Ledger ledger({}, kMidnight);
  apply_all(ledger, change_ages(ledger, std::vector<Duration>{10min, 1h, 6h}, kMidnight));
  const Interval window{.start = kMidnight, .end = kMidnight + 3h};
  apply_all(ledger, {WindowCompleted{.window = window}});

  apply_all(ledger, passes_satisfied(ledger, window, kMidnight + 3h + 30s, Satisfied::kInPart));

  EXPECT_THAT(ledger.passes().at(10min).intervals(),
              ElementsAre(Interval{.start = kMidnight, .end = kMidnight + 2h + 50min + 30s}));
  EXPECT_THAT(ledger.passes().at(1h).intervals(), ElementsAre(Interval{.start = kMidnight, .end = kMidnight + 2h + 30s}));
  EXPECT_THAT(ledger.passes().at(6h).intervals(), IsEmpty());
}

TEST(ShortMadeGood, IsWhatTheSettleLaneHasReadOfIt) {
  Ledger live({}, kStart);
  ASSERT_TRUE(live.apply(WindowCompleted{.window = {.start = kStart, .end = kStart + 2h}, .is_short = true}));
  ASSERT_TRUE(live.apply(WindowCompleted{.window = {.start = kStart + 2h, .end = kStart + 3h}}));
  ASSERT_TRUE(live.apply(WindowCompleted{.window = {.start = kStart + 3h, .end = kStart + 4h}, .is_short = true}));
  Ledger settle({}, kStart);
  apply_all(live, short_made_good(live, settle));
  EXPECT_THAT(live.short_windows(), SizeIs(2)) << "no job has read anything";

  ASSERT_TRUE(settle.apply(WindowCompleted{.window = {.start = kStart + 1h, .end = kStart + 3h}}));
  apply_all(live, short_made_good(live, settle));
  EXPECT_THAT(live.short_windows(),
              ElementsAre(Interval{.start = kStart, .end = kStart + 1h}, Interval{.start = kStart + 3h, .end = kStart + 4h}));
}

}  // namespace
}  // namespace connector::core
