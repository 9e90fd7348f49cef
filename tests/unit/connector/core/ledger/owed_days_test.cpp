#include "connector/core/ledger/owed_days.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <random>

namespace connector::core {
namespace {

using common::Duration;
using common::Instant;
using common::Interval;
using testing::ElementsAre;
using testing::IsEmpty;

Instant at(int milliseconds) {
  return Instant(Duration(milliseconds));
}
OwedDay owed(int start, int end, int since, int after) {
  return {.window = {.start = at(start), .end = at(end)}, .since = at(since), .after = at(after)};
}
OwedDay owed(int start, int end, int after) {
  return owed(start, end, after, after);
}

TEST(OwedDays, OneDayRemembersItsEarliestAndItsLatestRead) {
  OwedDays days;
  days.add(owed(10, 20, 35));
  days.add(owed(10, 20, 30));
  days.add(owed(10, 20, 40));

  EXPECT_THAT(days.days(), ElementsAre(owed(10, 20, 30, 40)));
}

TEST(OwedDays, WhatOverlapsInPartIsCut) {
  OwedDays days;
  days.add(owed(10, 20, 30));
  days.add(owed(40, 50, 60));
  days.add(owed(15, 45, 70));

  EXPECT_THAT(days.days(),
              ElementsAre(owed(10, 15, 30), owed(15, 20, 30, 70), owed(20, 40, 70), owed(40, 45, 60, 70), owed(45, 50, 60)));
}

TEST(OwedDays, NeighboursThatAreOwedAlikeAreOne) {
  OwedDays days;
  days.add(owed(20, 30, 50));
  days.add(owed(10, 20, 50));

  EXPECT_THAT(days.days(), ElementsAre(owed(10, 30, 50)));
}

TEST(OwedDays, AnEmptyWindowOwesNothing) {
  OwedDays days;
  days.add(owed(10, 10, 50));

  EXPECT_THAT(days.days(), IsEmpty());
}

TEST(OwedDays, APassPaysForItsWindowUpToItsDate) {
  OwedDays days;
  days.add(owed(10, 30, 50, 60));

  days.pay({.start = at(20), .end = at(40)}, at(55));
  EXPECT_THAT(days.days(), ElementsAre(owed(10, 20, 50, 60), owed(20, 30, 55, 60)));

  days.pay({.start = at(0), .end = at(25)}, at(61));
  EXPECT_THAT(days.days(), ElementsAre(owed(25, 30, 55, 60)));
}

TEST(OwedDays, AFullListJoinsTheClosestAndForgetsNothing) {
  OwedDays days;
  for (int i = 0; i < static_cast<int>(OwedDays::kMax); ++i) days.add(owed(100 * i, 100 * i + 10, 10'000 + i));
  days.add(owed(120, 121, 20'000));

  EXPECT_EQ(days.days().size(), OwedDays::kMax);
  EXPECT_EQ(days.days()[1], owed(100, 121, 10'001, 20'000));
}

// Against a list by the millisecond: nothing owed is ever forgotten, and while there is room nothing else is owed.
TEST(OwedDays, AgreesWithAListByTheMillisecond) {
  std::mt19937 random(3);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution(low, high)(random); };
  for (int round = 0; round < 40; ++round) {
    const int length = round % 2 == 0 ? 60 : 400;  // the longer list fills up
    OwedDays days;
    std::map<int, std::pair<int, int>> expected;
    bool joined = false;
    for (int step = 0; step < 150; ++step) {
      const int start = pick(0, length);
      const int end = start + pick(0, 8);
      const int instant = pick(0, 1'000);
      if (pick(0, 3) > 0) {
        days.add(owed(start, end, instant));
        for (int i = start; i < end; ++i) {
          const auto [found, fresh] = expected.try_emplace(i, instant, instant);
          found->second = {std::min(found->second.first, instant), std::max(found->second.second, instant)};
        }
      } else {
        days.pay({.start = at(start), .end = at(end)}, at(instant));
        for (int i = start; i < end; ++i) {
          if (const auto found = expected.find(i); found != expected.end()) {
            if (instant > found->second.second) {
              expected.erase(found);
            } else {
              found->second.first = std::max(found->second.first, instant);
            }
          }
        }
      }
      ASSERT_LE(days.days().size(), OwedDays::kMax);
      joined = joined || days.days().size() == OwedDays::kMax;
      std::map<int, std::pair<int, int>> actual;
      Instant before = Instant::min();
      for (const OwedDay& day : days.days()) {
        ASSERT_LE(before, day.window.start);
        before = day.window.end;
        for (Instant i = day.window.start; i < day.window.end; i += Duration{1}) {
          actual[static_cast<int>(i.time_since_epoch().count())] = {static_cast<int>(day.since.time_since_epoch().count()),
                                                                    static_cast<int>(day.after.time_since_epoch().count())};
        }
      }
      if (!joined) {
        ASSERT_EQ(actual, expected);
      }
      for (const auto& [i, instants] : expected) {
        ASSERT_TRUE(actual.contains(i));
        if (joined) {
          ASSERT_GE(actual[i].second, instants.second) << "paid too soon";
        }
      }
    }
  }
}

}  // namespace
}  // namespace connector::core
