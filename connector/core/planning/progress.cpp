#include "connector/core/planning/progress.h"

#include "common/json.h"

#include <algorithm>

namespace connector::core {

using common::SteadyTime;
using common::json::Array;
using common::json::Object;
using common::json::Value;

namespace {

Value to_json(const std::optional<common::Instant>& instant) {
  return instant ? Value(common::format_instant(*instant)) : Value(nullptr);
}

}  // namespace

StreamProgress progress_of(const Ledger* live, const Ledger* settle, Basis basis) {
  StreamProgress progress{.start = {}, .marks = watermarks_of(live, settle, basis), .basis = basis};
  const Ledger* first = basis == Basis::kService ? settle : live;
  if (first != nullptr) progress.start = first->start();
  return progress;
}

std::string ProgressRecord::serialize() const {
  Object object;
  object["v"] = kFormatVersion;
  object["stream"] = stream.str();
  object["topic"] = topic;
  object["basis"] = to_string(progress.basis);
  object["start"] = to_json(progress.start);
  object["seen_until"] = to_json(progress.marks.seen_until);
  object["complete_until"] = to_json(progress.marks.complete_until);
  object["settled_until"] = to_json(progress.marks.settled_until);
  Array ends;
  for (const std::int64_t offset : offsets) ends.emplace_back(offset);
  object["offsets"] = std::move(ends);
  return common::json::serialize(object);
}

const StreamProgress& ProgressSchedule::moved(const StreamName& stream, const StreamProgress& progress) {
  StreamProgress& now = streams_[stream].now;
  const bool same_life = now.start == progress.start && now.basis == progress.basis;
  const Watermarks before = now.marks;
  now = progress;
  if (same_life) now.marks.advance(before);
  return now;
}

void ProgressSchedule::begin_anew(const StreamName& stream) {
  streams_[stream].now = {};
  streams_[stream].told.reset();
}

std::optional<StreamName> ProgressSchedule::due(SteadyTime now) const {
  const StreamName* found = nullptr;
  SteadyTime since = SteadyTime::max();
  for (const auto& [name, stream] : streams_) {
    if (stream.told == stream.now || stream.now.is_unknown() || stream.not_before > now) continue;
    if (found != nullptr && stream.not_before >= since) continue;
    found = &name;
    since = stream.not_before;
  }
  return found == nullptr ? std::nullopt : std::optional{*found};
}

SteadyTime ProgressSchedule::next_due() const {
  SteadyTime next = SteadyTime::max();
  for (const auto& [name, stream] : streams_) {
    if (stream.told != stream.now && !stream.now.is_unknown()) next = std::min(next, stream.not_before);
  }
  return next;
}

void ProgressSchedule::begin(const StreamName& stream, SteadyTime now) {
  streams_.at(stream).not_before = now + every_;
}

void ProgressSchedule::told(const StreamName& stream, const StreamProgress& progress) {
  streams_.at(stream).told = progress;
}

}  // namespace connector::core
