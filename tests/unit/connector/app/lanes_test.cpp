#include "connector/app/lanes.h"

#include "tests/support/run_coroutine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <stdexcept>
#include <string>

namespace connector::app {
namespace {

namespace asio = boost::asio;
using common::ErrorCode;
using common::Result;

const core::SourcePartition kLive{.stream = core::StreamName("conversations"), .lane = core::Lane::kLive};
const core::SourcePartition kSettle{.stream = core::StreamName("conversations"), .lane = core::Lane::kSettle};

asio::awaitable<Result<void>> until_cancelled(int& ended) {
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::steady_timer forever(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await forever.async_wait(asio::as_tuple(asio::use_awaitable));
  ++ended;
  co_return common::fail(ErrorCode::kCancelled, "cancelled");
}

asio::awaitable<Result<void>> fails() {
  co_return common::fail(ErrorCode::kInternal, "contradiction");
}
asio::awaitable<Result<void>> throws() {
  throw std::runtime_error("thrown");
  co_return Result<void>{};
}

struct Fixture : testing::Test {
  asio::io_context io;
  std::optional<common::Error> unexpected;
  void stop() { tests::support::run_coroutine(io, stopped()); }
  asio::awaitable<bool> stopped() {
    co_await lanes.stop();
    co_return true;
  }
  Lanes lanes{io.get_executor(), [this](const core::SourcePartition&, const common::Error& error) { unexpected = error; }};
};
using LanesTest = Fixture;

TEST_F(LanesTest, StopEndsEveryLaneAndReturnsWhenTheLastHasEnded) {
  int ended = 0;
  lanes.start(kLive, until_cancelled(ended));
  lanes.start(kSettle, until_cancelled(ended));
  io.poll();
  EXPECT_EQ(lanes.running(), 2U);

  stop();

  EXPECT_EQ(ended, 2);
  EXPECT_EQ(lanes.running(), 0U);
  EXPECT_FALSE(unexpected.has_value());
}

TEST_F(LanesTest, OneIsCancelledAloneAndItsEndIsTold) {
  int ended = 0;
  int others = 0;
  std::optional<Result<void>> told;
  lanes.start(kSettle, until_cancelled(ended), [&](const Result<void>& result) { told = result; });
  lanes.start(kLive, until_cancelled(others));
  io.poll();
  lanes.cancel(kSettle);
  io.poll();

  EXPECT_EQ(ended, 1);
  EXPECT_EQ(others, 0);
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->error().code, ErrorCode::kCancelled);
  EXPECT_EQ(lanes.running(), 1U);
  EXPECT_FALSE(unexpected.has_value());
  stop();
}

TEST_F(LanesTest, ALaneThatMayEndIsNotTakenForABug) {
  bool told = false;
  lanes.start(kSettle, fails(), [&](const Result<void>& result) { told = !result; });
  io.poll();

  EXPECT_TRUE(told);
  EXPECT_FALSE(unexpected.has_value());
}

TEST_F(LanesTest, StoppingNothingReturnsAtOnce) {
  stop();
}

TEST_F(LanesTest, ALaneThatEndsByItselfIsReported) {
  lanes.start(kLive, fails());
  io.poll();

  ASSERT_TRUE(unexpected.has_value());
  EXPECT_EQ(unexpected->message, "contradiction");
}

TEST_F(LanesTest, AnExceptionIsAnInternalErrorNotATermination) {
  lanes.start(kLive, throws());
  io.poll();

  ASSERT_TRUE(unexpected.has_value());
  EXPECT_EQ(unexpected->code, ErrorCode::kInternal);
  EXPECT_THAT(unexpected->message, testing::HasSubstr("thrown"));
}

}  // namespace
}  // namespace connector::app
