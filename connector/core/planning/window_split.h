#pragma once

// Whether a window fits into memory and under the service's depth, and into what parts it is cut if not. Pure.

#include "common/instant.h"

#include <cstdint>

namespace connector::core {

struct WindowLimits {
  std::uint64_t memory_bytes = 0;
  std::uint64_t max_depth = 0;  // rows the service pages through; 0: no bound known
  common::Duration min_window{1'000};
};

enum class WindowFit : std::uint8_t {
  kFits,
  kSplit,       // read parts of `part` length instead
  kPageByPage,  // cannot be split further and does not fit in memory: commit each page with its position
  kTooDeep,     // cannot be split further and lies deeper than the service pages
};

struct SplitPlan {
  WindowFit fit = WindowFit::kFits;
  common::Duration part{0};
};

// `total` rows are promised, at about `bytes_per_record` each.
SplitPlan plan_split(const common::Interval& window, std::uint64_t total, std::uint64_t bytes_per_record,
                     const WindowLimits& limits);

// The window's half, rounded up to a whole millisecond and not below `min_window`; zero if it cannot be cut.
common::Duration half_of(const common::Interval& window, common::Duration min_window);

}  // namespace connector::core
