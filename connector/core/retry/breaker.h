#pragma once

// Circuit breaker of one host: after some failures in a row nothing is sent for a while, then one probe at a time decides. A
// failure is an attempt that got no usable answer (transport, 5xx); any answer that shows the host well, 429 and other 4xx
// included, is a success here. Decisions only.

#include "common/clock.h"
#include "connector/core/ports/metrics.h"

#include <cstdint>
#include <optional>

namespace connector::core {

struct BreakerSettings {
  std::uint32_t failures = 5;
  common::Duration open{30'000};
  common::Duration max_open{300'000};
};

class Breaker {
 public:
  explicit Breaker(const BreakerSettings& settings) : settings_(settings) {}

  // Nothing if a request may be sent now, else when to ask again.
  [[nodiscard]] std::optional<common::SteadyTime> wait_until(common::SteadyTime now) const;
  // A request is being sent. Precondition: wait_until(now) was empty. In half-open state it is the probe.
  void on_sent(common::SteadyTime now);
  void on_success();
  void on_failure(common::SteadyTime now);
  // The request ended without telling anything about the host (cancelled): the next one may probe.
  void on_abandoned();

  [[nodiscard]] BreakerState state(common::SteadyTime now) const;

 private:
  BreakerSettings settings_;
  std::uint32_t failures_ = 0;                    // in a row
  std::optional<common::SteadyTime> open_until_;  // set: open, or half-open once it is past
  common::Duration open_for_{0};
  bool probing_ = false;
};

}  // namespace connector::core
