#include "connector/core/planning/estimate.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;

constexpr common::Duration kNoHistory{0};
constexpr common::Duration kTenDays = 240h;

TEST(EstimateLive, EveryWindowCostsAPageAndEveryHundredRecordsAnother) {
  const LiveSettings live{.plan = {.every = 60s}, .ages = {}, .page_size = 100, .rows = WindowRows::kStartedInside};

  const LaneEstimate estimate = estimate_live(live, {.records_per_day = 10'000, .mean_duration = 10min}, kNoHistory);

  EXPECT_DOUBLE_EQ(estimate.a_day.windows, 1'440);
  EXPECT_DOUBLE_EQ(estimate.a_day.requests, 1'440 + 100);
  EXPECT_DOUBLE_EQ(estimate.catch_up.requests, 0);
}

TEST(EstimateLive, ARecordIsARowOfEveryWindowItOverlaps) {
  const LiveSettings live{.plan = {.every = 60s}, .ages = {}, .page_size = 100, .rows = WindowRows::kOverlapping};

  const LaneEstimate estimate = estimate_live(live, {.records_per_day = 10'000, .mean_duration = 10min}, kNoHistory);

  EXPECT_DOUBLE_EQ(estimate.a_day.requests, 1'440 + 100 * 11);
}

TEST(EstimateLive, AgesAreReadInTheWidthsOfThePlanner) {
  const LiveSettings live{.plan = {.every = 60s}, .ages = {10min, 1h, 6h}, .page_size = 100, .rows = WindowRows::kStartedInside};

  const LaneEstimate estimate = estimate_live(live, {.records_per_day = 0}, kNoHistory);

  EXPECT_DOUBLE_EQ(estimate.a_day.windows, 1'440 + 720 + 96 + 24) << "2, 15 and 60 minutes wide";
}

TEST(EstimateLive, HistoryIsReadOnceInTheWidestWindows) {
  const LiveSettings live{.plan = {.every = 60s}, .ages = {1h}, .page_size = 100, .rows = WindowRows::kStartedInside};

  const LaneEstimate estimate = estimate_live(live, {.records_per_day = 10'000}, kTenDays);

  EXPECT_DOUBLE_EQ(estimate.catch_up.windows, 10);
  EXPECT_DOUBLE_EQ(estimate.catch_up.requests, 10 + 1'000);
}

TEST(EstimateFollow, ManyIdsShareARequestAndFewHaveOneEach) {
  const FollowOptions follow{.every = 60s, .quiet = 1h, .gather = 30s, .max_ids = 50};

  const double few = estimate_follow(follow, 1min, {.records_per_day = 1, .mean_duration = 10min}).a_day.requests;
  const double some = estimate_follow(follow, 1min, {.records_per_day = 5'000, .mean_duration = 10min}).a_day.requests;
  const double many = estimate_follow(follow, 1min, {.records_per_day = 1e6, .mean_duration = 10min}).a_day.requests;

  EXPECT_GT(few, 10) << "read a dozen times before it is quiet";
  EXPECT_LT(few, 30);
  EXPECT_NEAR(some, 2'880, 1) << "one every half minute";
  EXPECT_GT(many, 1e6 * 10 / 50);
}

TEST(EstimateFollow, RecordsThatDoNotLastAreNotFollowed) {
  EXPECT_DOUBLE_EQ(estimate_follow({}, 1min, {.records_per_day = 1'000, .mean_duration = 0s}).a_day.requests, 0);
}

TEST(EstimateSettle, AJobIsSubmittedPolledAndRead) {
  const SettleSettings settle{.window = 24h,
                              .passes = 3,
                              .page_size = 1'000,
                              .max_jobs = 2,
                              .poll_initial = 1s,
                              .poll_max = 30s,
                              .availability_every = 5min,
                              .job_duration = 2min};

  const LaneEstimate estimate = estimate_settle(settle, {.records_per_day = 10'000}, kTenDays);

  EXPECT_DOUBLE_EQ(estimate.a_day.jobs, 3);
  // 1 + 2 + 4 + 8 + 16 + 30 + 30 + 30 seconds: eight polls.
  EXPECT_DOUBLE_EQ(estimate.a_day.requests, 3 * (1 + 8 + 1 + 10) + 288);
  EXPECT_DOUBLE_EQ(estimate.catch_up.jobs, 10) << "old days are read once: late passes satisfy the ages";
  EXPECT_DOUBLE_EQ(estimate.catch_up.requests, 10 * (1 + 8 + 1 + 10));
  EXPECT_EQ(estimate.catch_up_least, 10min) << "two jobs at a time";
}

TEST(EstimateBudget, SumsUpTheLanesAgainstWhatMayBeSent) {
  LaneEstimate live;
  live.a_day.requests = 14'400;
  live.catch_up.requests = 129'600;
  LaneEstimate settle;
  settle.a_day.requests = 0;
  settle.catch_up_least = 1h;

  const BudgetEstimate estimate = estimate_budget({live, settle}, 100);

  EXPECT_DOUBLE_EQ(estimate.share_of_permitted, 0.1);
  EXPECT_DOUBLE_EQ(estimate.requests_per_month, 31 * 14'400);
  ASSERT_TRUE(estimate.catch_up);
  EXPECT_EQ(*estimate.catch_up, 24h) << "in what the day's work leaves";
}

TEST(EstimateBudget, WithoutHistoryThereIsNothingToCatchUpHoweverSmallTheQuota) {
  LaneEstimate live;
  live.a_day.requests = 14'400;
  EXPECT_EQ(estimate_budget({live}, 1).catch_up, common::Duration{0});

  live.catch_up.requests = 1;
  EXPECT_FALSE(estimate_budget({live}, 10).catch_up) << "never";
}

TEST(EstimateBudget, JobsTakeTheirTimeHoweverLargeTheQuota) {
  LaneEstimate settle;
  settle.catch_up.requests = 10;
  settle.catch_up_least = 3h;

  EXPECT_EQ(estimate_budget({settle}, 1'000'000).catch_up, 3h);
}

TEST(JudgeMonth, ComparesWhatComesEveryDayAndWhatIsReadOnce) {
  const BudgetEstimate estimate{.requests_per_day = 100, .requests_per_month = 3'100, .catch_up_requests = 500, .catch_up = {}};

  const MonthVerdict enough = judge_month(estimate, 3'600);
  EXPECT_TRUE(enough.suffices && enough.suffices_with_catch_up);
  EXPECT_EQ(enough.used_up_after_days, 31);
  const MonthVerdict later = judge_month(estimate, 3'599);
  EXPECT_TRUE(later.suffices);
  EXPECT_FALSE(later.suffices_with_catch_up);
  const MonthVerdict too_few = judge_month(estimate, 1'000);
  EXPECT_FALSE(too_few.suffices || too_few.suffices_with_catch_up);
  EXPECT_EQ(too_few.used_up_after_days, 10);
  EXPECT_TRUE(judge_month({.catch_up = {}}, 0).suffices) << "nothing is asked";
}

}  // namespace
}  // namespace connector::core
