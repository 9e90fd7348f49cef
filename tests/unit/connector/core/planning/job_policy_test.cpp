#include "connector/core/planning/job_policy.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::ErrorCode;
using common::Instant;
using common::Interval;

const Instant kNow = common::parse_instant("2026-05-06T10:00:00Z").value();
const Interval kDay{.start = common::parse_instant("2026-05-04T00:00:00Z").value(),
                    .end = common::parse_instant("2026-05-05T00:00:00Z").value()};

std::string show(const JobAction& action) {
  if (std::holds_alternative<SubmitJob>(action)) return "submit";
  if (const auto* poll = std::get_if<PollJob>(&action)) return "poll after " + common::format_duration(poll->wait);
  if (const auto* read = std::get_if<ReadResults>(&action)) {
    return "read " + read->cursor.value_or("first") + (read->wait > 0ms ? " after a wait" : "");
  }
  if (std::holds_alternative<CompleteJob>(action)) return "complete";
  if (const auto* restart = std::get_if<RestartJob>(&action)) {
    return "restart: " + restart->reason + (restart->cancel_job ? ", cancel" : "") + (restart->wait > 0ms ? "" : ", at once");
  }
  const auto& split = std::get<SplitJob>(action);
  return "split into " + common::format_duration(split.part) + ": " + split.reason;
}

class Policy : public testing::Test {
 protected:
  std::string step(const JobEvent& event) { return show(policy.step(event, now, 0.5)); }
  std::string failed(ErrorCode code) { return step(JobStepFailed{{.code = code, .message = "text"}}); }
  void submit() { step(JobSubmitted{JobId("j")}); }
  void fulfil() {
    submit();
    step(JobStatus{.state = "FULFILLED", .error_message = {}});
  }
  static JobPage page(std::optional<std::string> next) { return {.next = std::move(next), .availability = kDay.end}; }

  Instant now = kNow;
  JobPolicy policy{{}, kDay, AtStart{}};
};

TEST_F(Policy, LeadsAJobFromSubmissionToCompletion) {
  EXPECT_EQ(show(policy.begin()), "submit");
  EXPECT_EQ(step(JobSubmitted{JobId("j")}), "poll after 1s");
  EXPECT_EQ(policy.position(), (Position{AtJob{.job = JobId("j"), .cursor = std::nullopt, .submitted = kNow}}));
  EXPECT_EQ(step(JobStatus{.state = "QUEUED", .error_message = {}}), "poll after 2s");
  EXPECT_EQ(step(JobStatus{.state = "PENDING", .error_message = {}}), "poll after 4s");
  EXPECT_EQ(step(JobStatus{.state = "FULFILLED", .error_message = {}}), "read first");
  EXPECT_EQ(step(page("a")), "read a");
  EXPECT_EQ(policy.position(), (Position{AtJob{.job = JobId("j"), .cursor = "a", .submitted = kNow}}));
  EXPECT_EQ(step(page("b")), "read b");
  EXPECT_EQ(step(page(std::nullopt)), "complete");
}

TEST_F(Policy, PollsAtMostSoRarely) {
  submit();
  for (int i = 0; i < 10; ++i) step(JobStatus{.state = "PENDING", .error_message = {}});
  EXPECT_EQ(step(JobStatus{.state = "PENDING", .error_message = {}}), "poll after 30s");
}

TEST_F(Policy, TakesUpAJobWhereItWas) {
  const AtJob polled{.job = JobId("j"), .cursor = std::nullopt, .submitted = kNow};
  const AtJob read{.job = JobId("j"), .cursor = "c", .submitted = kNow};
  EXPECT_EQ(show(JobPolicy({}, kDay, polled).begin()), "poll after 0s");
  EXPECT_EQ(show(JobPolicy({}, kDay, read).begin()), "read c");
  EXPECT_EQ(show(JobPolicy({}, kDay, AtPage{3}).begin()), "submit");
}

struct EndCase {
  std::string name;
  std::string state;
  std::string outcome;
};
void PrintTo(const EndCase& one, std::ostream* out) {
  *out << one.name;
}
class BadEnd : public Policy, public testing::WithParamInterface<EndCase> {};

TEST_P(BadEnd, RestartsTheWindow) {
  submit();
  EXPECT_EQ(step(JobStatus{.state = GetParam().state, .error_message = "why"}), GetParam().outcome);
  EXPECT_EQ(policy.position(), Position{AtStart{}});
  EXPECT_EQ(step(JobWaited{}), "submit");
}

INSTANTIATE_TEST_SUITE_P(States, BadEnd,
                         testing::Values(EndCase{"failed", "FAILED", "restart: job_failed"},
                                         EndCase{"cancelled", "CANCELLED", "restart: job_cancelled"},
                                         EndCase{"expired", "EXPIRED", "restart: job_expired"}),
                         [](const auto& info) { return info.param.name; });

TEST_F(Policy, AnUnknownJobRestartsTheWindow) {
  submit();
  EXPECT_EQ(failed(ErrorCode::kPositionInvalid), "restart: job_unknown");
}

TEST_F(Policy, AnUnknownCursorRestartsTheWindowHoweverItIsCalled) {
  fulfil();
  EXPECT_EQ(failed(ErrorCode::kPositionInvalid), "restart: job_unknown");
  fulfil();
  EXPECT_EQ(failed(ErrorCode::kRequestRejected), "restart: position_rejected");
}

TEST_F(Policy, AJobThatNeverEndsIsCancelled) {
  submit();
  now += 6h + 1ms;
  EXPECT_EQ(step(JobStatus{.state = "PENDING", .error_message = {}}), "restart: job_never_finished, cancel");
}

TEST_F(Policy, AJobThatCannotBeAskedForHoursIsGivenUpToo) {
  submit();
  EXPECT_EQ(failed(ErrorCode::kRetryable).substr(0, 10), "poll after");
  now += 6h + 1ms;
  EXPECT_EQ(failed(ErrorCode::kRetryable), "restart: job_never_finished, cancel");
}

TEST_F(Policy, AWindowThatKeepsFailingIsHalved) {
  for (int i = 0; i < 2; ++i) {
    submit();
    EXPECT_EQ(step(JobStatus{.state = "FAILED", .error_message = {}}), "restart: job_failed");
  }
  submit();
  EXPECT_EQ(step(JobStatus{.state = "FAILED", .error_message = {}}), "split into 12h: job_failed");
  EXPECT_EQ(policy.position(), Position{AtStart{}}) << "should there be no room for two, the window begins anew";
  EXPECT_EQ(failed(ErrorCode::kRetryable), "restart: submit_failed");
}

TEST_F(Policy, TheSmallestWindowIsTriedForEver) {
  policy = JobPolicy({.min_window = 24h}, kDay, AtStart{});
  for (int i = 0; i < 50; ++i) {
    submit();
    ASSERT_EQ(step(JobStatus{.state = "FAILED", .error_message = {}}), "restart: job_failed");
  }
}

TEST_F(Policy, ResultsOlderThanTheirWindowDoNotCount) {
  fulfil();
  EXPECT_EQ(step(JobPage{.next = "a", .availability = kDay.end - 1ms}), "restart: availability_behind");
  fulfil();
  EXPECT_EQ(step(JobPage{.next = std::nullopt, .availability = kDay.end - 1ms}), "restart: availability_behind");
  fulfil();
  EXPECT_EQ(step(JobPage{.next = std::nullopt, .availability = kDay.end}), "complete");
}

TEST_F(Policy, ACursorThatNamesItselfRestartsTheWindow) {
  fulfil();
  step(page("a"));
  EXPECT_EQ(step(page("a")), "restart: cursor_repeats");
}

TEST_F(Policy, CursorsThatGoRoundRestartTheWindow) {
  fulfil();
  std::string action;
  int pages = 0;
  do {
    action = step(JobPage{.next = pages % 2 == 0 ? "a" : "b", .availability = kDay.end, .distinct = pages == 0 ? 0U : 10U});
    ASSERT_LT(++pages, 200);
  } while (action.starts_with("read"));
  EXPECT_EQ(action, "restart: cursor_repeats");
}

TEST_F(Policy, ASecondJobMayShowFirstWhatTheFirstOneHasShown) {
  fulfil();
  for (std::uint64_t i = 0; i < 500; ++i) {
    ASSERT_EQ(step(JobPage{.next = std::to_string(i), .availability = kDay.end, .distinct = i}), "read " + std::to_string(i));
  }
  EXPECT_EQ(failed(ErrorCode::kPositionInvalid), "restart: job_unknown");
  fulfil();
  for (std::uint64_t i = 0; i < 500; ++i) {
    ASSERT_EQ(step(JobPage{.next = std::to_string(i), .availability = kDay.end, .distinct = 500}), "read " + std::to_string(i));
  }
  EXPECT_EQ(step(JobPage{.next = std::nullopt, .availability = kDay.end, .distinct = 500}), "complete");
}

TEST_F(Policy, AnUnreadablePageIsAskedForAgainThenTheWindowRestarts) {
  fulfil();
  step(page("a"));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(failed(ErrorCode::kMalformedResponse), "read a after a wait");
  EXPECT_EQ(failed(ErrorCode::kMalformedResponse), "restart: page_unreadable");
}

TEST_F(Policy, AnOutageKeepsThePosition) {
  fulfil();
  step(page("a"));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(failed(ErrorCode::kRetryable), "read a after a wait");
}

TEST_F(Policy, ARefusedSubmissionIsTriedAgain) {
  EXPECT_EQ(failed(ErrorCode::kRetryable), "restart: submit_failed");
  EXPECT_EQ(failed(ErrorCode::kPermissionDenied), "restart: submit_failed");
  EXPECT_EQ(failed(ErrorCode::kTooComplex), "split into 12h: too_complex");
}

TEST_F(Policy, APermissionIsAskedForSlowlyFromTheStart) {
  const auto action = policy.step(JobStepFailed{{.code = ErrorCode::kPermissionDenied, .message = {}}}, now, 0.0);
  EXPECT_EQ(std::get<RestartJob>(action).wait, 300s);
}

TEST_F(Policy, RetryAfterIsObeyed) {
  const auto action = policy.step(JobStepFailed{{.code = ErrorCode::kRateLimited, .message = {}, .retry_after = 900s}}, now, 0.0);
  EXPECT_EQ(std::get<RestartJob>(action).wait, 900s);
}

class TurnedAway : public Policy {
 protected:
  RestartJob turn_away() {
    const JobAction action = policy.step(JobTurnedAway{.error = busy, .at = steady}, now, 0.5);
    return std::get<RestartJob>(action);
  }
  void pass(common::Duration duration) {
    steady += duration;
    step(JobWaited{});
  }

  const common::Error busy{.code = ErrorCode::kRateLimited, .message = "others run"};
  common::SteadyTime steady{1h};
};

TEST_F(TurnedAway, IsNoFailureForAsLongAsOneJobMayTake) {
  const RestartJob again = turn_away();
  EXPECT_TRUE(again.awaits_turn);
  EXPECT_EQ(again.reason, "submit_failed");
  EXPECT_EQ(again.detail, "others run");
  EXPECT_GT(again.wait, 0ms);
  EXPECT_FALSE(again.cancel_job) << "there is none";
  pass(6h);
  EXPECT_TRUE(turn_away().awaits_turn);
  pass(1ms);
  EXPECT_FALSE(turn_away().awaits_turn);
  pass(1ms);
  EXPECT_FALSE(turn_away().awaits_turn) << "and stays one";
}

TEST_F(TurnedAway, AJobOfOursInBetweenBeginsTheWaitAnew) {
  turn_away();
  pass(6h);
  submit();
  step(JobStatus{.state = "FAILED", .error_message = {}});
  pass(1h);
  EXPECT_TRUE(turn_away().awaits_turn);
}

TEST_F(TurnedAway, AnotherRefusalInBetweenBeginsTheWaitAnew) {
  turn_away();
  pass(6h);
  EXPECT_EQ(failed(ErrorCode::kRetryable), "restart: submit_failed");
  pass(1h);
  EXPECT_TRUE(turn_away().awaits_turn);
}

TEST_F(TurnedAway, GoesByTheClockThatNobodySets) {
  turn_away();
  now += 24h;
  pass(1h);
  EXPECT_TRUE(turn_away().awaits_turn);
  now -= 48h;
  pass(5h + 1ms);
  EXPECT_FALSE(turn_away().awaits_turn);
}

TEST_F(TurnedAway, AWindowIsNotHalvedForIt) {
  for (int i = 0; i < 50; ++i) turn_away();
  EXPECT_EQ(policy.part_of_failed(), 0ms);
}

TEST_F(Policy, WhatFailsIsNoWaitForATurn) {
  EXPECT_FALSE(
      std::get<RestartJob>(policy.step(JobStepFailed{{.code = ErrorCode::kRateLimited, .message = {}}}, now, 0.5)).awaits_turn);
}

// Whatever fails at whatever step, the policy answers with something that goes on.
TEST(JobPolicySweep, EveryErrorAtEveryStepLeavesAWayOn) {
  const std::vector<ErrorCode> codes{ErrorCode::kRetryable,         ErrorCode::kRateLimited,       ErrorCode::kUnauthorized,
                                     ErrorCode::kPermissionDenied,  ErrorCode::kRequestRejected,   ErrorCode::kTooComplex,
                                     ErrorCode::kPositionInvalid,   ErrorCode::kMalformedResponse, ErrorCode::kOversize,
                                     ErrorCode::kCredentialsInvalid};
  for (const ErrorCode code : codes) {
    for (int failing_step = 0; failing_step < 4; ++failing_step) {
      JobPolicy policy({}, kDay, AtStart{});
      JobAction action = policy.begin();
      bool failed = false;
      bool complete = false;
      for (int step = 0; step < 20 && !complete; ++step) {
        JobEvent event = JobWaited{};
        if (step == failing_step && !failed) {
          failed = true;
          event = JobStepFailed{{.code = code, .message = {}}};
        } else if (std::holds_alternative<SubmitJob>(action)) {
          event = JobSubmitted{JobId("j")};
        } else if (std::holds_alternative<PollJob>(action)) {
          event = JobStatus{.state = "FULFILLED", .error_message = {}};
        } else if (const auto* read = std::get_if<ReadResults>(&action)) {
          event = JobPage{.next = read->cursor ? std::nullopt : std::optional<std::string>("a"), .availability = kDay.end};
        }
        action = policy.step(event, kNow, 0.5);
        complete = std::holds_alternative<CompleteJob>(action) || std::holds_alternative<SplitJob>(action);
      }
      EXPECT_TRUE(failed && complete) << common::to_string(code) << " at step " << failing_step << ": " << show(action);
    }
  }
}

// Its data must reach the age, or the read that is owed: what is older than that shows nothing new.
TEST_F(Policy, ResultsThatKnowLessThanTheirPassNeedsDoNotCount) {
  policy = JobPolicy({}, kDay, AtStart{}, kDay.end + 72h);
  fulfil();
  EXPECT_EQ(step(JobPage{.next = std::nullopt, .availability = kDay.end + 72h - 1ms}), "restart: availability_behind");

  fulfil();
  EXPECT_EQ(step(JobPage{.next = std::nullopt, .availability = kDay.end + 72h}), "complete");
}

TEST_F(Policy, NoPassIsContentWithLessThanItsWindow) {
  policy = JobPolicy({}, kDay, AtStart{}, kDay.start);
  fulfil();
  EXPECT_EQ(step(JobPage{.next = std::nullopt, .availability = kDay.end - 1ms}), "restart: availability_behind");
}

TEST(NeededFor, ThePassDecides) {
  Ledger ledger({}, kDay.start);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = kDay.start, .end = kDay.end + 24h}}));

  EXPECT_EQ(needed_for(kDay, {}, ledger), kDay.end);
  EXPECT_EQ(needed_for(kDay, {.age = 72h}, ledger), kDay.end + 72h);
  EXPECT_EQ(needed_for(kDay, {.is_owed = true}, ledger), kDay.end) << "it has been paid meanwhile";
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = kDay, .after = kDay.end + 5h}));
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = kDay, .after = kDay.end + 9h}));
  ASSERT_TRUE(ledger.apply(OwedAdded{.window = {.start = kDay.end, .end = kDay.end + 24h}, .after = kDay.end + 1h}));
  EXPECT_EQ(needed_for(kDay, {.is_owed = true}, ledger), kDay.end + 5h + 1ms) << "something of it is paid then";
  EXPECT_EQ(needed_for({.start = kDay.end, .end = kDay.end + 24h}, {.is_owed = true}, ledger), kDay.end + 24h);
}

}  // namespace
}  // namespace connector::core
