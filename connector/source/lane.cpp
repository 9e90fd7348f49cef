#include "connector/source/lane.h"

#include "connector/core/planning/ages.h"
#include "connector/core/planning/job_availability.h"
#include "connector/core/ports/earlier_now.h"
#include "connector/source/json_pointer.h"

#include <algorithm>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

namespace connector::source {

namespace asio = boost::asio;

using common::ErrorCode;
using common::fail;
using common::Result;

bool needs_operator(ErrorCode code) {
  return code == ErrorCode::kPermissionDenied || code == ErrorCode::kRequestRejected || code == ErrorCode::kCredentialsInvalid ||
         code == ErrorCode::kUnauthorized || code == ErrorCode::kConfigInvalid || code == ErrorCode::kTooComplex ||
         code == ErrorCode::kTopicUnusable;
}

bool may_be_one_of_them(ErrorCode code) {
  switch (code) {
    case ErrorCode::kRequestRejected:
    case ErrorCode::kPositionInvalid:
    case ErrorCode::kTooComplex:
    case ErrorCode::kOversize:
    case ErrorCode::kMalformedResponse:
      return true;
    default:
      return false;
  }
}

Lane::Lane(StreamContext& stream, core::Lane lane) : stream_(stream), source_{.stream = stream.options.name, .lane = lane} {}

asio::awaitable<bool> Lane::is_cancelled() const {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

Lane::Awaited Lane::sleep(common::Duration duration) {
  if (duration <= common::Duration{0}) co_return Result<void>{};
  co_return co_await stream_.clock.sleep_for(duration);
}

double Lane::chance() {
  return std::uniform_real_distribution<double>(0, 1)(stream_.random);
}

asio::awaitable<Result<ReadPage>> Lane::fetch_page(core::ApiRequest request, SliceSpec spec) {
  request.source = source_;
  std::optional<std::string> storage = stream_.pages.take_storage();
  request.response_storage = storage ? std::move(*storage) : stream_.publisher.take_spare_storage();
  Result<core::ApiResponse> response = co_await stream_.api.send(std::move(request));
  if (!response) co_return fail(response.error());
  ReadPage page{.buffer = std::make_unique<std::string>(std::move(response->body)),
                .headers = std::move(response->headers),
                .read_at = stream_.clock.utc_now(),
                .service_date = response->date.value_or(stream_.clock.utc_now() + stream_.api.clock_skew()),
                .correlation_id = std::move(response->correlation_id)};
  const std::size_t bytes = page.buffer->size();
  if (auto read = stream_.pages.read(spec, *page.buffer, page.sliced); !read) {
    common::Error error = std::move(read.error());
    if (!page.correlation_id.empty()) error.message += " (correlation id " + page.correlation_id + ")";
    co_return fail(std::move(error));
  }
  stream_.metrics.page_read(source_, page.sliced.rows(), bytes);
  report_unmatched();
  report_unknown_fields();
  co_return page;
}

asio::awaitable<Result<ReadPage>> Lane::fetch_by_id(std::span<const core::RecordKey> ids, SliceSpec spec) {
  const ByIdSource& by_id = *stream_.definition.by_id;
  std::string joined;
  for (const core::RecordKey& id : ids) joined += (joined.empty() ? "" : ",") + id.str();
  RequestBuilder builder(by_id.request);
  builder.put(by_id.ids, joined);
  core::ApiRequest request = std::move(builder).build(source_);
  request.position = std::to_string(ids.size()) + " ids";
  return fetch_page(std::move(request), std::move(spec));
}

asio::awaitable<Result<common::json::Value>> Lane::fetch_document(core::ApiRequest request) {
  request.source = source_;
  Result<core::ApiResponse> response = co_await stream_.api.send(std::move(request));
  if (!response) co_return fail(response.error());
  co_return common::json::parse(response->body);
}

asio::awaitable<Result<common::Instant>> Lane::fetch_availability() {
  const JobSource& job = *stream_.definition.job;
  if (job.lag) {
    const common::Instant date = core::plannable_by_age(*job.lag, core::earlier_now(stream_.clock, stream_.api));
    stream_.metrics.data_available_until(source_.stream, date);
    co_return date;
  }
  core::ApiRequest request = RequestBuilder(job.availability).build(source_);
  request.position = "availability";
  Result<common::json::Value> document = co_await fetch_document(std::move(request));
  if (!document) co_return fail(document.error());
  const common::json::Value* date = find_at(*document, job.availability_date);
  if (date == nullptr || !date->is_string()) {
    co_return fail(ErrorCode::kMalformedResponse, "the availability answer has no text at " + job.availability_date);
  }
  Result<common::Instant> instant = common::parse_instant(std::string_view(date->get_string()));
  if (instant) stream_.metrics.data_available_until(source_.stream, *instant);
  co_return instant;
}

Lane::Awaited Lane::cancel_job(core::JobId id) {
  const JobSource& job = *stream_.definition.job;
  if (job.cancel.path.empty()) co_return Result<void>{};
  core::ApiRequest request = std::move(RequestBuilder(job.cancel).job(id)).build(source_);
  request.position = "job " + id.str();
  Result<core::ApiResponse> answer = co_await stream_.api.send(std::move(request));
  if (!answer && answer.error().code == ErrorCode::kCancelled) co_return fail(answer.error());
  // It ends by itself one day; the window no longer depends on it.
  if (!answer) {
    stream_.logger.debug("a job could not be cancelled", {{"job", id.str()}, {"error", answer.error().message}});
  }
  co_return Result<void>{};
}

core::Page Lane::make_page(ReadPage& read, const core::Position& position, const common::Interval& window,
                           core::RecordForm form) const {
  core::Page page;
  page.source = source_;
  page.buffer = std::move(read.buffer);
  page.form = form;
  page.window = window;
  page.read_at = read.read_at;
  page.service_date = read.service_date;
  page.correlation_id = read.correlation_id;
  page.position = describe(position);
  return page;
}

void Lane::report_dead_letters(const core::Page& page) const {
  if (page.dead_letters.empty()) return;
  const core::DeadLetter& first = page.dead_letters.front();
  stream_.logger.warn("records of a page cannot be published as such and go to the dead-letter topic",
                      {{"stream", source_.stream.str()},
                       {"lane", core::to_string(source_.lane)},
                       {"window", common::format_interval(page.window)},
                       {"position", page.position},
                       {"records", static_cast<std::uint64_t>(page.dead_letters.size())},
                       {"first_index", first.index},
                       {"first_reason", first.reason},
                       {"correlation_id", page.correlation_id}});
}

// A slip in a pointer of a redaction leaves in what was to go, and nothing else would tell.
void Lane::report_unmatched() {
  constexpr std::uint64_t kEnoughToTell = 1'000;
  if (stream_.told_unmatched || !rewrites_records(stream_.options) || stream_.pages.records() < kEnoughToTell) return;
  stream_.told_unmatched = true;
  std::string pointers;
  for (const std::string& pointer : stream_.pages.unmatched()) pointers += (pointers.empty() ? "" : ", ") + pointer;
  if (pointers.empty()) return;
  stream_.logger.warn("pointers of the stream's projection or redaction have matched nothing so far; check their spelling",
                      {{"stream", source_.stream.str()}, {"records", stream_.pages.records()}, {"pointers", pointers}});
}

void Lane::report_unknown_fields() {
  const std::vector<std::string> found = stream_.pages.take_unknown_fields();
  if (found.empty()) return;
  stream_.metrics.unknown_fields(source_.stream, found.size());
  std::string fields;
  for (const std::string& field : found) fields += (fields.empty() ? "" : ", ") + field;
  stream_.logger.info("the service sends fields that the stream's definition does not know",
                      {{"stream", source_.stream.str()}, {"lane", core::to_string(source_.lane)}, {"fields", fields}});
}

Lane::Awaited Lane::submit_changes(const common::Interval& window, std::vector<core::LedgerChange> changes) {
  core::PageGroup group;
  group.emplace_back();
  group.back().source = source_;
  group.back().window = window;
  group.back().read_at = stream_.clock.utc_now();
  group.back().changes = std::move(changes);
  return submit(std::move(group));
}

Lane::Awaited Lane::submit(core::PageGroup group) {
  // On a copy: a refused group must leave no trace.
  core::Ledger changed = working_;
  for (const core::Page& page : group) {
    for (const core::LedgerChange& change : page.changes) {
      if (auto applied = changed.apply(change); !applied) co_return applied;
    }
  }
  working_ = std::move(changed);
  unflushed_ = true;
  co_return co_await stream_.publisher.submit(std::move(group));
}

Lane::Awaited Lane::flush() {
  if (unflushed_) {
    unflushed_ = false;
    if (auto flushed = co_await stream_.publisher.flush(source_); !flushed) {
      unflushed_ = true;
      co_return flushed;
    }
    // Everything is decided now. A group that was taken and dropped after all (its stream was stopped alone, and runs again)
    // would leave a gap that only the committed ledger knows of.
    const core::Ledger& committed = stream_.publisher.committed(source_);
    if (!committed.has_same_progress(working_)) {
      stream_.logger.warn("pages that were handed over have not been committed and are read again",
                          {{"stream", source_.stream.str()}, {"lane", core::to_string(source_.lane)}});
      resynchronise();
    }
  }
  co_return Result<void>{};
}

Lane::Awaited Lane::start_ledger(common::Instant start) {
  // A ledger that was never written is written even so: `start: now` must mean the same instant after a restart.
  const bool is_stored = !working_.stamp().incarnation.empty();
  if (!working_.is_untouched() || (is_stored && working_.start() == start)) co_return Result<void>{};
  co_return co_await submit_changes({.start = start, .end = start}, {core::LaneStarted{start}});
}

Lane::Awaited Lane::start_ages(const std::vector<common::Duration>& ages) {
  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  std::vector<core::LedgerChange> changes = core::change_ages(working_, ages, now);
  if (changes.empty()) co_return Result<void>{};
  const common::Instant start = working_.start();
  co_return co_await submit_changes({.start = start, .end = start}, std::move(changes));
}

core::Retention Lane::retention() const {
  const bool by_query = source_.lane == core::Lane::kLive;
  return {.kept = by_query ? kept_for_query(stream_.options) : stream_.options.retention,
          .buckets = stream_.options.live.buckets};
}

bool Lane::has_expired(common::Instant start) const {
  const auto since = core::kept_since(retention(), core::earlier_now(stream_.clock, stream_.api));
  return since && stream_.api.knows_time() && start < *since;
}

Lane::Awaited Lane::give_up_out_of_reach(std::span<const common::Interval> running, std::optional<common::Instant> until) {
  readable_from_.reset();
  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  if (stream_.api.knows_time()) readable_from_ = core::readable_from(retention(), now);
  if (!readable_from_) co_return Result<void>{};
  const common::Interval before{.start = working_.start(), .end = *readable_from_};
  core::BeyondReach beyond = core::beyond_reach(working_, before.end, now, running, until);
  if (beyond.changes.empty()) {
    report_out_of_reach({});  // what was not told with what was given up before
    co_return Result<void>{};
  }
  auto submitted = co_await submit_changes(before, beyond.changes);
  if (submitted) report_out_of_reach(beyond);
  co_return submitted;
}

void Lane::report_out_of_reach(const core::BeyondReach& beyond) {
  constexpr common::Duration kTellEvery{3'600'000};
  for (const common::Interval& part : beyond.lost) lost_untold_.add(part);
  for (const common::Interval& part : beyond.not_again) not_again_untold_.add(part);
  const bool nothing = lost_untold_.intervals().empty() && not_again_untold_.intervals().empty();
  const common::SteadyTime now = stream_.clock.steady_now();
  if (nothing || (told_out_of_reach_ && now - *told_out_of_reach_ < kTellEvery)) return;
  told_out_of_reach_ = now;
  const auto tell = [&](common::LogLevel level, const char* sentence, core::IntervalSet& parts) {
    if (parts.intervals().empty()) return;
    stream_.logger.log(level, sentence,
                       {{"stream", source_.stream.str()},
                        {"lane", core::to_string(source_.lane)},
                        {"from", common::format_instant(parts.intervals().front().start)},
                        {"to", common::format_instant(parts.intervals().back().end)},
                        {"ranges", parts.intervals().size()},
                        {"length", common::format_duration(parts.length())},
                        {"retention", common::format_duration(retention().kept)}});
    parts = {};
  };
  // (Another lane of the stream may have.)
  tell(common::LogLevel::kError, "this lane has not read records that the service keeps no longer", lost_untold_);
  tell(common::LogLevel::kWarn, "what was read is not read again at all of its ages: the service does not keep it that long",
       not_again_untold_);
}

void Lane::resynchronise() {
  working_ = stream_.publisher.committed(source_);
  unflushed_ = true;
}

Lane::Awaited Lane::await_decision() {
  constexpr common::Duration kLookAgain{30'000};
  for (;;) {
    Result<void> flushed = co_await stream_.publisher.flush(source_);
    if (flushed) break;
    if (flushed.error().code == ErrorCode::kCancelled) co_return flushed;
    if (auto slept = co_await sleep(kLookAgain); !slept) co_return slept;
  }
  resynchronise();
  co_return Result<void>{};
}

void Lane::report_failure(const common::Error& error, const common::Interval& window, const core::Position& position,
                          common::Duration wait) {
  if (failing_.empty()) stream_.metrics.lane_failing(source_, true);
  if (std::ranges::find(failing_, window) == failing_.end()) failing_.push_back(window);
  common::LogLevel level = common::LogLevel::kWarn;
  if (needs_operator(error.code)) {
    // Once where it is seen, then only for those who look closely.
    level = told_ == error.code ? common::LogLevel::kDebug : common::LogLevel::kError;
    told_ = error.code;
  }
  stream_.logger.log(level, "a window could not be read and is tried again later",
                     {{"stream", source_.stream.str()},
                      {"lane", core::to_string(source_.lane)},
                      {"window", window.empty() ? std::string() : common::format_interval(window)},
                      {"position", describe(position)},
                      {"error_code", common::to_string(error.code)},
                      {"error", error.message},
                      {"again_in", common::format_duration(wait)}});
}

void Lane::report_recovery(const common::Interval& window) {
  if (std::erase(failing_, window) != 0 && failing_.empty()) report_well();
}

void Lane::report_recovery() {
  if (failing_.empty()) return;
  failing_.clear();
  report_well();
}

void Lane::report_well() {
  told_.reset();
  stream_.metrics.lane_failing(source_, false);
  stream_.logger.info("the lane reads again", {{"stream", source_.stream.str()}, {"lane", core::to_string(source_.lane)}});
}

}  // namespace connector::source
