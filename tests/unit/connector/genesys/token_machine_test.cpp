#include "connector/genesys/token_machine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>
#include <vector>

namespace connector::genesys {
namespace {

using common::Error;
using common::ErrorCode;
using common::Secret;
using common::SteadyTime;
using namespace std::chrono_literals;

class TokenMachineTest : public testing::Test {
 protected:
  template <class Action>
  [[nodiscard]] bool says() {
    return std::holds_alternative<Action>(machine_.ask(now_));
  }
  void fetch(common::Duration life = 24h) {
    ASSERT_TRUE(says<TokenMachine::Fetch>());
    machine_.on_fetched(Secret("token"), life, now_);
  }
  void fail(ErrorCode code, std::optional<std::chrono::milliseconds> retry_after = std::nullopt, double chance = 1) {
    ASSERT_TRUE(says<TokenMachine::Fetch>());
    machine_.on_failed(Error{.code = code, .message = "no", .retry_after = retry_after}, chance, now_);
  }
  // How long until it would ask again, in steps of 100 ms.
  common::Duration time_to_fetch() {
    const SteadyTime begin = now_;
    while (!says<TokenMachine::Fetch>()) {
      now_ += 100ms;
    }
    machine_.on_abandoned();
    return std::chrono::duration_cast<common::Duration>(now_ - begin);
  }

  TokenMachine machine_{0.9};
  SteadyTime now_{std::chrono::hours{1}};
};

TEST_F(TokenMachineTest, IsAskedForOnceAndThenUsedForNineTenthsOfItsLife) {
  fetch(24h);

  now_ += 21h + 36min - 1ms;
  EXPECT_TRUE(says<TokenMachine::Use>());
  EXPECT_TRUE(machine_.is_at_hand(now_));
  now_ += 1ms;
  EXPECT_FALSE(machine_.is_at_hand(now_));
  EXPECT_TRUE(says<TokenMachine::Fetch>());
}

TEST_F(TokenMachineTest, OneCallerFetchesTheOthersWait) {
  ASSERT_TRUE(says<TokenMachine::Fetch>());

  EXPECT_TRUE(says<TokenMachine::WaitForFetch>());
  EXPECT_TRUE(says<TokenMachine::WaitForFetch>());
  machine_.on_fetched(Secret("token"), 24h, now_);
  EXPECT_TRUE(says<TokenMachine::Use>());
}

TEST_F(TokenMachineTest, WhileOneRenewsTheOthersUseTheOldToken) {
  fetch(100s);
  now_ += 95s;
  ASSERT_TRUE(says<TokenMachine::Fetch>());

  EXPECT_TRUE(says<TokenMachine::Use>());
  now_ += 5s;
  EXPECT_TRUE(says<TokenMachine::WaitForFetch>()) << "expired meanwhile";
}

TEST_F(TokenMachineTest, AFailedRenewalKeepsTheOldTokenInUseUntilItExpires) {
  fetch(1h);
  now_ += 55min;
  fail(ErrorCode::kRetryable);

  EXPECT_TRUE(machine_.is_at_hand(now_)) << "nobody waits for it";
  EXPECT_TRUE(says<TokenMachine::Use>());
  now_ += 5min;
  EXPECT_FALSE(machine_.is_at_hand(now_));
  EXPECT_TRUE(says<TokenMachine::Fetch>()) << "the backoff of a second is over too";
}

TEST_F(TokenMachineTest, AnAbandonedFetchIsTakenOverByTheNextCaller) {
  ASSERT_TRUE(says<TokenMachine::Fetch>());
  machine_.on_abandoned();

  EXPECT_TRUE(says<TokenMachine::Fetch>());
}

TEST_F(TokenMachineTest, BacksOffExponentiallyUpToAMinute) {
  std::vector<common::Duration> waits;
  for (int i = 0; i < 8; ++i) {
    fail(ErrorCode::kRetryable);
    waits.push_back(time_to_fetch());
  }

  EXPECT_EQ(waits, (std::vector<common::Duration>{1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}));
}

TEST_F(TokenMachineTest, NeverAsksAgainWithinTheSameInstant) {
  fail(ErrorCode::kRetryable, std::nullopt, 0.0);

  EXPECT_TRUE(says<TokenMachine::WaitUntil>());
  EXPECT_EQ(time_to_fetch(), 100ms);
}

TEST_F(TokenMachineTest, ObeysRetryAfter) {
  fail(ErrorCode::kRateLimited, 30s);

  EXPECT_EQ(time_to_fetch(), 30s);
}

TEST_F(TokenMachineTest, RefusedCredentialsAreTriedAgainSlowlyOrWhenTheyChange) {
  fail(ErrorCode::kCredentialsInvalid);
  EXPECT_TRUE(says<TokenMachine::Refused>());
  EXPECT_EQ(time_to_fetch(), 60s);

  fail(ErrorCode::kCredentialsInvalid);
  machine_.on_credentials_changed();
  EXPECT_TRUE(says<TokenMachine::Fetch>());
}

TEST_F(TokenMachineTest, A401MakesTheTokenThatItWasForUseless) {
  fetch();
  const std::uint64_t first = machine_.token().generation;
  machine_.on_rejected(first, now_);
  fetch();

  EXPECT_NE(machine_.token().generation, first);
  machine_.on_rejected(first, now_);
  EXPECT_TRUE(says<TokenMachine::Use>()) << "a late 401 of the old token must not cost the new one";
}

TEST_F(TokenMachineTest, AServiceThatRefusesTokenAfterTokenSlowsTheRenewalsDown) {
  std::vector<common::Duration> waits;
  for (int i = 0; i < 9; ++i) {
    fetch();
    machine_.on_rejected(machine_.token().generation, now_);
    waits.push_back(time_to_fetch());
  }
  EXPECT_EQ(waits, (std::vector<common::Duration>{0s, 1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}));

  fetch();
  machine_.on_accepted();
  machine_.on_rejected(machine_.token().generation, now_);
  EXPECT_EQ(time_to_fetch(), 0s) << "one accepted request and all is forgiven";
}

}  // namespace
}  // namespace connector::genesys
