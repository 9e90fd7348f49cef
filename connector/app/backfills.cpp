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
    if (is_wanted || running->second.doing != Running::Doing::kRead) return;
    running->second.doing = Running::Doing::kStop;
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
  surroundings_.logger.info("a backfill runs", {{"stream", stream.str()},
                                                {"range", common::format_interval(order.range)},
                                                {"parallel", order.parallel},
                                                {"id", order.id}});
  start(stream, {.order = order}, reader.run_backfill(order));
}

void Backfills::cancel(const StreamName& stream, source::StreamReader& reader, const BackfillOrder& order) {
  if (!reader.has_settle()) {
    // What it began by nobody can go on with: its jobs expire at the service.
    return end(stream, order,
               {.state = core::BackfillState::kCancelled, .detail = {}, .set_aside = 0, .at = surroundings_.clock.utc_now()});
  }
  surroundings_.logger.info("a backfill is cancelled: its jobs are deleted", {{"stream", stream.str()}, {"id", order.id}});
  start(stream, {.order = order, .doing = Running::Doing::kEnd}, reader.cancel_backfill(order));
}

void Backfills::refuse(const StreamName& stream, BackfillOrder order, const std::string& reason) {
  surroundings_.logger.warn("a backfill is refused", {{"stream", stream.str()}, {"reason", reason}, {"id", order.id}});
  order = core::storable(std::move(order));
  const common::Instant now = surroundings_.clock.utc_now();
  start(stream, {.order = order, .doing = Running::Doing::kEnd},
        tell(source_of(stream), order.range,
             {core::BackfillBegan{.order = order, .at = now},
              core::BackfillEnded{.state = core::BackfillState::kRefused, .detail = reason, .set_aside = 0, .at = now}}));
}

void Backfills::end(const StreamName& stream, const BackfillOrder& order, core::BackfillEnded how) {
  surroundings_.logger.info("a backfill has ended", {{"stream", stream.str()},
                                                     {"state", core::to_string(how.state)},
                                                     {"range", common::format_interval(order.range)},
                                                     {"id", order.id}});
  start(stream, {.order = order, .doing = Running::Doing::kEnd}, tell(source_of(stream), order.range, {std::move(how)}));
}

boost::asio::awaitable<Result<void>> Backfills::tell(core::SourcePartition source, common::Interval range,
                                                     std::vector<core::LedgerChange> changes) {
  core::PageGroup group;
  core::Page& page = group.emplace_back();
  page.source = source;
  page.window = range;
  page.read_at = surroundings_.clock.utc_now();
  page.changes = std::move(changes);
  // Should the stream be stopped just now, the request stays and is answered when it runs again.
  if (auto submitted = co_await surroundings_.publisher.submit(std::move(group)); !submitted) co_return submitted;
  co_return co_await surroundings_.publisher.flush(std::move(source));
}

void Backfills::start(const StreamName& stream, Running running, boost::asio::awaitable<Result<void>> work) {
  running_[stream] = std::move(running);
  weigh();
  surroundings_.lanes.start(source_of(stream), std::move(work),
                            [this, stream](const Result<void>& result) { ended(stream, result); });
}

void Backfills::ended(const StreamName& stream, const Result<void>& result) {
  const Running was = std::move(running_.extract(stream).mapped());
  weigh();
  const bool was_cancelled = !result && result.error().code == ErrorCode::kCancelled;
  if (was_cancelled && was.doing == Running::Doing::kStop) {
    // Whether its beginning is committed is not known yet: giving up waits for that.
    if (source::StreamReader* reader = surroundings_.reader(stream)) return cancel(stream, *reader, was.order);
    return;
  }
  if (was_cancelled || (!result && result.error().code == ErrorCode::kInternal)) {
    surroundings_.on_unexpected_end(source_of(stream), result.error());
    return;
  }
  if (result) look_at(stream);  // something else may have been asked for meanwhile
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
