#include "connector/app/lanes.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <iterator>
#include <utility>

namespace connector::app {

Lanes::Lanes(boost::asio::any_io_executor executor, OnUnexpectedEnd on_unexpected_end)
    : executor_(std::move(executor)),
      on_unexpected_end_(std::move(on_unexpected_end)),
      all_ended_(executor_, boost::asio::steady_timer::time_point::max()) {}

void Lanes::start(core::SourcePartition source, boost::asio::awaitable<common::Result<void>> lane) {
  start(source, std::move(lane), [this, source](const common::Result<void>& result) {
    on_unexpected_end_(
        source, result ? common::Error{.code = common::ErrorCode::kInternal, .message = "the lane returned"} : result.error());
  });
}

void Lanes::start(core::SourcePartition source, boost::asio::awaitable<common::Result<void>> lane, OnEnd on_end) {
  const auto place = lanes_.emplace(lanes_.end(), std::move(source));
  boost::asio::co_spawn(executor_, std::move(lane),
                        boost::asio::bind_cancellation_slot(
                            place->cancel.slot(), [this, place, on_end = std::move(on_end)](const std::exception_ptr& thrown,
                                                                                            common::Result<void> result) {
                              if (thrown) {
                                try {
                                  std::rethrow_exception(thrown);
                                } catch (const std::exception& exception) {
                                  result = common::fail(common::ErrorCode::kInternal, exception.what());
                                }
                              }
                              lanes_.erase(place);
                              ended(result, on_end);
                            }));
}

void Lanes::ended(const common::Result<void>& result, const OnEnd& on_end) {
  if (lanes_.empty()) all_ended_.cancel();
  if (!stopping_) on_end(result);
}

void Lanes::cancel(const core::SourcePartition& source) {
  // Emitting may end a lane at once, and its place with it.
  for (auto lane = lanes_.begin(); lane != lanes_.end();) {
    const auto next = std::next(lane);
    if (lane->source == source) lane->cancel.emit(boost::asio::cancellation_type::terminal);
    lane = next;
  }
}

boost::asio::awaitable<void> Lanes::stop() {
  stopping_ = true;
  for (auto lane = lanes_.begin(); lane != lanes_.end();)
    std::exchange(lane, std::next(lane))->cancel.emit(boost::asio::cancellation_type::terminal);
  while (!lanes_.empty()) {
    boost::system::error_code ignored;  // always "cancelled": that is how the timer tells
    co_await all_ended_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }
}

}  // namespace connector::app
