#include "connector/source/range_reader.h"

#include "connector/core/planning/buckets.h"
#include "connector/core/planning/clocks.h"
#include "connector/core/planning/job_availability.h"
#include "connector/core/planning/window_keys.h"
#include "connector/core/ports/earlier_now.h"
#include "connector/source/json_pointer.h"
#include "connector/source/lane.h"
#include "connector/source/pagination.h"
#include "connector/source/window_rows.h"

#include <algorithm>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <limits>
#include <unordered_set>
#include <utility>

namespace connector::source {

namespace asio = boost::asio;

using common::ErrorCode;
using common::fail;
using common::Interval;
using common::Result;

namespace {

// Failures of one range, after the Api's own retries and beside jobs that are merely not ready: then a person is told.
constexpr std::uint32_t kMaxFailures = 5;
constexpr std::size_t kMaxKeys = 4'000'000;  // of one window of the query; keys beyond count as new

// Or its local buckets.
std::vector<Interval> days_of(const Interval& range, const core::Buckets& buckets = {}) {
  std::vector<Interval> days;
  for (common::Instant start = range.start; start < range.end;) {
    const common::Instant end = std::min(buckets.bound_of(start).end, range.end);
    days.push_back({.start = start, .end = end});
    start = end;
  }
  return days;
}

// Put before what is left to read; the last of `left` is read next.
void push_parts(std::vector<Interval>& left, const Interval& window, common::Duration part) {
  std::vector<Interval> parts;
  for (common::Instant start = window.start; start < window.end; start += part) {
    parts.push_back({.start = start, .end = std::min(start + part, window.end)});
  }
  left.insert(left.end(), parts.rbegin(), parts.rend());
}

std::string text_at(const common::json::Value& document, const std::string& pointer) {
  const common::json::Value* found = pointer.empty() ? nullptr : find_at(document, pointer);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

}  // namespace

struct RangeReader::Fetched {
  core::Page page;
  SlicedPage sliced;
  common::http::Headers headers;
  std::uint64_t bytes = 0;
};

RangeReader::RangeReader(const Definition& definition, const StreamOptions& options, core::Api& api, common::Clock& clock,
                         common::Logger logger, std::uint64_t seed)
    : definition_(definition),
      options_(options),
      api_(api),
      clock_(clock),
      logger_(std::move(logger)),
      random_(seed),
      pages_(definition, options),
      source_{.stream = options.name, .lane = core::Lane::kSettle} {}

double RangeReader::chance() {
  return std::uniform_real_distribution<double>(0, 1)(random_);
}

RangeReader::Awaited RangeReader::sleep(common::Duration duration) {
  if (duration <= common::Duration{0}) co_return Result<void>{};
  co_return co_await clock_.sleep_for(duration);
}

SliceSpec RangeReader::slice_spec(const RecordsRule& records) const {
  return {.records = records,
          .key = definition_.key,
          .start = definition_.start_pointer.value_or(""),
          .end = {},
          .open_while_absent = definition_.open_while_absent.value_or(""),
          .wanted = {}};
}

asio::awaitable<Result<core::ApiResponse>> RangeReader::send(core::ApiRequest request) {
  request.source = source_;
  ++figures_.requests;
  return api_.send(std::move(request));
}

asio::awaitable<Result<common::json::Value>> RangeReader::ask(core::ApiRequest request) {
  Result<core::ApiResponse> response = co_await send(std::move(request));
  if (!response) co_return fail(response.error());
  co_return common::json::parse(response->body);
}

asio::awaitable<Result<common::Instant>> RangeReader::availability() {
  source_.lane = core::Lane::kSettle;
  const JobSource& job = *definition_.job;
  if (job.lag) co_return core::plannable_by_age(*job.lag, core::earlier_now(clock_, api_));
  core::ApiRequest request = RequestBuilder(job.availability).build(source_);
  request.position = "availability";
  Result<common::json::Value> document = co_await ask(std::move(request));
  if (!document) co_return fail(document.error());
  const std::string date = text_at(*document, job.availability_date);
  if (date.empty()) {
    co_return fail(ErrorCode::kMalformedResponse, "the availability answer has no text at " + job.availability_date);
  }
  co_return common::parse_instant(date);
}

asio::awaitable<Result<RangeReader::Fetched>> RangeReader::fetch(core::ApiRequest request, const SliceSpec& spec) {
  Result<core::ApiResponse> response = co_await send(std::move(request));
  if (!response) co_return fail(response.error());
  Fetched fetched;
  fetched.headers = std::move(response->headers);
  core::Page& page = fetched.page;
  page.source = source_;
  page.buffer = std::make_unique<std::string>(std::move(response->body));
  page.read_at = clock_.utc_now();
  page.service_date = response->date.value_or(page.read_at + api_.clock_skew());
  page.correlation_id = std::move(response->correlation_id);
  fetched.bytes = page.buffer->size();
  if (auto read = pages_.read(spec, *page.buffer, fetched.sliced); !read) co_return fail(read.error());
  co_return fetched;
}

RangeReader::Awaited RangeReader::hand_over(Fetched& fetched, const Interval& window, const core::Position& at,
                                            const TakePage& take) {
  core::Page& page = fetched.page;
  page.window = window;
  page.position = describe(at);
  figures_.without_key += fetched.sliced.dead_letters.size();
  for (std::size_t i = 0; i < fetched.sliced.records.size(); ++i) {
    const RecordFacts facts = fetched.sliced.facts.empty() ? RecordFacts{} : fetched.sliced.facts[i];
    const bool began_before = facts.start && *facts.start < range_.start;
    if (facts.start && !range_.contains(*facts.start) && !(keeps_earlier_ && began_before)) continue;
    page.records.push_back(fetched.sliced.records[i]);
    page.contents.push_back({.digests = fetched.sliced.digests[i],
                             .home_day = home_day(home_days_of(definition_), facts, window),
                             .open = facts.open});
  }
  figures_.rows += page.records.size();
  Result<void> taken;
  if (!page.records.empty()) taken = co_await take(std::move(page));
  if (progress_) progress_(window, figures_);
  co_return taken;
}

// --- by the job --------------------------------------------------------------------------------------------------------------

RangeReader::Awaited RangeReader::read_by_job(Interval range, TakePage take) {
  co_await asio::this_coro::throw_if_cancelled(false);
  range_ = range;
  source_.lane = core::Lane::kSettle;
  std::vector<Interval> left = days_of(range);
  std::ranges::reverse(left);
  while (!left.empty()) {
    const Interval window = left.back();
    left.pop_back();
    auto parts = co_await run_job(window, take);
    if (!parts) co_return fail(common::with_context(parts.error(), common::format_interval(window)));
    left.insert(left.end(), parts->rbegin(), parts->rend());
  }
  co_return Result<void>{};
}

// Parts that are to be read in the window's stead; none: it is read.
asio::awaitable<Result<std::vector<Interval>>> RangeReader::run_job(Interval window, const TakePage& take) {
  const JobSource& source = *definition_.job;
  const int page_size = page_size_of(source.pages, options_.job_page_size);
  SliceSpec spec = slice_spec(source.records);
  const PageScalars scalars(source, spec);
  core::JobPolicy policy({.poll_initial = options_.settle.poll_initial,
                          .poll_max = options_.settle.poll_max,
                          .deadline = options_.settle.job_deadline,
                          .availability_every = options_.settle.availability_every},
                         window, core::AtStart{});
  core::WindowKeys keys(kMaxKeys);
  std::uint32_t failures = 0;
  core::JobAvailability data(source.lag);
  core::JobAction action = policy.begin();
  const auto build = [&](RequestBuilder builder) {
    if (const auto* at = std::get_if<core::AtJob>(&policy.position())) builder.job(at->job);
    core::ApiRequest request = std::move(builder).build(source_);
    request.window = common::format_interval(window);
    request.position = describe(policy.position());
    return request;
  };
  for (;;) {
    Result<void> step;
    std::optional<core::JobEvent> event;
    if (std::holds_alternative<core::SubmitJob>(action)) {
      RequestBuilder builder(source.submit, options_.query);
      builder.window(definition_.window, window);
      const common::Instant asked = clock_.utc_now();
      core::ApiRequest request = build(std::move(builder));
      request.takes_conflict = source.max_open > 0;
      Result<core::ApiResponse> response = co_await send(std::move(request));
      const bool is_turned_away = response && response->status == kTooManyJobs;
      Result<common::json::Value> answer = response ? common::json::parse(response->body) : fail(response.error());
      std::string id = answer ? text_at(*answer, source.id) : std::string();
      if (is_turned_away) {
        event = core::JobTurnedAway{.error = too_many_jobs(), .at = clock_.steady_now()};
      } else if (!answer) {
        step = fail(answer.error());
      } else if (id.empty()) {
        step = fail(ErrorCode::kMalformedResponse, "the answer to the job has no id at " + source.id);
      } else {
        event = core::JobSubmitted{core::JobId(std::move(id))};
        data.submitted(core::earlier_clock(asked, api_.clock_skew()));  // the service's clock may be known by this answer only
      }
    } else if (const auto* poll = std::get_if<core::PollJob>(&action)) {
      if (auto slept = co_await sleep(poll->wait); !slept) co_return fail(slept.error());
      Result<common::json::Value> answer = co_await ask(build(RequestBuilder(source.status)));
      if (answer) {
        event = core::JobStatus{.state = state_of_job(source, text_at(*answer, source.state)),
                                .error_message = text_at(*answer, source.error_message)};
      } else {
        step = fail(answer.error());
      }
    } else if (const auto* read = std::get_if<core::ReadResults>(&action)) {
      if (auto slept = co_await sleep(read->wait); !slept) co_return fail(slept.error());
      const core::Position at = policy.position();
      RequestBuilder builder(source.results);
      put_position(builder, source.pages, at, page_size);
      Result<Fetched> fetched = co_await fetch(build(std::move(builder)), spec);
      const auto availability =
          fetched ? data.of_page(scalars.availability(fetched->sliced), core::earlier_now(clock_, api_)) : std::nullopt;
      std::optional<std::string> next = fetched ? scalars.next(fetched->sliced, fetched->headers) : std::nullopt;
      const bool says_nothing = fetched && !next && fetched->sliced.elements == 0 && !scalars.is_of_a_job(fetched->sliced);
      if (!fetched) {
        step = fail(fetched.error());
      } else if (says_nothing) {
        step = fail(ErrorCode::kMalformedResponse,
                    "a results page has neither records nor a cursor nor what every page has: date or mark");
      } else {
        action = policy.step(core::JobPage{.next = std::move(next), .availability = availability, .distinct = keys.distinct()},
                             clock_.utc_now(), chance());
        const bool is_last = std::holds_alternative<core::CompleteJob>(action);
        if (is_last || std::holds_alternative<core::ReadResults>(action)) {
          for (const core::RecordSlice& record : fetched->sliced.records) keys.see(record.key, record.value, false, {});
          fetched->page.form = core::RecordForm::kJob;
          fetched->page.availability = availability.value_or(window.end);
          if (auto taken = co_await hand_over(*fetched, window, at, take); !taken) co_return fail(taken.error());
        }
        if (is_last) co_return std::vector<Interval>{};
        continue;
      }
    } else if (auto* restart = std::get_if<core::RestartJob>(&action)) {
      if (!restart->awaits_turn && ++failures > kMaxFailures)
        co_return fail(ErrorCode::kRetryable, restart->reason + ": " + restart->detail);
      logger_.warn("a job starts again", {{"window", common::format_interval(window)},
                                          {"reason", restart->reason},
                                          {"detail", restart->detail},
                                          {"again_in", common::format_duration(restart->wait)}});
      if (auto slept = co_await sleep(restart->wait); !slept) co_return fail(slept.error());
      event = core::JobWaited{};
    } else if (const auto* split = std::get_if<core::SplitJob>(&action)) {
      std::vector<Interval> parts;
      push_parts(parts, window, split->part);
      std::ranges::reverse(parts);
      if (auto slept = co_await sleep(split->wait); !slept) co_return fail(slept.error());
      co_return parts;
    }
    if (!step) {
      const ErrorCode code = step.error().code;
      const bool hopeless = needs_operator(code) && code != ErrorCode::kTooComplex;
      const bool about_position = std::holds_alternative<core::ReadResults>(action) && code == ErrorCode::kRequestRejected;
      if (code == ErrorCode::kCancelled || (hopeless && !about_position) || ++failures > kMaxFailures) {
        co_return fail(step.error());
      }
      event = core::JobStepFailed{step.error()};
    }
    action = policy.step(*event, clock_.utc_now(), chance());
    if (const auto* turned_away = std::get_if<core::JobTurnedAway>(&*event)) {
      const auto* again = std::get_if<core::RestartJob>(&action);
      if (again == nullptr || !again->awaits_turn) co_return fail(turned_away->error);
    }
  }
}

// --- by the query ------------------------------------------------------------------------------------------------------------

core::QueryPagingOptions RangeReader::paging_options() const {
  const QuerySource& query = *definition_.query;
  core::QueryPagingOptions options{.chain = chain_of(query.pages),
                                   .page_size = page_size_of(query.pages, options_.page_size),
                                   .start_day = options_.sync_match == SyncMatch::kStartDay,
                                   .split_short = false};
  if (query.total && query.total->trust != TotalTrust::kNone) {
    options.total = query.total->trust == TotalTrust::kExact ? core::TotalUse::kExact : core::TotalUse::kApproximate;
  }
  options.limits.memory_bytes = std::numeric_limits<std::uint64_t>::max();  // nothing is held
  // A part of a bucket cannot be asked for.
  options.limits.min_window = options_.live.buckets.is_local() ? common::Duration::max() : options_.live.min_window;
  if (const auto* numbered = std::get_if<PageNumberPages>(&query.pages)) {
    options.first_page = numbered->first;
    options.repeats_end = numbered->end == PagesEnd::kNothingNew;
    options.refused_behind = static_cast<std::uint64_t>(numbered->refused_behind);
    options.limits.max_depth = static_cast<std::uint64_t>(std::max<std::int64_t>(numbered->max_depth, 0));
  }
  return options;
}

RangeReader::Awaited RangeReader::read_by_query(Interval range, TakePage take) {
  co_await asio::this_coro::throw_if_cancelled(false);
  // A part of a bucket would be answered with other figures, for an interval that no lane asks for.
  const core::Buckets& buckets = options_.live.buckets;
  range = {.start = buckets.start_of(range.start), .end = buckets.start_of(range.end)};
  range_ = range;
  source_.lane = core::Lane::kLive;
  std::vector<Interval> left = days_of(range, buckets);
  std::ranges::reverse(left);
  while (!left.empty()) {
    const Interval window = left.back();
    left.pop_back();
    auto part = co_await run_query(window, take);
    if (!part) co_return fail(common::with_context(part.error(), common::format_interval(window)));
    if (!*part) continue;
    push_parts(left, window, buckets ? std::max(**part - **part % buckets.length(), buckets.length()) : **part);
  }
  co_return Result<void>{};
}

// The length of the parts that are to be read in the window's stead; none: it is read.
asio::awaitable<Result<std::optional<common::Duration>>> RangeReader::run_query(Interval window, const TakePage& take) {
  const QuerySource& query = *definition_.query;
  SliceSpec spec = slice_spec(query.records);
  const PageScalars scalars(query.pages, query.total, std::string(), spec);
  const core::QueryPagingOptions options = paging_options();
  core::QueryPaging paging(options, window);
  core::WindowKeys keys(kMaxKeys);
  core::PagingAction action = paging.begin();
  for (;;) {
    if (const auto* split = std::get_if<core::SplitInto>(&action)) co_return split->part;
    if (const auto* failed = std::get_if<core::FailRead>(&action)) co_return fail(failed->error);
    if (const auto* read = std::get_if<core::WindowRead>(&action)) {
      figures_.is_short = figures_.is_short || read->is_short;
      co_return std::optional<common::Duration>{};
    }
    const core::Position at = std::get<core::FetchPage>(action).at;
    RequestBuilder builder = query_request(definition_, options_, window);
    if (options.start_day) builder.newest_first();
    put_position(builder, query.pages, at, static_cast<int>(options.page_size));
    core::ApiRequest request = std::move(builder).build(source_);
    request.window = common::format_interval(window);
    request.position = describe(at);
    Result<Fetched> fetched = co_await fetch(std::move(request), spec);
    if (!fetched) {
      if (fetched.error().code == ErrorCode::kCancelled) co_return fail(fetched.error());
      action = paging.step(fetched.error());
      continue;
    }
    core::PageFacts facts{.rows = fetched->sliced.elements, .bytes = fetched->bytes};
    facts.total = scalars.total(fetched->sliced);
    facts.page_count = scalars.page_count(fetched->sliced);
    facts.next = scalars.next(fetched->sliced, fetched->headers);
    facts.all_before_window = !fetched->sliced.facts.empty();
    for (const RecordFacts& record : fetched->sliced.facts) {
      facts.all_before_window = facts.all_before_window && record.start && *record.start < window.start;
    }
    for (const core::RecordSlice& record : fetched->sliced.records) keys.see(record.key, record.value, false, {});
    for (const core::DeadLetter& letter : fetched->sliced.dead_letters) {
      keys.see(identity_of(letter), {}, false, {});
    }
    facts.distinct = keys.distinct();
    fetched->page.form = core::RecordForm::kQuery;
    if (auto taken = co_await hand_over(*fetched, window, at, take); !taken) co_return fail(taken.error());
    action = paging.step(facts);
  }
}

// --- by id -------------------------------------------------------------------------------------------------------------------

RangeReader::Awaited RangeReader::read_by_id(std::vector<core::RecordKey> keys, TakePage take) {
  co_await asio::this_coro::throw_if_cancelled(false);
  source_.lane = core::Lane::kFollow;
  const auto most = static_cast<std::size_t>(std::max(definition_.by_id->max_ids, 1));
  std::vector<std::span<const core::RecordKey>> left;
  for (std::span<const core::RecordKey> rest{keys}; !rest.empty(); rest = rest.subspan(std::min(most, rest.size()))) {
    left.push_back(rest.first(std::min(most, rest.size())));
  }
  std::ranges::reverse(left);
  std::uint32_t failures = 0;  // in a row: then it is not the records' fault
  while (!left.empty()) {
    const std::span<const core::RecordKey> ids = left.back();
    left.pop_back();
    const Result<void> done = co_await read_ids(ids, take);
    if (done) {
      failures = 0;
    } else if (!may_be_one_of_them(done.error().code)) {
      co_return done;
    } else if (ids.size() > 1) {
      left.push_back(ids.subspan(ids.size() / 2));
      left.push_back(ids.first(ids.size() / 2));
    } else if (++failures == kMaxFailures) {
      co_return done;
    } else {
      logger_.warn("a record cannot be read by its id",
                   {{"stream", options_.name.str()}, {"id", ids.front().str()}, {"error", done.error().message}});
    }
  }
  co_return Result<void>{};
}

RangeReader::Awaited RangeReader::read_ids(std::span<const core::RecordKey> ids, const TakePage& take) {
  const ByIdSource& by_id = *definition_.by_id;
  std::string joined;
  for (const core::RecordKey& id : ids) joined += (joined.empty() ? "" : ",") + id.str();
  RequestBuilder builder(by_id.request);
  builder.put(by_id.ids, joined);
  core::ApiRequest request = std::move(builder).build(source_);
  request.position = std::to_string(ids.size()) + " ids";
  Result<Fetched> fetched = co_await fetch(std::move(request), slice_spec(by_id.records));
  if (!fetched) co_return fail(fetched.error());

  core::Page& page = fetched->page;
  page.form = core::RecordForm::kById;
  page.position = std::to_string(ids.size()) + " ids";
  page.window = {.start = page.read_at, .end = page.read_at};
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < fetched->sliced.records.size(); ++i) {
    const core::RecordSlice& record = fetched->sliced.records[i];
    const RecordFacts facts = fetched->sliced.facts.empty() ? RecordFacts{} : fetched->sliced.facts[i];
    if (std::ranges::find(ids, record.key, &core::RecordKey::str) == ids.end() || !seen.insert(record.key).second) continue;
    const auto day = std::chrono::floor<std::chrono::days>(facts.start.value_or(page.read_at));
    page.window.start = std::min<common::Instant>(page.window.start, day);
    page.records.push_back(record);
    page.contents.push_back({.digests = fetched->sliced.digests[i], .home_day = day, .open = facts.open});
  }
  const common::Interval window = page.window;
  figures_.rows += page.records.size();
  figures_.without_key += fetched->sliced.dead_letters.size();
  Result<void> taken;
  if (!page.records.empty()) taken = co_await take(std::move(page));
  if (progress_) progress_(window, figures_);
  co_return taken;
}

}  // namespace connector::source
