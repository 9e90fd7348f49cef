// Days that are settled again: at their ages, when they are owed, when the service takes its guarantee back.

#include "connector/core/planning/ages.h"
#include "connector/core/planning/settle_planner.h"
#include "connector/core/planning/watermarks.h"
#include "tests/unit/connector/core/planning/property.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Duration;
using common::Instant;
using common::Interval;
using testing::ElementsAre;
using testing::IsEmpty;

const Instant kStart = common::parse_instant("2026-05-04T00:00:00Z").value();

// Days since the start, in hours where it matters.
Instant day(int number, Duration rest = 0h) {
  return kStart + number * 24h + rest;
}
Interval days(int start, int end) {
  return {.start = day(start), .end = day(end)};
}

std::string show(Instant instant) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(instant - kStart).count();
  return std::to_string(hours / 24) + (hours % 24 == 0 ? "" : "+" + std::to_string(hours % 24) + "h") +
         ((instant - kStart) % 1h == 0h ? "" : "+");
}

std::string show(const SettlePlan& plan) {
  if (const auto* resume = std::get_if<ResumeWindow>(&plan)) return "resume " + show(resume->open.window.start);
  if (const auto* ask = std::get_if<AskAvailability>(&plan)) return "ask until " + show(ask->until);
  if (const auto* submit = std::get_if<SubmitWindow>(&plan)) {
    const std::string pass = submit->pass.is_owed      ? " owed"
                             : submit->pass.is_first() ? ""
                                                       : " at " + common::format_duration(submit->pass.age);
    return show(submit->window.start) + "/" + show(submit->window.end) + pass;
  }
  return "wait for jobs";
}

Ledger begun(int complete, const std::vector<Duration>& ages = {0h, 72h, 168h}) {
  Ledger ledger({}, kStart);
  for (const LedgerChange& change : change_ages(ledger, ages, kStart)) EXPECT_TRUE(ledger.apply(change));
  if (complete > 0) EXPECT_TRUE(ledger.apply(WindowCompleted{.window = days(0, complete)}));
  return ledger;
}

std::string plan(const Ledger& ledger, Instant availability, const std::vector<Interval>& running = {},
                 const SettlePlanOptions& options = {}) {
  return show(plan_settle(options, ledger, {.availability = availability, .now = availability + 4h}, running));
}

TEST(SettleAges, AWindowIsSettledAgainAtItsAge) {
  Ledger ledger = begun(4);
  EXPECT_EQ(plan(ledger, day(4) - 1ms), "ask until 4");
  EXPECT_EQ(plan(ledger, day(4)), "0/1 at 3d");

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1), .pass = {.age = 72h}}));
  EXPECT_EQ(plan(ledger, day(4)), "ask until 5");
}

TEST(SettleAges, BothClocksMustHavePassedTheAge) {
  const Ledger ledger = begun(4);

  EXPECT_EQ(show(plan_settle({}, ledger, {.availability = day(4, 2h), .now = day(4) - 1ms}, {})), "ask until 4+2h+")
      << "asked for again until the clock is there, too";
  EXPECT_EQ(show(plan_settle({}, ledger, {.availability = day(4, 2h), .now = day(4)}, {})), "0/1 at 3d");
}

TEST(SettleAges, WhatWasNeverReadComesFirstThenWhatIsOwedThenWhatHasComeOfAge) {
  Ledger ledger = begun(4);
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(2, 3), .after = day(4, 5h)}));

  EXPECT_EQ(plan(ledger, day(5)), "4/5");
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(4, 5)}));
  EXPECT_EQ(plan(ledger, day(5)), "2/3 owed");
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(2, 3), .pass = {.is_owed = true}, .availability = day(5)}));
  EXPECT_EQ(plan(ledger, day(5)), "0/1 at 3d");
}

TEST(SettleAges, YoungerAgesComeFirst) {
  Ledger ledger = begun(30);
  EXPECT_EQ(plan(ledger, day(30)), "0/1 at 3d");

  ASSERT_TRUE(ledger.apply(PassCompleted{.window = days(0, 20), .age = 72h}));
  EXPECT_EQ(plan(ledger, day(30)), "20/21 at 3d");
  ASSERT_TRUE(ledger.apply(PassCompleted{.window = days(20, 27), .age = 72h}));
  EXPECT_EQ(plan(ledger, day(30)), "0/1 at 7d");
}

TEST(SettleAges, PassesOfOneDayNeverRunAtTheSameTime) {
  Ledger ledger = begun(5);
  EXPECT_EQ(plan(ledger, day(5), {days(0, 1)}), "1/2 at 3d");
  EXPECT_EQ(plan(ledger, day(5), {days(0, 1), days(1, 2)}, {.max_jobs = 3}), "ask until 6");
  EXPECT_EQ(plan(ledger, day(5), {{.start = day(0), .end = day(0, 6h)}}, {.window = 6h}), "1/1+6h at 3d");
}

TEST(SettleAges, AnOpenWindowOfADayThatIsReadWaitsForIt) {
  Ledger ledger = begun(2);
  const Interval morning{.start = day(0), .end = day(0, 6h)};
  const Interval noon{.start = day(0, 6h), .end = day(0, 12h)};
  ASSERT_TRUE(ledger.apply(WindowOpened{morning, AtStart{}, {.age = 72h}}));
  ASSERT_TRUE(ledger.apply(WindowOpened{noon, AtStart{}, {.age = 72h}}));

  EXPECT_EQ(plan(ledger, day(2)), "resume 0");
  EXPECT_EQ(plan(ledger, day(2), {morning}), "ask until 3") << "the other half of a split window waits";
  EXPECT_EQ(plan(ledger, day(2), {noon}), "ask until 3");
}

TEST(SettleAges, AnOwedDayIsSettledAsSoonAsAvailabilityHasPassedTheRead) {
  Ledger ledger = begun(3, {0h});
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(1, 2), .after = day(3, 2h)}));

  EXPECT_EQ(plan(ledger, day(3, 2h)), "ask until 3+2h+");
  EXPECT_EQ(plan(ledger, day(3, 2h) + 1ms), "1/2 owed");
}

TEST(SettleAges, AnOwedDayThatWasNeverReadWaitsForItsFirstPass) {
  Ledger ledger = begun(0, {0h});
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(0, 1), .after = day(0, 20h)}));
  EXPECT_EQ(plan(ledger, day(1)), "0/1") << "not owed: the first pass";

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 1), .availability = day(1)}));
  EXPECT_EQ(plan(ledger, day(1)), "ask until 2") << "which has paid";
}

// Conversations of one day that are reopened all the time must not put its pass off for ever, nor cause one after the other.
TEST(SettleAges, ADayThatIsOwedAgainAndAgainIsGathered) {
  Ledger ledger = begun(3, {0h});
  for (int hour = 0; hour <= 20; ++hour) ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(1, 2), .after = day(3, hour * 1h)}));

  EXPECT_EQ(plan(ledger, day(3, 5h)), "ask until 3+6h");
  EXPECT_EQ(plan(ledger, day(3, 6h)), "1/2 owed");
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(1, 2), .pass = {.is_owed = true}, .availability = day(3, 6h)}));
  EXPECT_EQ(plan(ledger, day(3, 6h)), "ask until 3+12h");
}

TEST(SettleAges, OwedPartsFollowTheGridAndSkipTheDayThatIsRead) {
  Ledger ledger = begun(4, {0h});
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = days(1, 3), .after = day(3)}));

  EXPECT_EQ(plan(ledger, day(4), {}, {.window = 6h}), "1/1+6h owed");
  EXPECT_EQ(plan(ledger, day(4), {days(1, 2)}, {.window = 6h}), "2/2+6h owed");
}

TEST(SettleAges, WhenTheDateGoesBackWhatLiesBeyondIsReadAgainWhenItIsBack) {
  Ledger ledger = begun(6, {0h});
  ASSERT_TRUE(ledger.apply(AvailabilitySeen{day(6)}));
  const Watermarks before = watermarks_of(nullptr, &ledger);

  for (const LedgerChange& change : availability_lost({}, ledger, day(6), day(3, 4h))) ASSERT_TRUE(ledger.apply(change));

  EXPECT_EQ(watermarks_of(nullptr, &ledger), before) << "no watermark goes back";
  EXPECT_EQ(plan(ledger, day(6)).substr(0, 9), "ask until") << "such a job may know less than what was read";
  EXPECT_EQ(plan(ledger, day(6) + 1ms), "3/4 owed");
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(3, 4), .pass = {.is_owed = true}, .availability = day(6) + 1ms}));
  EXPECT_EQ(plan(ledger, day(6) + 1ms), "4/5 owed");
  EXPECT_EQ(plan(ledger, day(7)), "6/7") << "first what was never read";
}

TEST(SettleAges, ADateThatGoesBackTwiceOwesNothingTwice) {
  Ledger ledger = begun(6, {0h});
  for (int i = 0; i < 2; ++i) {
    for (const LedgerChange& change : availability_lost({}, ledger, day(6), day(3))) ASSERT_TRUE(ledger.apply(change));
  }

  EXPECT_THAT(ledger.owed(), ElementsAre(OwedDay{.window = days(3, 6), .since = day(6), .after = day(6)}));
  EXPECT_THAT(availability_lost({}, ledger, day(7), day(6)), IsEmpty());
}

TEST(SettleAges, OfADateThatGoesBackIntoADayTheWholeDayIsOwed) {
  Ledger ledger = begun(6, {0h});
  for (const LedgerChange& change : availability_lost({}, ledger, day(6), day(6) - 1ms)) ASSERT_TRUE(ledger.apply(change));

  EXPECT_THAT(ledger.owed(), ElementsAre(OwedDay{.window = days(5, 6), .since = day(6), .after = day(6)}));
}

TEST(SettleAges, HistoryReadLateIsReadOnce) {
  Ledger ledger = begun(0);
  const Instant now = day(100);
  int jobs = 0;
  for (;; ++jobs) {
    const SettlePlan next = plan_settle({}, ledger, {.availability = now, .now = now}, {});
    const auto* submit = std::get_if<SubmitWindow>(&next);
    if (submit == nullptr) break;
    ASSERT_TRUE(ledger.apply(WindowCompleted{.window = submit->window, .pass = submit->pass}));
    for (const LedgerChange& change : passes_satisfied(ledger, submit->window, now, Satisfied::kWhole)) {
      ASSERT_TRUE(ledger.apply(change));
    }
  }

  EXPECT_EQ(jobs, 100) << "each of the newest week's days once more, later";
  EXPECT_EQ(ledger.settled_until(), day(93));
}

TEST(SettleAges, ANewAgeOfARunningLaneReadsNoHistory) {
  Ledger ledger = begun(100, {0h});
  for (const LedgerChange& change : change_ages(ledger, std::vector<Duration>{0h, 72h}, day(100, 5h)))
    ASSERT_TRUE(ledger.apply(change));

  EXPECT_EQ(ledger.settled_until(), day(100));
  EXPECT_EQ(plan(ledger, day(100)), "ask until 101");
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = days(100, 101)}));
  EXPECT_EQ(plan(ledger, day(101)), "97/98 at 3d");
}

// Whatever fails, restarts, is reopened or goes back: nothing beyond the date, no two jobs of a day, no watermark back, and in
// the end everything is settled and nothing is owed.
TEST(SettleAges, EverythingIsSettledInTheEndWhateverHappens) {
  struct Job {
    Interval window;
    Pass pass;
    Instant availability;
  };
  EXPECT_TRUE(tests::support::holds_always(
      "a settle lane with ages", [](const std::vector<std::pair<std::uint8_t, std::uint8_t>>& steps) {
        const SettlePlanOptions options{
            .window = steps.size() % 2 == 0 ? 24h : 8h, .max_jobs = 3, .newest_first = steps.size() % 3 == 0};
        Ledger ledger = begun(0);
        Watermarks marks;
        std::vector<Job> running;
        Instant now = day(1);
        Instant availability = day(0);
        Instant newest = availability;
        const auto apply = [&](const LedgerChange& change) {
          const auto applied = ledger.apply(change);
          RC_ASSERT(applied.has_value());
          const Watermarks next = watermarks_of(nullptr, &ledger);
          Watermarks advanced = marks;
          advanced.advance(next);
          RC_ASSERT(advanced == next);
          marks = next;
          RC_ASSERT(*marks.complete_until <= std::max(newest, kStart));
          RC_ASSERT(*marks.settled_until <= *marks.complete_until);
        };
        const auto see = [&](Instant date) {
          if (date < availability) {
            for (const LedgerChange& change : availability_lost(options, ledger, availability, date)) apply(change);
          }
          availability = date;
          newest = std::max(newest, date);
        };
        const auto begin = [&]() -> bool {
          std::vector<Interval> windows;
          for (const Job& job : running) windows.push_back(job.window);
          const SettlePlan next = plan_settle(options, ledger, {.availability = availability, .now = now}, windows);
          if (const auto* ask = std::get_if<AskAvailability>(&next)) RC_ASSERT(ask->until > availability);
          Job job{.availability = availability};
          if (const auto* submit = std::get_if<SubmitWindow>(&next)) {
            job.window = submit->window;
            job.pass = submit->pass;
            RC_ASSERT(job.window.end + job.pass.age <= availability);
            RC_ASSERT(job.window.end + job.pass.age <= now || job.pass.is_first());
            for (const auto& [age, pass] : ledger.passes()) RC_ASSERT(age >= job.pass.age || pass.covers(job.window));
          } else if (const auto* resume = std::get_if<ResumeWindow>(&next)) {
            job.window = resume->open.window;
            job.pass = resume->open.pass;
          } else {
            return false;
          }
          RC_ASSERT(common::start_of_day(job.window.start) == common::start_of_day(job.window.end - 1ms));
          for (const Interval& other : windows)
            RC_ASSERT(common::start_of_day(other.start) != common::start_of_day(job.window.start));
          running.push_back(job);
          return true;
        };
        const auto finish = [&](std::size_t index) {
          const Job job = running[index];
          running.erase(running.begin() + static_cast<std::ptrdiff_t>(index));
          apply(WindowCompleted{.window = job.window, .pass = job.pass, .availability = job.availability});
          for (const LedgerChange& change : passes_satisfied(ledger, job.window, job.availability, Satisfied::kWhole))
            apply(change);
        };
        for (const auto& [what, amount] : steps) {
          switch (what % 9) {
            case 0:
              now += amount * 1h;
              break;
            case 1:
              see(std::max(availability, now - 5h));
              break;
            case 2:
              see(std::max(kStart, availability - amount * 1h));
              break;
            case 3:  // a restart: what is open is known, the rest is not
              running.clear();
              break;
            case 4:
              if (!running.empty() && ledger.find_open(running.back().window) == nullptr) {
                apply(WindowOpened{running.back().window, AtStart{}, running.back().pass});
              }
              break;
            case 5:
              apply(OwedAdded{.window = days(amount % 20, amount % 20 + 1), .after = now});
              break;
            case 6:
              if (!running.empty()) finish(amount % running.size());
              break;
            default:
              begin();
          }
        }
        running.clear();
        now = std::max(now, day(40));
        for (int round = 0; round < 30; ++round) {
          now += 24h;
          see(std::max(availability, now - 5h));
          while (begin()) finish(0);
        }
        RC_ASSERT(ledger.owed().empty());
        RC_ASSERT(*marks.complete_until >= now - 29h - 24h);
        RC_ASSERT(*marks.settled_until >= now - 29h - 24h * 8);
      }));
}

// They fail again and again, and wait without a job: new days are read in their place, other windows are not read again.
TEST(SettleAges, WhatWaitsToBeReadAgainKeepsNoNewDayFromBeingRead) {
  const Ledger ledger = begun(8);
  const std::vector<Interval> running{days(0, 1)};

  EXPECT_EQ(plan(ledger, day(8), running, {.max_jobs = 1}), "wait for jobs");
  EXPECT_EQ(plan(ledger, day(9), running, {.max_jobs = 1, .waiting = 1}), "8/9");
  EXPECT_EQ(plan(ledger, day(8), running, {.max_jobs = 1, .waiting = 1}), "ask until 9") << "the next day is asked for";
  EXPECT_EQ(plan(ledger, day(9), {days(0, 1), days(8, 9)}, {.max_jobs = 1, .waiting = 1}), "wait for jobs");
}

TEST(SettleAges, NoMoreThanTheConfiguredNumberIsReadAgainAtOnceThoughSomeWait) {
  Ledger ledger = begun(8);

  EXPECT_EQ(plan(ledger, day(8), {days(0, 1)}, {.max_jobs = 2, .waiting = 1}), "1/2 at 3d") << "one more";
  EXPECT_EQ(plan(ledger, day(8), {days(0, 1), days(1, 2)}, {.max_jobs = 2, .waiting = 2}), "ask until 9");
  ASSERT_TRUE(ledger.apply(WindowOpened{days(2, 3), AtStart{}, {.age = 72h}}));
  EXPECT_EQ(plan(ledger, day(8), {days(0, 1), days(1, 2)}, {.max_jobs = 2, .waiting = 2}), "ask until 9") << "nor taken up";
  EXPECT_EQ(plan(ledger, day(8), {days(0, 1)}, {.max_jobs = 2, .waiting = 1}), "resume 2");
}

}  // namespace
}  // namespace connector::core
