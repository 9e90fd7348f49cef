#pragma once

// The lanes that run: each a coroutine with its own cancellation. Starts them, hears how they end, stops them together. One
// executor; owned by App, which waits for `stopped` before it destroys what the lanes use.

#include "common/result.h"
#include "connector/core/names.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <functional>
#include <list>

namespace connector::app {

class Lanes final {
 public:
  // Called when a lane ends although nobody asked it to: a bug, as failing windows do not end a lane.
  using OnUnexpectedEnd = std::function<void(const core::SourcePartition&, const common::Error&)>;

  Lanes(boost::asio::any_io_executor executor, OnUnexpectedEnd on_unexpected_end);
  void start(core::SourcePartition source, boost::asio::awaitable<common::Result<void>> lane);
  // Cancels every lane and returns when the last has ended.
  boost::asio::awaitable<void> stop();
  [[nodiscard]] std::size_t running() const { return running_; }

 private:
  void ended(const core::SourcePartition& source, const common::Result<void>& result);

  boost::asio::any_io_executor executor_;
  OnUnexpectedEnd on_unexpected_end_;
  std::list<boost::asio::cancellation_signal> signals_;  // a list: a signal must not move while its slot is in use
  boost::asio::steady_timer all_ended_;                  // never expires by itself; cancelled when the last lane ends
  std::size_t running_ = 0;
  bool stopping_ = false;
};

}  // namespace connector::app
