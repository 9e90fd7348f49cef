#include "connector/source/turns.h"

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace connector::source {

namespace asio = boost::asio;

asio::awaitable<common::Result<Turns::Turn>> Turns::take() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    co_return common::fail(common::ErrorCode::kCancelled, "cancelled before its turn");
  }
  if (!taken_) {
    taken_ = true;
    co_return Turn(*this);
  }
  waiting_.push_back({.woken = asio::steady_timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max())});
  const auto self = std::prev(waiting_.end());
  boost::system::error_code ignored;  // woken by being cancelled
  co_await self->woken.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  const bool has_turn = self->has_turn;
  waiting_.erase(self);
  if (!has_turn) co_return common::fail(common::ErrorCode::kCancelled, "cancelled while waiting for its turn");
  co_return Turn(*this);
}

void Turns::next() {
  for (Waiter& waiter : waiting_) {
    if (waiter.has_turn) continue;
    waiter.has_turn = true;
    waiter.woken.cancel();
    return;
  }
  taken_ = false;
}

}  // namespace connector::source
