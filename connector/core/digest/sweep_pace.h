#pragma once

// When the next step of the search for entries that are not needed any more is taken. Rarely; but where many have come to their
// end (history is being caught up) one step after the other, taking turns with the pages that wait, and then soon, until all
// entries have been looked at without finding any. Plain value.

#include "common/clock.h"
#include "common/instant.h"

#include <cstddef>

namespace connector::core {

class SweepPace {
 public:
  SweepPace(common::Duration every, common::Duration soon) : every_(every), soon_(soon) {}

  // `pages_wait`: what is to be published could go now; if this says no because of that, it does.
  bool is_due(common::SteadyTime now, bool pages_wait) {
    if (now < next_) return false;
    if (!yields_ || !pages_wait) return true;
    yields_ = false;
    return false;
  }
  // A step has found something. `steps_a_round`: that look at every entry once.
  void found(common::SteadyTime now, std::size_t steps_a_round) {
    next_ = now;
    yields_ = true;
    soon_steps_ = steps_a_round;
  }
  void found_nothing(common::SteadyTime now) {
    yields_ = false;
    next_ = now + (soon_steps_ > 0 ? soon_ : every_);
    if (soon_steps_ > 0) --soon_steps_;
  }
  [[nodiscard]] common::SteadyTime next() const { return next_; }

 private:
  common::Duration every_;
  common::Duration soon_;
  common::SteadyTime next_{};
  bool yields_ = false;
  std::size_t soon_steps_ = 0;
};

}  // namespace connector::core
