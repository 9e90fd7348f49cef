#pragma once

// Whether a failed attempt is tried again, and after how long: exponential with full jitter, bounded by a cap and a deadline,
// never before the service's Retry-After. It decides and does not sleep. One object per logical request.

#include "common/clock.h"
#include "common/result.h"

#include <cstdint>
#include <optional>

namespace connector::core {

struct RetrySettings {
  common::Duration initial{500};
  common::Duration max{60'000};
  common::Duration deadline{600'000};  // from the start; an attempt that would begin later is not made
};

// Transport failures, 408, 429, 5xx and answers that were damaged on the way; all else fails the same way again.
bool is_retryable(common::ErrorCode code);

class RetryPolicy {
 public:
  RetryPolicy(const RetrySettings& settings, common::SteadyTime start) : settings_(settings), start_(start) {}

  // Reports a failed attempt; `chance` is uniform in [0, 1). The delay before the next attempt, or nothing to give up.
  std::optional<common::Duration> next_delay(const common::Error& error, double chance, common::SteadyTime now);
  // Time that passed waiting for a turn (budget) is not the service's fault and moves the deadline.
  void extend(common::Duration waited) { start_ += waited; }
  [[nodiscard]] common::SteadyTime deadline() const { return start_ + settings_.deadline; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }

 private:
  RetrySettings settings_;
  common::SteadyTime start_;
  std::uint32_t failures_ = 0;
};

// min(max, initial × 2^failures) × chance: the delay without deadline or Retry-After.
common::Duration jittered_delay(common::Duration initial, common::Duration max, std::uint32_t failures, double chance);

}  // namespace connector::core
