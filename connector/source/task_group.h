#pragma once

// Coroutines that belong to one parent: it starts them, wakes when one ends, cancels them, and outlives them. One executor.

#include "common/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <exception>
#include <list>
#include <optional>
#include <utility>

namespace connector::source {

// A latch that one coroutine waits for and others set. A notification that comes while nobody waits is not lost.
class Event {
 public:
  explicit Event(const boost::asio::any_io_executor& executor);
  void notify();
  // Returns when notified, or when the waiting coroutine is cancelled.
  boost::asio::awaitable<void> wait();

 private:
  boost::asio::steady_timer timer_;
  bool set_ = false;
};

class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor executor);
  // Every child must have been joined.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void spawn(boost::asio::awaitable<void> child);
  [[nodiscard]] std::size_t size() const { return children_.size(); }
  // Returns when a child has ended since the last call, or wake() was called, or the caller was cancelled.
  boost::asio::awaitable<void> changed() { return changed_.wait(); }
  void wake() { changed_.notify(); }
  [[nodiscard]] bool has_thrown() const { return thrown_ != nullptr; }  // a child did: cancel_and_join() is due
  // Told by a child of what concerns all of them, before it ends; the first one counts.
  void fail(common::Error trouble) {
    if (!trouble_) trouble_ = std::move(trouble);
  }
  [[nodiscard]] const std::optional<common::Error>& trouble() const { return trouble_; }
  // Cancels every child (terminal) and waits for all of them, whatever happens to the caller. Rethrows what a child threw.
  boost::asio::awaitable<void> cancel_and_join();

 private:
  struct Child {
    boost::asio::cancellation_signal cancel;
  };

  boost::asio::any_io_executor executor_;
  std::list<Child> children_;  // a list: a signal must not move while its coroutine runs
  std::exception_ptr thrown_;
  std::optional<common::Error> trouble_;
  Event changed_;
};

}  // namespace connector::source
