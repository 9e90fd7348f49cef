// A backfill's windows: the settle lane's planning over a bounded range, and two lanes that leave each other's days alone.

#include "connector/core/planning/settle_planner.h"
#include "tests/unit/connector/core/planning/property.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Instant;
using common::Interval;

const Instant kFrom = common::parse_instant("2026-01-01T00:00:00Z").value();
const Instant kNow = common::parse_instant("2026-05-04T10:00:00Z").value();

Instant day(int number, common::Duration rest = 0h) {
  return kFrom + number * 24h + rest;
}
Interval days(int from, int to) {
  return {.start = day(from), .end = day(to)};
}

std::string show(const SettlePlan& plan) {
  const auto hours = [](Instant instant) { return std::to_string((instant - kFrom) / 1h); };
  const auto window = [&](const Interval& shown) { return hours(shown.start) + "-" + hours(shown.end); };
  if (const auto* resume = std::get_if<ResumeWindow>(&plan)) return "resume " + window(resume->open.window);
  if (const auto* submit = std::get_if<SubmitWindow>(&plan)) return "submit " + window(submit->window);
  if (const auto* ask = std::get_if<AskAvailability>(&plan)) return "ask until " + hours(ask->until);
  return std::holds_alternative<NothingLeft>(plan) ? "done" : "wait";
}

Ledger backfill_of(const Interval& range) {
  Ledger ledger;
  EXPECT_TRUE(ledger.apply(BackfillBegan{.order = {.id = "a", .range = range, .parallel = 2}, .at = kNow}));
  return ledger;
}

std::string plan(const Ledger& ledger, Instant until, const std::vector<Interval>& running = {}, Instant availability = kNow,
                 const JobsElsewhere& elsewhere = {}) {
  return show(
      plan_settle({.max_jobs = 3, .until = until}, ledger, {.availability = availability, .now = kNow}, running, elsewhere));
}

void complete(Ledger& ledger, const Interval& window) {
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = window}));
}

TEST(SettleBackfill, BeginsAndEndsWhereItIsToldInWindowsOfADay) {
  const Interval range{.start = day(0, 6h), .end = day(2, 3h)};
  Ledger ledger = backfill_of(range);

  EXPECT_EQ(plan(ledger, range.end), "submit 6-24");
  complete(ledger, {.start = day(0, 6h), .end = day(1)});
  EXPECT_EQ(plan(ledger, range.end), "submit 24-48");
  complete(ledger, days(1, 2));
  EXPECT_EQ(plan(ledger, range.end), "submit 48-51");
  complete(ledger, {.start = day(2), .end = day(2, 3h)});
  EXPECT_EQ(plan(ledger, range.end), "done");
}

// Of a date that went back; while the pass waits without a job, first passes have its place, and nothing is done yet.
TEST(SettleBackfill, IsNotDoneWhileAFurtherPassWaits) {
  Ledger ledger = backfill_of(days(0, 2));
  complete(ledger, days(0, 1));
  const auto plan_beside = [&](std::uint32_t waiting) {
    return show(plan_settle({.max_jobs = 1, .waiting = waiting, .until = day(2)}, ledger, {.availability = kNow, .now = kNow},
                            std::vector{days(0, 1)}));
  };

  EXPECT_EQ(plan_beside(0), "wait");
  EXPECT_EQ(plan_beside(1), "submit 24-48");
  complete(ledger, days(1, 2));
  EXPECT_EQ(plan_beside(1), "wait");
}

TEST(SettleBackfill, WaitsForItsLastJobsBeforeItIsDone) {
  Ledger ledger = backfill_of(days(0, 2));
  complete(ledger, days(0, 1));

  EXPECT_EQ(plan(ledger, day(2), {days(1, 2)}), "wait");
}

TEST(SettleBackfill, SubmitsNothingTheServiceDoesNotGuaranteeYet) {
  Ledger ledger = backfill_of(days(0, 2));
  complete(ledger, days(0, 1));

  EXPECT_EQ(plan(ledger, day(2), {}, day(1, 5h)), "ask until 48");
}

TEST(SettleBackfill, ReadsAgainWhatTheServiceTookBackBeforeItIsDone) {
  Ledger ledger = backfill_of(days(0, 2));
  complete(ledger, days(0, 2));
  for (const auto& change : availability_lost({}, ledger, day(2), day(1, 1h))) ASSERT_TRUE(ledger.apply(change));

  EXPECT_EQ(plan(ledger, day(2), {}, day(1, 1h)), "ask until 48");
  EXPECT_EQ(plan(ledger, day(2), {}, day(3)), "submit 24-48");
}

TEST(JobsElsewhere, NoDayOfTheirsIsBegun) {
  Ledger ledger = backfill_of(days(0, 3));

  EXPECT_EQ(plan(ledger, day(3), {}, kNow, {.running = {{.start = day(0, 2h), .end = day(0, 4h)}}, .open = {}}), "submit 24-48");
  EXPECT_EQ(plan(ledger, day(3), {}, kNow, {.running = {}, .open = {days(0, 1)}}), "submit 24-48") << "a job nobody reads yet";
  EXPECT_EQ(plan(ledger, day(3), {}, kNow, {.running = {days(0, 3)}, .open = {}}), "wait");
}

TEST(JobsElsewhere, WhatIsOpenIsTakenUpWhenTheirJobOfTheDayHasEnded) {
  Ledger ledger = backfill_of(days(0, 1));
  ASSERT_TRUE(ledger.apply(
      WindowOpened{.window = days(0, 1), .position = AtJob{.job = JobId("j"), .cursor = std::nullopt, .submitted = kNow}}));

  EXPECT_EQ(plan(ledger, day(1), {}, kNow, {.running = {days(0, 1)}, .open = {}}), "wait");
  EXPECT_EQ(plan(ledger, day(1), {}, kNow, {.running = {}, .open = {days(0, 1)}}), "resume 0-24")
      << "two that wait for each other would wait for ever";
}

TEST(JobsElsewhere, TheSettleLaneGoesRoundThem) {
  const Ledger settle({}, kFrom);

  EXPECT_EQ(show(plan_settle({}, settle, {.availability = day(5), .now = kNow}, {}, {.running = {days(0, 2)}, .open = {}})),
            "submit 48-72");
}

TEST(HasSettled, WhenNothingWasLeftWhateverIsOpenForLaterReasons) {
  Ledger ledger({}, kFrom);
  const SettleTime time{.availability = day(2, 1h), .now = kNow};
  EXPECT_FALSE(has_settled({}, ledger, time));

  complete(ledger, days(0, 2));
  ASSERT_TRUE(ledger.apply(WindowOpened{.window = days(2, 3), .position = AtStart{}}));
  EXPECT_TRUE(has_settled({}, ledger, time));
  EXPECT_FALSE(has_settled({}, ledger, {.availability = day(3), .now = kNow})) << "now it is among what was due";
}

// Two lanes over one ledger of days, in any order of beginnings and ends: never two jobs of a day, and both get everything.
TEST(JobsElsewhere, NoTwoJobsOfADayAndEverythingIsReadWhateverHappens) {
  EXPECT_TRUE(tests::support::holds_always("never two jobs of a day, and everything is read", [] {
    const int whole = *rc::gen::inRange(2, 8);
    Ledger settle({}, kFrom);
    Ledger backfill = backfill_of(days(0, whole));
    std::vector<Interval> settling;
    std::vector<Interval> filling;
    const auto begin = [&](Ledger& ledger, std::vector<Interval>& mine, const std::vector<Interval>& others, bool bounded) {
      SettlePlanOptions options{.window = 12h, .max_jobs = 2};
      if (bounded) options.until = day(whole);
      const SettlePlan next =
          plan_settle(options, ledger, {.availability = day(whole), .now = day(whole)}, mine, {.running = others, .open = {}});
      const auto* submit = std::get_if<SubmitWindow>(&next);
      if (submit == nullptr) return;
      for (const Interval& other : others) {
        RC_ASSERT(common::start_of_day(other.start) != common::start_of_day(submit->window.start));
      }
      mine.push_back(submit->window);
    };
    const auto end = [](Ledger& ledger, std::vector<Interval>& mine) {
      if (mine.empty()) return;
      const auto which = mine.begin() + *rc::gen::inRange<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(mine.size()));
      RC_ASSERT(ledger.apply(WindowCompleted{.window = *which}));
      mine.erase(which);
    };
    const auto chance = *rc::gen::container<std::vector<int>>(40, rc::gen::inRange(0, 4));
    for (const int step : chance) {
      if (step == 0) begin(settle, settling, filling, false);
      if (step == 1) begin(backfill, filling, settling, true);
      if (step == 2) end(settle, settling);
      if (step == 3) end(backfill, filling);
    }
    for (int rounds = 0; rounds < 10 * whole; ++rounds) {
      begin(settle, settling, filling, false);
      begin(backfill, filling, settling, true);
      if (!settling.empty()) end(settle, settling);
      if (!filling.empty()) end(backfill, filling);
    }
    RC_ASSERT(settle.complete_until() == day(whole));
    RC_ASSERT(backfill.complete_until() == day(whole));
  }));
}

}  // namespace
}  // namespace connector::core
