#include "connector/source/settle_lane.h"

#include "connector/core/planning/ages.h"
#include "connector/core/planning/caught_up.h"
#include "connector/core/planning/clocks.h"
#include "connector/core/planning/unjudged_days.h"
#include "connector/core/ports/earlier_now.h"
#include "connector/source/json_pointer.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <set>
#include <utility>

namespace connector::source {

namespace asio = boost::asio;

using common::Error;
using common::ErrorCode;
using common::fail;
using common::Interval;
using common::Result;

namespace {

// Ids are 36 bytes; a ledger with one that fills it could not be read again.
constexpr std::size_t kMaxJobIdBytes = 512;

core::JobPolicyOptions policy_options(const SettleOptions& settle) {
  return {.poll_initial = settle.poll_initial,
          .poll_max = settle.poll_max,
          .deadline = settle.job_deadline,
          .availability_every = settle.availability_every};
}

std::string text_at(const common::json::Value& document, const std::string& pointer) {
  const common::json::Value* found = pointer.empty() ? nullptr : find_at(document, pointer);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

// An eighth of the memory may go to the keys of a day.
std::size_t max_keys(std::size_t memory_bytes) {
  constexpr std::size_t kBytesPerKey = 8;
  return std::max<std::size_t>(memory_bytes / 8 / kBytesPerKey, 1024);
}

const core::JobId* job_of(const core::Position& position) {
  const auto* at = std::get_if<core::AtJob>(&position);
  return at == nullptr ? nullptr : &at->job;
}

}  // namespace

// One window while a job reads it.
struct SettleLane::Job {
  Job(core::JobPolicyOptions options, Interval window, core::Position position, core::Pass read_as, common::Instant needed,
      std::size_t memory_bytes, HomeDays home_days)
      : policy(options, window, std::move(position), needed),
        action(policy.begin()),
        rows(window, RowRule::kAny, memory_bytes, home_days),
        keys(max_keys(memory_bytes)),
        pass(read_as) {}

  [[nodiscard]] const Interval& window() const { return policy.window(); }

  core::JobPolicy policy;
  core::JobAction action;
  WindowRows rows;      // survives the restarts of the window: a second job repeats what the first one brought
  core::PassKeys keys;  // of the present job alone
  core::Pass pass;
  std::optional<common::Instant> submitted_behind;  // the availability date then
  std::optional<common::Instant> availability;      // of the oldest results page
  std::optional<common::SteadyTime> busy_since;     // the service runs other jobs instead
  bool done = false;
};

// The coroutines of the lane between two troubles that concern all of them.
struct SettleLane::Crew {
  explicit Crew(const asio::any_io_executor& executor) : group(executor), availability_wanted(executor) {}

  TaskGroup group;
  Event availability_wanted;
  std::optional<common::Instant> wanted_until;
  std::vector<Interval> running;
  // Of those running, passes after the first that wait without a job: until they try again, and then until there is room.
  std::uint32_t waiting = 0;
  std::uint32_t ready = 0;
  std::set<core::HomeDay> judging;  // days that have their coroutine
  std::optional<Error> trouble;
  bool is_done = false;  // a backfill: nothing is left
};

SettleLane::SettleLane(StreamContext& stream, std::optional<core::BackfillOrder> order)
    : Lane(stream, order ? core::Lane::kBackfill : core::Lane::kSettle),
      job_(*stream.definition.job),
      order_(std::move(order)),
      page_size_(page_size_of(job_.pages, stream.options.job_page_size)),
      judges_(!order_ && can_tell_what_is_gone(stream.definition) && stream.options.settle.window == std::chrono::days{1}) {
  spec_.records = job_.records;
  spec_.key = stream.definition.key;
  spec_.start = stream.definition.start_pointer.value_or("");
  spec_.open_while_absent = stream.definition.open_while_absent.value_or("");
  scalars_.emplace(job_, spec_);
  by_id_spec_ = spec_;
  if (stream.definition.by_id) by_id_spec_.records = stream.definition.by_id->records;
  if (!order_) return;
  requests_before_ = stream_.api.usage(source_).requests;
  const auto& mark = stream_.publisher.committed(source_).backfill();
  if (mark && mark->order.id == order_->id) carried_requests_ = mark->requests;
}

Lane::Awaited SettleLane::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  resynchronise();
  for (;;) {
    Result<void> done = co_await run_crew();
    if (done) co_return done;
    if (done.error().code == ErrorCode::kCancelled || done.error().code == ErrorCode::kInternal) co_return done;
    judged_.clear();  // what was handed over may be dropped
    common::Duration wait = needs_operator(done.error().code) ? backoff_.slow() : backoff_.next(chance());
    report_failure(done.error(), {}, core::AtStart{}, wait);
    if (auto slept = co_await sleep(wait); !slept) co_return slept;
    if (auto decided = co_await await_decision(); !decided) co_return decided;
  }
}

// Ends with an error: cancellation, or trouble that concerns every window of the lane; a backfill without one when it is done.
Lane::Awaited SettleLane::run_crew() {
  if (order_) {
    if (auto begun = co_await begin_backfill(); !begun) co_return begun;
    if (!working_.backfill()->is_running()) co_return Result<void>{};  // what told so came after the last failure
  } else {
    if (auto started = co_await start_ledger(stream_.start.instant); !started) co_return started;
    if (auto started = co_await start_ages(stream_.options.settle.ages); !started) co_return started;
  }
  Crew crew(co_await asio::this_coro::executor);
  hold_days(crew);
  const JobDays::Waker waker(stream_.job_days, source_.lane, [&crew] { crew.group.wake(); });
  crew.group.spawn(watch_availability(crew));
  Result<void> done;
  while (done && !crew.is_done && !crew.trouble && !crew.group.has_thrown()) {
    if (co_await is_cancelled()) {
      done = fail(ErrorCode::kCancelled, "the lane was cancelled");
    } else {
      done = co_await dispatch(crew);
    }
  }
  co_await crew.group.cancel_and_join();
  if (crew.is_done) co_return Result<void>{};
  co_return fail(done ? *crew.trouble : done.error());  // what a child threw has been thrown again by now
}

// Begins what may begin, then waits until something ends.
Lane::Awaited SettleLane::dispatch(Crew& crew) {
  // The host's clock may have been set back, or the service's be known only now; what is complete stays so.
  if (job_.lag && availability_) availability_ = std::min(*availability_, complete_at(stream_.clock.utc_now()));
  if (auto given_up = co_await give_up_expired(crew); !given_up) co_return given_up;
  if (std::vector<core::LedgerChange> forgotten = forgotten_judgements(); !forgotten.empty()) {
    if (auto submitted = co_await submit_changes({}, std::move(forgotten)); !submitted) co_return submitted;
  }
  judge_days(crew);
  if (std::vector<core::LedgerChange> owed = newly_owed(); !owed.empty()) {
    if (auto submitted = co_await submit_changes({}, std::move(owed)); !submitted) co_return submitted;
  }
  const core::SettleTime time{.availability = availability_, .now = core::earlier_now(stream_.clock, stream_.api)};
  core::SettlePlanOptions options = plan_options();
  options.waiting = crew.waiting;
  core::SettlePlan plan = core::plan_settle(options, working_, time, crew.running, stream_.job_days.of_others(source_.lane));
  stream_.metrics.windows_open(source_, std::max(working_.open().size(), crew.running.size()));
  if (auto* resume = std::get_if<core::ResumeWindow>(&plan)) {
    crew.running.push_back(resume->open.window);
    hold_days(crew);
    crew.group.spawn(run_job(crew, resume->open.window, std::move(resume->open.position), resume->open.pass));
    co_return Result<void>{};
  }
  if (const auto* begin = std::get_if<core::SubmitWindow>(&plan)) {
    crew.running.push_back(begin->window);
    hold_days(crew);
    crew.group.spawn(run_job(crew, begin->window, core::AtStart{}, begin->pass));
    co_return Result<void>{};
  }
  // While jobs run, too: their results may be older than the date that was told last, and so would be those of the next ones.
  const auto* ask = std::get_if<core::AskAvailability>(&plan);
  crew.wanted_until = ask != nullptr ? std::optional(ask->until) : std::nullopt;
  crew.availability_wanted.notify();
  if (crew.running.empty()) {
    const core::Ledger planned_from = working_;
    if (auto flushed = co_await flush(); !flushed) co_return flushed;
    if (!working_.has_same_progress(planned_from)) {  // something was dropped: plan again
      judged_.clear();
      co_return Result<void>{};
    }
  }
  if (std::holds_alternative<core::NothingLeft>(plan)) {
    auto ended = co_await end_backfill(core::BackfillState::kDone);
    crew.is_done = ended.has_value();
    co_return ended;
  }
  // A cancellation that came while something else ended would not end this wait.
  if (!co_await is_cancelled()) co_await crew.group.changed();
  co_return Result<void>{};
}

// (Of a day that has expired in part, what is absent by its id may have expired, too.)
Lane::Awaited SettleLane::give_up_expired(const Crew& crew) {
  const auto until = order_ ? std::optional(order_->range.end) : std::nullopt;
  if (auto given_up = co_await give_up_out_of_reach(crew.running, until); !given_up) co_return given_up;
  if (readable_from_) std::erase_if(judged_, [&](const auto& day) { return day.first < *readable_from_; });
  co_return Result<void>{};
}

common::Duration SettleLane::owed_gather() const {
  // A twelfth of the first later age: 6 hours of 72.
  constexpr common::Duration kUnasked{21'600'000};
  const auto& ages = stream_.options.settle.ages;
  return ages.size() > 1 ? std::min(kUnasked, ages[1] / 12) : kUnasked;
}

std::uint32_t SettleLane::max_jobs() const {
  // Jobs of two days may return one record: an older state must not come after a newer one.
  if (stream_.definition.spans_days) return 1;
  const std::uint32_t wanted = order_ ? order_->parallel : stream_.options.settle.max_jobs;
  return job_.max_open > 0 ? std::min(wanted, job_.max_open) : wanted;
}

core::SettlePlanOptions SettleLane::plan_options() const {
  const SettleOptions& settle = stream_.options.settle;
  core::SettlePlanOptions options{.window = settle.window,
                                  .max_jobs = max_jobs(),
                                  .newest_first = settle.newest_first && !stream_.definition.spans_days,
                                  .owed_gather = owed_gather()};
  if (order_) {
    options.newest_first = false;
    options.until = order_->range.end;
  }
  return options;
}

bool SettleLane::is_caught_up(common::Instant due) const {
  const core::Publisher& publisher = stream_.publisher;
  const core::Ledger& backfill = publisher.committed({.stream = source_.stream, .lane = core::Lane::kBackfill});
  return core::settle_is_caught_up(plan_options(), publisher.committed(source_), due, first_availability_) &&
         core::backfill_is_caught_up(plan_options(), backfill, first_availability_);
}

// Whoever else reads this stream by jobs leaves these days alone.
void SettleLane::hold_days(const Crew& crew) {
  core::JobsElsewhere jobs{.running = crew.running, .open = {}};
  for (const core::OpenWindow& open : working_.open()) {
    if (job_of(open.position) != nullptr) jobs.open.push_back(open.window);
  }
  stream_.job_days.hold(source_.lane, std::move(jobs));
}

// --- a backfill's own beginning and end

Lane::Awaited SettleLane::begin_backfill() {
  const auto& mark = working_.backfill();
  if (mark && mark->order.id == order_->id) co_return Result<void>{};
  co_return co_await submit_changes(order_->range, {core::BackfillBegan{.order = *order_, .at = stream_.clock.utc_now()}});
}

Lane::Awaited SettleLane::end_backfill(core::BackfillState state) {
  std::vector<core::LedgerChange> changes;
  add_usage(changes);
  changes.emplace_back(
      core::BackfillEnded{.state = state, .detail = {}, .set_aside = set_aside(), .at = stream_.clock.utc_now()});
  if (auto submitted = co_await submit_changes(order_->range, std::move(changes)); !submitted) co_return submitted;
  if (auto flushed = co_await flush(); !flushed) co_return flushed;
  stream_.job_days.hold(source_.lane, {});
  stream_.metrics.windows_open(source_, 0);
  stream_.metrics.lane_failing(source_, false);
  const core::BackfillMark& mark = *working_.backfill();
  const common::Duration lost = working_.lost().length();  // (the lane may not have told all of it: once an hour)
  stream_.logger.log(lost > common::Duration{0} ? common::LogLevel::kError : common::LogLevel::kInfo, "a backfill has ended",
                     {{"stream", source_.stream.str()},
                      {"state", core::to_string(mark.state)},
                      {"range", common::format_interval(mark.order.range)},
                      {"records", mark.records},
                      {"windows", mark.windows},
                      {"requests", mark.requests},
                      {"set_aside", mark.set_aside},
                      {"lost", common::format_duration(lost)}});
  co_return Result<void>{};
}

Lane::Awaited SettleLane::cancel() {
  co_await asio::this_coro::throw_if_cancelled(false);
  for (;;) {
    if (auto decided = co_await await_decision(); !decided) co_return decided;
    const auto& mark = working_.backfill();
    if (!mark || !mark->is_running() || mark->order.id != order_->id) {
      stream_.job_days.hold(source_.lane, {});
      co_return Result<void>{};
    }
    const std::vector<core::OpenWindow> open = working_.open();
    for (const core::OpenWindow& window : open) {
      const core::JobId* id = job_of(window.position);
      if (id == nullptr) continue;
      if (auto cancelled = co_await cancel_job(*id); !cancelled) co_return cancelled;
    }
    Result<void> ended = co_await end_backfill(core::BackfillState::kCancelled);
    if (ended || ended.error().code == ErrorCode::kCancelled || ended.error().code == ErrorCode::kInternal) co_return ended;
    const common::Duration wait = backoff_.next(chance());
    report_failure(ended.error(), order_->range, core::AtStart{}, wait);
    if (auto slept = co_await sleep(wait); !slept) co_return slept;
  }
}

void SettleLane::add_usage(std::vector<core::LedgerChange>& changes) const {
  if (!order_) return;
  const core::ApiUsage usage = stream_.api.usage(source_);
  changes.emplace_back(core::BackfillUsed{.requests = usage.requests + carried_requests_ - requests_before_,
                                          .permitted = usage.permitted,
                                          .at = stream_.clock.utc_now()});
}

// Days behind the settle lane's start are nobody's once the backfill has ended.
std::uint64_t SettleLane::set_aside() const {
  const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
  if (digests == nullptr) return 0;
  const common::Instant settled_from =
      stream_.publisher.committed({.stream = source_.stream, .lane = core::Lane::kSettle}).start();
  std::uint64_t records = 0;
  for (const auto& [day, owed] : digests->committed().owed()) {
    const common::Interval part{.start = std::max<common::Instant>(day, order_->range.start),
                                .end = std::min<common::Instant>(day + std::chrono::days{1}, order_->range.end)};
    if (part.empty() || part.end > settled_from) continue;
    records += owed.waiting;
    for (const auto& [due, count] : owed.due) records += count;
  }
  return records;
}

std::vector<core::LedgerChange> SettleLane::newly_owed() const {
  if (order_) return {};  // a pass for what its rows leave owed is the settle lane's
  const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
  if (digests == nullptr || !availability_) return {};
  const core::NewlyOwedOptions options{.gather = owed_gather(), .max_gather = stream_.options.follow.max, .from = readable_from_};
  return core::newly_owed(options, working_, *digests, *availability_, passes_);
}

asio::awaitable<void> SettleLane::watch_availability(Crew& crew) {
  co_await asio::this_coro::throw_if_cancelled(false);
  core::LaneBackoff backoff;
  while (!co_await is_cancelled()) {
    co_await crew.availability_wanted.wait();
    if (co_await is_cancelled()) co_return;
    if (availability_ && crew.wanted_until && *availability_ >= *crew.wanted_until) continue;
    Result<common::Instant> date = co_await fetch_availability();
    common::Duration wait = stream_.options.settle.availability_every;
    if (date) {
      // Of an earlier life the ledger knows.
      const std::optional<common::Instant> before = availability_ ? availability_ : working_.availability();
      // By age it says nothing about the service's data: clocks may be set back or differ by a second from answer to answer.
      if (before && *date < *before && !job_.lag) {
        stream_.logger.warn(
            "the service's availability date went back; nothing beyond it is submitted",
            {{"stream", source_.stream.str()}, {"from", common::format_instant(*before)}, {"to", common::format_instant(*date)}});
        std::vector<core::LedgerChange> lost =
            core::availability_lost({.window = stream_.options.settle.window}, working_, std::max(*before, newest_read_), *date);
        if (!lost.empty()) {
          if (auto submitted = co_await submit_changes({}, std::move(lost)); !submitted) {
            // Without its watch the crew would wait for ever.
            if (!crew.trouble) crew.trouble = std::move(submitted.error());
            co_return;
          }
        }
      }
      availability_ = *date;
      if (!first_availability_) first_availability_ = *date;
      backoff.reset();
      report_recovery({});
      crew.group.wake();
    } else {
      if (date.error().code == ErrorCode::kCancelled) co_return;
      wait = needs_operator(date.error().code) ? backoff.slow() : backoff.next(chance());
      report_failure(date.error(), {}, core::AtStart{}, wait);
      crew.availability_wanted.notify();  // asked again after the wait
    }
    if (auto slept = co_await sleep(wait); !slept) co_return;
  }
}

asio::awaitable<void> SettleLane::run_job(Crew& crew, Interval window, core::Position position, core::Pass pass) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::size_t memory = order_ ? stream_.memory_bytes / order_->parallel : stream_.memory_bytes;
  Job job(policy_options(stream_.options.settle), window, std::move(position), pass, core::needed_for(window, pass, working_),
          memory, home_days_of(stream_.definition));
  Result<void> done = co_await read_window(crew, job);
  std::erase(crew.running, window);
  hold_days(crew);
  if (done) {
    report_recovery(window);
    backoff_.reset();
  } else if (done.error().code != ErrorCode::kCancelled && !crew.trouble) {
    crew.trouble = std::move(done.error());
  } else if (!co_await is_cancelled() && !crew.trouble) {
    crew.trouble = std::move(done.error());  // not we were cancelled: the task stops
  }
}

Lane::Awaited SettleLane::read_window(Crew& crew, Job& job) {
  while (!job.done) {
    if (co_await is_cancelled()) co_return fail(ErrorCode::kCancelled, "the lane was cancelled");
    Result<void> done;
    core::JobAction action = std::move(job.action);
    if (std::holds_alternative<core::SubmitJob>(action)) {
      done = co_await submit_job(job);
    } else if (const auto* poll = std::get_if<core::PollJob>(&action)) {
      done = co_await poll_job(job, poll->wait);
    } else if (const auto* read = std::get_if<core::ReadResults>(&action)) {
      done = co_await read_results(job, *read);
    } else if (auto* restart = std::get_if<core::RestartJob>(&action)) {
      done = co_await restart_job(crew, job, std::move(*restart));
    } else if (auto* split = std::get_if<core::SplitJob>(&action)) {
      done = co_await split_job(crew, job, std::move(*split));
    } else {
      done = fail(ErrorCode::kInternal, "a job completed outside of a page: " + common::format_interval(job.window()));
    }
    if (!done) co_return done;
  }
  co_return Result<void>{};
}

void SettleLane::step(Job& job, const core::JobEvent& event) {
  job.action = job.policy.step(event, stream_.clock.utc_now(), chance());
}

// By `lag`: up to where data was complete when the host's clock told this.
common::Instant SettleLane::complete_at(common::Instant host) const {
  return available_by_age(*job_.lag, core::earlier_clock(host, stream_.api.clock_skew()));
}

// The policy decides; what it decided to wait is told with the failure.
void SettleLane::step_failed(Job& job, const Error& error, const core::Position& position) {
  step(job, core::JobStepFailed{error});
  common::Duration wait{0};
  if (const auto* poll = std::get_if<core::PollJob>(&job.action)) wait = poll->wait;
  if (const auto* read = std::get_if<core::ReadResults>(&job.action)) wait = read->wait;
  if (const auto* restart = std::get_if<core::RestartJob>(&job.action)) wait = restart->wait;
  report_failure(error, job.window(), position, wait);
}

core::ApiRequest SettleLane::request_for(RequestBuilder builder, const Job& job) const {
  const core::Position& position = job.policy.position();
  if (const core::JobId* id = job_of(position)) builder.job(*id);
  core::ApiRequest request = std::move(builder).build(source_);
  request.window = common::format_interval(job.window());
  request.position = describe(position);
  return request;
}

Lane::Awaited SettleLane::submit_job(Job& job) {
  // Its window may have expired while it waited to be tried again: the plan cuts it, or gives it up.
  if (has_expired(job.window().start)) {
    job.done = true;
    co_return co_await give_back(job);
  }
  RequestBuilder builder(job_.submit, stream_.options.query);
  builder.window(stream_.definition.window, job.window());
  const common::Instant asked = stream_.clock.utc_now();
  core::ApiRequest request = request_for(std::move(builder), job);
  request.takes_conflict = job_.max_open > 0;
  Result<core::ApiResponse> response = co_await stream_.api.send(std::move(request));
  if (response && response->status == kTooManyJobs) {
    const common::SteadyTime now = stream_.clock.steady_now();
    job.busy_since = job.busy_since.value_or(now);
    // Another's job is no failure, as long as it may be one.
    if (now - *job.busy_since > stream_.options.settle.job_deadline) {
      step_failed(job, too_many_jobs(), core::AtStart{});
    } else {
      step(job, core::JobStepFailed{too_many_jobs()});
    }
    co_return Result<void>{};
  }
  job.busy_since.reset();
  Result<common::json::Value> answer = response ? common::json::parse(response->body) : fail(response.error());
  std::string id = answer ? text_at(*answer, job_.id) : std::string();
  if (answer && (id.empty() || id.size() > kMaxJobIdBytes)) {
    answer = fail(ErrorCode::kMalformedResponse, "the answer to the job has no id at " + job_.id + " that can be kept");
  }
  if (!answer) {
    if (answer.error().code == ErrorCode::kCancelled) co_return fail(answer.error());
    step_failed(job, answer.error(), core::AtStart{});
    co_return Result<void>{};
  }
  step(job, core::JobSubmitted{core::JobId(std::move(id))});
  job.submitted_behind = job_.lag ? complete_at(asked) : availability_;
  // At once and by itself: a job that is not in the ledger would be paid for again after a crash.
  std::vector<core::LedgerChange> changes;
  if (job.submitted_behind) changes.emplace_back(core::AvailabilitySeen{*job.submitted_behind});
  changes.emplace_back(core::WindowOpened{job.window(), job.policy.position(), job.pass});
  add_usage(changes);
  co_return co_await submit_changes(job.window(), std::move(changes));
}

// Planned anew it has failed never: if it did, it is halved at once, or whatever fails in it would keep the rest from being read
// until all of it has expired.
Lane::Awaited SettleLane::give_back(const Job& job) {
  const common::Duration part = job.policy.part_of_failed();
  std::vector<core::LedgerChange> changes;
  if (part > common::Duration{0} && working_.has_room_to_open()) {
    changes = halve(job, part, "expires", "the service keeps its beginning no longer");
  } else if (working_.find_open(job.window()) != nullptr) {
    changes.emplace_back(core::WindowAbandoned{job.window()});
  }
  if (changes.empty()) co_return Result<void>{};
  co_return co_await submit_changes(job.window(), std::move(changes));
}

// Its parts wait for jobs of their own. There is room for them.
std::vector<core::LedgerChange> SettleLane::halve(const Job& job, common::Duration part, const std::string& reason,
                                                  const std::string& detail) {
  const Interval window = job.window();
  const common::Instant middle = std::min(window.start + part, window.end);
  stream_.metrics.window_restarted(source_, reason);
  stream_.logger.warn("a job's window keeps failing and is halved", {{"stream", source_.stream.str()},
                                                                     {"lane", core::to_string(source_.lane)},
                                                                     {"window", common::format_interval(window)},
                                                                     {"part", common::format_duration(part)},
                                                                     {"reason", reason},
                                                                     {"detail", detail}});
  std::vector<core::LedgerChange> changes;
  if (working_.find_open(window) != nullptr) changes.emplace_back(core::WindowAbandoned{window});
  changes.emplace_back(core::WindowOpened{{.start = window.start, .end = middle}, core::AtStart{}, job.pass});
  if (middle < window.end) {
    changes.emplace_back(core::WindowOpened{{.start = middle, .end = window.end}, core::AtStart{}, job.pass});
  }
  return changes;
}

Lane::Awaited SettleLane::poll_job(Job& job, common::Duration wait) {
  if (auto slept = co_await sleep(wait); !slept) co_return slept;
  Result<common::json::Value> answer = co_await fetch_document(request_for(RequestBuilder(job_.status), job));
  if (answer && text_at(*answer, job_.state).empty()) {
    answer = fail(ErrorCode::kMalformedResponse, "the status of the job has no text at " + job_.state);
  }
  if (!answer) {
    if (answer.error().code == ErrorCode::kCancelled) co_return fail(answer.error());
    step_failed(job, answer.error(), job.policy.position());
    co_return Result<void>{};
  }
  const auto shown = [](std::string text) {
    constexpr std::size_t kShown = 400;
    if (text.size() > kShown) text.resize(kShown);
    return text;
  };
  step(job, core::JobStatus{.state = shown(state_of_job(job_, text_at(*answer, job_.state))),
                            .error_message = shown(text_at(*answer, job_.error_message))});
  co_return Result<void>{};
}

Lane::Awaited SettleLane::read_results(Job& job, const core::ReadResults& action) {
  if (auto slept = co_await sleep(action.wait); !slept) co_return slept;
  const core::Position at = job.policy.position();
  RequestBuilder builder(job_.results);
  put_position(builder, job_.pages, at, page_size_);
  Result<ReadPage> read = co_await fetch_page(request_for(std::move(builder), job), spec_);
  std::optional<std::string> next = read ? scalars_->next(read->sliced, read->headers) : std::nullopt;
  if (next && next->size() > core::Ledger::kMaxCursorBytes) {
    read = fail(ErrorCode::kMalformedResponse, "a cursor of " + std::to_string(next->size()) + " bytes is too long to keep");
  }
  if (read && !next && read->sliced.elements == 0 && !scalars_->is_of_a_job(read->sliced)) {
    // `{}` is what a gateway answers, or a job that is not ready after all. The last page, too, names its date.
    read = fail(ErrorCode::kMalformedResponse,
                "a results page has neither records nor a cursor nor what every page has: date or mark");
  }
  if (!read) {
    if (read.error().code == ErrorCode::kCancelled) co_return fail(read.error());
    step_failed(job, read.error(), at);
    co_return Result<void>{};
  }
  const auto* from = std::get_if<core::AtJob>(&at);
  if (job_.lag && from != nullptr && !job.submitted_behind) {  // of an earlier life
    const common::Instant submitted = complete_at(from->submitted);
    job.submitted_behind = std::min(submitted, working_.availability().value_or(submitted));
  }
  std::optional<common::Instant> told = scalars_->availability(read->sliced);
  // What was taken for the present when it was submitted may have been the future.
  if (job_.lag && !told && job.submitted_behind) {
    told = std::min(*job.submitted_behind, complete_at(stream_.clock.utc_now()));
  }
  step(job, core::JobPage{.next = std::move(next), .availability = told, .distinct = job.rows.distinct()});
  const bool is_last = std::holds_alternative<core::CompleteJob>(job.action);
  // A page the policy does not accept is dropped whole: its window begins again.
  if (!is_last && !std::holds_alternative<core::ReadResults>(job.action)) co_return Result<void>{};

  if (from != nullptr && !from->cursor) job.keys.begin();
  if (reads_whole_day(job)) {
    for (const core::RecordSlice& record : read->sliced.records) job.keys.add(record.key);
  }

  core::PageGroup group;
  // No job is submitted before the service guarantees its window; taken up again, nothing more is known of it (by age, it is).
  const common::Instant availability = told.value_or(job.submitted_behind.value_or(job.window().end));
  job.availability = std::min(availability, job.availability.value_or(availability));
  group.push_back(make_page(*read, at, job.window(), core::RecordForm::kJob));
  group.back().availability = availability;
  const RowCounts counts = job.rows.take(std::move(read->sliced), group);
  job.rows.handed_over(1);
  if (counts.duplicates > 0) stream_.metrics.records_dropped(source_, "duplicate_in_window", counts.duplicates);
  core::Page& page = group.back();
  const std::uint64_t records = compact(page);
  report_dead_letters(page);
  std::optional<core::MissedByPass> missed;
  if (is_last && reads_whole_day(job) && job.keys.is_whole()) missed = co_await search_missed(job);
  const core::OpenWindow* open = working_.find_open(job.window());
  if (open == nullptr)
    co_return fail(ErrorCode::kInternal, "a job's window is not open: " + common::format_interval(job.window()));
  if (is_last) {
    page.changes.emplace_back(core::WindowCompleted{
        .window = job.window(), .records = records, .page = open->pages + 1, .availability = job.availability});
    // A full ledger has no place to say so.
    if (working_.has_room_to_open()) {
      std::ranges::move(core::passes_satisfied(working_, job.window(), began(job, *open), core::Satisfied::kWhole),
                        std::back_inserter(page.changes));
    }
    if (missed) {
      begin_judging(job, std::move(*missed), page.changes);
    } else if (job.keys.has_overflown()) {
      stream_.logger.warn(
          "a day has too many records for kafka.memory to tell which of them the service has deleted; that is not looked for",
          {{"stream", source_.stream.str()}, {"window", common::format_interval(job.window())}});
    } else if (judges_) {
      core::Ledger after = working_;
      for (const core::LedgerChange& change : page.changes) {
        if (auto applied = after.apply(change); !applied) co_return applied;
      }
      std::ranges::move(core::judgement_missed(after, job.window(), job.pass, *job.availability),
                        std::back_inserter(page.changes));
    }
  } else {
    page.changes.emplace_back(
        core::PageRead{.window = job.window(), .next = job.policy.position(), .records = records, .page = open->pages + 1});
  }
  add_usage(page.changes);
  if (is_last) newest_read_ = std::max(newest_read_, *job.availability);
  if (is_last) passes_.note(job.window(), *job.availability);  // the planner looks while this is handed over
  if (auto submitted = co_await submit(std::move(group)); !submitted) co_return submitted;
  report_recovery(job.window());
  if (is_last) {
    job.done = true;
    stream_.metrics.window_completed(source_, false);
  }
  co_return Result<void>{};
}

// From when on the job's data is: it knows nothing that came after it was submitted, nor what was not available.
common::Instant SettleLane::began(const Job& job, const core::OpenWindow& open) {
  const auto* at = std::get_if<core::AtJob>(&open.position);
  const common::Instant submitted = at == nullptr ? open.window.end : at->submitted;
  return std::min(submitted, job.availability.value_or(open.window.end));
}

Lane::Awaited SettleLane::cancel_job(const core::JobId& id) {
  if (job_.cancel.path.empty()) co_return Result<void>{};
  core::ApiRequest request = std::move(RequestBuilder(job_.cancel).job(id)).build(source_);
  request.position = "job " + id.str();
  Result<core::ApiResponse> answer = co_await stream_.api.send(std::move(request));
  if (!answer && answer.error().code == ErrorCode::kCancelled) co_return fail(answer.error());
  // It ends by itself one day; the window no longer depends on it.
  if (!answer) {
    stream_.logger.debug("a job could not be cancelled", {{"job", id.str()}, {"error", answer.error().message}});
  }
  co_return Result<void>{};
}

Lane::Awaited SettleLane::restart_job(Crew& crew, Job& job, core::RestartJob action) {
  stream_.metrics.window_restarted(source_, action.reason);
  const core::OpenWindow* open = working_.find_open(job.window());
  const core::Position before = open == nullptr ? core::Position{core::AtStart{}} : open->position;
  stream_.logger.warn("a job's window starts again", {{"stream", source_.stream.str()},
                                                      {"lane", core::to_string(source_.lane)},
                                                      {"window", common::format_interval(job.window())},
                                                      {"position", describe(before)},
                                                      {"reason", action.reason},
                                                      {"detail", action.detail},
                                                      {"again_in", common::format_duration(action.wait)}});
  if (const core::JobId* id = job_of(before); id != nullptr && action.cancel_job) {
    const core::JobId copy = *id;
    if (auto cancelled = co_await cancel_job(copy); !cancelled) co_return cancelled;
  }
  if (before != core::Position{core::AtStart{}}) {
    if (auto restarted = co_await submit_changes(job.window(), {core::WindowRestarted{job.window()}}); !restarted)
      co_return restarted;
  }
  if (auto waited = co_await wait_without_job(crew, job.pass, action.wait); !waited) co_return waited;
  const auto plannable = [&] { return plannable_by_age(*job_.lag, core::earlier_now(stream_.clock, stream_.api)); };
  while (job_.lag && plannable() < job.policy.needed()) {
    auto waited = co_await wait_without_job(crew, job.pass, stream_.options.settle.availability_every);
    if (!waited) co_return waited;
  }
  if (auto room = co_await await_room(crew, job.pass); !room) co_return room;
  step(job, core::JobWaited{});
  co_return Result<void>{};
}

Lane::Awaited SettleLane::split_job(Crew& crew, Job& job, core::SplitJob action) {
  if (!working_.has_room_to_open()) {
    // The ledger is full of windows: this one stays whole until others have ended.
    co_return co_await restart_job(crew, job,
                                   {.reason = action.reason, .detail = action.detail, .wait = stream_.options.settle.poll_max});
  }
  std::vector<core::LedgerChange> changes = halve(job, action.part, action.reason, action.detail);
  const core::OpenWindow* open = working_.find_open(job.window());
  const core::JobId* id = open == nullptr ? nullptr : job_of(open->position);
  if (id != nullptr && action.cancel_job) {
    const core::JobId copy = *id;
    if (auto cancelled = co_await cancel_job(copy); !cancelled) co_return cancelled;
  }
  if (auto submitted = co_await submit_changes(job.window(), std::move(changes)); !submitted) co_return submitted;
  job.done = true;
  co_return co_await wait_without_job(crew, job.pass, action.wait);
}

// A pass after the first that fails again and again must not keep new days from being read: while it waits its place is theirs.
Lane::Awaited SettleLane::wait_without_job(Crew& crew, core::Pass pass, common::Duration wait) {
  if (pass.is_first()) co_return co_await sleep(wait);
  ++crew.waiting;
  crew.group.wake();
  Result<void> slept = co_await sleep(wait);
  --crew.waiting;
  co_return slept;
}

// Its place may have been taken meanwhile.
Lane::Awaited SettleLane::await_room(Crew& crew, core::Pass pass) {
  if (pass.is_first()) co_return Result<void>{};
  ++crew.ready;
  Result<void> done;
  while (done && crew.running.size() - crew.waiting - crew.ready >= max_jobs()) {
    done = co_await sleep(stream_.options.settle.poll_initial);
  }
  --crew.ready;
  co_return done;
}

// --- what a job did not return ---------------------------------------------------------------------------------------------

bool SettleLane::reads_whole_day(const Job& job) const {
  const auto day = std::chrono::floor<std::chrono::days>(job.window().start);
  return judges_ && job.window() == core::whole_day(day);
}

// Of what is known of the day. In steps, so that nothing else waits for long.
asio::awaitable<core::MissedByPass> SettleLane::search_missed(const Job& job) {
  constexpr std::size_t kStep = 20'000;  // a few milliseconds
  const auto executor = co_await asio::this_coro::executor;
  const core::HomeDay day = std::chrono::floor<std::chrono::days>(job.window().start);
  core::MissedByPassSearch search(job.keys, day, *job.availability);
  const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
  core::DigestIndex::Cursor cursor;
  while (digests != nullptr && !cursor.at_end()) {
    digests->committed().visit_day(cursor, day, kStep,
                                   [&](std::string_view key, const core::DigestEntry& entry) { search.look_at(key, entry); });
    if (!cursor.at_end()) co_await asio::post(executor, asio::use_awaitable);
  }
  co_return search.take();
}

void SettleLane::begin_judging(const Job& job, core::MissedByPass missed, std::vector<core::LedgerChange>& changes) {
  const core::HomeDay day = missed.day;
  if (missed.witnesses.empty()) {
    missed.witnesses = witnesses_;
  } else {
    witnesses_ = missed.witnesses;
  }
  if (missed.missing > 0) {
    stream_.logger.info("a job did not return records that are known of its day; they are looked for by id",
                        {{"stream", source_.stream.str()},
                         {"window", common::format_interval(job.window())},
                         {"records", missed.missing},
                         {"of", missed.known}});
  }
  const SettleOptions& settle = stream_.options.settle;
  auto known = judged_.find(day);
  const bool is_new = known == judged_.end();
  if (is_new) {
    const core::VanishedOptions options{.confirm = settle.delete_confirm,
                                        .max_share = settle.delete_max_share,
                                        .max_ids = static_cast<std::size_t>(stream_.definition.by_id->max_ids),
                                        .again = std::min(settle.delete_confirm, core::VanishedOptions{}.again)};
    known = judged_.emplace(day, std::make_shared<core::VanishedDay>(options)).first;
  }
  core::VanishedDay& judged = *known->second;
  tell(judged, judged.take(std::move(missed), stream_.clock.steady_now()));
  if (!judged.is_decided()) {
    changes.emplace_back(core::JudgingBegun{job.window()});
    return;
  }
  if (working_.unjudged().overlaps(job.window())) changes.emplace_back(core::JudgingEnded{job.window()});
  judged_.erase(known);
}

std::vector<core::LedgerChange> SettleLane::forgotten_judgements() const {
  std::set<core::HomeDay> judged;
  for (const auto& [day, ignored] : judged_) judged.insert(day);
  return core::forgotten_judgements(working_, judged);
}

void SettleLane::judge_days(Crew& crew) {
  for (const auto& [day, judged] : judged_) {
    if (crew.judging.insert(day).second) crew.group.spawn(judge(crew, judged));
  }
}

// Until it is decided, or forgotten by the lane.
asio::awaitable<void> SettleLane::judge(Crew& crew, std::shared_ptr<core::VanishedDay> day) {
  co_await asio::this_coro::throw_if_cancelled(false);
  constexpr common::Duration kLookAgain{60'000};  // another pass may have come meanwhile
  core::LaneBackoff backoff;
  const core::HomeDay which = day->day();
  const auto is_mine = [&] {
    const auto found = judged_.find(which);
    return found != judged_.end() && found->second == day;
  };
  while (is_mine() && !crew.trouble && !co_await is_cancelled()) {
    // Absent by its id is then what was deleted, and what has expired.
    if (has_expired(which)) {
      judged_.erase(which);
      break;
    }
    const common::SteadyTime now = stream_.clock.steady_now();
    core::VanishedPlan plan = day->next(now);
    if (std::holds_alternative<core::VanishedDecided>(plan)) break;
    if (const auto* at = std::get_if<core::AskVanishedAt>(&plan)) {
      const auto wait = std::chrono::ceil<common::Duration>(at->when - now);
      if (auto slept = co_await sleep(std::min(wait, kLookAgain)); !slept) break;
      continue;
    }
    Result<void> done = co_await ask_whether_gone(*day, std::get<core::AskVanished>(std::move(plan)), backoff);
    if (!done && !co_await is_cancelled() && !crew.trouble) crew.trouble = std::move(done.error());
    if (!done) break;
  }
  if (is_mine() && day->is_decided()) judged_.erase(which);
  report_recovery({.start = which, .end = which});
  crew.judging.erase(which);
}

// A read of the query form, though only the keys matter: what another read brought before is handed over, and none begins before
// what is gone is handed over, too. So whatever comes later is published.
Lane::Awaited SettleLane::ask_whether_gone(core::VanishedDay& day, core::AskVanished asked, core::LaneBackoff& backoff) {
  auto turn = co_await stream_.reads.take();
  if (!turn) {
    day.put_back(std::move(asked), stream_.clock.steady_now());
    co_return fail(turn.error());
  }
  std::vector<core::RecordKey> ids = asked.ids;
  ids.push_back(asked.witness);
  Result<ReadPage> read = co_await fetch_by_id(ids, by_id_spec_);
  if (read && !read->sliced.dead_letters.empty()) {
    read = fail(ErrorCode::kMalformedResponse, "a record that was asked for by id has no key");
  }
  const Interval window = core::whole_day(day.day());
  const Interval failing{.start = window.start, .end = window.start};  // not the job's, which may be failing for itself
  const common::SteadyTime now = stream_.clock.steady_now();
  core::VanishedFindings findings;
  if (read) {
    backoff.reset();
    report_recovery(failing);
    std::vector<std::string_view> found;
    for (const core::RecordSlice& record : read->sliced.records) found.push_back(record.key);
    findings = day.answered(std::move(asked), found, now);
  } else if (may_be_one_of_them(read.error().code)) {
    findings = day.refused(std::move(asked));
  } else {
    const common::Duration wait = needs_operator(read.error().code) ? backoff.slow() : backoff.next(chance());
    day.put_back(std::move(asked), now + wait);
    if (read.error().code == ErrorCode::kCancelled) co_return fail(read.error());
    report_failure(read.error(), failing, core::AtStart{}, wait);
    co_return Result<void>{};
  }
  tell(day, findings);

  std::vector<core::LedgerChange> changes;
  const auto judged = judged_.find(day.day());
  const bool is_mine =
      judged != judged_.end() && judged->second.get() == &day;  // else another pass has settled it, or begun anew
  if (is_mine && day.is_decided()) changes.emplace_back(core::JudgingEnded{window});
  if (findings.gone.empty()) {
    if (changes.empty()) co_return Result<void>{};
    co_return co_await submit_changes(window, std::move(changes));
  }
  core::PageGroup group;
  group.push_back(make_page(*read, core::AtStart{}, window, core::RecordForm::kJob));
  core::Page& page = group.back();
  page.position = std::to_string(findings.gone.size()) + " ids";
  page.gone = stream_.options.settle.on_delete;
  page.availability = day.availability();
  page.buffer = std::make_unique<std::string>();
  for (const core::RecordKey& key : findings.gone) *page.buffer += key.str();
  std::size_t begin = 0;
  for (const core::RecordKey& key : findings.gone) {
    page.records.push_back({.key = std::string_view(*page.buffer).substr(begin, key.str().size()), .value = {}});
    page.contents.push_back({.digests = {}, .home_day = day.day(), .open = false});
    begin += key.str().size();
  }
  page.changes = std::move(changes);
  co_return co_await submit(std::move(group));
}

// (What is gone is told when it is committed.)
void SettleLane::tell(const core::VanishedDay& day, const core::VanishedFindings& findings) {
  for (const auto& [outcome, count] : {std::pair{"present", findings.present}, std::pair{"unknown", findings.unknown},
                                       std::pair{"withheld", findings.withheld}}) {
    if (count > 0) stream_.metrics.records_gone(source_.stream, outcome, count);
  }
  if (!findings.is_braked) return;
  stream_.metrics.delete_braked(source_.stream);
  stream_.logger.warn(
      "more of a day's records are absent at the service than settle.delete.max_share allows: none is taken for deleted",
      {{"stream", source_.stream.str()},
       {"window", common::format_interval(core::whole_day(day.day()))},
       {"records", findings.withheld}});
}

}  // namespace connector::source
