#include "connector/core/planning/window_split.h"

#include "connector/core/planning/lane_backoff.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Duration;
using common::Instant;
using common::Interval;

Interval window(Duration length) {
  return {.start = Instant(Duration(0)), .end = Instant(length)};
}

constexpr WindowLimits kLimits{.memory_bytes = 1'000'000, .max_depth = 100'000, .min_window = 1s};

TEST(PlanSplit, LetsThroughWhatFits) {
  EXPECT_EQ(plan_split(window(60s), 1'000, 1'000, kLimits).fit, WindowFit::kFits);
}

TEST(PlanSplit, CutsByMemoryAtOnceIntoAsManyPartsAsItTakes) {
  const SplitPlan plan = plan_split(window(60s), 5'000, 1'000, kLimits);

  EXPECT_EQ(plan.fit, WindowFit::kSplit);
  EXPECT_LE(plan.part, 60s / 5);
  EXPECT_GE(plan.part, 60s / 10);
}

TEST(PlanSplit, CutsByDepthBeforePaging) {
  const SplitPlan plan = plan_split(window(24h), 250'000, 1, kLimits);

  EXPECT_EQ(plan.fit, WindowFit::kSplit);
  EXPECT_LT(plan.part, 12h);
}

TEST(PlanSplit, StopsAtTheSmallestWindow) {
  EXPECT_EQ(plan_split(window(1500ms), 1'000'000, 1, kLimits).part, 1s);
  EXPECT_EQ(plan_split(window(1s), 2'000, 1'000, kLimits).fit, WindowFit::kPageByPage);
  EXPECT_EQ(plan_split(window(1s), 100'001, 1, kLimits).fit, WindowFit::kTooDeep);
}

TEST(PlanSplit, ARecordLargerThanTheMemoryIsStillRead) {
  EXPECT_EQ(plan_split(window(1s), 1, 5'000'000, kLimits).fit, WindowFit::kFits);
}

TEST(HalfOf, RoundsUpAndStopsAtTheSmallestWindow) {
  EXPECT_EQ(half_of(window(60s), 1s), 30s);
  EXPECT_EQ(half_of(window(3ms), 1ms), 2ms);
  EXPECT_EQ(half_of(window(1500ms), 1s), 1s);
  EXPECT_EQ(half_of(window(1s), 1s), 0s);
}

TEST(LaneBackoff, DoublesUpToItsMaximumWithJitterAndStartsAnew) {
  LaneBackoff backoff({.initial = 1s, .max = 10s});
  EXPECT_EQ(backoff.next(0.0), 500ms);
  EXPECT_EQ(backoff.next(0.5), 1500ms);
  for (int i = 0; i < 100; ++i) backoff.next(0.0);
  EXPECT_EQ(backoff.next(0.0), 5s);
  EXPECT_LE(backoff.next(0.999), 10s);
  backoff.reset();
  EXPECT_EQ(backoff.slow(), 10s);
  EXPECT_EQ(backoff.next(0.0), 1s);
}

}  // namespace
}  // namespace connector::core
