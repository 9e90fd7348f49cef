#include "connector/app/lanes.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

namespace connector::app {

Lanes::Lanes(boost::asio::any_io_executor executor, OnUnexpectedEnd on_unexpected_end)
    : executor_(std::move(executor)),
      on_unexpected_end_(std::move(on_unexpected_end)),
      all_ended_(executor_, boost::asio::steady_timer::time_point::max()) {}

void Lanes::start(core::SourcePartition source, boost::asio::awaitable<common::Result<void>> lane) {
  auto& signal = signals_.emplace_back();
  ++running_;
  boost::asio::co_spawn(
      executor_, std::move(lane),
      boost::asio::bind_cancellation_slot(
          signal.slot(), [this, source = std::move(source)](const std::exception_ptr& thrown, common::Result<void> result) {
            if (thrown) {
              try {
                std::rethrow_exception(thrown);
              } catch (const std::exception& exception) {
                result = common::fail(common::ErrorCode::kInternal, exception.what());
              }
            }
            ended(source, result);
          }));
}

void Lanes::ended(const core::SourcePartition& source, const common::Result<void>& result) {
  --running_;
  if (running_ == 0) all_ended_.cancel();
  if (!stopping_) {
    on_unexpected_end_(
        source, result ? common::Error{.code = common::ErrorCode::kInternal, .message = "the lane returned"} : result.error());
  }
}

boost::asio::awaitable<void> Lanes::stop() {
  stopping_ = true;
  for (auto& signal : signals_) signal.emit(boost::asio::cancellation_type::terminal);
  while (running_ > 0) {
    boost::system::error_code ignored;  // always "cancelled": that is how the timer tells
    co_await all_ended_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }
}

}  // namespace connector::app
