#include "connector/kafka/task_progress.h"

#include <algorithm>
#include <utility>

namespace connector::kafka {

using core::Lane;
using core::Ledger;
using core::StreamName;

TaskProgress::TaskProgress(std::vector<StreamTopic> streams, const ProgressOptions& options, core::Metrics& metrics)
    : streams_(std::move(streams)), enabled_(options.enabled), metrics_(metrics), schedule_(options.every) {}

void TaskProgress::committed(const StreamName& stream, const core::Ledgers& ledgers) {
  const auto found = std::ranges::find(streams_, stream, &StreamTopic::stream);
  if (found == streams_.end()) return;
  // What a lane left behind that was switched off does not count.
  const auto stored = [&](Lane lane, bool has_lane) -> const Ledger* {
    const auto ledger = ledgers.find({stream, lane});
    if (!has_lane || ledger == ledgers.end() || ledger->second.stamp().incarnation.empty()) return nullptr;
    metrics_.complete_until(ledger->first, ledger->second.complete_until());
    metrics_.short_windows(ledger->first, ledger->second.short_windows().size());
    metrics_.lost(ledger->first, ledger->second.lost().length(), ledger->second.lost_at());
    return &ledger->second;
  };
  const Ledger* live = stored(Lane::kLive, found->rules.has_query);
  const Ledger* settle = stored(Lane::kSettle, found->rules.has_job);
  // No watermark speaks of a backfill, but what it has lost is lost.
  if (const auto backfill = ledgers.find({stream, Lane::kBackfill}); backfill != ledgers.end() && backfill->second.backfill()) {
    metrics_.lost(backfill->first, backfill->second.lost().length(), backfill->second.lost_at());
  }
  const core::Basis basis = found->rules.has_job ? core::Basis::kService : core::Basis::kPolicy;
  core::StreamProgress now = core::progress_of(live, settle, basis);
  if (found->by_age) now.basis = core::Basis::kPolicy;  // counted as complete at an age that we chose
  const core::Watermarks& marks = schedule_.moved(stream, now).marks;
  if (marks.seen_until) metrics_.watermark(stream, "seen_until", *marks.seen_until);
  if (marks.complete_until) metrics_.watermark(stream, "complete_until", *marks.complete_until);
  if (marks.settled_until) metrics_.watermark(stream, "settled_until", *marks.settled_until);
}

void TaskProgress::committed(const core::Ledgers& ledgers) {
  for (const StreamTopic& stream : streams_) committed(stream.stream, ledgers);
}

void TaskProgress::replaced(const core::SourcePartition& source, const core::Ledger& ledger) {
  if (source.lane == Lane::kBackfill) return;  // no watermark speaks of it
  const auto known = std::ranges::find(streams_, source.stream, &StreamTopic::stream);
  if (!ledger.is_untouched() || known == streams_.end()) return;
  schedule_.begin_anew(source.stream);
  const common::Instant start = ledger.start();
  metrics_.complete_until(source, start);
  metrics_.short_windows(source, 0);
  metrics_.lost(source, common::Duration{0}, std::nullopt);
  if (source.lane == Lane::kLive) metrics_.watermark(source.stream, "seen_until", start);
  if (source.lane != (known->rules.has_job ? Lane::kSettle : Lane::kLive)) return;
  metrics_.watermark(source.stream, "complete_until", start);
  metrics_.watermark(source.stream, "settled_until", start);
}

std::optional<StreamName> TaskProgress::due(common::SteadyTime now) const {
  return enabled_ && !held_until_ ? schedule_.due(now) : std::nullopt;
}

common::SteadyTime TaskProgress::next_due() const {
  return enabled_ && !held_until_ ? schedule_.next_due() : common::SteadyTime::max();
}

core::StateRecord TaskProgress::record(const StreamName& stream, std::vector<std::int64_t> offsets) {
  recorded_ = schedule_.of(stream);
  const auto found = std::ranges::find(streams_, stream, &StreamTopic::stream);
  return {
      .key = stream.str(),
      .value = core::ProgressRecord{.stream = stream, .topic = found->topic, .progress = recorded_, .offsets = std::move(offsets)}
                   .serialize()};
}

void TaskProgress::written(const StreamName& stream) {
  schedule_.told(stream, recorded_);
  in_trouble_ = false;
}

bool TaskProgress::hold(common::SteadyTime not_before) {
  held_until_ = not_before;
  return !std::exchange(in_trouble_, true);
}

}  // namespace connector::kafka
