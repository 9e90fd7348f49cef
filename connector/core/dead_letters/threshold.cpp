#include "connector/core/dead_letters/threshold.h"

namespace connector::core {

std::size_t Threshold::reached_by(std::span<const std::size_t> dead) const {
  if (rules_.stop_after == 0) return 0;
  std::deque<std::uint64_t> last = dead_;
  for (const std::size_t place : dead) {
    const std::uint64_t number = seen_ + place;
    last.push_back(number);
    while (last.front() + rules_.of_last <= number) last.pop_front();
    if (last.size() >= rules_.stop_after) return last.size();
  }
  return 0;
}

void Threshold::commit(std::size_t records, std::span<const std::size_t> dead) {
  if (rules_.stop_after == 0) return;
  for (const std::size_t place : dead) dead_.push_back(seen_ + place);
  seen_ += records;
  while (!dead_.empty() && dead_.front() + rules_.of_last < seen_ + 1) dead_.pop_front();
}

}  // namespace connector::core
