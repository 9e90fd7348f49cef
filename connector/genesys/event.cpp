#include "connector/genesys/event.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <utility>

namespace connector::genesys {

boost::asio::awaitable<void> Event::wait() {
  // A timer that never fires: cancelling it is the notification.
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, boost::asio::steady_timer::time_point::max());
  struct Place {
    std::vector<boost::asio::steady_timer*>& waiting;
    boost::asio::steady_timer* timer;
    ~Place() { std::erase(waiting, timer); }
  };
  waiting_.push_back(&timer);
  const Place place{.waiting = waiting_, .timer = &timer};
  boost::system::error_code ended;
  co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ended));
}

void Event::notify_all() {
  for (boost::asio::steady_timer* timer : std::exchange(waiting_, {})) {
    timer->cancel();
  }
}

}  // namespace connector::genesys
