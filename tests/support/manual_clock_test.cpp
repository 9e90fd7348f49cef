#include "tests/support/manual_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <vector>

namespace tests::support {
namespace {

namespace asio = boost::asio;
using common::Duration;
using common::ErrorCode;
using common::Result;
using namespace std::chrono_literals;

class ManualClockTest : public testing::Test {
 protected:
  // Sleeps `duration` `times` times and notes how far the clock is after each.
  asio::awaitable<Result<void>> sleep(Duration duration, int times = 1) {
    co_await asio::this_coro::throw_if_cancelled(false);
    for (int count = 0; count < times; ++count) {
      auto slept = co_await clock_.sleep_for(duration);
      if (!slept) {
        co_return slept;
      }
      woken_at_.push_back(std::chrono::floor<Duration>(clock_.steady_now() - start_));
    }
    co_return Result<void>{};
  }
  void spawn(Duration duration, int times = 1) {
    asio::co_spawn(io_, sleep(duration, times), [](const std::exception_ptr& failure, const Result<void>& result) {
      EXPECT_FALSE(failure);
      EXPECT_TRUE(result);
    });
  }

  asio::io_context io_;
  ManualClock clock_;
  common::SteadyTime start_ = clock_.steady_now();
  std::vector<Duration> woken_at_;
};

TEST_F(ManualClockTest, NobodyWakesBeforeTheDeadline) {
  spawn(10s);

  clock_.run_for(io_, 10s - 1ms);
  EXPECT_EQ(clock_.sleepers(), 1U);
  EXPECT_TRUE(woken_at_.empty());

  clock_.run_for(io_, 1ms);
  EXPECT_THAT(woken_at_, testing::ElementsAre(10s));
}

TEST_F(ManualClockTest, SleepersWakeInTheOrderOfTheirDeadlinesEachAtItsOwn) {
  spawn(3s);
  spawn(1s, 3);
  spawn(2s);

  clock_.run_for(io_, 1min);

  EXPECT_THAT(woken_at_, testing::ElementsAre(1s, 2s, 2s, 3s, 3s));
  EXPECT_EQ(clock_.steady_now() - start_, 1min);
  EXPECT_EQ(clock_.sleepers(), 0U);
}

TEST_F(ManualClockTest, BothClocksGoTogetherAndTheWallClockCanBeSet) {
  const auto utc = clock_.utc_now();
  clock_.advance(90s);
  EXPECT_EQ(clock_.utc_now() - utc, 90s);

  clock_.set_utc(utc);
  EXPECT_EQ(clock_.utc_now(), utc);
  EXPECT_EQ(clock_.steady_now() - start_, 90s);
}

TEST_F(ManualClockTest, ADeadlineThatIsPastReturnsAtOnce) {
  spawn(Duration{0});

  io_.poll();

  EXPECT_EQ(woken_at_.size(), 1U);
}

TEST_F(ManualClockTest, CancellationEndsASleep) {
  asio::cancellation_signal cancel;
  std::optional<Result<void>> slept;
  asio::co_spawn(io_, sleep(1h), asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr&, Result<void> result) {
                   slept = std::move(result);
                 }));
  io_.poll();

  cancel.emit(asio::cancellation_type::terminal);
  io_.restart();
  io_.poll();

  ASSERT_TRUE(slept);
  ASSERT_FALSE(*slept);
  EXPECT_EQ(slept->error().code, ErrorCode::kCancelled);
  EXPECT_EQ(clock_.sleepers(), 0U);
}

}  // namespace
}  // namespace tests::support
