#include "connector/source/settle_lane.h"

#include "connector/core/planning/ages.h"
#include "connector/core/planning/clocks.h"
#include "connector/source/json_pointer.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
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

core::JobPolicyOptions policy_options(const SettleOptions& settle, const core::Pass& pass) {
  return {.poll_initial = settle.poll_initial,
          .poll_max = settle.poll_max,
          .deadline = settle.job_deadline,
          .availability_every = settle.availability_every,
          .age = pass.age};
}

std::string text_at(const common::json::Value& document, const std::string& pointer) {
  const common::json::Value* found = pointer.empty() ? nullptr : find_at(document, pointer);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

const core::JobId* job_of(const core::Position& position) {
  const auto* at = std::get_if<core::AtJob>(&position);
  return at == nullptr ? nullptr : &at->job;
}

}  // namespace

// One window while a job reads it.
struct SettleLane::Job {
  Job(core::JobPolicyOptions options, Interval window, core::Position position, core::Pass read_as, std::size_t memory_bytes)
      : policy(options, window, std::move(position)),
        action(policy.begin()),
        rows(window, RowRule::kAny, memory_bytes),
        pass(read_as) {}

  [[nodiscard]] const Interval& window() const { return policy.window(); }

  core::JobPolicy policy;
  core::JobAction action;
  WindowRows rows;  // survives the restarts of the window: a second job repeats what the first one brought
  core::Pass pass;
  std::optional<common::Instant> submitted_behind;  // the availability date then
  std::optional<common::Instant> availability;      // of the oldest results page
  bool done = false;
};

// The coroutines of the lane between two troubles that concern all of them.
struct SettleLane::Crew {
  explicit Crew(const asio::any_io_executor& executor) : group(executor), availability_wanted(executor) {}

  TaskGroup group;
  Event availability_wanted;
  std::optional<common::Instant> wanted_until;
  std::vector<Interval> running;
  std::optional<Error> trouble;
};

SettleLane::SettleLane(StreamContext& stream)
    : Lane(stream, core::Lane::kSettle),
      job_(*stream.definition.job),
      page_size_(page_size_of(job_.pages, stream.options.job_page_size)) {
  spec_.records = job_.records;
  spec_.key = stream.definition.key;
  spec_.start = stream.definition.start_pointer.value_or("");
  spec_.open_while_absent = stream.definition.open_while_absent.value_or("");
  scalars_.emplace(job_.pages, std::nullopt, job_.availability_date, spec_);
}

Lane::Awaited SettleLane::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  resynchronise();
  for (;;) {
    Result<void> done = co_await run_crew();
    if (done.error().code == ErrorCode::kCancelled || done.error().code == ErrorCode::kInternal) co_return done;
    common::Duration wait = needs_operator(done.error().code) ? backoff_.slow() : backoff_.next(chance());
    report_failure(done.error(), {}, core::AtStart{}, wait);
    if (auto slept = co_await sleep(wait); !slept) co_return slept;
    if (auto decided = co_await await_decision(); !decided) co_return decided;
  }
}

// Ends only with an error: cancellation, or trouble that concerns every window of the lane.
Lane::Awaited SettleLane::run_crew() {
  if (auto started = co_await start_ledger(stream_.start.instant); !started) co_return started;
  if (auto started = co_await start_ages(stream_.options.settle.ages); !started) co_return started;
  Crew crew(co_await asio::this_coro::executor);
  crew.group.spawn(watch_availability(crew));
  Result<void> done;
  while (done && !crew.trouble && !crew.group.has_thrown()) {
    if (co_await is_cancelled()) {
      done = fail(ErrorCode::kCancelled, "the lane was cancelled");
    } else {
      done = co_await dispatch(crew);
    }
  }
  co_await crew.group.cancel_and_join();
  co_return fail(done ? *crew.trouble : done.error());  // what a child threw has been thrown again by now
}

// Begins what may begin, then waits until something ends.
Lane::Awaited SettleLane::dispatch(Crew& crew) {
  const SettleOptions& settle = stream_.options.settle;
  const core::SettlePlanOptions options{
      .window = settle.window, .max_jobs = settle.max_jobs, .newest_first = settle.newest_first, .owed_gather = owed_gather()};
  if (std::vector<core::LedgerChange> owed = newly_owed(); !owed.empty()) {
    if (auto submitted = co_await submit_changes({}, std::move(owed)); !submitted) co_return submitted;
  }
  const core::SettleTime time{.availability = availability_,
                              .now = core::earlier_clock(stream_.clock.utc_now(), stream_.api.clock_skew())};
  core::SettlePlan plan = core::plan_settle(options, working_, time, crew.running);
  stream_.metrics.windows_open(source_, std::max(working_.open().size(), crew.running.size()));
  if (auto* resume = std::get_if<core::ResumeWindow>(&plan)) {
    crew.running.push_back(resume->open.window);
    crew.group.spawn(run_job(crew, resume->open.window, std::move(resume->open.position), resume->open.pass));
    co_return Result<void>{};
  }
  if (const auto* begin = std::get_if<core::SubmitWindow>(&plan)) {
    crew.running.push_back(begin->window);
    crew.group.spawn(run_job(crew, begin->window, core::AtStart{}, begin->pass));
    co_return Result<void>{};
  }
  if (const auto* ask = std::get_if<core::AskAvailability>(&plan)) {
    crew.wanted_until = ask->until;
    crew.availability_wanted.notify();
  }
  if (crew.running.empty()) {
    const core::Ledger planned_from = working_;
    if (auto flushed = co_await flush(); !flushed) co_return flushed;
    if (!working_.has_same_progress(planned_from)) co_return Result<void>{};  // something was dropped: plan again
  }
  // A cancellation that came while something else ended would not end this wait.
  if (!co_await is_cancelled()) co_await crew.group.changed();
  co_return Result<void>{};
}

common::Duration SettleLane::owed_gather() const {
  // A twelfth of the first later age: 6 hours of 72.
  constexpr common::Duration kUnasked{21'600'000};
  const auto& ages = stream_.options.settle.ages;
  return ages.size() > 1 ? std::min(kUnasked, ages[1] / 12) : kUnasked;
}

std::vector<core::LedgerChange> SettleLane::newly_owed() const {
  const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
  if (digests == nullptr || !availability_) return {};
  return core::newly_owed({.gather = owed_gather()}, working_, *digests, *availability_, passes_);
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
      if (availability_ && *date < *availability_) {
        stream_.logger.warn("the service's availability date went back; nothing beyond it is submitted",
                            {{"stream", source_.stream.str()},
                             {"from", common::format_instant(*availability_)},
                             {"to", common::format_instant(*date)}});
        const core::SettlePlanOptions options{.window = stream_.options.settle.window};
        std::vector<core::LedgerChange> lost = core::availability_lost(options, working_, *date);
        if (!lost.empty()) {
          if (auto submitted = co_await submit_changes({}, std::move(lost)); !submitted) {
            // Without its watch the crew would wait for ever.
            if (!crew.trouble) crew.trouble = std::move(submitted.error());
            co_return;
          }
        }
      }
      availability_ = *date;
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
  Job job(policy_options(stream_.options.settle, pass), window, std::move(position), pass, stream_.memory_bytes);
  Result<void> done = co_await read_window(job);
  std::erase(crew.running, window);
  if (done) {
    report_recovery(window);
    backoff_.reset();
  } else if (done.error().code != ErrorCode::kCancelled && !crew.trouble) {
    crew.trouble = std::move(done.error());
  } else if (!co_await is_cancelled() && !crew.trouble) {
    crew.trouble = std::move(done.error());  // not we were cancelled: the task stops
  }
}

Lane::Awaited SettleLane::read_window(Job& job) {
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
      done = co_await restart_job(job, std::move(*restart));
    } else if (auto* split = std::get_if<core::SplitJob>(&action)) {
      done = co_await split_job(job, std::move(*split));
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
  RequestBuilder builder(job_.submit, stream_.options.query);
  builder.window(stream_.definition.window, job.window());
  Result<common::json::Value> answer = co_await fetch_document(request_for(std::move(builder), job));
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
  job.submitted_behind = availability_;
  // At once and by itself: a job that is not in the ledger would be paid for again after a crash.
  std::vector<core::LedgerChange> changes;
  if (availability_) changes.emplace_back(core::AvailabilitySeen{*availability_});
  changes.emplace_back(core::WindowOpened{job.window(), job.policy.position(), job.pass});
  co_return co_await submit_changes(job.window(), std::move(changes));
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
  step(job, core::JobStatus{.state = shown(text_at(*answer, job_.state)),
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
  if (read && !next && read->sliced.rows() == 0 && !job_.availability_date.empty() && !scalars_->availability(read->sliced)) {
    // `{}` is what a gateway answers, or a job that is not ready after all. The last page, too, names its date.
    read = fail(ErrorCode::kMalformedResponse, "a results page has neither records nor a cursor nor an availability date");
  }
  if (!read) {
    if (read.error().code == ErrorCode::kCancelled) co_return fail(read.error());
    step_failed(job, read.error(), at);
    co_return Result<void>{};
  }
  step(job, core::JobPage{
                .next = std::move(next), .availability = scalars_->availability(read->sliced), .distinct = job.rows.distinct()});
  const bool is_last = std::holds_alternative<core::CompleteJob>(job.action);
  // A page the policy does not accept is dropped whole: its window begins again.
  if (!is_last && !std::holds_alternative<core::ReadResults>(job.action)) co_return Result<void>{};

  core::PageGroup group;
  // No job is submitted before the service guarantees its window; taken up again, nothing more is known of it.
  const common::Instant availability =
      scalars_->availability(read->sliced).value_or(job.submitted_behind.value_or(job.window().end));
  job.availability = std::min(availability, job.availability.value_or(availability));
  group.push_back(make_page(*read, at, job.window(), core::RecordForm::kJob));
  group.back().availability = availability;
  const RowCounts counts = job.rows.take(std::move(read->sliced), group);
  job.rows.handed_over(1);
  if (counts.duplicates > 0) stream_.metrics.records_dropped(source_, "duplicate_in_window", counts.duplicates);
  core::Page& page = group.back();
  const std::uint64_t records = compact(page);
  report_dead_letters(page);
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
  } else {
    page.changes.emplace_back(
        core::PageRead{.window = job.window(), .next = job.policy.position(), .records = records, .page = open->pages + 1});
  }
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

Lane::Awaited SettleLane::restart_job(Job& job, core::RestartJob action) {
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
  if (auto slept = co_await sleep(action.wait); !slept) co_return slept;
  step(job, core::JobWaited{});
  co_return Result<void>{};
}

Lane::Awaited SettleLane::split_job(Job& job, core::SplitJob action) {
  const Interval window = job.window();
  const common::Instant middle = std::min(window.start + action.part, window.end);
  const core::OpenWindow* open = working_.find_open(window);
  std::vector<core::LedgerChange> changes;
  if (open != nullptr) changes.emplace_back(core::WindowAbandoned{window});
  changes.emplace_back(core::WindowOpened{{.start = window.start, .end = middle}, core::AtStart{}, job.pass});
  if (middle < window.end) {
    changes.emplace_back(core::WindowOpened{{.start = middle, .end = window.end}, core::AtStart{}, job.pass});
  }
  if (!working_.has_room_to_open()) {
    // The ledger is full of windows: this one stays whole until others have ended.
    co_return co_await restart_job(job,
                                   {.reason = action.reason, .detail = action.detail, .wait = stream_.options.settle.poll_max});
  }
  stream_.metrics.window_restarted(source_, action.reason);
  stream_.logger.warn("a job's window keeps failing and is halved", {{"stream", source_.stream.str()},
                                                                     {"lane", core::to_string(source_.lane)},
                                                                     {"window", common::format_interval(window)},
                                                                     {"part", common::format_duration(action.part)},
                                                                     {"reason", action.reason},
                                                                     {"detail", action.detail}});
  const core::JobId* id = open == nullptr ? nullptr : job_of(open->position);
  if (id != nullptr && action.cancel_job) {
    const core::JobId copy = *id;
    if (auto cancelled = co_await cancel_job(copy); !cancelled) co_return cancelled;
  }
  if (auto submitted = co_await submit_changes(window, std::move(changes)); !submitted) co_return submitted;
  job.done = true;
  co_return co_await sleep(action.wait);
}

}  // namespace connector::source
