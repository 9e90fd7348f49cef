#include "connector/core/planning/follow_planner.h"

#include "tests/unit/connector/core/planning/property.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Duration;
using common::Instant;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

const Instant kNow = common::parse_instant("2026-05-04T10:00:00Z").value();
const Instant kToday = common::start_of_day(kNow);

RecordKey key(int number) {
  return RecordKey("key-" + std::to_string(100'000 + number));
}
Followed open(Instant changed_at = kNow) {
  return {.start = changed_at, .changed_at = changed_at, .read_at = changed_at};
}
Followed closed(Instant changed_at = kNow) {
  return {.state = FollowState::kClosed, .start = changed_at, .changed_at = changed_at, .read_at = changed_at};
}
Followed wanted(Instant since = kNow) {
  return {.state = FollowState::kWanted, .start = since, .changed_at = since};
}

std::vector<RecordKey> asked(const FollowPlan& plan) {
  const auto* ask = std::get_if<AskIds>(&plan);
  return ask == nullptr ? std::vector<RecordKey>{} : ask->ids;
}

// For a run that ends when it has nothing to wait for.
TEST(FollowPlanner, TellsWhetherAnybodyStillWaitsForAnAnswer) {
  FollowOptions options;
  options.gather = 0s;
  FollowPlanner planner(options);
  EXPECT_FALSE(planner.has_due(kNow));
  planner.follow(key(1), {.state = FollowState::kWanted, .start = kNow, .changed_at = kNow}, kNow, 0);
  planner.follow(key(2), {.start = kNow, .changed_at = kNow, .read_at = kNow}, kNow, 0);
  EXPECT_TRUE(planner.has_due(kNow));

  ASSERT_TRUE(std::holds_alternative<AskIds>(planner.next(kNow, {})));
  EXPECT_TRUE(planner.has_due(kNow)) << "asked is not answered";
  planner.put_back(key(1), kNow + 1h);
  EXPECT_TRUE(planner.has_due(kNow)) << "a request that failed is no answer";
  ASSERT_TRUE(std::holds_alternative<AskIds>(planner.next(kNow + 1h, {})));
  planner.put_back(key(1), kNow + 24h, FollowPlanner::AtFault::kThis);
  planner.put_back(key(2), kNow + 24h);
  EXPECT_FALSE(planner.has_due(kNow)) << "nobody can be told of one that cannot be read";
  EXPECT_TRUE(planner.has_due(kNow + 1h));
}

// It became known while nobody ran, or before the lane looked: whoever waits for what was due by then waits for it.
TEST(FollowPlanner, WhatIsKnownByNameOnlyIsDueSinceItBecameKnown) {
  FollowPlanner planner(FollowOptions{});

  planner.follow(key(1), {.state = FollowState::kWanted, .start = kNow, .changed_at = kNow - 1h}, kNow + 5s, 0);

  EXPECT_TRUE(planner.has_due(kNow));
  EXPECT_FALSE(planner.has_due(kNow - 2h));
}

FollowOptions at_once() {
  FollowOptions options;
  options.gather = 0s;
  return options;
}

// Asks one key as soon as it is due, and hears that nothing has changed: when it was read.
std::vector<Instant> reads_until(FollowPlanner& planner, Instant now, Instant end, FollowFinding finding = FollowFinding::kOpen) {
  std::vector<Instant> reads;
  for (;;) {
    const FollowPlan plan = planner.next(now, {});
    if (const auto* wait = std::get_if<FollowAt>(&plan)) {
      EXPECT_GT(wait->instant, now);
      if (wait->instant > end) return reads;
      now = wait->instant;
      continue;
    }
    if (!std::holds_alternative<AskIds>(plan)) return reads;
    reads.push_back(now);
    for (const RecordKey& id : asked(plan)) planner.read(id, finding, false, now, 0);
  }
}

TEST(FollowPlanner, AnOpenRecordIsReadAgainAfterAMinuteThenMoreAndMoreSeldom) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), open(), kNow, 0);

  const auto reads = reads_until(planner, kNow, kNow + 24h);

  ASSERT_GE(reads.size(), 10U);
  EXPECT_LE(reads.size(), 25U);
  EXPECT_EQ(reads[0], kNow + 1min);
  EXPECT_EQ(reads[1], kNow + 2min);
  EXPECT_EQ(reads[2], kNow + 3min);
  EXPECT_EQ(reads[3], kNow + 4min + 30s) << "one and a half times as long without a change";
  for (std::size_t i = 2; i < reads.size(); ++i) EXPECT_GE(reads[i] - reads[i - 1], reads[i - 1] - reads[i - 2]);
}

TEST(FollowPlanner, ASixtyDayOldOpenConversationCostsOneIdADay) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), open(kNow - 60 * 24h), kNow, 0.5);

  EXPECT_LE(reads_until(planner, kNow, kNow + 7 * 24h).size(), 8U);
}

TEST(FollowPlanner, AChangeBeginsAnew) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), open(kNow - 48h), kNow - 48h, 0);
  ASSERT_THAT(asked(planner.next(kNow, {})), ElementsAre(key(1)));

  planner.read(key(1), FollowFinding::kOpen, true, kNow, 0);

  EXPECT_EQ(std::get<FollowAt>(planner.next(kNow, {})).instant, kNow + 1min);
}

TEST(FollowPlanner, WhatAnotherLaneHasReadIsNotReadAgainAtOnce) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), open(kNow - 30s), kNow, 0);
  planner.follow(key(1), open(kNow), kNow, 0);

  EXPECT_EQ(planner.size(), 1U);
  EXPECT_EQ(std::get<FollowAt>(planner.next(kNow, {})).instant, kNow + 1min);
}

TEST(FollowPlanner, AClosedRecordIsLetGoWhenItHasBeenQuiet) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), closed(), kNow, 0);

  const auto reads = reads_until(planner, kNow, kNow + 2h, FollowFinding::kClosed);

  EXPECT_EQ(reads.back(), kNow + 1h) << "one read at the end of the quiet hour";
  EXPECT_EQ(planner.size(), 0U);
  EXPECT_TRUE(std::holds_alternative<FollowNothing>(planner.next(kNow + 2h, {})));
}

// What is published need not show that it has closed.
TEST(FollowPlanner, ARecordThatClosesWithoutAnotherContentIsFollowedUntilItIsQuiet) {
  FollowPlanner planner(FollowOptions{});
  planner.follow(key(1), open(), kNow, 0);
  const Instant later = kNow + 3h;
  ASSERT_THAT(asked(planner.next(later, {})), SizeIs(1));
  EXPECT_TRUE(planner.read(key(1), FollowFinding::kClosed, false, later, 0)) << "it has closed just now";

  const Instant quiet = later + FollowOptions{}.quiet;
  ASSERT_THAT(asked(planner.next(quiet, {})), SizeIs(1));
  EXPECT_FALSE(planner.read(key(1), FollowFinding::kClosed, false, quiet, 0));
}

TEST(FollowPlanner, AClosedRecordThatChangesIsFollowedOn) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), closed(kNow - 59min), kNow, 0);
  ASSERT_THAT(asked(planner.next(kNow + 1h, {})), ElementsAre(key(1)));

  EXPECT_TRUE(planner.read(key(1), FollowFinding::kClosed, true, kNow + 1h, 0));
  EXPECT_TRUE(planner.is_followed(key(1)));
}

TEST(FollowPlanner, ARecordThatIsQuietAlreadyIsNotFollowed) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), open(), kNow, 0);
  planner.follow(key(1), {.state = FollowState::kClosed, .start = kNow, .changed_at = kNow - 2h, .read_at = kNow}, kNow, 0);

  EXPECT_EQ(planner.size(), 0U);
}

TEST(FollowPlanner, AWantedRecordIsReadAtOnce) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), wanted(), kNow, 0.9);

  EXPECT_THAT(asked(planner.next(kNow, {})), ElementsAre(key(1)));
  EXPECT_TRUE(planner.read(key(1), FollowFinding::kOpen, true, kNow, 0));
}

TEST(FollowPlanner, WhatIsAbsentIsAskedForMoreAndMoreSeldom) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), wanted(), kNow, 0);

  EXPECT_LE(reads_until(planner, kNow, kNow + 24h, FollowFinding::kAbsent).size(), 25U);
  EXPECT_TRUE(planner.is_followed(key(1)));
}

TEST(FollowPlanner, GivesUpWhatHasNotChangedForSoLong) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), open(kNow - 89 * 24h), kNow, 0);
  planner.follow(key(2), open(kNow), kNow, 0);
  ASSERT_THAT(asked(planner.next(kNow + 23h, {})), UnorderedElementsAre(key(1), key(2)));
  planner.read(key(1), FollowFinding::kOpen, false, kNow + 23h, 0);
  planner.read(key(2), FollowFinding::kOpen, true, kNow + 23h, 0);

  const FollowPlan plan = planner.next(kNow + 48h, {});

  ASSERT_TRUE(std::holds_alternative<GiveUp>(plan));
  EXPECT_THAT(std::get<GiveUp>(plan).ids, ElementsAre(key(1)));
  EXPECT_FALSE(planner.is_followed(key(1)));
  EXPECT_THAT(asked(planner.next(kNow + 48h, {})), ElementsAre(key(2)));
}

TEST(FollowPlanner, IdsThatAreDueWaitForOthersSoThatOneRequestAsksForMany) {
  FollowPlanner planner({});
  for (int i = 0; i < 10; ++i) planner.follow(key(i), open(kNow + i * 1s), kNow, 0);

  EXPECT_EQ(std::get<FollowAt>(planner.next(kNow + 1min, {})).instant, kNow + 1min + 30s);
  EXPECT_THAT(asked(planner.next(kNow + 1min + 30s, {})), SizeIs(10));
}

TEST(FollowPlanner, AFullRequestWaitsForNobody) {
  FollowPlanner planner({});
  for (int i = 0; i < 60; ++i) planner.follow(key(i), open(), kNow, 0);

  const FollowPlan plan = planner.next(kNow + 1min, {});
  EXPECT_THAT(asked(plan), SizeIs(50));
  EXPECT_EQ(asked(plan).front(), key(0)) << "the same order in every run";
  EXPECT_EQ(std::get<FollowAt>(planner.next(kNow + 1min, {})).instant, kNow + 1min + 30s) << "the rest waits for others";
}

TEST(FollowPlanner, AKeyInFlightIsNotAskedForTwice) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), wanted(), kNow, 0);
  ASSERT_THAT(asked(planner.next(kNow, {})), SizeIs(1));

  planner.follow(key(1), wanted(), kNow, 0);
  EXPECT_TRUE(std::holds_alternative<FollowNothing>(planner.next(kNow + 24h, {})));

  planner.put_back(key(1), kNow + 5s);
  EXPECT_EQ(std::get<FollowAt>(planner.next(kNow, {})).instant, kNow + 5s);
}

TEST(FollowPlanner, WhatIsForgottenIsNotAskedFor) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), wanted(), kNow, 0);
  planner.follow(key(2), wanted(), kNow, 0);
  planner.forget(key(1));
  ASSERT_THAT(asked(planner.next(kNow, {})), ElementsAre(key(2)));

  planner.forget(key(2));
  EXPECT_FALSE(planner.read(key(2), FollowFinding::kOpen, true, kNow, 0)) << "its answer comes too late";
  EXPECT_EQ(planner.size(), 0U);
}

// Reads that can return the same key never overlap.
TEST(FollowPlanner, ADayOfWhichAQueryIsInFlightIsLeftAlone) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), wanted(kNow), kNow, 0);
  planner.follow(key(2), wanted(kNow - 24h), kNow, 0);
  const std::vector<Instant> both{kToday, kToday - 24h};

  EXPECT_TRUE(std::holds_alternative<FollowWhenFree>(planner.next(kNow, both)));
  const FollowPlan plan = planner.next(kNow, std::vector{kToday});
  EXPECT_THAT(asked(plan), ElementsAre(key(2)));
  EXPECT_THAT(std::get<AskIds>(plan).days, ElementsAre(kToday - 24h)) << "which the lane keeps free of queries meanwhile";
  EXPECT_TRUE(std::holds_alternative<FollowWhenFree>(planner.next(kNow, std::vector{kToday})));
  EXPECT_THAT(asked(planner.next(kNow, {})), ElementsAre(key(1)));
}

TEST(FollowPlanner, ABlockedDayThatIsNotDueYetIsWaitedForByTheClock) {
  FollowPlanner planner(at_once());
  planner.follow(key(1), open(), kNow, 0);

  EXPECT_EQ(std::get<FollowAt>(planner.next(kNow, std::vector{kToday})).instant, kNow + 1min);
}

// After a restart nobody remembers when a record was read: a hundred thousand must not be asked for in one rush.
TEST(FollowPlanner, WhatIsRestoredIsSpreadOverItsWait) {
  FollowPlanner planner(at_once());
  for (int i = 0; i < 1000; ++i) {
    planner.follow(key(i), {.start = kNow - 30 * 24h, .changed_at = kNow - 30 * 24h}, kNow, i / 1000.0);
  }

  std::size_t ids = 0;
  for (FollowPlan plan = planner.next(kNow + 6h, {}); !asked(plan).empty(); plan = planner.next(kNow + 6h, {}))
    ids += asked(plan).size();
  EXPECT_NEAR(static_cast<double>(ids), 250, 10);
}

TEST(FollowPlanner, AHundredThousandOldKeysCostOneIdADayEach) {
  constexpr int kKeys = 100'000;
  FollowPlanner planner({});
  for (int i = 0; i < kKeys; ++i) {
    const Instant changed = kNow - (2 + i % 80) * 24h;
    planner.follow(key(i), {.start = changed, .changed_at = changed}, kNow, (i % 997) / 997.0);
  }
  std::size_t ids = 0;
  std::size_t requests = 0;
  for (Instant now = kNow; now < kNow + 1h;) {
    const FollowPlan plan = planner.next(now, std::vector{kToday});
    if (const auto* wait = std::get_if<FollowAt>(&plan)) {
      now = wait->instant;
      continue;
    }
    for (const RecordKey& id : asked(plan)) planner.read(id, FollowFinding::kOpen, false, now, 0.5);
    ids += asked(plan).size();
    ++requests;
  }

  EXPECT_NEAR(static_cast<double>(ids), kKeys / 24.0, 200);
  EXPECT_LE(requests, ids / 30) << "two a minute, not one for each";
}

// However keys come, go, change and fail: none is asked for twice at once or on a blocked day, none is forgotten.
TEST(FollowPlanner, EveryKeyIsAskedForInTheEndWhateverHappens) {
  EXPECT_TRUE(
      tests::support::holds_always("the follow planner", [](const std::vector<std::pair<std::uint8_t, std::uint8_t>>& steps) {
        FollowOptions options;
        options.max_ids = 3;
        FollowPlanner planner(options);
        std::map<RecordKey, Instant> days;  // that should be followed
        std::map<RecordKey, Instant> in_flight;
        Instant now = kNow;
        const auto answer = [&](std::size_t index, std::uint8_t amount) {
          const auto chosen = std::next(in_flight.begin(), static_cast<std::ptrdiff_t>(index % in_flight.size()));
          const RecordKey id = chosen->first;
          in_flight.erase(chosen);
          if (amount % 5 == 0) {
            planner.put_back(id, now + 1s);
          } else if (!planner.read(id, static_cast<FollowFinding>(amount % 3), amount % 2 == 0, now, 0.3)) {
            days.erase(id);
          }
        };
        for (const auto& [what, amount] : steps) {
          const RecordKey id = key(amount % 12);
          switch (what % 7) {
            case 0: {
              const Instant start = kNow - (amount % 3) * 24h;
              if (days.contains(id)) break;
              planner.follow(id, {.state = static_cast<FollowState>(amount % 3), .start = start, .changed_at = now}, now, 0.4);
              days[id] = common::start_of_day(start);
              break;
            }
            case 1:
              now += amount * 10s;
              break;
            case 2:
              if (in_flight.contains(id)) break;
              planner.forget(id);
              days.erase(id);
              break;
            case 3:
            case 4:
              if (!in_flight.empty()) answer(amount, amount);
              break;
            default: {
              const Instant blocked = kToday - (amount % 4) * 24h;
              const FollowPlan plan = planner.next(now, std::vector{blocked});
              RC_ASSERT(asked(plan).size() <= 3U);
              for (const RecordKey& one : asked(plan)) {
                RC_ASSERT(days.contains(one));
                RC_ASSERT(days[one] != blocked);
                RC_ASSERT(in_flight.emplace(one, now).second);
              }
            }
          }
          RC_ASSERT(planner.size() == days.size());
        }
        while (!in_flight.empty()) answer(0, 5);
        now += 25h;
        std::size_t left = days.size();
        for (FollowPlan plan = planner.next(now, {}); !asked(plan).empty(); plan = planner.next(now, {}))
          left -= asked(plan).size();
        RC_ASSERT(left == 0U);
      }));
}

}  // namespace
}  // namespace connector::core
