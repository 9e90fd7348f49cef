#include "connector/core/planning/buckets.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>

namespace connector::core {

using common::Duration;
using common::Instant;
using common::Interval;
using std::chrono::days;
using std::chrono::sys_days;

namespace {

std::int64_t floor_divide(Duration duration, Duration length) {
  const std::int64_t quotient = duration / length;
  return duration % length < Duration{0} ? quotient - 1 : quotient;
}

}  // namespace

Buckets::Buckets(Duration length, const common::TimeZone& zone) : length_(length), longest_(length) {
  if (zone.step() % length == Duration{0}) return;  // they begin where UTC's do
  zone_ = zone;
  for (const auto& change : zone.offsets()) {
    for (const Instant instant : {change.from - Duration{1}, change.from}) longest_ = std::max(longest_, at(instant).length());
  }
}

Instant Buckets::start_of(Instant instant) const {
  return *this ? at(instant).start : instant;
}

Instant Buckets::end_of(Instant instant) const {
  if (!*this) return instant;
  const Interval bucket = at(instant);
  return bucket.start == instant ? instant : bucket.end;
}

Interval Buckets::whole(const Interval& interval) const {
  return {.start = start_of(interval.start), .end = end_of(interval.end)};
}

Interval Buckets::bound_of(Instant instant) const {
  if (is_local()) return at(instant);
  const Instant day = common::start_of_day(instant);
  return {.start = day, .end = day + days{1}};
}

std::size_t Buckets::offset_at(Instant instant) const {
  const auto& offsets = zone_->offsets();
  const auto next = std::ranges::upper_bound(offsets, instant, {}, &common::TimeZone::Offset::from);
  return next == offsets.begin() ? 0 : static_cast<std::size_t>(std::distance(offsets.begin(), next)) - 1;
}

// The first instant at which the clock shows the date's midnight or, if that is left out, is beyond it.
Instant Buckets::midnight(sys_days date) const {
  constexpr Duration kFarthest = days{2};  // no zone is that far from UTC
  const auto& offsets = zone_->offsets();
  std::size_t i = offset_at(date - kFarthest);
  for (; i + 1 < offsets.size(); ++i) {
    if (offsets[i + 1].from + offsets[i].offset > date) break;
  }
  const Instant shown = date - offsets[i].offset;
  return i == 0 ? shown : std::max(offsets[i].from, shown);
}

Interval Buckets::local_day(Instant instant, sys_days& date) const {
  date = std::chrono::floor<days>(instant + zone_->offsets()[offset_at(instant)].offset);
  Interval day{.start = midnight(date), .end = midnight(date + days{1})};
  // Clocks that go back over midnight come to the day before once more: the day has begun all the same.
  while (day.end <= instant) {
    date += days{1};
    day = {.start = day.end, .end = midnight(date + days{1})};
  }
  return day;
}

Interval Buckets::at(Instant instant) const {
  if (!zone_) {
    const Instant day = common::start_of_day(instant);
    const Instant start = instant - (instant - day) % length_;
    return {.start = start, .end = start + length_};
  }
  sys_days date;
  const Interval day = local_day(instant, date);
  Interval bucket = day;
  const auto begins_at = [&](Instant edge) {
    if (edge <= instant) {
      bucket.start = std::max(bucket.start, edge);
    } else {
      bucket.end = std::min(bucket.end, edge);
    }
  };
  const auto& offsets = zone_->offsets();
  std::size_t i = offset_at(day.start);
  const auto shown_at = [&](Instant at) { return at + offsets[i].offset - Instant(date); };  // since midnight, by the clock
  Instant from = day.start;
  std::int64_t number = floor_divide(shown_at(from), length_);  // of the bucket that the day has come to
  for (;;) {
    const Instant until = i + 1 < offsets.size() ? std::min(offsets[i + 1].from, day.end) : day.end;
    const Instant first = from + ((number + 1) * length_ - shown_at(from));
    if (first < until) {
      const std::int64_t count = (until - first - Duration{1}) / length_ + 1;
      const std::int64_t passed = instant < first ? 0 : std::min<std::int64_t>((instant - first) / length_, count - 1);
      begins_at(first + passed * length_);
      if (passed + 1 < count) begins_at(first + (passed + 1) * length_);
      number += count;
    }
    if (until == day.end) return bucket;
    const Duration change = offsets[i + 1].offset - offsets[i].offset;
    ++i;
    from = until;
    // Whole buckets that are left out or come again change the numbers, and no more.
    if (change % length_ == Duration{0}) number += change / length_;
    if (const std::int64_t reached = floor_divide(shown_at(from), length_); reached > number) {
      begins_at(from);
      number = reached;
    }
  }
}

}  // namespace connector::core
