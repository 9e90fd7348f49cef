#include "connector/core/digest/sweep_pace.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;

const common::SteadyTime kNow{1000h};

TEST(SweepPace, AStepIsTakenRarelyWhereNothingIsFound) {
  SweepPace pace(5s, 100ms);
  ASSERT_TRUE(pace.is_due(kNow, true)) << "pages do not hold it up";
  pace.found_nothing(kNow);

  EXPECT_FALSE(pace.is_due(kNow + 4'999ms, false));
  EXPECT_TRUE(pace.is_due(kNow + 5s, false));
}

TEST(SweepPace, WhereSomethingIsFoundTheNextOneFollowsAtOnceInTurnWithThePagesThatWait) {
  SweepPace pace(5s, 100ms);
  pace.found(kNow, 3);
  EXPECT_TRUE(pace.is_due(kNow, false));

  EXPECT_FALSE(pace.is_due(kNow, true));
  EXPECT_TRUE(pace.is_due(kNow, true)) << "pages have had their turn";
  pace.found(kNow + 1s, 3);
  EXPECT_FALSE(pace.is_due(kNow + 1s, true));
}

TEST(SweepPace, TheRestIsLookedThroughSoon) {
  SweepPace pace(5s, 100ms);
  pace.found(kNow, 2);

  pace.found_nothing(kNow);
  EXPECT_EQ(pace.next(), kNow + 100ms);
  pace.found_nothing(kNow);
  EXPECT_EQ(pace.next(), kNow + 100ms);
  pace.found_nothing(kNow);
  EXPECT_EQ(pace.next(), kNow + 5s);
}

}  // namespace
}  // namespace connector::core
