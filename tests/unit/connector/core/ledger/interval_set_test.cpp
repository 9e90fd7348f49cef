#include "connector/core/ledger/interval_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <optional>
#include <random>
#include <vector>

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
Interval span(int start, int end) {
  return {.start = at(start), .end = at(end)};
}

TEST(IntervalSet, JoinsWhatItTouchesOnBothSides) {
  IntervalSet set;
  set.add(span(0, 10));
  set.add(span(20, 30));
  set.add(span(40, 50));

  set.add(span(10, 40));

  EXPECT_THAT(set.intervals(), ElementsAre(span(0, 50)));
}

TEST(IntervalSet, KeepsApartWhatLeavesAGap) {
  IntervalSet set;
  set.add(span(20, 30));
  set.add(span(0, 10));
  set.add(span(11, 19));

  EXPECT_THAT(set.intervals(), ElementsAre(span(0, 10), span(11, 19), span(20, 30)));
}

TEST(IntervalSet, IgnoresAnEmptyInterval) {
  IntervalSet set;
  set.add(span(5, 5));
  set.add(span(7, 6));

  EXPECT_THAT(set.intervals(), IsEmpty());
}

TEST(IntervalSet, PrefixEndsAtTheFirstGap) {
  IntervalSet set;
  set.add(span(0, 10));
  set.add(span(20, 30));

  EXPECT_EQ(set.prefix_end(at(0)), at(10));
  EXPECT_EQ(set.prefix_end(at(10)), at(10));
  EXPECT_EQ(set.prefix_end(at(12)), at(12));
  EXPECT_EQ(set.prefix_end(at(25)), at(30));
  EXPECT_EQ(set.prefix_end(at(-5)), at(-5));
}

TEST(IntervalSet, FirstGapIsCutByWhatIsCovered) {
  IntervalSet set;
  set.add(span(10, 20));
  set.add(span(30, 40));

  EXPECT_EQ(set.first_gap(span(0, 50)), span(0, 10));
  EXPECT_EQ(set.first_gap(span(10, 50)), span(20, 30));
  EXPECT_EQ(set.first_gap(span(35, 50)), span(40, 50));
  EXPECT_EQ(set.first_gap(span(12, 18)), std::nullopt);
  EXPECT_EQ(set.first_gap(span(12, 12)), std::nullopt);
}

TEST(IntervalSet, LastGapIsCutByWhatIsCovered) {
  IntervalSet set;
  set.add(span(10, 20));
  set.add(span(30, 40));

  EXPECT_EQ(set.last_gap(span(0, 50)), span(40, 50));
  EXPECT_EQ(set.last_gap(span(0, 40)), span(20, 30));
  EXPECT_EQ(set.last_gap(span(0, 35)), span(20, 30));
  EXPECT_EQ(set.last_gap(span(25, 28)), span(25, 28));
  EXPECT_EQ(set.last_gap(span(0, 20)), span(0, 10));
  EXPECT_EQ(set.last_gap(span(12, 18)), std::nullopt);
  EXPECT_EQ(set.last_gap(span(12, 12)), std::nullopt);
}

// The set against the plainest model: one truth value a millisecond.
TEST(IntervalSet, AgreesWithABitmapWhateverIsAddedOrRemoved) {
  std::mt19937 random(1);
  constexpr int kLength = 60;
  for (int round = 0; round < 300; ++round) {
    IntervalSet set;
    std::vector<bool> model(kLength, false);
    for (int i = 0; i < 12; ++i) {
      const int start = std::uniform_int_distribution(0, kLength - 1)(random);
      const int end = std::min(kLength, start + std::uniform_int_distribution(0, 12)(random));
      const bool adds = std::bernoulli_distribution(0.75)(random);
      adds ? set.add(span(start, end)) : set.remove(span(start, end));
      for (int j = start; j < end; ++j) model[static_cast<std::size_t>(j)] = adds;
    }
    for (int j = 0; j < kLength; ++j) {
      ASSERT_EQ(set.covers(span(j, j + 1)), model[static_cast<std::size_t>(j)]) << "round " << round << " at " << j;
      int end = j;
      while (end < kLength && model[static_cast<std::size_t>(end)]) ++end;
      ASSERT_EQ(set.prefix_end(at(j)), at(end));
      const int till = std::uniform_int_distribution(j, kLength)(random);
      const auto begin = model.begin() + j;
      ASSERT_EQ(set.overlaps(span(j, till)), std::find(begin, model.begin() + till, true) != model.begin() + till);
      int last = till;
      while (last > j && model[static_cast<std::size_t>(last - 1)]) --last;
      int first = last;
      while (first > j && !model[static_cast<std::size_t>(first - 1)]) --first;
      ASSERT_EQ(set.last_gap(span(j, till)), first == last ? std::nullopt : std::optional(span(first, last)));
    }
    for (std::size_t i = 1; i < set.intervals().size(); ++i) {
      ASSERT_LT(set.intervals()[i - 1].end, set.intervals()[i].start) << "neighbours must have a gap between them";
    }
  }
}

}  // namespace
}  // namespace connector::core
