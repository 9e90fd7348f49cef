#include "connector/core/planning/live_planner.h"

#include "connector/core/planning/clocks.h"

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

LivePlanOptions options() {
  return {.every = 60s, .delay = 30s, .overlap = 0s, .min_window = 1s, .max_window = std::chrono::days{7}};
}

Ledger ledger_complete_until(Instant start, Instant end) {
  Ledger ledger({}, start);
  if (start < end) EXPECT_TRUE(ledger.apply(WindowCompleted{.window = {.start = start, .end = end}}));
  return ledger;
}

std::string show(const LivePlan& plan) {
  if (const auto* wait = std::get_if<WaitUntil>(&plan)) return "wait until " + common::format_instant(wait->instant, false);
  if (std::holds_alternative<WaitForReads>(plan)) return "wait for reads";
  const auto& read = std::get<ReadWindow>(plan);
  return common::format_instant(read.window.start, false) + "/" + common::format_instant(read.window.end, false) +
         (read.is_open ? " again" : "");
}

struct LiveCase {
  std::string name;
  LivePlanOptions options;
  Instant start;
  Instant complete;
  Instant now;
  std::string plan;
};
void PrintTo(const LiveCase& live, std::ostream* out) {
  *out << live.name;
}

class LivePlannerTable : public testing::TestWithParam<LiveCase> {};

TEST_P(LivePlannerTable, PlansTheNextWindow) {
  const LiveCase& live = GetParam();
  EXPECT_EQ(show(LivePlanner(live.options).next(ledger_complete_until(live.start, live.complete), live.now)), live.plan);
}

LivePlanOptions with(Duration overlap, Duration max_window = std::chrono::days{7}) {
  LivePlanOptions changed = options();
  changed.overlap = overlap;
  changed.max_window = max_window;
  return changed;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, LivePlannerTable,
    testing::Values(LiveCase{"one_window_at_a_time", options(), at("10:00:00"), at("10:05:00"), at("10:06:30"),
                             "2026-05-04T10:05:00Z/2026-05-04T10:06:00Z"},
                    LiveCase{"waits_until_the_window_is_old_enough", options(), at("10:00:00"), at("10:05:00"), at("10:06:29"),
                             "wait until 2026-05-04T10:06:30Z"},
                    LiveCase{"widens_by_whole_multiples_when_behind", options(), at("10:00:00"), at("10:05:00"), at("10:10:50"),
                             "2026-05-04T10:05:00Z/2026-05-04T10:10:00Z"},
                    LiveCase{"never_crosses_midnight", options(), at("10:00:00"), at("23:59:30"), at("00:10:00", "2026-05-05"),
                             "2026-05-04T23:59:30Z/2026-05-05T00:00:00Z"},
                    LiveCase{"does_not_wait_longer_for_a_window_cut_by_midnight", options(), at("10:00:00"), at("23:59:30"),
                             at("00:00:20", "2026-05-05"), "wait until 2026-05-05T00:00:30Z"},
                    LiveCase{"begins_the_new_day_at_midnight", options(), at("10:00:00"), at("00:00:00", "2026-05-05"),
                             at("00:01:30", "2026-05-05"), "2026-05-05T00:00:00Z/2026-05-05T00:01:00Z"},
                    LiveCase{"months_of_downtime_leave_no_gap", options(), at("10:00:00"), at("12:00:00"),
                             at("00:00:00", "2026-11-20"), "2026-05-04T12:00:00Z/2026-05-05T00:00:00Z"},
                    LiveCase{"a_window_is_at_most_a_day", options(), at("00:00:00"), at("00:00:00"), at("00:00:00", "2026-11-20"),
                             "2026-05-04T00:00:00Z/2026-05-05T00:00:00Z"},
                    LiveCase{"a_window_is_at_most_the_definitions_maximum", with(0s, 2h), at("00:00:00"), at("00:00:00"),
                             at("20:00:00"), "2026-05-04T00:00:00Z/2026-05-04T02:00:00Z"},
                    LiveCase{"starts_at_the_ledgers_start", options(), at("10:00:07"), at("10:00:07"), at("10:01:37"),
                             "2026-05-04T10:00:07Z/2026-05-04T10:01:07Z"},
                    LiveCase{"a_start_in_the_future_is_waited_for", options(), at("10:00:00"), at("10:00:00"), at("09:00:00"),
                             "wait until 2026-05-04T10:01:30Z"},
                    LiveCase{"a_clock_that_went_back_is_waited_for", options(), at("08:00:00"), at("10:00:00"), at("09:00:00"),
                             "wait until 2026-05-04T10:01:30Z"},
                    LiveCase{"overlap_reaches_back", with(15s), at("10:00:00"), at("10:05:00"), at("10:06:30"),
                             "2026-05-04T10:04:45Z/2026-05-04T10:06:00Z"},
                    LiveCase{"overlap_does_not_reach_before_the_start", with(15s), at("10:00:00"), at("10:00:10"), at("10:01:40"),
                             "2026-05-04T10:00:00Z/2026-05-04T10:01:10Z"},
                    LiveCase{"overlap_does_not_reach_over_midnight", with(15s), at("10:00:00"), at("00:00:05", "2026-05-05"),
                             at("00:01:35", "2026-05-05"), "2026-05-05T00:00:00Z/2026-05-05T00:01:05Z"},
                    LiveCase{"overlap_counts_into_the_maximum", with(30min, 2h), at("00:00:00"), at("04:00:00"), at("20:00:00"),
                             "2026-05-04T03:30:00Z/2026-05-04T05:30:00Z"}),
    [](const auto& info) { return info.param.name; });

TEST(LivePlanner, AnOpenWindowComesFirst) {
  Ledger ledger = ledger_complete_until(at("10:00:00"), at("10:05:00"));
  ASSERT_TRUE(ledger.apply(WindowOpened{{.start = at("10:05:00"), .end = at("10:05:01")}, AtPage{4}}));

  EXPECT_EQ(show(LivePlanner(options()).next(ledger, at("10:30:00"))), "2026-05-04T10:05:00Z/2026-05-04T10:05:01Z again");
}

TEST(LivePlanner, FillsAGapBeforeItGoesOn) {
  Ledger ledger = ledger_complete_until(at("10:00:00"), at("10:05:00"));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = at("10:07:00"), .end = at("10:20:00")}}));

  EXPECT_EQ(show(LivePlanner(options()).next(ledger, at("10:30:00"))), "2026-05-04T10:05:00Z/2026-05-04T10:07:00Z");
}

TEST(LivePlanner, StaysNarrowAfterASplitAndWidensWithSuccess) {
  LivePlanner planner(options());
  const Ledger ledger = ledger_complete_until(at("00:00:00"), at("00:00:00"));
  planner.narrow({.start = at("00:00:00"), .end = at("19:59:00")}, 10min);
  EXPECT_EQ(show(planner.next(ledger, at("20:00:00"))), "2026-05-04T00:00:00Z/2026-05-04T00:10:00Z");

  planner.widen();
  EXPECT_EQ(show(planner.next(ledger, at("20:00:00"))), "2026-05-04T00:00:00Z/2026-05-04T00:20:00Z");

  for (int i = 0; i < 10; ++i) planner.widen();
  EXPECT_EQ(show(planner.next(ledger, at("20:00:00"))), "2026-05-04T00:00:00Z/2026-05-04T19:59:00Z");
}

TEST(LivePlanner, NarrowsNoFurtherThanTheSmallestWindow) {
  LivePlanner planner(options());
  planner.narrow({.start = at("00:00:00"), .end = at("19:59:00")}, 1ms);

  EXPECT_EQ(show(planner.next(ledger_complete_until(at("00:00:00"), at("00:00:00")), at("20:00:00"))),
            "2026-05-04T00:00:00Z/2026-05-04T00:00:01Z");
}

TEST(LivePlanner, ThePartsOfACutWindowEndWithIt) {
  LivePlanner planner(options());
  planner.narrow({.start = at("10:00:00"), .end = at("10:01:00")}, 30s);
  planner.widen();

  EXPECT_EQ(show(planner.next(ledger_complete_until(at("10:00:00"), at("10:00:30")), at("10:01:30"))),
            "2026-05-04T10:00:30Z/2026-05-04T10:01:00Z");
}

// However time passes, failures strike and windows are cut: what is read is gap-free, ordered, and within one day each.
TEST(LivePlanner, LeavesNoGapWhateverHappens) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    LivePlanOptions changed = options();
    changed.every = Duration(std::uniform_int_distribution(1'000, 7'200'000)(random));
    changed.delay = Duration(std::uniform_int_distribution(0, 60'000)(random));
    LivePlanner planner(changed);
    const Instant start = at("21:00:00") + Duration(std::uniform_int_distribution(0, 999'999)(random));
    Ledger ledger({}, start);
    Instant now = start;
    for (int step = 0; step < 300; ++step) {
      const LivePlan plan = planner.next(ledger, now);
      if (const auto* wait = std::get_if<WaitUntil>(&plan)) {
        ASSERT_GT(wait->instant, now) << "a wait must pass";
        now = wait->instant + std::uniform_int_distribution(0, 10)(random) / 10 * 36h;
        continue;
      }
      const Interval window = std::get<ReadWindow>(plan).window;
      ASSERT_FALSE(window.empty());
      ASSERT_EQ(window.start, ledger.complete_until());
      ASSERT_LE(window.end, now - changed.delay);
      ASSERT_EQ(common::start_of_day(window.start), common::start_of_day(window.end - 1ms));
      switch (std::uniform_int_distribution(0, 3)(random)) {
        case 0:
          break;  // failed: planned again
        case 1:
          planner.narrow(window, window.length() / 3);
          break;
        default:
          ASSERT_TRUE(ledger.apply(WindowCompleted{.window = window}));
          planner.widen();
      }
    }
    ASSERT_LE(ledger.complete().intervals().size(), 1U);
  }
}

// Of what was put off and has expired nothing is left to wait for; of what has expired in part the rest has failed as often.
TEST(LivePlanner, WhatWasPutOffIsForgottenWhenItCannotBeReadAnyMore) {
  LivePlanner planner(options());
  const Duration age = 1h;
  const auto failed = [&](Instant start, Instant end) {
    return ReadWindow{.window = {.start = start, .end = end}, .pass = {.age = age}};
  };
  const Instant now = at("15:00:00");
  planner.put_off(failed(at("10:00:00"), at("10:15:00")), now, {});
  const Duration first = planner.put_off(failed(at("10:15:00"), at("10:30:00")), now, {});

  planner.forget_before(at("10:20:00"));
  EXPECT_TRUE(planner.has_put_off());
  const Duration second = planner.put_off(failed(at("10:20:00"), at("10:30:00")), now, {});
  EXPECT_GT(second, first) << "it is the same that fails";

  planner.forget_before(at("10:30:00"));
  EXPECT_FALSE(planner.has_put_off());
}

TEST(Clocks, TheEarlierOneCounts) {
  EXPECT_EQ(earlier_clock(at("10:00:00"), 5s), at("10:00:00"));
  EXPECT_EQ(earlier_clock(at("10:00:00"), -5s), at("09:59:55"));
}

}  // namespace
}  // namespace connector::core
