#pragma once

// A clock that stands still until the test moves it. Sleepers wake in the order of their deadlines; nothing waits for real time.
// Use it with an io_context that the test turns with poll(): `run_for` does both.

#include "common/clock.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>

namespace tests::support {

class ManualClock final : public common::Clock {
 public:
  explicit ManualClock(common::Instant start = common::Instant(std::chrono::sys_days(std::chrono::year{2026} / 5 / 4)))
      : utc_(start) {}

  [[nodiscard]] common::Instant utc_now() const override { return utc_; }
  [[nodiscard]] common::SteadyTime steady_now() const override { return steady_; }

  boost::asio::awaitable<common::Result<void>> sleep_until(common::SteadyTime deadline) override {
    const auto before = co_await boost::asio::this_coro::cancellation_state;
    if (before.cancelled() != boost::asio::cancellation_type::none) {
      co_return common::fail(common::ErrorCode::kCancelled, "sleep cancelled");
    }
    // Shared: the map wakes it, the coroutine waits on it, either may be gone first.
    const auto sleeper = std::make_shared<Sleeper>(co_await boost::asio::this_coro::executor);
    if (deadline <= steady_) {
      sleeper->woken = true;
      sleeper->event.expires_at(common::SteadyTime::min());  // through the loop, as a real timer
    } else {
      sleepers_.emplace(deadline, sleeper);
    }
    co_await sleeper->event.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (!sleeper->woken) {
      std::erase_if(sleepers_, [&](const auto& entry) { return entry.second == sleeper; });
      co_return common::fail(common::ErrorCode::kCancelled, "sleep cancelled");
    }
    co_return common::Result<void>{};
  }

  // Both clocks go on by `duration`; everybody whose deadline is reached wakes, earliest first, when the test polls its
  // io_context.
  void advance(common::Duration duration) {
    const auto until = steady_ + duration;
    while (!sleepers_.empty() && sleepers_.begin()->first <= until) {
      const auto sleeper = sleepers_.begin()->second;
      sleepers_.erase(sleepers_.begin());
      sleeper->woken = true;
      sleeper->event.cancel();
    }
    steady_ = until;
    utc_ += duration;
  }
  // The wall clock alone is set, as an administrator or NTP does.
  void set_utc(common::Instant instant) { utc_ = instant; }

  // Lets `duration` pass as it really would: stops at every deadline on the way and runs what woke there.
  void run_for(boost::asio::io_context& io, common::Duration duration) {
    poll(io);
    const auto until = steady_ + duration;
    while (const auto next = next_deadline()) {
      if (*next > until) {
        break;
      }
      advance(std::chrono::ceil<common::Duration>(*next - steady_));
      poll(io);
    }
    if (steady_ < until) {
      advance(std::chrono::ceil<common::Duration>(until - steady_));
    }
    poll(io);
  }

  [[nodiscard]] std::size_t sleepers() const { return sleepers_.size(); }
  [[nodiscard]] std::optional<common::SteadyTime> next_deadline() const {
    return sleepers_.empty() ? std::nullopt : std::optional(sleepers_.begin()->first);
  }

 private:
  struct Sleeper {
    explicit Sleeper(const boost::asio::any_io_executor& executor) : event(executor, common::SteadyTime::max()) {}
    boost::asio::steady_timer event;  // never expires: cancelled to wake
    bool woken = false;
  };

  static void poll(boost::asio::io_context& io) {
    io.restart();
    io.poll();
  }

  common::Instant utc_;
  common::SteadyTime steady_{std::chrono::hours{1000}};  // an arbitrary origin, far from the edges
  std::multimap<common::SteadyTime, std::shared_ptr<Sleeper>> sleepers_;
};

}  // namespace tests::support
