#include "connector/core/retry/breaker.h"

#include <gtest/gtest.h>

#include <chrono>

namespace connector::core {
namespace {

using common::SteadyTime;
using namespace std::chrono_literals;

class BreakerTest : public testing::Test {
 protected:
  void fail(int times = 1) {
    for (int i = 0; i < times; ++i) {
      if (!breaker_.wait_until(now_)) {
        breaker_.on_sent(now_);
      }
      breaker_.on_failure(now_);
    }
  }
  [[nodiscard]] bool may_send() const { return !breaker_.wait_until(now_); }

  Breaker breaker_{{.failures = 3, .open = 10s, .max_open = 60s}};
  SteadyTime now_{std::chrono::hours{1}};
};

TEST_F(BreakerTest, OpensAfterSoManyFailuresInARow) {
  fail(2);
  EXPECT_TRUE(may_send());

  fail();

  EXPECT_EQ(breaker_.state(now_), BreakerState::kOpen);
  EXPECT_EQ(breaker_.wait_until(now_), now_ + 10s);
}

TEST_F(BreakerTest, ASuccessBetweenStartsTheCountAgain) {
  fail(2);
  breaker_.on_success();
  fail(2);

  EXPECT_EQ(breaker_.state(now_), BreakerState::kClosed);
}

TEST_F(BreakerTest, LetsOneProbeOutAtATime) {
  fail(3);
  now_ += 10s;
  ASSERT_EQ(breaker_.state(now_), BreakerState::kHalfOpen);
  ASSERT_TRUE(may_send());

  breaker_.on_sent(now_);

  EXPECT_FALSE(may_send());
  EXPECT_GT(breaker_.wait_until(now_).value(), now_);
}

TEST_F(BreakerTest, AGoodProbeCloses) {
  fail(3);
  now_ += 10s;
  breaker_.on_sent(now_);
  breaker_.on_success();

  EXPECT_EQ(breaker_.state(now_), BreakerState::kClosed);
  fail(2);
  EXPECT_TRUE(may_send()) << "the old failures are forgotten";
}

TEST_F(BreakerTest, FailingProbesDoubleTheOpenTimeUpToItsCap) {
  fail(3);
  for (const common::Duration open : {10'000ms, 20'000ms, 40'000ms, 60'000ms, 60'000ms}) {
    EXPECT_EQ(breaker_.wait_until(now_), now_ + open);
    now_ += open;
    ASSERT_TRUE(may_send());
    fail();
  }
}

TEST_F(BreakerTest, TheOpenTimeStartsSmallAgainAfterASuccess) {
  fail(3);
  now_ += 10s;
  fail();
  now_ += 20s;
  breaker_.on_sent(now_);
  breaker_.on_success();

  fail(3);

  EXPECT_EQ(breaker_.wait_until(now_), now_ + 10s);
}

TEST_F(BreakerTest, FailuresOfRequestsSentBeforeItOpenedDoNotProlongIt) {
  fail(3);
  const auto until = breaker_.wait_until(now_);

  now_ += 5s;
  breaker_.on_failure(now_);

  EXPECT_EQ(breaker_.wait_until(now_), until);
}

TEST_F(BreakerTest, AProbeThatWasCancelledMakesRoomForAnother) {
  fail(3);
  now_ += 10s;
  breaker_.on_sent(now_);
  breaker_.on_abandoned();

  EXPECT_TRUE(may_send());
}

}  // namespace
}  // namespace connector::core
