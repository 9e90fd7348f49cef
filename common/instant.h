#pragma once

// Points and spans of UTC time as the service and the configuration spell them. Pure functions, any thread.

#include "common/result.h"

#include <chrono>
#include <compare>
#include <string>
#include <string_view>

namespace common {

// Milliseconds: the finest resolution the service shows (docs/genesys-api.md, "Timestamps").
using Instant = std::chrono::sys_time<std::chrono::milliseconds>;
using Duration = std::chrono::milliseconds;

// Half-open: [start, end).
struct Interval {
  Instant start;
  Instant end;

  [[nodiscard]] bool empty() const { return start >= end; }
  [[nodiscard]] Duration length() const { return end - start; }
  [[nodiscard]] bool contains(Instant instant) const { return start <= instant && instant < end; }
  [[nodiscard]] bool overlaps(const Interval& other) const { return start < other.end && other.start < end; }
  friend auto operator<=>(const Interval&, const Interval&) = default;
};

// RFC 3339 with `Z` or an offset, fraction optional (`2024-04-29T04:10:03Z`, `…03.386Z`, `…03+02:00`); a date alone is refused.
// Digits beyond milliseconds are cut. kMalformedResponse names the text.
Result<Instant> parse_instant(std::string_view text);
// `2026-05-04T09:12:03.386Z`; the fraction is left out when it is zero and `always_fraction` is false.
std::string format_instant(Instant instant, bool always_fraction = true);
// `start/end`, the form of the analytics endpoints (docs/genesys-api.md, "Interval").
std::string format_interval(const Interval& interval);
Result<Interval> parse_interval(std::string_view text);

// `500ms`, `60s`, `10m`, `6h`, `7d`; a number without a unit is refused. kConfigInvalid says what is allowed.
Result<Duration> parse_duration(std::string_view text);
// The shortest exact spelling with one unit: `90s`, `10m`, `7d`.
std::string format_duration(Duration duration);

Instant start_of_day(Instant instant);  // 00:00 UTC of the same day
Instant from_time_t(std::int64_t unix_seconds);
// IMF-fixdate of HTTP's Date header (`Sun, 06 Nov 1994 08:49:37 GMT`).
Result<Instant> parse_http_date(std::string_view text);

}  // namespace common
