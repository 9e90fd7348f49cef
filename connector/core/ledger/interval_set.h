#pragma once

// Sorted, disjoint, coalesced half-open intervals: what a lane has completed. Pure value.

#include "common/instant.h"

#include <optional>
#include <vector>

namespace connector::core {

class IntervalSet {
 public:
  // Adds and joins with whatever it touches; an empty interval is ignored.
  void add(common::Interval interval);
  void remove(const common::Interval& interval);
  [[nodiscard]] bool covers(const common::Interval& interval) const;
  // The first part of `within` that is not covered, cut at the next covered interval.
  [[nodiscard]] std::optional<common::Interval> first_gap(const common::Interval& within) const;
  // The last part of `within` that is not covered, from the end of the covered interval before it.
  [[nodiscard]] std::optional<common::Interval> last_gap(const common::Interval& within) const;
  [[nodiscard]] bool overlaps(const common::Interval& interval) const;
  // End of the gap-free prefix that begins at `start`; `start` itself if nothing covers it.
  [[nodiscard]] common::Instant prefix_end(common::Instant start) const;
  [[nodiscard]] const std::vector<common::Interval>& intervals() const { return intervals_; }
  // Of all of them together.
  [[nodiscard]] common::Duration length() const;
  friend bool operator==(const IntervalSet&, const IntervalSet&) = default;

 private:
  std::vector<common::Interval> intervals_;
};

}  // namespace connector::core
