#pragma once

// How long a lane waits before it tries a failed window again: doubling from `initial` to `max`, full jitter over the upper half.
// (The retries of a single request are connector/core/retry's.) A plain value; chance is an argument.

#include "common/instant.h"

#include <algorithm>
#include <cstdint>

namespace connector::core {

struct LaneBackoffOptions {
  common::Duration initial{5'000};
  common::Duration max{300'000};
};

class LaneBackoff {
 public:
  explicit LaneBackoff(LaneBackoffOptions options = {}) : options_(options) {}

  // `chance` in [0, 1).
  common::Duration next(double chance) {
    const std::uint32_t doublings = std::min<std::uint32_t>(failures_++, 20);
    const auto ceiling = std::min<common::Duration::rep>(options_.initial.count() << doublings, options_.max.count());
    return common::Duration{ceiling / 2 +
                            static_cast<common::Duration::rep>(static_cast<double>(ceiling - ceiling / 2) * chance)};
  }
  // For what only an operator can mend (a permission, the request itself): slowly from the first time on.
  [[nodiscard]] common::Duration slow() {
    ++failures_;
    return options_.max;
  }
  void reset() { failures_ = 0; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }

 private:
  LaneBackoffOptions options_;
  std::uint32_t failures_ = 0;
};

}  // namespace connector::core
