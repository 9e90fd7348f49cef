#pragma once

// Which clock to believe when the host's and the service's differ. Pure.

#include "common/instant.h"

#include <algorithm>

namespace connector::core {

// A ledger advances only to the earlier of both clocks: a host that runs ahead must not skip what has not happened yet for the
// service, and one that lags must not be taken for the present. `skew` = service minus host.
inline common::Instant earlier_clock(common::Instant host, common::Duration skew) {
  return host + std::min(skew, common::Duration{0});
}

// When something began that has taken `elapsed` since, by what is known of the clocks now: `then` was read off a clock that may
// have jumped ahead since the last answer.
inline common::Instant began_at(common::Instant then, common::Instant now, common::Duration elapsed) {
  return std::min(then, now - elapsed);
}

}  // namespace connector::core
