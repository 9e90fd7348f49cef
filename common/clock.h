#pragma once

// The only door to time. Core takes `now` as an argument; shells hold a Clock&. Wall clock for what is asked of the service,
// steady clock for durations. `sleep_until` ends early with kCancelled when its coroutine is cancelled (Asio cancellation) or the
// clock is stopped.

#include "common/instant.h"
#include "common/result.h"

#include <boost/asio/awaitable.hpp>
#include <chrono>

namespace common {

using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant utc_now() const = 0;
  [[nodiscard]] virtual SteadyTime steady_now() const = 0;
  virtual boost::asio::awaitable<Result<void>> sleep_until(SteadyTime deadline) = 0;

  boost::asio::awaitable<Result<void>> sleep_for(Duration duration) { return sleep_until(steady_now() + duration); }
};

// The machine's clocks; sleeps on the awaiting coroutine's executor.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant utc_now() const override;
  [[nodiscard]] SteadyTime steady_now() const override;
  boost::asio::awaitable<Result<void>> sleep_until(SteadyTime deadline) override;
};

}  // namespace common
