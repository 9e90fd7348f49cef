#include "connector/core/retry/retry_policy.h"

#include <algorithm>
#include <cmath>

namespace connector::core {

using common::Duration;
using common::ErrorCode;

bool is_retryable(ErrorCode code) {
  return code == ErrorCode::kRetryable || code == ErrorCode::kRateLimited || code == ErrorCode::kMalformedResponse;
}

Duration jittered_delay(Duration initial, Duration max, std::uint32_t failures, double chance) {
  // 2^30 × 1 ms is twelve days: beyond it only the cap counts, and the product stays in range.
  const double grown = static_cast<double>(initial.count()) * std::exp2(std::min(failures, 30U));
  const double bounded = std::min(grown, static_cast<double>(max.count()));
  return Duration{static_cast<Duration::rep>(bounded * chance)};
}

std::optional<Duration> RetryPolicy::next_delay(const common::Error& error, double chance, common::SteadyTime now) {
  if (!is_retryable(error.code)) {
    return std::nullopt;
  }
  Duration delay = jittered_delay(settings_.initial, settings_.max, failures_, chance);
  if (error.retry_after) {
    // Never earlier than asked; the jitter on top keeps those who were told the same from coming back together.
    delay = *error.retry_after + std::min(delay, settings_.initial);
  }
  ++failures_;
  if (now + delay > deadline()) {
    return std::nullopt;
  }
  return delay;
}

}  // namespace connector::core
