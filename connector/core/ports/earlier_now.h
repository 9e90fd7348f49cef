#pragma once

// The present by the earlier of the host's and the service's clock: what is due, and what is over, goes by it (clocks.h says
// why).

#include "common/clock.h"
#include "connector/core/planning/clocks.h"
#include "connector/core/ports/api.h"

namespace connector::core {

inline common::Instant earlier_now(const common::Clock& clock, const Api& api) {
  return earlier_clock(clock.utc_now(), api.clock_skew());
}

}  // namespace connector::core
