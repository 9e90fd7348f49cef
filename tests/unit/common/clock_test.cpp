#include "common/clock.h"

#include "tests/support/run_coroutine.h"

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/this_coro.hpp>

namespace common {
namespace {

namespace asio = boost::asio;

TEST(SystemClock, ADeadlineInThePastReturnsAtOnce) {
  asio::io_context io;
  SystemClock clock;

  const auto slept = tests::support::run_coroutine(io, clock.sleep_until(clock.steady_now() - std::chrono::hours{1}));

  EXPECT_TRUE(slept);
}

TEST(SystemClock, SleepsUntilTheDeadline) {
  asio::io_context io;
  SystemClock clock;
  const auto deadline = clock.steady_now() + Duration{5};

  const auto slept = tests::support::run_coroutine(io, clock.sleep_until(deadline));

  EXPECT_TRUE(slept);
  EXPECT_GE(clock.steady_now(), deadline);
}

asio::awaitable<Result<void>> sleep_an_hour(SystemClock& clock) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return co_await clock.sleep_for(std::chrono::hours{1});
}

TEST(SystemClock, CancellationEndsASleep) {
  asio::io_context io;
  SystemClock clock;
  asio::cancellation_signal cancel;
  std::optional<Result<void>> slept;
  asio::co_spawn(io, sleep_an_hour(clock),
                 asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr& failure, Result<void> result) {
                   ASSERT_FALSE(failure);
                   slept = std::move(result);
                 }));
  io.poll();
  ASSERT_FALSE(slept);

  cancel.emit(asio::cancellation_type::terminal);
  io.restart();
  io.poll();

  ASSERT_TRUE(slept);
  ASSERT_FALSE(*slept);
  EXPECT_EQ(slept->error().code, ErrorCode::kCancelled);
}

asio::awaitable<Result<void>> sleep_after_cancellation(SystemClock& clock, asio::cancellation_signal& cancel) {
  co_await asio::this_coro::throw_if_cancelled(false);
  cancel.emit(asio::cancellation_type::terminal);
  co_return co_await clock.sleep_for(std::chrono::hours{1});
}

TEST(SystemClock, ASleepBegunAfterCancellationDoesNotStart) {
  asio::io_context io;
  SystemClock clock;
  asio::cancellation_signal cancel;
  std::optional<Result<void>> slept;
  asio::co_spawn(io, sleep_after_cancellation(clock, cancel),
                 asio::bind_cancellation_slot(
                     cancel.slot(), [&](const std::exception_ptr&, Result<void> result) { slept = std::move(result); }));

  io.poll();

  ASSERT_TRUE(slept);
  ASSERT_FALSE(*slept);
  EXPECT_EQ(slept->error().code, ErrorCode::kCancelled);
}

TEST(Error, ContextComesBeforeTheMessageAndTheRestStays) {
  Error error{.code = ErrorCode::kRateLimited, .message = "429", .retry_after = std::chrono::seconds{3}};

  const auto wrapped = with_context(error, "page 2");

  EXPECT_EQ(wrapped.message, "page 2: 429");
  EXPECT_EQ(wrapped.code, ErrorCode::kRateLimited);
  EXPECT_EQ(wrapped.retry_after, std::chrono::seconds{3});
  EXPECT_EQ(to_string(wrapped.code), "rate_limited");
}

}  // namespace
}  // namespace common
