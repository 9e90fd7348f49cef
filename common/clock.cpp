#include "common/clock.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace common {

namespace asio = boost::asio;

Instant SystemClock::utc_now() const {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady_now() const {
  return std::chrono::steady_clock::now();
}

asio::awaitable<Result<void>> SystemClock::sleep_until(SteadyTime deadline) {
  // A cancellation that came before this call would not reach the timer.
  const auto before = co_await asio::this_coro::cancellation_state;
  if (before.cancelled() != asio::cancellation_type::none) {
    co_return fail(ErrorCode::kCancelled, "sleep cancelled");
  }
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (error) {
    co_return fail(ErrorCode::kCancelled, "sleep cancelled");
  }
  co_return Result<void>{};
}

}  // namespace common
