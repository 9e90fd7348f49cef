#pragma once

// What a lane has never read and cannot any more, since the service keeps it no longer: the newest 64 ranges, and when the last
// of them was given up. A value; pure.

#include "common/instant.h"
#include "connector/core/ledger/interval_set.h"

#include <cstddef>
#include <optional>

namespace connector::core {

class LostRanges {
 public:
  static constexpr std::size_t kMax = 64;

  LostRanges() = default;
  // As stored: a release before there was `at` wrote none.
  LostRanges(IntervalSet ranges, std::optional<common::Instant> at);

  [[nodiscard]] const IntervalSet& ranges() const { return ranges_; }
  // When the last of it was given up. None: nothing is lost, or it is not known when.
  [[nodiscard]] std::optional<common::Instant> at() const { return at_; }

  // What of `window` had never been read, nor given up before.
  void add(const common::Interval& window, const IntervalSet& complete, std::optional<common::Instant> at);
  // It was read after all, or is to be.
  void remove(const common::Interval& window);
  friend bool operator==(const LostRanges&, const LostRanges&) = default;

 private:
  IntervalSet ranges_;
  std::optional<common::Instant> at_;
};

}  // namespace connector::core
