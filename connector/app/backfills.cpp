#include "connector/app/backfills.h"

#include "connector/kafka/control_store.h"

#include <algorithm>
#include <utility>

namespace connector::app {

using common::ErrorCode;
using common::Result;
using core::BackfillOrder;
using core::StreamName;

namespace {

core::SourcePartition source_of(const StreamName& stream) {
  return {.stream = stream, .lane = core::Lane::kBackfill};
}

}  // namespace

Backfills::Backfills(Surroundings surroundings) : surroundings_(std::move(surroundings)) {}

void Backfills::take(const std::map<std::string, std::string>& values) {
  for (const auto& [key, value] : values) note(key, value);
  knows_requests_ = true;
}

void Backfills::take(const std::string& key, const std::optional<std::string>& value) {
  note(key, value);
  if (const auto stream = kafka::backfill_stream(surroundings_.name, key)) look_at(*stream);
}

void Backfills::note(const std::string& key, const std::optional<std::string>& value) {
  const auto stream = kafka::backfill_stream(surroundings_.name, key);
  if (!stream) return;
  requests_.erase(*stream);
  if (!value) return;
  auto request = core::BackfillRequest::parse(*value);
  if (!request) {
    surroundings_.logger.error("a request in the control topic cannot be read and is passed over",
                               {{"stream", stream->str()}, {"error", request.error().message}});
    return;
  }
  if (surroundings_.reader(*stream) == nullptr) {
    surroundings_.logger.warn("a backfill is asked for of a stream that does not run",
                              {{"stream", stream->str()}, {"asked_by", request->asked_by}});
  }
  requests_.emplace(*stream, std::move(*request));
}

void Backfills::look_at(const StreamName& stream) {
  using enum core::BackfillDecision::Action;
  source::StreamReader* reader = surroundings_.reader(stream);
  if (!knows_requests_ || reader == nullptr) return;
  const auto request = requests_.find(stream);
  if (const auto running = running_.find(stream); running != running_.end()) {
    const bool is_wanted = request == requests_.end() || request->second.wanted != core::BackfillRequest::Wanted::kCancel ||
                           request->second.order.id != running->second.order.id;
    if (is_wanted || running->second.cancelling) return;
    running->second.cancelling = true;
    surroundings_.lanes.cancel(source_of(stream));
    return;
  }
  const core::BackfillStanding now{.mark = surroundings_.publisher.committed(source_of(stream)).backfill(),
                                   .has_settle = reader->has_settle(),
                                   .now = surroundings_.clock.utc_now()};
  const auto decision = request == requests_.end() ? core::BackfillDecision{} : core::judge(request->second, now);
  if (decision.action == kCancel) return cancel(stream, *reader, now.mark->order);
  if (decision.action == kBegin) return begin(stream, *reader, request->second.order);
  if (decision.action == kRefuse) return refuse(stream, request->second.order, decision.reason);
  if (decision.action == kOtherRuns && std::exchange(told_[stream], request->second.order.id) != request->second.order.id) {
    surroundings_.logger.warn("a backfill is asked for while another of the stream is under way, and waits for its end",
                              {{"stream", stream.str()}, {"asked_by", request->second.asked_by}});
  }
  if (now.mark && now.mark->is_running() && now.has_settle) begin(stream, *reader, now.mark->order);
}

void Backfills::begin(const StreamName& stream, source::StreamReader& reader, const BackfillOrder& order) {
  running_[stream] = {.order = order};
  weigh();
  surroundings_.logger.info("a backfill runs", {{"stream", stream.str()},
                                                {"range", common::format_interval(order.range)},
                                                {"parallel", order.parallel},
                                                {"id", order.id}});
  surroundings_.lanes.start(source_of(stream), reader.run_backfill(order),
                            [this, stream](const Result<void>& result) { ended(stream, result); });
}

void Backfills::cancel(const StreamName& stream, source::StreamReader& reader, const BackfillOrder& order) {
  running_[stream] = {.order = order, .cancelling = true};
  surroundings_.logger.info("a backfill is cancelled: its jobs are deleted", {{"stream", stream.str()}, {"id", order.id}});
  surroundings_.lanes.start(source_of(stream), reader.cancel_backfill(order),
                            [this, stream](const Result<void>& result) { ended(stream, result); });
}

void Backfills::refuse(const StreamName& stream, BackfillOrder order, const std::string& reason) {
  surroundings_.logger.warn("a backfill is refused", {{"stream", stream.str()}, {"reason", reason}, {"id", order.id}});
  running_[stream] = {.order = order, .cancelling = true};
  surroundings_.lanes.start(source_of(stream), tell_refused(source_of(stream), core::storable(std::move(order)), reason),
                            [this, stream](const Result<void>& result) { ended(stream, result); });
}

boost::asio::awaitable<Result<void>> Backfills::tell_refused(core::SourcePartition source, BackfillOrder order,
                                                             std::string reason) {
  core::PageGroup group;
  core::Page& page = group.emplace_back();
  page.source = source;
  page.window = order.range;
  page.read_at = surroundings_.clock.utc_now();
  page.changes.emplace_back(core::BackfillBegan{.order = std::move(order), .at = page.read_at});
  page.changes.emplace_back(core::BackfillEnded{
      .state = core::BackfillState::kRefused, .detail = std::move(reason), .set_aside = 0, .at = page.read_at});
  // Should the stream be stopped just now, the request stays and is answered when it runs again.
  if (auto submitted = co_await surroundings_.publisher.submit(std::move(group)); !submitted) co_return submitted;
  co_return co_await surroundings_.publisher.flush(std::move(source));
}

void Backfills::ended(const StreamName& stream, const Result<void>& result) {
  const Running was = std::move(running_.extract(stream).mapped());
  weigh();
  const bool was_cancelled = !result && result.error().code == ErrorCode::kCancelled;
  if ((was_cancelled && !was.cancelling) || (!result && result.error().code == ErrorCode::kInternal)) {
    surroundings_.on_unexpected_end(source_of(stream), result.error());
    return;
  }
  // What was cancelled has still to be given up; and something else may have been asked for meanwhile.
  if (result || was_cancelled) look_at(stream);
}

// The lane's queue is one for all streams: it gets the largest weight that is asked for.
void Backfills::weigh() {
  std::optional<double> most;
  for (const auto& [stream, running] : running_) {
    if (running.order.weight) most = std::max(running.order.weight, most);
  }
  surroundings_.set_weight(most);
}

}  // namespace connector::app
