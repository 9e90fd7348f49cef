// Live windows that are read again: when, how wide, and never beside another read of their day.

#include "connector/core/planning/ages.h"
#include "connector/core/planning/live_planner.h"
#include "tests/unit/connector/core/planning/property.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <map>
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

const std::vector<Duration> kAges{10min, 1h, 6h};

Instant at(const std::string& time, const std::string& day = "2026-05-04") {
  return common::parse_instant(day + "T" + time + "Z").value();
}

std::string show(const Interval& window) {
  return common::format_instant(window.start, false).substr(5, 11) + "/" +
         common::format_instant(window.end, false).substr(5, 11);
}

struct Read {
  Interval window;
  Pass pass;
  Instant began;
};

// A live lane without I/O: every read succeeds at once.
struct Lane {
  explicit Lane(Instant start, const std::vector<Duration>& ages = kAges, LivePlanOptions options = {})
      : ledger({}, start), planner(options), now(start) {
    apply(change_ages(ledger, ages, now));
  }

  void apply(const std::vector<LedgerChange>& changes) {
    for (const LedgerChange& change : changes) {
      const auto applied = ledger.apply(change);
      EXPECT_TRUE(applied) << applied.error().message;
    }
  }
  void complete(const Read& read) {
    apply({WindowCompleted{.window = read.window, .pass = read.pass}});
    apply(passes_satisfied(ledger, read.window, read.began, Satisfied::kInPart));
    reads.push_back(read);
  }
  // Reads what there is to read until then.
  void run_until(Instant end) {
    for (;;) {
      const LivePlan plan = planner.next(ledger, now);
      if (const auto* wait = std::get_if<WaitUntil>(&plan)) {
        ASSERT_GT(wait->instant, now) << "a wait must pass";
        if (wait->instant > end) break;
        now = wait->instant;
        continue;
      }
      const auto& read = std::get<ReadWindow>(plan);
      complete({.window = read.window, .pass = read.pass, .began = now});
    }
    now = end;
  }
  [[nodiscard]] std::vector<Read> at_age(Duration age) const {
    std::vector<Read> found;
    std::ranges::copy_if(reads, std::back_inserter(found), [&](const Read& read) { return read.pass.age == age; });
    return found;
  }
  [[nodiscard]] std::vector<std::string> windows_at_age(Duration age) const {
    std::vector<std::string> shown;
    for (const Read& read : at_age(age)) shown.push_back(show(read.window));
    return shown;
  }

  Ledger ledger;
  LivePlanner planner;
  Instant now;
  std::vector<Read> reads;
};

TEST(LiveAges, WithoutAgesNothingIsReadAgain) {
  Lane lane(at("10:00:00"), {});
  lane.run_until(at("12:00:00", "2026-05-06"));

  EXPECT_EQ(lane.at_age(0h).size(), lane.reads.size());
}

TEST(LiveAges, EveryWindowIsReadAgainAtEveryAge) {
  Lane lane(at("10:00:00"));
  lane.run_until(at("20:00:00"));

  for (const Duration age : kAges) {
    for (const Read& read : lane.at_age(age)) EXPECT_GE(read.began, read.window.end + age);
  }
  EXPECT_GE(lane.ledger.passes().at(10min).prefix_end(at("10:00:00")), at("19:45:00"));
  EXPECT_GE(lane.ledger.passes().at(1h).prefix_end(at("10:00:00")), at("18:45:00"));
  EXPECT_GE(lane.ledger.passes().at(6h).prefix_end(at("10:00:00")), at("13:00:00"));
}

TEST(LiveAges, NeighboursAreReadAgainTogether) {
  Lane lane(at("00:00:00"));
  lane.run_until(at("23:00:00"));

  const std::size_t first = lane.at_age(0h).size();
  const std::size_t again = lane.reads.size() - first;
  EXPECT_NEAR(static_cast<double>(first), 23 * 60, 2);
  EXPECT_LE(again, 23 * (30 + 4 + 1)) << "not one request a window and age";
  EXPECT_EQ(show(lane.at_age(6h).front().window), "05-04T00:00/05-04T01:00");
}

TEST(LiveAges, TheWidthCanBeSet) {
  LivePlanOptions options;
  options.reread_width = 30min;
  Lane lane(at("10:00:00"), {1h}, options);
  lane.run_until(at("12:30:00"));

  EXPECT_THAT(lane.windows_at_age(1h),
              ElementsAre("05-04T10:00/05-04T10:30", "05-04T10:30/05-04T11:00", "05-04T11:00/05-04T11:30"));
}

TEST(LiveAges, AWindowAcrossMidnightStaysOnItsOwnDay) {
  LivePlanOptions options;
  options.reread_width = 1h;
  Lane lane(at("22:30:00"), {1h}, options);
  lane.run_until(at("02:30:00", "2026-05-05"));

  EXPECT_THAT(lane.windows_at_age(1h),
              ElementsAre("05-04T22:30/05-04T23:30", "05-04T23:30/05-05T00:00", "05-05T00:00/05-05T01:00"));
}

TEST(LiveAges, WhatIsNewGoesFirst) {
  Lane lane(at("10:00:00"));
  lane.run_until(at("11:00:00"));
  lane.now = at("11:31:00");  // both are due

  const LivePlan plan = lane.planner.next(lane.ledger, lane.now);
  EXPECT_TRUE(std::get<ReadWindow>(plan).pass.is_first());
}

// One read is one for the younger ages as well.
TEST(LiveAges, AfterDowntimeLateReadsSatisfyTheAgesThatAreOver) {
  Lane lane(at("10:00:00"));
  lane.run_until(at("12:00:00"));
  lane.reads.clear();
  lane.now = at("23:00:00");
  lane.run_until(at("23:00:00"));

  // The backlog is one wide window; its last six, one and a sixth of an hours will come of age later.
  EXPECT_THAT(lane.windows_at_age(0h), ElementsAre("05-04T11:59/05-04T22:59"));
  EXPECT_THAT(lane.windows_at_age(10min), IsEmpty());
  EXPECT_THAT(lane.windows_at_age(1h), IsEmpty());
  EXPECT_THAT(lane.windows_at_age(6h), ElementsAre("05-04T10:00/05-04T11:59")) << "what had been read before the downtime";
  EXPECT_GE(lane.ledger.passes().at(10min).prefix_end(at("10:00:00")), at("22:49:00"));
  EXPECT_GE(lane.ledger.passes().at(1h).prefix_end(at("10:00:00")), at("21:59:00"));
  EXPECT_GE(lane.ledger.passes().at(6h).prefix_end(at("10:00:00")), at("16:59:00"));
}

TEST(LiveAges, MonthsOfDowntimeAreReadOnce) {
  Lane lane(at("10:00:00"));
  lane.run_until(at("12:00:00"));
  lane.reads.clear();
  lane.now = at("00:10:00", "2026-11-20");
  lane.run_until(at("00:10:00", "2026-11-20"));

  EXPECT_LE(lane.reads.size(), 200U + 5U) << "a read a day";
}

TEST(LiveAges, AReadAgainThatWasLeftOpenGoesOnAtItsAge) {
  Lane lane(at("10:00:00"));
  lane.run_until(at("11:00:00"));
  ASSERT_TRUE(lane.ledger.apply(WindowCompleted{.window = {.start = at("10:59:00"), .end = at("11:00:00")}}));
  const Interval window{.start = at("10:55:00"), .end = at("11:00:00")};
  lane.apply({WindowOpened{window, AtPage{3}, {.age = 10min}}});

  const LivePlan plan = lane.planner.next(lane.ledger, at("11:00:10"));

  const auto& read = std::get<ReadWindow>(plan);
  EXPECT_TRUE(read.is_open);
  EXPECT_EQ(read.pass, Pass{.age = 10min});
  EXPECT_EQ(read.window, window);
}

TEST(LiveAges, NothingOfADayThatIsBeingReadIsBegun) {
  Lane lane(at("22:00:00"), {10min});
  lane.run_until(at("00:00:00", "2026-05-05"));
  const Instant now = at("00:11:30", "2026-05-05");
  const std::vector<Interval> yesterday{{.start = at("23:59:00"), .end = at("00:00:00", "2026-05-05")}};

  // The last window of yesterday is being read: today is free, but begins behind it.
  EXPECT_TRUE(std::holds_alternative<WaitForReads>(lane.planner.next(lane.ledger, now, yesterday)));

  lane.apply({WindowCompleted{.window = yesterday.front()}});
  const std::vector<Interval> today{{.start = at("00:00:00", "2026-05-05"), .end = at("00:11:00", "2026-05-05")}};
  const LivePlan plan = lane.planner.next(lane.ledger, now, today);
  ASSERT_TRUE(std::holds_alternative<ReadWindow>(plan));
  EXPECT_EQ(std::get<ReadWindow>(plan).pass, Pass{.age = 10min}) << "yesterday is free";
}

TEST(LiveAges, ACutWindowIsReadAgainInParts) {
  LivePlanOptions options;
  options.reread_width = 1h;
  Lane lane(at("10:00:00"), {1h}, options);
  lane.run_until(at("11:59:00"));
  lane.planner.narrow({.start = at("10:00:00"), .end = at("11:00:00")}, 20min);
  lane.run_until(at("12:10:00"));

  EXPECT_THAT(lane.windows_at_age(1h),
              ElementsAre("05-04T10:00/05-04T10:20", "05-04T10:20/05-04T10:40", "05-04T10:40/05-04T11:00"));
}

TEST(LiveAges, WhatHasBeenSeenInPartWaitsForTheRestHoweverYoungItsAge) {
  Lane lane(at("10:00:00"), {10s});
  lane.apply({WindowCompleted{.window = {.start = at("10:00:00"), .end = at("10:00:30")}}});

  const LivePlan plan = lane.planner.next(lane.ledger, at("10:01:20"));

  ASSERT_TRUE(std::holds_alternative<WaitUntil>(plan));
  EXPECT_EQ(std::get<WaitUntil>(plan).instant, at("10:02:00")) << "when the next window is old enough";
}

// Whatever happens: no gap, no two reads of a day at once, no age without a read that was old enough, and all of it in the end.
TEST(LiveAges, NoGapAndNoTwoReadsOfADayWhateverHappens) {
  EXPECT_TRUE(
      tests::support::holds_always("a live lane with ages", [](const std::vector<std::pair<std::uint8_t, std::uint16_t>>& steps) {
        Lane lane(at("21:00:00"));
        std::map<Duration, IntervalSet> proven;
        std::vector<Read> running;
        const auto finish = [&](std::size_t index) {
          const Read read = running[index];
          running.erase(running.begin() + static_cast<std::ptrdiff_t>(index));
          lane.complete(read);
          for (const Duration age : kAges) {
            proven[age].add({.start = read.window.start, .end = std::min(read.window.end, read.began - age)});
          }
        };
        const auto begin = [&]() -> LivePlan {
          std::vector<Interval> windows;
          for (const Read& read : running) windows.push_back(read.window);
          LivePlan plan = lane.planner.next(lane.ledger, lane.now, windows);
          if (const auto* read = std::get_if<ReadWindow>(&plan)) {
            RC_ASSERT(!read->window.empty());
            RC_ASSERT(common::start_of_day(read->window.start) == common::start_of_day(read->window.end - 1ms));
            RC_ASSERT(read->window.end <= lane.now - (read->pass.is_first() ? Duration(30s) : read->pass.age));
            for (const Read& other : running) {
              RC_ASSERT(common::start_of_day(other.window.start) != common::start_of_day(read->window.start));
            }
            running.push_back({.window = read->window, .pass = read->pass, .began = lane.now});
          }
          return plan;
        };
        for (const auto& [what, amount] : steps) {
          switch (what % 8) {
            case 0:
            case 1:
              lane.now += Duration(amount) * 10;  // minutes
              break;
            case 2:
              lane.now += Duration(amount) * 2'000;  // a day and a half
              break;
            case 3:
              if (!running.empty()) running.erase(running.begin() + amount % static_cast<int>(running.size()));  // failed
              break;
            case 4:  // page by page: open in the ledger, and failed
              if (!running.empty() && lane.ledger.find_open(running.back().window) == nullptr) {
                lane.apply({WindowOpened{running.back().window, AtPage{2}, running.back().pass}});
                running.pop_back();
              }
              break;
            case 5:
              if (!running.empty()) finish(amount % running.size());
              break;
            default:
              begin();
          }
          for (const Duration age : kAges) {
            for (const Interval& interval : lane.ledger.passes().at(age).intervals()) RC_ASSERT(proven[age].covers(interval));
          }
          RC_ASSERT(lane.ledger.complete().intervals().size() <= 2U);
        }
        // Left alone for long enough it reads all of it.
        running.clear();
        for (int i = 0; i < 20'000; ++i) {
          const LivePlan plan = begin();
          if (const auto* wait = std::get_if<WaitUntil>(&plan)) {
            const bool settled = lane.ledger.settled_until() >= at("00:00:00", "2026-05-05");
            if (settled) break;
            RC_ASSERT(wait->instant > lane.now);
            lane.now = wait->instant + 5min;
          } else {
            finish(0);
          }
        }
        RC_ASSERT(lane.ledger.settled_until() >= at("00:00:00", "2026-05-05"));
      }));
}

// A window that the service chokes on must starve neither its neighbours nor the other ages.
TEST(LiveAges, AWindowThatFailsIsPutOffAlone) {
  LivePlanOptions options;
  options.reread_width = 10min;
  Lane lane(at("10:00:00"), {30min, 2h}, options);
  int failures = 0;
  while (lane.now < at("13:00:00")) {
    const LivePlan plan = lane.planner.next(lane.ledger, lane.now);
    if (const auto* wait = std::get_if<WaitUntil>(&plan)) {
      ASSERT_GT(wait->instant, lane.now) << "a wait must pass";
      lane.now = wait->instant;
      continue;
    }
    const auto& read = std::get<ReadWindow>(plan);
    if (read.pass.age == 30min && read.window.contains(at("10:15:00"))) {
      ++failures;
      ASSERT_LE(lane.planner.put_off(read, lane.now, {}), 5min);
      continue;
    }
    lane.complete({.window = read.window, .pass = read.pass, .began = lane.now});
    lane.planner.went_well(read.window, read.pass.age);
  }

  EXPECT_GE(failures, 20) << "it is not forgotten";
  EXPECT_LE(failures, 60) << "nor is it asked for all the time";
  EXPECT_THAT(lane.windows_at_age(30min), testing::IsSupersetOf({"05-04T10:00/05-04T10:10", "05-04T10:20/05-04T10:30"}));
  EXPECT_LT(lane.at_age(30min)[1].began, at("11:02:00")) << "at its time";
  EXPECT_THAT(lane.windows_at_age(2h), testing::Contains("05-04T10:10/05-04T10:20"));
  EXPECT_FALSE(lane.planner.has_put_off()) << "read at an older age it is done";
}

// Read together with what has come of age meanwhile it would keep more and more from being read.
TEST(LiveAges, AWindowThatFailsDoesNotGrow) {
  LivePlanOptions options;
  options.reread_width = 10min;
  Lane lane(at("10:00:00"), {30min}, options);
  while (lane.now < at("12:00:00")) {
    const LivePlan plan = lane.planner.next(lane.ledger, lane.now);
    if (const auto* wait = std::get_if<WaitUntil>(&plan)) {
      lane.now = wait->instant;
      continue;
    }
    const auto& read = std::get<ReadWindow>(plan);
    if (read.pass.age == 30min && read.window.contains(at("10:15:00"))) {
      ASSERT_EQ(show(read.window), "05-04T10:10/05-04T10:20");
      // For so long that its neighbours come of age in the same moment.
      lane.planner.put_off(read, lane.now, {.patience = Patience::kSlow, .at_least = 10min});
      continue;
    }
    lane.complete({.window = read.window, .pass = read.pass, .began = lane.now});
  }

  EXPECT_TRUE(lane.ledger.passes().at(30min).covers({.start = at("10:20:00"), .end = at("11:20:00")}));
}

// Each of them is a gap at every age, and the ledger is bounded: it would refuse what was read, and the lane would end.
TEST(LiveAges, WhatFailsHereAndThereLeavesNoMoreGapsThanTheLedgerHolds) {
  Lane lane(at("00:00:00"), {1min, 2min, 3min, 4min, 5min});
  const Interval read_once{.start = at("00:00:00"), .end = at("12:00:00")};
  lane.apply({WindowCompleted{.window = read_once, .pass = {}}});
  lane.now = read_once.end + 5min;
  bool fails = true;
  bool was_full = false;
  const auto go_on_until = [&](Instant end) {
    while (lane.now < end && !testing::Test::HasFailure()) {
      lane.planner.narrow(read_once, 1min);
      const LivePlan plan = lane.planner.next(lane.ledger, lane.now);
      const auto* read = std::get_if<ReadWindow>(&plan);
      if (read == nullptr) {
        ASSERT_GT(std::get<WaitUntil>(plan).instant, lane.now) << "a wait must pass";
        lane.now = std::min(std::get<WaitUntil>(plan).instant, end);
        continue;
      }
      if (read->pass.is_first()) {
        lane.apply({WindowCompleted{.window = read->window, .pass = read->pass}});
      } else if (fails && (read->window.start - read_once.start) / 1min % 2 == 1) {
        lane.planner.put_off(*read, lane.now, {.at_least = 1h});
      } else {
        lane.apply({WindowCompleted{.window = read->window, .pass = read->pass}});
        lane.planner.went_well(read->window, read->pass.age);
      }
      was_full = was_full || !lane.ledger.has_room_to_open();
      lane.now += 100ms;
    }
  };
  go_on_until(at("12:30:00"));
  EXPECT_TRUE(was_full);
  EXPECT_FALSE(lane.ledger.passes().at(5min).covers(read_once));

  fails = false;
  go_on_until(at("14:00:00"));
  for (const auto& [age, pass] : lane.ledger.passes()) EXPECT_TRUE(pass.covers(read_once)) << common::format_duration(age);
}

TEST(LiveAges, WhatIsPutOffIsWaitedForWhenNothingElseIsDue) {
  LivePlanOptions options;
  options.every = 1h;
  options.reread_width = 5min;
  Lane lane(at("10:00:00"), {10min}, options);
  lane.run_until(at("11:00:31"));  // when all but the last ten minutes were of age
  lane.now = at("11:10:01");
  const auto read = std::get<ReadWindow>(lane.planner.next(lane.ledger, lane.now));
  ASSERT_EQ(read.pass.age, 10min);

  const Duration wait = lane.planner.put_off(read, lane.now, {.patience = Patience::kSlow, .at_least = 7min});
  EXPECT_EQ(wait, 7min);

  EXPECT_EQ(std::get<WaitUntil>(lane.planner.next(lane.ledger, lane.now)).instant, lane.now + 7min);
  EXPECT_EQ(std::get<ReadWindow>(lane.planner.next(lane.ledger, lane.now + 7min)).window, read.window);
  EXPECT_TRUE(std::holds_alternative<ReadWindow>(lane.planner.next(lane.ledger, lane.now - 1s)))
      << "a clock that went back is not waited for";
}

}  // namespace
}  // namespace connector::core
