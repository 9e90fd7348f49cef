#pragma once

// The data lake behind the jobs: how far its data is guaranteed. The date lags and moves in steps; faults may freeze it or move
// it back. One thread.

#include "tests/simulator/options.h"

#include <algorithm>
#include <optional>

namespace tests::simulator {

class Lake {
 public:
  explicit Lake(LakeOptions options) : options_(options) {}

  [[nodiscard]] Instant availability(Instant now) const {
    const Instant behind = std::min(now, frozen_at_.value_or(now)) - options_.lag - moved_back_;
    const Duration step = std::max(options_.step, Duration{1});
    return Instant{behind.time_since_epoch() / step * step};
  }
  // From now on the date stands still.
  void freeze(Instant now) {
    if (!frozen_at_) {
      frozen_at_ = now;
    }
  }
  void move_back(Duration by) { moved_back_ += by; }
  void recover() {
    frozen_at_.reset();
    moved_back_ = Duration::zero();
  }

 private:
  LakeOptions options_;
  std::optional<Instant> frozen_at_;
  Duration moved_back_{0};
};

}  // namespace tests::simulator
