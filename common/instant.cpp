#include "common/instant.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <limits>

namespace common {
namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

// Reads fixed fields from the left; after the first mismatch every further read fails too.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool literal(char expected) {
    if (!ok_ || rest_.empty() || rest_.front() != expected) {
      return ok_ = false;
    }
    rest_.remove_prefix(1);
    return true;
  }
  bool literal(std::string_view expected) {
    if (!ok_ || !rest_.starts_with(expected)) {
      return ok_ = false;
    }
    rest_.remove_prefix(expected.size());
    return true;
  }
  int number(std::size_t digits) {
    int value = 0;
    if (!ok_ || rest_.size() < digits) {
      ok_ = false;
      return 0;
    }
    for (const char digit : rest_.substr(0, digits)) {
      if (digit < '0' || digit > '9') {
        ok_ = false;
        return 0;
      }
      value = value * 10 + (digit - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  // The digits of a fraction of a second, as whole milliseconds.
  Duration fraction() {
    Duration value{0};
    Duration unit{100};
    std::size_t digits = 0;
    while (digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9') {
      value += unit * (rest_[digits] - '0');
      unit /= 10;
      ++digits;
    }
    ok_ = ok_ && digits > 0;
    rest_.remove_prefix(digits);
    return value;
  }
  [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }
  void refuse() { ok_ = false; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

Duration time_of_day(Scanner& scanner) {
  const int hours = scanner.number(2);
  scanner.literal(':');
  const int minutes = scanner.number(2);
  scanner.literal(':');
  const int seconds = scanner.number(2);
  if (hours > 23 || minutes > 59 || seconds > 59) {
    scanner.refuse();
  }
  return std::chrono::hours{hours} + std::chrono::minutes{minutes} + std::chrono::seconds{seconds};
}

Duration offset_from_utc(Scanner& scanner) {
  if (scanner.peek() == 'Z') {
    scanner.literal('Z');
    return Duration{0};
  }
  const bool east = scanner.peek() == '+';
  scanner.literal(east ? '+' : '-');
  const int hours = scanner.number(2);
  scanner.literal(':');
  const int minutes = scanner.number(2);
  if (hours > 23 || minutes > 59) {
    scanner.refuse();
  }
  const Duration offset = std::chrono::hours{hours} + std::chrono::minutes{minutes};
  return east ? offset : -offset;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 64;
  std::string result = "\"";
  result.append(text.substr(0, kShown)).append(text.size() > kShown ? "…\"" : "\"");
  return result;
}

struct Unit {
  std::string_view name;
  Duration length;
};
constexpr std::array kUnits = {
    Unit{.name = "d", .length = std::chrono::days{1}},
    Unit{.name = "h", .length = std::chrono::hours{1}},
    Unit{.name = "m", .length = std::chrono::minutes{1}},
    Unit{.name = "s", .length = std::chrono::seconds{1}},
    Unit{.name = "ms", .length = Duration{1}},
};

}  // namespace

Result<Instant> parse_instant(std::string_view text) {
  Scanner scanner(text);
  const int years = scanner.number(4);
  scanner.literal('-');
  const int months = scanner.number(2);
  scanner.literal('-');
  const int days = scanner.number(2);
  scanner.literal('T');
  Duration time = time_of_day(scanner);
  if (scanner.peek() == '.') {
    scanner.literal('.');
    time += scanner.fraction();
  }
  const Duration offset = offset_from_utc(scanner);
  const year_month_day date(year{years}, month{static_cast<unsigned>(months)}, day{static_cast<unsigned>(days)});
  if (!scanner.at_end() || !date.ok()) {
    return fail(ErrorCode::kMalformedResponse, quoted(text) + " is not an instant such as 2026-05-04T09:12:03.386Z (RFC 3339)");
  }
  return Instant(sys_days(date)) + time - offset;
}

std::string format_instant(Instant instant, bool always_fraction) {
  const auto days = std::chrono::floor<std::chrono::days>(instant);
  const year_month_day date(days);
  const std::chrono::hh_mm_ss<Duration> time(instant - days);
  std::array<char, 48> buffer{};
  const int date_length = std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                                        static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                        static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                                        static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  std::string text(buffer.data(), static_cast<std::size_t>(date_length));
  if (always_fraction || time.subseconds().count() != 0) {
    const int length = std::snprintf(buffer.data(), buffer.size(), ".%03d", static_cast<int>(time.subseconds().count()));
    text.append(buffer.data(), static_cast<std::size_t>(length));
  }
  return text + 'Z';
}

std::string format_interval(const Interval& interval) {
  return format_instant(interval.start) + '/' + format_instant(interval.end);
}

Result<Interval> parse_interval(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    return fail(ErrorCode::kMalformedResponse, quoted(text) + " is not an interval: start/end");
  }
  const auto start = parse_instant(text.substr(0, slash));
  if (!start) {
    return fail(start.error());
  }
  const auto end = parse_instant(text.substr(slash + 1));
  if (!end) {
    return fail(end.error());
  }
  if (*end < *start) {
    return fail(ErrorCode::kMalformedResponse, quoted(text) + " is not an interval: its end is before its start");
  }
  return Interval{.start = *start, .end = *end};
}

Result<Duration> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit_name(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
  for (const auto& unit : kUnits) {
    if (error == std::errc{} && count >= 0 && unit.name == unit_name) {
      if (count > std::numeric_limits<std::int64_t>::max() / unit.length.count()) {
        break;
      }
      return unit.length * count;
    }
  }
  return fail(ErrorCode::kConfigInvalid,
              quoted(text) + " is not a duration: a whole number and one of ms, s, m, h, d, such as 90s");
}

std::string format_duration(Duration duration) {
  if (duration == Duration{0}) {
    return "0s";
  }
  for (const auto& unit : kUnits) {
    if (duration % unit.length == Duration{0}) {
      return std::to_string(duration / unit.length) + std::string(unit.name);
    }
  }
  std::unreachable();  // every duration is a whole number of milliseconds
}

Instant start_of_day(Instant instant) {
  return std::chrono::floor<std::chrono::days>(instant);
}

Instant from_time_t(std::int64_t unix_seconds) {
  return Instant(std::chrono::seconds{unix_seconds});
}

Result<Instant> parse_http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  Scanner scanner(text);
  const std::string_view day_name = text.substr(0, 3);
  scanner.literal(day_name);
  scanner.literal(", ");
  const int days = scanner.number(2);
  scanner.literal(' ');
  const std::string_view month_name = scanner.rest().substr(0, 3);
  scanner.literal(month_name);
  scanner.literal(' ');
  const int years = scanner.number(4);
  scanner.literal(' ');
  const Duration time = time_of_day(scanner);
  scanner.literal(" GMT");
  unsigned month_number = 0;
  for (unsigned index = 0; index < kMonths.size(); ++index) {
    if (kMonths[index] == month_name) {
      month_number = index + 1;
    }
  }
  const year_month_day date(year{years}, month{month_number}, day{static_cast<unsigned>(days)});
  // The name of the day is redundant: a server that gets it wrong still means the date.
  if (!scanner.at_end() || !date.ok() || std::ranges::find(kDays, day_name) == kDays.end()) {
    return fail(ErrorCode::kMalformedResponse, quoted(text) + " is not an HTTP date such as Sun, 06 Nov 1994 08:49:37 GMT");
  }
  return Instant(sys_days(date)) + time;
}

}  // namespace common
