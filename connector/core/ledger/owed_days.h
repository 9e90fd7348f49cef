#pragma once

// Days whose jobs have not seen a state that was read by other means: each is settled again as soon as the service guarantees its
// data up to that read. Sorted, disjoint and bounded; what does not fit is joined with its neighbour, never dropped. Pure value.

#include "common/instant.h"

#include <cstddef>
#include <vector>

namespace connector::core {

struct OwedDay {
  common::Interval window;
  common::Instant since;  // of the earliest read that is owed: due when availability lies beyond it
  common::Instant after;  // of the latest: paid by a pass whose availability lies beyond it
  friend bool operator==(const OwedDay&, const OwedDay&) = default;
};

class OwedDays {
 public:
  static constexpr std::size_t kMax = 64;

  // Joins with what is owed already: the earlier `since`, the later `after`. An empty window is ignored.
  void add(const OwedDay& owed);
  // A pass over `window` read data that is complete up to `availability`.
  void pay(const common::Interval& window, common::Instant availability);
  [[nodiscard]] const std::vector<OwedDay>& days() const { return days_; }
  friend bool operator==(const OwedDays&, const OwedDays&) = default;

 private:
  void append(const OwedDay& owed);
  void bound();

  std::vector<OwedDay> days_;
};

}  // namespace connector::core
