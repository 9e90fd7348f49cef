#pragma once

// How many of the last records of a source partition were dead letters, and whether the next ones make it too many. Pure.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

namespace connector::core {

struct ThresholdRules {
  std::uint32_t stop_after = 0;  // dead letters; 0: no threshold
  std::uint32_t of_last = 1'000;
};

class Threshold {
 public:
  explicit Threshold(ThresholdRules rules) : rules_(rules) {}

  // Places of the dead letters among the records that follow those committed, ascending. How many dead letters were among the
  // last `of_last` records when there were too many; 0: there never are.
  [[nodiscard]] std::size_t reached_by(std::span<const std::size_t> dead) const;
  // `records` have followed, dead letters included.
  void commit(std::size_t records, std::span<const std::size_t> dead);

 private:
  ThresholdRules rules_;
  std::uint64_t seen_ = 0;          // records
  std::deque<std::uint64_t> dead_;  // which of them, as far as they are among the last; fewer than stop_after
};

}  // namespace connector::core
