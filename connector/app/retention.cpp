#include "connector/app/retention.h"

#include "connector/core/planning/retention.h"

#include <fmt/format.h>

#include <variant>

namespace connector::app {

std::optional<common::Instant> readable_from(const source::StreamOptions& stream, common::Instant now) {
  return core::readable_from({.kept = stream.retention, .buckets = stream.live.buckets}, now);
}

std::optional<std::string> problem_of_start(const source::StreamOptions& stream, common::Instant now) {
  const auto* start = std::get_if<common::Instant>(&stream.start);
  const auto since = core::kept_since({.kept = stream.retention}, now);
  if (start == nullptr || !since || *start >= *since) return std::nullopt;
  return fmt::format(
      "streams.{}.start ({}) lies behind what the service keeps, which is {}: what began before {} cannot be read any more "
      "(allowed: an instant after that, or now; or another streams.{}.retention, if the service keeps its records for longer)",
      stream.name.str(), common::format_instant(*start, false), common::format_duration(stream.retention),
      common::format_instant(*since, false), stream.name.str());
}

common::Result<void> check_readable(const source::StreamOptions& stream, const common::Interval& range, common::Instant now) {
  const auto from = readable_from(stream, now);
  if (!from || range.start >= *from) return {};
  return common::fail(
      common::ErrorCode::kConfigInvalid,
      fmt::format("--from {} lies behind what the service keeps of stream {}, which is {}: the earliest that can "
                  "be read now is {} (streams.{}.retention says otherwise, if it keeps them for longer)",
                  common::format_instant(range.start, false), stream.name.str(), common::format_duration(stream.retention),
                  common::format_instant(*from, false), stream.name.str()));
}

}  // namespace connector::app
