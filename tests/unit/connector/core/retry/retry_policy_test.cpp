#include "connector/core/retry/retry_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <vector>

namespace connector::core {
namespace {

using common::Error;
using common::ErrorCode;
using common::SteadyTime;
using namespace std::chrono_literals;

constexpr SteadyTime kStart{std::chrono::hours{10}};
const RetrySettings kSettings{.initial = 500ms, .max = 10s, .deadline = 60s};

Error error(ErrorCode code, std::optional<std::chrono::milliseconds> retry_after = std::nullopt) {
  return {.code = code, .message = "", .retry_after = retry_after};
}

TEST(RetryPolicy, DoublesUpToTheCap) {
  RetryPolicy policy(kSettings, kStart);
  std::vector<common::Duration> delays;
  for (int i = 0; i < 7; ++i) {
    delays.push_back(policy.next_delay(error(ErrorCode::kRetryable), 1.0, kStart).value());
  }

  EXPECT_THAT(delays, testing::ElementsAre(500ms, 1s, 2s, 4s, 8s, 10s, 10s));
}

TEST(RetryPolicy, JittersOverTheWholeRange) {
  RetryPolicy policy(kSettings, kStart);
  std::vector<common::Duration> delays;
  for (const double chance : {0.0, 0.5, 0.25}) {
    delays.push_back(policy.next_delay(error(ErrorCode::kRetryable), chance, kStart).value());
  }

  EXPECT_THAT(delays, testing::ElementsAre(0ms, 500ms, 500ms));
}

TEST(RetryPolicy, ManyFailuresNeitherOverflowNorPassTheCap) {
  EXPECT_EQ(jittered_delay(500ms, 60s, 4'000'000'000U, 0.999), 59'940ms);
}

TEST(RetryPolicy, RetryAfterIsALowerBoundWithALittleJitterOnTop) {
  RetryPolicy policy(kSettings, kStart);

  EXPECT_EQ(policy.next_delay(error(ErrorCode::kRateLimited, 13s), 0.0, kStart), 13s);
  EXPECT_EQ(policy.next_delay(error(ErrorCode::kRateLimited, 13s), 1.0, kStart), 13s + 500ms);
}

TEST(RetryPolicy, GivesUpRatherThanBeginAnAttemptAfterTheDeadline) {
  RetryPolicy policy(kSettings, kStart);

  EXPECT_TRUE(policy.next_delay(error(ErrorCode::kRetryable), 1.0, kStart + 59s).has_value());
  EXPECT_FALSE(policy.next_delay(error(ErrorCode::kRetryable), 1.0, kStart + 60s).has_value());
  EXPECT_FALSE(policy.next_delay(error(ErrorCode::kRateLimited, 61s), 0.0, kStart).has_value());
}

TEST(RetryPolicy, TimeSpentWaitingForATurnDoesNotCount) {
  RetryPolicy policy(kSettings, kStart);
  policy.extend(5min);

  EXPECT_TRUE(policy.next_delay(error(ErrorCode::kRetryable), 1.0, kStart + 5min + 59s).has_value());
}

struct CodeCase {
  ErrorCode code;
  bool retried;
};
class RetryPolicyCodes : public testing::TestWithParam<CodeCase> {};

TEST_P(RetryPolicyCodes, RetriesWhatMaySucceedUnchanged) {
  RetryPolicy policy(kSettings, kStart);

  EXPECT_EQ(policy.next_delay(error(GetParam().code), 0.5, kStart).has_value(), GetParam().retried);
}

INSTANTIATE_TEST_SUITE_P(All, RetryPolicyCodes,
                         testing::Values(CodeCase{ErrorCode::kRetryable, true}, CodeCase{ErrorCode::kRateLimited, true},
                                         CodeCase{ErrorCode::kMalformedResponse, true}, CodeCase{ErrorCode::kUnauthorized, false},
                                         CodeCase{ErrorCode::kCredentialsInvalid, false},
                                         CodeCase{ErrorCode::kPermissionDenied, false},
                                         CodeCase{ErrorCode::kRequestRejected, false}, CodeCase{ErrorCode::kTooComplex, false},
                                         CodeCase{ErrorCode::kPositionInvalid, false}, CodeCase{ErrorCode::kOversize, false},
                                         CodeCase{ErrorCode::kConfigInvalid, false}, CodeCase{ErrorCode::kCancelled, false},
                                         CodeCase{ErrorCode::kInternal, false}),
                         [](const auto& tested) { return std::string(common::to_string(tested.param.code)); });

}  // namespace
}  // namespace connector::core
