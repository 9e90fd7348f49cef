#include "connector/core/planning/window_split.h"

#include <algorithm>

namespace connector::core {

using common::Duration;
using common::Interval;

Duration half_of(const Interval& window, Duration min_window) {
  if (window.length() <= min_window) return Duration{0};
  return std::max((window.length() + Duration{1}) / 2, min_window);
}

SplitPlan plan_split(const Interval& window, std::uint64_t total, std::uint64_t bytes_per_record, const WindowLimits& limits) {
  const std::uint64_t in_memory = std::max<std::uint64_t>(limits.memory_bytes / std::max<std::uint64_t>(bytes_per_record, 1), 1);
  const std::uint64_t bound = limits.max_depth == 0 ? in_memory : std::min(in_memory, limits.max_depth);
  if (total <= bound) return {};
  if (window.length() <= limits.min_window) {
    const bool too_deep = limits.max_depth != 0 && total > limits.max_depth;
    return {.fit = too_deep ? WindowFit::kTooDeep : WindowFit::kPageByPage};
  }
  // Each cut costs the request that found it out, so the parts are made at once, a quarter smaller than the average asks for:
  // records do not lie evenly in time. One cut makes 64 parts at most; those still too full are cut again.
  constexpr std::uint64_t kMaxParts = 64;
  const std::uint64_t parts = std::clamp<std::uint64_t>(total / bound + total / bound / 4 + 1, 2, kMaxParts);
  const Duration part{(window.length().count() + static_cast<Duration::rep>(parts) - 1) / static_cast<Duration::rep>(parts)};
  return {.fit = WindowFit::kSplit, .part = std::max(part, limits.min_window)};
}

}  // namespace connector::core
