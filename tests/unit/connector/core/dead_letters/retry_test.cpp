#include "connector/core/dead_letters/retry.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <set>
#include <string_view>

namespace connector::core {
namespace {

using namespace std::chrono_literals;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;
const common::Interval kWholeDay{.start = kDay, .end = kDay + 24h};
const RetryCandidate kCandidate{.key = "a", .window = "2026-05-04T10:00:00.000Z/2026-05-04T10:05:00.000Z"};
constexpr RetryMeans kEverything{.by_id = true, .by_job = true, .by_query = true, .knows_start = true};
constexpr RetryMeans kQueryOnly{.by_id = false, .by_job = false, .by_query = true, .knows_start = true};
constexpr RetryMeans kJobOnly{.by_id = false, .by_job = true, .by_query = false, .knows_start = true};

DigestEntry dead_query_form() {
  return {.state = DigestState::kDead, .common = 1, .full = std::nullopt, .read_at = kDay + 10h, .home_day = kDay};
}
DigestEntry dead_job_form() {
  DigestEntry entry = dead_query_form();
  entry.full = 2;
  return entry;
}
DigestEntry in_state(DigestState state) {
  DigestEntry entry = dead_query_form();
  entry.state = state;
  return entry;
}

TEST(PlanRetry, OfAQueryFormAsksForItsId) {
  const RetryStep step = plan_retry(kCandidate, dead_query_form(), kEverything);

  EXPECT_EQ(step.finding, RetryFinding::kRetryable);
  EXPECT_EQ(step.way, RetryWay::kById);
}

// Its query form has no attributes and would stand over those that were published.
TEST(PlanRetry, OfAJobFormIsNeverAQueryForm) {
  const RetryStep step = plan_retry(kCandidate, dead_job_form(), kEverything);
  EXPECT_EQ(step.finding, RetryFinding::kRetryable);
  EXPECT_EQ(step.way, RetryWay::kByJob);
  EXPECT_EQ(step.range, kWholeDay) << "the window of a job returns what overlaps it: the record may have begun before";

  EXPECT_EQ(plan_retry(kCandidate, dead_job_form(), kQueryOnly).finding, RetryFinding::kNeedsJob);
  EXPECT_EQ(plan_retry(kCandidate, dead_job_form(), {.by_id = true, .by_query = true}).finding, RetryFinding::kNeedsJob);
}

TEST(PlanRetry, OfAQueryFormWithoutIdsReadsItsDayOrItsWindow) {
  const RetryStep by_day = plan_retry(kCandidate, dead_query_form(), kQueryOnly);
  EXPECT_EQ(by_day.way, RetryWay::kByQuery);
  EXPECT_EQ(by_day.range, kWholeDay);

  const RetryStep by_window = plan_retry(kCandidate, dead_query_form(), {.by_query = true});
  EXPECT_EQ(by_window.way, RetryWay::kByQuery);
  EXPECT_EQ(by_window.range, common::parse_interval(kCandidate.window).value());
  EXPECT_EQ(plan_retry({.key = "a", .window = "?"}, dead_query_form(), {.by_query = true}).finding, RetryFinding::kNoWay);
}

TEST(PlanRetry, WithoutQueriesAJobFormMayFollow) {
  EXPECT_EQ(plan_retry(kCandidate, dead_query_form(), kJobOnly).way, RetryWay::kByJob);
  EXPECT_EQ(plan_retry(kCandidate, dead_query_form(), {}).finding, RetryFinding::kNoWay);
}

TEST(PlanRetry, LeavesAloneWhatIsNotDeadAndWhatNobodyKnows) {
  for (const DigestState state : {DigestState::kWanted, DigestState::kProvisional, DigestState::kSealed, DigestState::kGone}) {
    EXPECT_EQ(plan_retry(kCandidate, in_state(state), kEverything).finding, RetryFinding::kNoLongerDead) << to_string(state);
  }
  EXPECT_EQ(plan_retry(kCandidate, std::nullopt, kEverything).finding, RetryFinding::kForgotten);
  EXPECT_EQ(plan_retry({.key = "", .window = kCandidate.window}, dead_job_form(), kEverything).finding, RetryFinding::kNoKey);
}

TEST(Bounded, ReadsNoFurtherThanTheServicesDataGoes) {
  const RetryStep day = plan_retry(kCandidate, dead_job_form(), kEverything);

  EXPECT_EQ(bounded(day, kDay + 24h).range, kWholeDay);
  EXPECT_EQ(bounded(day, kDay + 12h).range.end, common::Instant(kDay + 12h));
  EXPECT_EQ(bounded(day, kDay).finding, RetryFinding::kNotAvailableYet);
  const RetryStep by_id = plan_retry(kCandidate, dead_query_form(), kEverything);
  EXPECT_EQ(bounded(by_id, kDay).finding, RetryFinding::kRetryable) << "an id can be asked for at any time";
}

TEST(JudgeRetry, ByWhatIsRememberedOfTheKeyAfterwards) {
  const RetryRow by_id{.form = RecordForm::kById};
  const RetryRow too_large{.form = RecordForm::kById, .fits = false};

  EXPECT_EQ(judge_retry(in_state(DigestState::kProvisional), by_id), RetryFinding::kPublished);
  EXPECT_EQ(judge_retry(in_state(DigestState::kProvisional), too_large), RetryFinding::kPublished) << "it was compressed";
  EXPECT_EQ(judge_retry(dead_query_form(), too_large), RetryFinding::kTooLarge);
  EXPECT_EQ(judge_retry(dead_query_form(), by_id), RetryFinding::kRefused);
  EXPECT_EQ(judge_retry(dead_query_form(), std::nullopt), RetryFinding::kAbsent);
}

TEST(JudgeRetry, AJobThatShowsTheRecordOpenOrOlderLeavesItToALane) {
  RetryRow row{.form = RecordForm::kJob, .open = true, .availability = kDay + 20h};
  EXPECT_EQ(judge_retry(dead_job_form(), row), RetryFinding::kWaits);
  row.open = false;
  EXPECT_EQ(judge_retry(dead_job_form(), row), RetryFinding::kRefused);
  row.availability = kDay + 9h;
  EXPECT_EQ(judge_retry(dead_job_form(), row), RetryFinding::kWaits);
  row.availability.reset();
  EXPECT_EQ(judge_retry(dead_job_form(), row), RetryFinding::kWaits);
}

TEST(RetryFinding, IsSpeltDistinctlyAndSaysWhatIsLeft) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kRetryFindings; ++i) names.insert(to_string(static_cast<RetryFinding>(i)));
  EXPECT_EQ(names.size(), kRetryFindings);
  EXPECT_FALSE(names.contains(""));
  EXPECT_FALSE(is_left(RetryFinding::kPublished) || is_left(RetryFinding::kRetryable) || is_left(RetryFinding::kNoLongerDead));
  EXPECT_TRUE(is_left(RetryFinding::kNoKey) && is_left(RetryFinding::kTooLarge) && is_left(RetryFinding::kWaits));
}

}  // namespace
}  // namespace connector::core
