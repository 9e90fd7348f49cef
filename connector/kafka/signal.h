#pragma once

// A condition variable for coroutines of one executor: everybody waiting is woken, each looks again. No state is kept, so a
// waiter checks its condition before and after.

#include "common/clock.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace connector::kafka {

class Signal {
 public:
  explicit Signal(const boost::asio::any_io_executor& executor) : timer_(executor, common::SteadyTime::max()) {}

  void notify() { timer_.expires_at(common::SteadyTime::max()); }
  // Until notified or cancelled; the waiter tells the two apart by its own cancellation state.
  boost::asio::awaitable<void> wait() {
    boost::system::error_code ignored;  // always operation_aborted
    co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }
  // For a signal with one waiter only: ends at `deadline` too.
  boost::asio::awaitable<void> wait_until(common::SteadyTime deadline) {
    timer_.expires_at(deadline);
    boost::system::error_code ignored;
    co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace connector::kafka
