#pragma once

// Where the buckets of time begin in which a service answers: of one length, counted from midnight, of UTC or by the clock of a
// time zone. A part of a bucket has other figures than the whole, so that whatever is asked for is of whole ones. A value; pure.

#include "common/instant.h"
#include "common/time_zone.h"

#include <chrono>
#include <cstddef>
#include <optional>

namespace connector::core {

class Buckets {
 public:
  Buckets() = default;  // none: any instant begins a window
  // From midnight UTC; divides a day.
  explicit Buckets(common::Duration length) : length_(length), longest_(length) {}
  // By the clock of the zone. A day begins with the first instant of its date: it has 23 or 25 hours where the clock changes, and
  // a date that is left out has none. A shorter bucket begins where the clock comes to a multiple of its length since midnight:
  // what is shown twice is two buckets if it is of whole ones, else it makes one longer.
  Buckets(common::Duration length, const common::TimeZone& zone);

  explicit operator bool() const { return length_ > common::Duration{0}; }
  // As the clock shows it.
  [[nodiscard]] common::Duration length() const { return length_; }
  // They begin elsewhere than in UTC: such are asked for one by one, each as the whole of its window, since a service that is to
  // cut a window for itself might cut it otherwise.
  [[nodiscard]] bool is_local() const { return zone_.has_value(); }
  // Of all of them, however clocks change.
  [[nodiscard]] common::Duration longest() const { return longest_; }

  // The one that holds the instant. There are buckets.
  [[nodiscard]] common::Interval at(common::Instant instant) const;
  // Where it begins; the instant itself without buckets.
  [[nodiscard]] common::Instant start_of(common::Instant instant) const;
  // Where it ends; the instant itself if one begins there, or without buckets.
  [[nodiscard]] common::Instant end_of(common::Instant instant) const;
  // All that the interval touches.
  [[nodiscard]] common::Interval whole(const common::Interval& interval) const;
  // What no window reaches beyond: the UTC day, or of local ones the bucket.
  [[nodiscard]] common::Interval bound_of(common::Instant instant) const;

 private:
  [[nodiscard]] common::Interval local_day(common::Instant instant, std::chrono::sys_days& date) const;
  [[nodiscard]] common::Instant midnight(std::chrono::sys_days date) const;
  [[nodiscard]] std::size_t offset_at(common::Instant instant) const;

  common::Duration length_{0};
  common::Duration longest_{0};
  std::optional<common::TimeZone> zone_;
};

}  // namespace connector::core
