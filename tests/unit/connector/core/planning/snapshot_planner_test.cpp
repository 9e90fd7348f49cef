#include "connector/core/planning/snapshot_planner.h"

#include <gtest/gtest.h>
#include <random>
#include <string>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Duration;
using common::Instant;
using common::Interval;

Instant at(const std::string& time, const std::string& day = "2026-05-04") {
  return common::parse_instant(day + "T" + time + "Z").value();
}

constexpr SnapshotPlanOptions kEveryMinute{.every = 60s};

Ledger seen(Instant start, Instant until) {
  Ledger ledger({}, start);
  if (start < until) EXPECT_TRUE(ledger.apply(WindowCompleted{.window = {.start = start, .end = until}}));
  return ledger;
}

std::string show(const LivePlan& plan) {
  if (const auto* wait = std::get_if<WaitUntil>(&plan)) return "wait until " + common::format_instant(wait->instant, false);
  const auto& read = std::get<ReadWindow>(plan);
  return common::format_interval(read.window) + (read.is_open ? " again" : "");
}

TEST(SnapshotPlanner, TheFirstReadingIsDueAtOnce) {
  const Ledger ledger({}, snapshot_start(kEveryMinute, at("10:00:07")));

  EXPECT_EQ(show(plan_snapshot(kEveryMinute, ledger, at("10:00:06"))), "wait until 2026-05-04T10:00:07Z");
  EXPECT_EQ(show(plan_snapshot(kEveryMinute, ledger, at("10:00:07"))), "2026-05-04T09:59:07.000Z/2026-05-04T10:00:07.000Z");
}

TEST(SnapshotPlanner, ReadsAtItsCadenceHoweverLongAReadingTook) {
  EXPECT_EQ(show(plan_snapshot(kEveryMinute, seen(at("10:00:00"), at("10:05:00")), at("10:05:40"))),
            "wait until 2026-05-04T10:06:00Z");
  EXPECT_EQ(show(plan_snapshot(kEveryMinute, seen(at("10:00:00"), at("10:05:00")), at("10:06:20"))),
            "2026-05-04T10:05:00.000Z/2026-05-04T10:06:00.000Z");
}

TEST(SnapshotPlanner, AfterDowntimeItIsReadOnceOverMidnightToo) {
  EXPECT_EQ(show(plan_snapshot(kEveryMinute, seen(at("10:00:00"), at("10:05:00")), at("00:00:30", "2026-05-20"))),
            "2026-05-04T10:05:00.000Z/2026-05-20T00:00:00.000Z");
}

TEST(SnapshotPlanner, AClockThatWentBackIsWaitedFor) {
  EXPECT_EQ(show(plan_snapshot(kEveryMinute, seen(at("10:00:00"), at("10:05:00")), at("09:00:00"))),
            "wait until 2026-05-04T10:06:00Z");
}

TEST(SnapshotPlanner, AnotherCadenceGoesOnFromTheLastReading) {
  const SnapshotPlanOptions slower{.every = 25min};
  const Ledger ledger = seen(at("10:00:00"), at("10:35:00"));

  EXPECT_EQ(show(plan_snapshot(slower, ledger, at("10:49:59"))), "wait until 2026-05-04T10:50:00Z");
  EXPECT_EQ(show(plan_snapshot(slower, ledger, at("10:50:00"))), "2026-05-04T10:35:00.000Z/2026-05-04T10:50:00.000Z");
}

TEST(SnapshotPlanner, WhatWasNotFinishedComesFirst) {
  Ledger ledger = seen(at("10:00:00"), at("10:05:00"));
  ASSERT_TRUE(ledger.apply(WindowOpened{{.start = at("10:05:00"), .end = at("10:06:00")}, AtPage{4}}));

  EXPECT_EQ(show(plan_snapshot(kEveryMinute, ledger, at("10:30:00"))), "2026-05-04T10:05:00.000Z/2026-05-04T10:06:00.000Z again");
  EXPECT_FALSE(snapshot_is_caught_up(kEveryMinute, ledger, at("10:30:00")));
  EXPECT_TRUE(snapshot_is_caught_up(kEveryMinute, ledger, at("10:05:30"))) << "it was begun for what was due later";
}

TEST(SnapshotPlanner, IsCaughtUpWhenTheLastOneThatWasDueIsThere) {
  EXPECT_FALSE(snapshot_is_caught_up(kEveryMinute, seen(at("10:00:00"), at("10:04:00")), at("10:05:00")));
  EXPECT_TRUE(snapshot_is_caught_up(kEveryMinute, seen(at("10:00:00"), at("10:05:00")), at("10:05:59")));
}

// However time passes and readings fail: what was looked at has no gap, no reading comes early, and none is missed for longer
// than its cadence once it works again.
TEST(SnapshotPlanner, LeavesNoGapWhateverHappens) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    SnapshotPlanOptions options{.every = Duration(std::uniform_int_distribution(10, 90'000'000)(random))};
    const Instant start = at("21:00:00");
    Ledger ledger({}, snapshot_start(options, start));
    Instant now = start - 1h;
    for (int step = 0; step < 300; ++step) {
      const LivePlan plan = plan_snapshot(options, ledger, now);
      if (const auto* wait = std::get_if<WaitUntil>(&plan)) {
        ASSERT_GT(wait->instant, now) << "a wait must pass";
        ASSERT_LE(wait->instant, std::max(ledger.complete_until(), now) + options.every);
        now = wait->instant + std::uniform_int_distribution(0, 9)(random) / 9 * 72h;
        continue;
      }
      const Interval window = std::get<ReadWindow>(plan).window;
      ASSERT_FALSE(window.empty());
      ASSERT_EQ(window.start, ledger.complete_until());
      ASSERT_LE(window.end, now);
      ASSERT_GT(window.end, now - options.every);
      if (std::uniform_int_distribution(0, 3)(random) == 0) {
        now += 1s;                                                                  // failed
        if (std::uniform_int_distribution(0, 9)(random) == 0) options.every += 1s;  // another configuration
        continue;
      }
      ASSERT_TRUE(ledger.apply(WindowCompleted{.window = window}));
    }
    ASSERT_LE(ledger.complete().intervals().size(), 1U);
  }
}

}  // namespace
}  // namespace connector::core
