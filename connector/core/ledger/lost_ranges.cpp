#include "connector/core/ledger/lost_ranges.h"

#include <algorithm>
#include <utility>

namespace connector::core {

LostRanges::LostRanges(IntervalSet ranges, std::optional<common::Instant> at) : ranges_(std::move(ranges)) {
  if (!ranges_.intervals().empty()) at_ = at;
}

void LostRanges::add(const common::Interval& window, const IntervalSet& complete, std::optional<common::Instant> at) {
  IntervalSet unread;
  unread.add(window);
  for (const common::Interval& read : complete.intervals())
    unread.remove(read);  // (what was lost before counts as complete, too)
  if (unread.intervals().empty()) return;
  for (const common::Interval& lost : unread.intervals()) ranges_.add(lost);
  while (ranges_.intervals().size() > kMax) ranges_.remove(ranges_.intervals().front());
  at_ = std::max(at_, at);
}

void LostRanges::remove(const common::Interval& window) {
  ranges_.remove(window);
  if (ranges_.intervals().empty()) at_.reset();
}

}  // namespace connector::core
