#include "connector/source/backfill_run.h"

#include "connector/core/planning/lane_backoff.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace connector::source {

using common::ErrorCode;
using common::Result;

BackfillRun::BackfillRun(Lane& lane, core::BackfillOrder order)
    : lane_(lane), stream_(lane.stream()), order_(std::move(order)), requests_before_(stream_.api.usage(lane.source()).requests) {
  const auto& mark = stream_.publisher.committed(lane.source()).backfill();
  if (mark && mark->order.id == order_.id) carried_requests_ = mark->requests;
}

BackfillRun::Awaited BackfillRun::begin() {
  const auto& mark = lane_.working().backfill();
  if (mark && mark->order.id == order_.id) co_return Result<void>{};
  co_return co_await lane_.submit_changes(order_.range, {core::BackfillBegan{.order = order_, .at = stream_.clock.utc_now()}});
}

BackfillRun::Awaited BackfillRun::end(core::BackfillState state) {
  const core::SourcePartition& source = lane_.source();
  std::vector<core::LedgerChange> changes;
  add_usage(changes);
  changes.emplace_back(
      core::BackfillEnded{.state = state, .detail = {}, .set_aside = set_aside(), .at = stream_.clock.utc_now()});
  if (auto submitted = co_await lane_.submit_changes(order_.range, std::move(changes)); !submitted) co_return submitted;
  if (auto flushed = co_await lane_.flush(); !flushed) co_return flushed;
  stream_.job_days.hold(source.lane, {});
  stream_.metrics.windows_open(source, 0);
  stream_.metrics.lane_failing(source, false);
  const core::BackfillMark& mark = *lane_.working().backfill();
  const common::Duration lost = lane_.working().lost().length();  // (the lane may not have told all of it: once an hour)
  stream_.logger.log(lost > common::Duration{0} ? common::LogLevel::kError : common::LogLevel::kInfo, "a backfill has ended",
                     {{"stream", source.stream.str()},
                      {"state", core::to_string(mark.state)},
                      {"range", common::format_interval(mark.order.range)},
                      {"records", mark.records},
                      {"windows", mark.windows},
                      {"requests", mark.requests},
                      {"set_aside", mark.set_aside},
                      {"lost", common::format_duration(lost)}});
  co_return Result<void>{};
}

BackfillRun::Awaited BackfillRun::cancel() {
  core::LaneBackoff backoff;
  for (;;) {
    if (auto decided = co_await lane_.await_decision(); !decided) co_return decided;
    const auto& mark = lane_.working().backfill();
    if (!mark || !mark->is_running() || mark->order.id != order_.id) {
      stream_.job_days.hold(lane_.source().lane, {});
      co_return Result<void>{};
    }
    const std::vector<core::OpenWindow> open = lane_.working().open();
    for (const core::OpenWindow& window : open) {
      const core::JobId* id = job_of(window.position);
      if (id == nullptr) continue;
      if (auto cancelled = co_await lane_.cancel_job(*id); !cancelled) co_return cancelled;
    }
    Result<void> ended = co_await end(core::BackfillState::kCancelled);
    if (ended || ended.error().code == ErrorCode::kCancelled || ended.error().code == ErrorCode::kInternal) co_return ended;
    const common::Duration wait = backoff.next(lane_.chance());
    lane_.report_failure(ended.error(), order_.range, core::AtStart{}, wait);
    if (auto slept = co_await lane_.sleep(wait); !slept) co_return slept;
  }
}

void BackfillRun::add_usage(std::vector<core::LedgerChange>& changes) const {
  const core::ApiUsage usage = stream_.api.usage(lane_.source());
  changes.emplace_back(core::BackfillUsed{.requests = usage.requests + carried_requests_ - requests_before_,
                                          .permitted = usage.permitted,
                                          .at = stream_.clock.utc_now()});
}

// Days behind the settle lane's start are nobody's once the backfill has ended.
std::uint64_t BackfillRun::set_aside() const {
  const core::StreamName& stream = lane_.source().stream;
  const core::StreamDigests* digests = stream_.publisher.digests(stream);
  if (digests == nullptr) return 0;
  const common::Instant settled_from = stream_.publisher.committed({.stream = stream, .lane = core::Lane::kSettle}).start();
  std::uint64_t records = 0;
  for (const auto& [day, owed] : digests->committed().owed()) {
    const common::Interval part{.start = std::max<common::Instant>(day, order_.range.start),
                                .end = std::min<common::Instant>(day + std::chrono::days{1}, order_.range.end)};
    if (part.empty() || part.end > settled_from) continue;
    records += owed.waiting;
    for (const auto& [due, count] : owed.due) records += count;
  }
  return records;
}

}  // namespace connector::source
