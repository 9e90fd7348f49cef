#include "connector/core/ledger/interval_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace connector::core {

namespace {

// The first interval that ends after `instant`: the only one that can contain it.
auto first_ending_after(const std::vector<common::Interval>& intervals, common::Instant instant) {
  return std::ranges::upper_bound(intervals, instant, {}, &common::Interval::end);
}

}  // namespace

void IntervalSet::add(common::Interval interval) {
  if (interval.empty()) return;
  // Everything that overlaps or touches: from the first that ends at or after our start to the last that starts at or before our
  // end.
  const auto first = std::ranges::lower_bound(intervals_, interval.start, {}, &common::Interval::end);
  auto last = first;
  while (last != intervals_.end() && last->start <= interval.end) {
    interval.start = std::min(interval.start, last->start);
    interval.end = std::max(interval.end, last->end);
    ++last;
  }
  intervals_.insert(intervals_.erase(first, last), interval);
}

void IntervalSet::remove(const common::Interval& interval) {
  if (interval.empty()) return;
  std::vector<common::Interval> left;
  for (const common::Interval& kept : intervals_) {
    const common::Interval before{.start = kept.start, .end = std::min(kept.end, interval.start)};
    const common::Interval after{.start = std::max(kept.start, interval.end), .end = kept.end};
    if (!before.empty()) left.push_back(before);
    if (!after.empty()) left.push_back(after);
  }
  intervals_ = std::move(left);
}

bool IntervalSet::covers(const common::Interval& interval) const {
  if (interval.empty()) return true;
  const auto found = first_ending_after(intervals_, interval.start);
  return found != intervals_.end() && found->start <= interval.start && interval.end <= found->end;
}

std::optional<common::Interval> IntervalSet::first_gap(const common::Interval& within) const {
  if (within.empty()) return std::nullopt;
  common::Interval gap = within;
  auto next = first_ending_after(intervals_, within.start);
  if (next != intervals_.end() && next->start <= within.start) {
    gap.start = next->end;
    ++next;
  }
  if (next != intervals_.end()) gap.end = std::min(gap.end, next->start);
  if (gap.empty()) return std::nullopt;
  return gap;
}

std::optional<common::Interval> IntervalSet::last_gap(const common::Interval& within) const {
  common::Interval gap = within;
  // The last interval that begins before our end: the only one that can cover it.
  auto next = std::ranges::lower_bound(intervals_, within.end, {}, &common::Interval::start);
  if (next != intervals_.begin() && std::prev(next)->end >= within.end) {
    --next;
    gap.end = next->start;
  }
  if (next != intervals_.begin()) gap.start = std::max(gap.start, std::prev(next)->end);
  if (gap.empty()) return std::nullopt;
  return gap;
}

bool IntervalSet::overlaps(const common::Interval& interval) const {
  if (interval.empty()) return false;
  const auto found = first_ending_after(intervals_, interval.start);
  return found != intervals_.end() && found->start < interval.end;
}

common::Instant IntervalSet::prefix_end(common::Instant start) const {
  const auto found = first_ending_after(intervals_, start);
  return found != intervals_.end() && found->start <= start ? found->end : start;
}

common::Duration IntervalSet::length() const {
  common::Duration length{0};
  for (const common::Interval& interval : intervals_) length += interval.length();
  return length;
}

}  // namespace connector::core
