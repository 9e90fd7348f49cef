#include "connector/app/retention.h"

#include "connector/core/planning/retention.h"

#include <fmt/format.h>

#include <variant>

namespace connector::app {

namespace {

core::Retention retention_of(const source::StreamOptions& stream, core::RecordForm form) {
  return {.kept = kept(stream, form), .buckets = stream.live.buckets};
}

// An instant to copy. (There is a bound.)
std::string proposed(const source::StreamOptions& stream, common::Instant now, core::RecordForm form) {
  const core::Proposal proposal = core::proposal(retention_of(stream, form), now).value();
  return fmt::format("{} or later, which can be read for another {} at least", common::format_instant(proposal.from, false),
                     common::format_duration(proposal.lasts));
}

// What says how long that is: a stream's own setting does not lengthen what its definition's query is known to keep.
std::string said_by(const source::StreamOptions& stream, core::RecordForm form) {
  const bool by_definition = kept(stream, form) != stream.retention;
  return by_definition ? "query.retention in definition " + stream.definition : "streams." + stream.name.str() + ".retention";
}

}  // namespace

common::Duration kept(const source::StreamOptions& stream, core::RecordForm form) {
  return form == core::RecordForm::kJob ? stream.retention : kept_for_query(stream);
}

core::RecordForm form_of_history(const source::StreamOptions& stream) {
  return stream.settle.enabled ? core::RecordForm::kJob : core::RecordForm::kQuery;
}

std::optional<common::Instant> readable_from(const source::StreamOptions& stream, common::Instant now, core::RecordForm form) {
  return core::readable_from(retention_of(stream, form), now);
}

std::optional<std::string> problem_of_start(const source::StreamOptions& stream, common::Instant now) {
  const auto* start = std::get_if<common::Instant>(&stream.start);
  const core::RecordForm form = form_of_history(stream);
  const common::Duration kept_for = kept(stream, form);
  const auto since = core::kept_since({.kept = kept_for}, now);
  if (start == nullptr || !since || *start >= *since) return std::nullopt;
  return fmt::format(
      "streams.{}.start ({}) lies behind what the service keeps, which is {}: what began before {} cannot be read any more "
      "(allowed: {}; now; or another {}, if the service keeps its records for longer)",
      stream.name.str(), common::format_instant(*start, false), common::format_duration(kept_for),
      common::format_instant(*since, false), proposed(stream, now, form), said_by(stream, form));
}

common::Result<void> check_readable(const source::StreamOptions& stream, const common::Interval& range, common::Instant now,
                                    core::RecordForm form) {
  const auto from = readable_from(stream, now, form);
  if (!from || range.start >= *from) return {};
  return common::fail(
      common::ErrorCode::kConfigInvalid,
      fmt::format("--from {} lies behind what the service keeps of stream {}, which is {} (allowed: {}; or another {}, "
                  "if the service keeps its records for longer)",
                  common::format_instant(range.start, false), stream.name.str(), common::format_duration(kept(stream, form)),
                  proposed(stream, now, form), said_by(stream, form)));
}

}  // namespace connector::app
