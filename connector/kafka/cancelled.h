#pragma once

// Whether the calling coroutine was cancelled: a wait that is about to begin would not notice.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>

namespace connector::kafka {

inline boost::asio::awaitable<bool> cancelled() {
  co_return (co_await boost::asio::this_coro::cancellation_state).cancelled() != boost::asio::cancellation_type::none;
}

}  // namespace connector::kafka
