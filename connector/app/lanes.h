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
  // A lane that may end: `on_end` is told how, unless all are being stopped.
  using OnEnd = std::function<void(const common::Result<void>&)>;
  void start(core::SourcePartition source, boost::asio::awaitable<common::Result<void>> lane, OnEnd on_end);
  // Cancels this one, whose end is told as any other.
  void cancel(const core::SourcePartition& source);
  // Cancels every lane and returns when the last has ended.
  boost::asio::awaitable<void> stop();
  [[nodiscard]] std::size_t running() const { return lanes_.size(); }

 private:
  struct Running {
    core::SourcePartition source;
    boost::asio::cancellation_signal cancel;
  };
  void ended(const common::Result<void>& result, const OnEnd& on_end);

  boost::asio::any_io_executor executor_;
  OnUnexpectedEnd on_unexpected_end_;
  std::list<Running> lanes_;             // a list: a signal must not move while its slot is in use
  boost::asio::steady_timer all_ended_;  // never expires by itself; cancelled when the last lane ends
  bool stopping_ = false;
};

}  // namespace connector::app
