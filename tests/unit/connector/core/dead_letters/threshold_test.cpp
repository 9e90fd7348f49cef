#include "connector/core/dead_letters/threshold.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace connector::core {
namespace {

using Places = std::vector<std::size_t>;

TEST(Threshold, IsReachedByThatManyOfTheLast) {
  const Threshold threshold({.stop_after = 3, .of_last = 10});

  EXPECT_EQ(threshold.reached_by(Places{0, 1}), 0U);
  EXPECT_EQ(threshold.reached_by(Places{0, 1, 9}), 3U) << "the tenth record is the last that counts with the first";
  EXPECT_EQ(threshold.reached_by(Places{0, 1, 10}), 0U);
  EXPECT_EQ(threshold.reached_by(Places{0, 40, 41, 42}), 3U);
}

TEST(Threshold, CountsWhatWasCommittedBefore) {
  Threshold threshold({.stop_after = 2, .of_last = 10});

  threshold.commit(5, Places{4});

  EXPECT_EQ(threshold.reached_by(Places{8}), 2U) << "nine records later";
  EXPECT_EQ(threshold.reached_by(Places{9}), 0U);
  threshold.commit(9, {});
  EXPECT_EQ(threshold.reached_by(Places{0}), 0U);
}

TEST(Threshold, AskingAloneCountsNothing) {
  Threshold threshold({.stop_after = 2, .of_last = 10});

  EXPECT_EQ(threshold.reached_by(Places{0, 1}), 2U);

  EXPECT_EQ(threshold.reached_by(Places{0}), 0U);
}

TEST(Threshold, ZeroIsNone) {
  Threshold threshold({.stop_after = 0, .of_last = 10});

  threshold.commit(3, Places{0, 1, 2});

  EXPECT_EQ(threshold.reached_by(Places{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), 0U);
}

// Against counting in the plainest way.
TEST(Threshold, IsACountOverTheLastRecords) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<std::uint32_t> one_of_five(1, 5);
    std::uniform_int_distribution<std::uint32_t> some(5, 25);
    const ThresholdRules rules{.stop_after = one_of_five(random), .of_last = some(random)};
    Threshold threshold(rules);
    std::vector<bool> all;
    for (int batch = 0; batch < 30; ++batch) {
      Places dead;
      std::vector<bool> next = all;
      bool expected = false;
      const std::size_t records = random() % 12;
      for (std::size_t place = 0; place < records; ++place) {
        next.push_back(random() % 6 == 0);
        if (next.back()) dead.push_back(place);
        std::size_t count = 0;
        for (std::size_t i = next.size() > rules.of_last ? next.size() - rules.of_last : 0; i < next.size(); ++i) {
          count += next[i] ? 1 : 0;
        }
        expected = expected || count >= rules.stop_after;
      }
      ASSERT_EQ(threshold.reached_by(dead) > 0, expected) << "seed " << seed << ", batch " << batch;
      if (expected) continue;
      threshold.commit(records, dead);
      all = next;
    }
  }
}

}  // namespace
}  // namespace connector::core
