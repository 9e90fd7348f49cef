#pragma once

// What the follow lane's planner is set to: by the lane, and by `plan`, which estimates what it costs. Pure.

#include "connector/core/planning/follow_planner.h"
#include "connector/source/options.h"

#include <algorithm>
#include <cstddef>

namespace connector::source {

inline core::FollowOptions follow_settings(const FollowOptions& follow, int max_ids) {
  core::FollowOptions settings{.every = follow.every, .max = follow.max, .quiet = follow.quiet, .give_up = follow.give_up};
  // Who wants records every few seconds does not want them to wait for others.
  settings.gather = std::min(settings.gather, follow.every / 2);
  settings.max_ids = static_cast<std::size_t>(max_ids);
  return settings;
}

}  // namespace connector::source
