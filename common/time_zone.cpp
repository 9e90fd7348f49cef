#include "common/time_zone.h"

#include <date/tz.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <numeric>

namespace common {

namespace {

// Streams begin in 2000 at the earliest, and their first day may have begun in the year before.
constexpr std::chrono::sys_seconds kFrom = std::chrono::sys_days{std::chrono::year{1999} / 1 / 1};
constexpr std::chrono::sys_seconds kUntil = std::chrono::sys_days{std::chrono::year{2100} / 1 / 1};

std::vector<TimeZone::Offset> offsets_of(const date::time_zone& zone) {
  std::vector<TimeZone::Offset> offsets;
  for (std::chrono::sys_seconds at = kFrom; at < kUntil;) {
    const date::sys_info info = zone.get_info(at);
    // A change of nothing but the name, or of what counts as summer, is none.
    if (offsets.empty() || offsets.back().offset != info.offset) offsets.push_back({.from = at, .offset = info.offset});
    if (info.end <= at) break;
    at = info.end;
  }
  return offsets;
}

// Files may give the changes of years to come as a rule instead of a list, which the library (3.0.1, 3.0.3) does not read: every
// zone would seem to have given up its summer time long ago, and days would silently begin at the wrong hour. Zones that change
// their clocks twice a year tell: one of them still does.
bool tells_the_future() {
  constexpr std::array<const char*, 4> kChanging = {"Europe/Berlin", "America/New_York", "Australia/Sydney", "America/Santiago"};
  const std::chrono::sys_seconds january = std::chrono::sys_days{std::chrono::year{2036} / 1 / 15};
  const std::chrono::sys_seconds july = std::chrono::sys_days{std::chrono::year{2036} / 7 / 15};
  return std::ranges::any_of(kChanging, [&](const char* name) {
    const date::time_zone* zone = date::locate_zone(name);
    return zone->get_info(january).offset != zone->get_info(july).offset;
  });
}

Error unusable(std::string why) {
  why.erase(why.find_last_not_of(" \n") + 1);
  return {.code = ErrorCode::kConfigInvalid,
          .message = "the time zone database of this system cannot be used: " + why + " (allowed: UTC, or install tzdata)",
          .retry_after = std::nullopt};
}

}  // namespace

Result<TimeZone> TimeZone::find(const std::string& name) {
  try {
    if (!tells_the_future()) return fail(unusable("it has no changes of clocks in years to come"));
  } catch (const std::exception& error) {
    return fail(unusable(error.what()));
  }
  const auto unknown =
      fail(ErrorCode::kConfigInvalid, "is not in the time zone database of this system (allowed: such as UTC or Europe/Berlin)");
  // A file beside the others, but no zone: whatever this host is set to, and the next one is not.
  if (name == "localtime") return unknown;
  try {
    return TimeZone(offsets_of(*date::locate_zone(name)));
  } catch (const std::exception&) {
    return unknown;
  }
}

Duration TimeZone::step() const {
  Duration::rep step = 0;
  for (const Offset& offset : offsets_) step = std::gcd(step, std::abs(offset.offset.count()));
  return Duration{step};
}

}  // namespace common
