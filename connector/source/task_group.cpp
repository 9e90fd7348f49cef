#include "connector/source/task_group.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cassert>
#include <iterator>
#include <utility>

namespace connector::source {

namespace asio = boost::asio;

Event::Event(const asio::any_io_executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}

void Event::notify() {
  set_ = true;
  timer_.cancel();
}

asio::awaitable<void> Event::wait() {
  // The timer never fires: notify() and cancellation end the wait.
  if (!set_) co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  set_ = false;
}

TaskGroup::TaskGroup(asio::any_io_executor executor) : executor_(std::move(executor)), changed_(executor_) {}

TaskGroup::~TaskGroup() {
  assert(children_.empty());
}

void TaskGroup::spawn(asio::awaitable<void> child) {
  const auto place = children_.emplace(children_.end());
  asio::co_spawn(executor_, std::move(child),
                 asio::bind_cancellation_slot(place->cancel.slot(), [this, place](std::exception_ptr thrown) {
                   children_.erase(place);
                   if (thrown) thrown_ = std::move(thrown);
                   changed_.notify();
                 }));
}

asio::awaitable<void> TaskGroup::cancel_and_join() {
  // Emitting may end a child at once, and its place with it.
  for (auto child = children_.begin(); child != children_.end();)
    std::exchange(child, std::next(child))->cancel.emit(asio::cancellation_type::terminal);
  while (!children_.empty()) co_await changed_.wait();
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

}  // namespace connector::source
