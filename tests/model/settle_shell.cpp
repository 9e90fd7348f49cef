#include "tests/model/settle_shell.h"

#include "connector/core/planning/ages.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace tests::model {

using namespace std::chrono_literals;
using common::ErrorCode;
using common::Result;
namespace core = connector::core;
using connector::source::RowRule;

namespace {

core::JobPolicyOptions policy_options(const connector::source::SettleOptions& settle, const core::Pass& pass) {
  return {.poll_initial = settle.poll_initial,
          .poll_max = settle.poll_max,
          .deadline = settle.job_deadline,
          .availability_every = settle.availability_every,
          .age = pass.age};
}

}  // namespace

struct SettleShell::Job {
  Job(core::JobPolicyOptions options, const Interval& window, core::Position position, core::Pass read_as, std::size_t memory)
      : policy(options, window, std::move(position)),
        action(policy.begin()),
        rows(window, RowRule::kAny, memory),
        pass(read_as) {}

  core::JobPolicy policy;
  core::JobAction action;
  connector::source::WindowRows rows;
  core::Pass pass;
  std::optional<Instant> submitted_behind;
  std::optional<Instant> availability;
  bool done = false;
  bool restarting = false;  // it waits before it begins again
  Instant wake = kNever;
};

SettleShell::SettleShell(Stage& stage, SimPublisher& publisher) : LaneShell(stage, publisher, core::Lane::kSettle) {
  resynchronise();
  wake = stage.now;
}

Instant SettleShell::next_wake() const {
  Instant next = std::min(wake, watch_wake_);
  for (const auto& job : jobs_) next = std::min(next, job->wake);
  return next;
}

void SettleShell::freeze_until(Instant instant) {
  wake = std::max(wake, instant);
  watch_wake_ = std::max(watch_wake_, instant);
  for (const auto& job : jobs_) job->wake = std::max(job->wake, instant);
}

void SettleShell::look() {
  if (doing_ == Doing::kFlush || doing_ == Doing::kDecision) wake = stage_.now;
}

SettleShell::~SettleShell() = default;

void SettleShell::step() {
  if (watch_wake_ <= stage_.now) return watch();
  for (const auto& job : jobs_) {
    if (job->wake <= stage_.now) return run(*job);
  }
  wake = kNever;
  switch (doing_) {
    case Doing::kCrew:
      return run_crew();
    case Doing::kDispatch:
    case Doing::kAsleep:
      return dispatch();
    case Doing::kFlush:
      return flush_then_wait();
    case Doing::kBackoff:
      doing_ = Doing::kDecision;
      [[fallthrough]];
    case Doing::kDecision:
      if (decided()) run_crew();
  }
}

void SettleShell::run_crew() {
  Result<void> started = start_ledger(std::get<Instant>(stage_.scenario.stream.start));
  if (started) started = start_ages(stage_.scenario.stream.settle.ages);
  if (!started) return trouble(started.error());
  wanted_ = false;
  fetching_ = false;
  watch_wake_ = kNever;
  watch_sleeps_until_ = {};
  dispatch();
}

std::vector<Interval> SettleShell::running() const {
  std::vector<Interval> windows;
  for (const auto& job : jobs_) windows.push_back(job->policy.window());
  return windows;
}

void SettleShell::dispatch() {
  if (doing_ == Doing::kAsleep) changed_ = false;
  doing_ = Doing::kDispatch;
  const auto& settle = stage_.scenario.stream.settle;
  const core::SettlePlanOptions options{.window = settle.window, .max_jobs = settle.max_jobs, .owed_gather = owed_gather()};
  if (std::vector<core::LedgerChange> owed = newly_owed(); !owed.empty()) {
    stage_.note("settle owes " + std::to_string(owed.size()) + " days");
    if (auto submitted = submit_changes({}, std::move(owed)); !submitted) return trouble(submitted.error());
  }
  const core::SettlePlan plan =
      core::plan_settle(options, working_, {.availability = availability_, .now = stage_.earlier_now()}, running());
  const auto begin = [&](const Interval& window, core::Position position, core::Pass pass) {
    jobs_.push_back(
        std::make_unique<Job>(policy_options(settle, pass), window, std::move(position), pass, stage_.scenario.memory_bytes));
    wake = stage_.now;  // and dispatch again
    perform(*jobs_.back());
  };
  if (const auto* resume = std::get_if<core::ResumeWindow>(&plan)) {
    return begin(resume->open.window, resume->open.position, resume->open.pass);
  }
  if (const auto* submit = std::get_if<core::SubmitWindow>(&plan)) return begin(submit->window, core::AtStart{}, submit->pass);
  if (const auto* ask = std::get_if<core::AskAvailability>(&plan)) {
    wanted_until_ = ask->until;
    want_availability();
  }
  if (!jobs_.empty()) return fall_asleep();
  planned_from_ = working_;
  doing_ = Doing::kFlush;
  flush_then_wait();
}

void SettleShell::flush_then_wait() {
  const Result<bool> flushed = flush();
  if (!flushed) return trouble(flushed.error());
  if (!*flushed) return;
  if (working_.has_same_progress(planned_from_)) return fall_asleep();
  dispatch();
}

// As connector::source::Event: what is told while nobody waits is not lost.
void SettleShell::notify() {
  changed_ = true;
  if (doing_ == Doing::kAsleep) wake = stage_.now;
}

void SettleShell::fall_asleep() {
  doing_ = Doing::kAsleep;
  if (changed_) wake = stage_.now;
}

void SettleShell::want_availability() {
  wanted_ = true;
  if (!fetching_ && watch_wake_ == kNever) watch_wake_ = std::max(stage_.now, watch_sleeps_until_);
}

void SettleShell::watch() {
  watch_wake_ = kNever;
  if (!fetching_) {
    if (!std::exchange(wanted_, false)) return;
    if (availability_ && wanted_until_ && *availability_ >= *wanted_until_) return;
    fetching_ = true;
    watch_wake_ = stage_.now + stage_.latency();
    return;
  }
  fetching_ = false;
  const auto answer = stage_.answer();
  Duration wait = stage_.scenario.stream.settle.availability_every;
  if (answer) {
    const Instant date = stage_.world.availability_at(answer->at);
    if (availability_ && date < *availability_) {
      stage_.note("availability goes back from " + common::format_instant(*availability_) + " to " +
                  common::format_instant(date));
      std::vector<core::LedgerChange> lost =
          core::availability_lost({.window = stage_.scenario.stream.settle.window}, working_, date);
      if (!lost.empty()) {
        if (auto submitted = submit_changes({}, std::move(lost)); !submitted) return trouble(submitted.error());
      }
    }
    availability_ = date;
    watch_backoff_.reset();
    notify();
  } else {
    wait = needs_operator(answer.error().code) ? watch_backoff_.slow() : watch_backoff_.next(chance());
    wanted_ = true;
  }
  watch_sleeps_until_ = stage_.now + wait;
  if (wanted_) watch_wake_ = watch_sleeps_until_;
}

void SettleShell::run(Job& job) {
  job.wake = kNever;
  Result<void> done = act(job);
  if (done && !job.done) return perform(job);
  const Job* ended = &job;
  std::erase_if(jobs_, [&](const auto& other) { return other.get() == ended; });
  if (!done) return trouble(done.error());
  backoff_.reset();
  notify();
}

// When the job's next action is to be done.
void SettleShell::perform(Job& job) {
  Duration wait = stage_.latency();
  if (const auto* poll = std::get_if<core::PollJob>(&job.action)) wait += poll->wait;
  if (const auto* read = std::get_if<core::ReadResults>(&job.action)) wait += read->wait;
  if (job.restarting) {
    if (const auto* restart = std::get_if<core::RestartJob>(&job.action)) wait = restart->wait;
  }
  job.wake = stage_.now + wait;
}

Result<void> SettleShell::act(Job& job) {
  if (std::holds_alternative<core::SubmitJob>(job.action)) return submit_job(job);
  if (std::holds_alternative<core::PollJob>(job.action)) {
    poll_job(job);
    return {};
  }
  if (std::holds_alternative<core::ReadResults>(job.action)) return read_results(job);
  if (const auto* restart = std::get_if<core::RestartJob>(&job.action)) return restart_job(job, *restart);
  if (const auto* split = std::get_if<core::SplitJob>(&job.action)) {
    const core::SplitJob action = *split;
    return split_job(job, action);
  }
  return common::fail(ErrorCode::kInternal, "a job completed outside of a page");
}

Result<void> SettleShell::submit_job(Job& job) {
  const auto answer = stage_.answer();
  if (!answer) {
    job.action = job.policy.step(core::JobStepFailed{answer.error()}, stage_.host_now(), chance());
    return {};
  }
  stage_.jobs.push_back(
      {.window = job.policy.window(),
       .ready_at = answer->at + stage_.chance.between(10s, stage_.chance.one_in(8) ? Duration{8h} : Duration{10min}),
       .fails = stage_.happens(stage_.scenario.odds.job_fails)});
  job.action =
      job.policy.step(core::JobSubmitted{core::JobId(std::to_string(stage_.jobs.size() - 1))}, stage_.host_now(), chance());
  job.submitted_behind = availability_;
  std::vector<core::LedgerChange> changes;
  if (availability_) changes.emplace_back(core::AvailabilitySeen{*availability_});
  changes.emplace_back(core::WindowOpened{job.policy.window(), job.policy.position(), job.pass});
  return submit_changes(job.policy.window(), std::move(changes));
}

void SettleShell::poll_job(Job& job) {
  const auto answer = stage_.answer();
  if (!answer) {
    job.action = job.policy.step(core::JobStepFailed{answer.error()}, stage_.host_now(), chance());
    return;
  }
  SimulatedJob& asked = stage_.jobs[std::stoul(std::get<core::AtJob>(job.policy.position()).job.str())];
  std::string state = "RUNNING";
  if (answer->at >= asked.ready_at) {
    state = asked.fails ? "FAILED" : "FULFILLED";
    if (!asked.complete_to) {
      asked.complete_to = stage_.world.availability_at(asked.ready_at);
      asked.conversations = stage_.world.in_job(asked.window, *asked.complete_to);
    }
  }
  job.action = job.policy.step(core::JobStatus{.state = state, .error_message = {}}, stage_.host_now(), chance());
}

Result<void> SettleShell::read_results(Job& job) {
  const auto answer = stage_.answer();
  const auto at = std::get<core::AtJob>(job.policy.position());
  if (!answer) {
    job.action = job.policy.step(core::JobStepFailed{answer.error()}, stage_.host_now(), chance());
    return {};
  }
  const SimulatedJob& asked = stage_.jobs[std::stoul(at.job.str())];
  const std::size_t first = at.cursor ? std::stoul(*at.cursor) : 0;
  const std::size_t behind =
      std::min(asked.conversations.size(), first + static_cast<std::size_t>(stage_.scenario.job_page_size));
  const bool has_more = behind < asked.conversations.size();
  job.action = job.policy.step(core::JobPage{.next = has_more ? std::optional(std::to_string(behind)) : std::nullopt,
                                             .availability = *asked.complete_to,
                                             .distinct = job.rows.distinct()},
                               stage_.host_now(), chance());
  const bool is_last = std::holds_alternative<core::CompleteJob>(job.action);
  if (!is_last && !std::holds_alternative<core::ReadResults>(job.action)) return {};

  connector::source::SlicedPage sliced;
  for (std::size_t i = first; i < behind; ++i) {
    const std::size_t number = asked.conversations[i];
    const std::size_t version = *stage_.world.known_to_job(number, *asked.complete_to);
    const Row& row = stage_.world.row(number, version, Form::kJob);
    const Conversation& conversation = stage_.world.conversation(number);
    const auto& end = conversation.versions[version].end;
    sliced.records.push_back(slice_of(stage_, row));
    sliced.facts.push_back({.start = conversation.start, .end = end, .open = !end});
    sliced.digests.push_back(row.digests);
  }
  const Interval window = job.policy.window();
  const Instant availability = *asked.complete_to;
  job.availability = std::min(availability, job.availability.value_or(availability));
  core::PageGroup group;
  group.push_back(make_page(window, core::RecordForm::kJob, *answer));
  group.back().availability = availability;
  job.rows.take(std::move(sliced), group);
  job.rows.handed_over(1);
  core::Page& page = group.back();
  const std::uint64_t records = connector::source::compact(page);
  const core::OpenWindow* open = working_.find_open(window);
  if (open == nullptr) return common::fail(ErrorCode::kInternal, "a job's window is not open");
  if (is_last) {
    page.changes.emplace_back(
        core::WindowCompleted{.window = window, .records = records, .page = open->pages + 1, .availability = job.availability});
    const auto* in_ledger = std::get_if<core::AtJob>(&open->position);
    const Instant began =
        std::min(in_ledger == nullptr ? window.end : in_ledger->submitted, job.availability.value_or(window.end));
    if (working_.has_room_to_open()) {
      std::ranges::move(core::passes_satisfied(working_, window, began, core::Satisfied::kWhole),
                        std::back_inserter(page.changes));
    }
    passes_.note(window, *job.availability);
    stage_.note_read("settle read at " + common::format_duration(job.pass.age) + (job.pass.is_owed ? " (owed)" : "") +
                         " complete to " + common::format_instant(availability),
                     window);
  } else {
    page.changes.emplace_back(
        core::PageRead{.window = window, .next = job.policy.position(), .records = records, .page = open->pages + 1});
  }
  if (auto submitted = submit(std::move(group)); !submitted) return submitted;
  job.done = is_last;
  return {};
}

Result<void> SettleShell::restart_job(Job& job, const core::RestartJob& action) {
  if (job.restarting) {
    job.restarting = false;
    job.action = job.policy.step(core::JobWaited{}, stage_.host_now(), chance());
    return {};
  }
  const core::OpenWindow* open = working_.find_open(job.policy.window());
  if (open != nullptr && open->position != core::Position{core::AtStart{}}) {
    if (auto restarted = submit_changes(job.policy.window(), {core::WindowRestarted{job.policy.window()}}); !restarted) {
      return restarted;
    }
  }
  job.restarting = true;
  stage_.note_read("settle begins again, " + action.reason, job.policy.window());
  return {};
}

Result<void> SettleShell::split_job(Job& job, const core::SplitJob& action) {
  const Interval window = job.policy.window();
  const Instant middle = std::min(window.start + action.part, window.end);
  std::vector<core::LedgerChange> changes;
  if (working_.find_open(window) != nullptr) changes.emplace_back(core::WindowAbandoned{window});
  changes.emplace_back(core::WindowOpened{{.start = window.start, .end = middle}, core::AtStart{}, job.pass});
  if (middle < window.end) {
    changes.emplace_back(core::WindowOpened{{.start = middle, .end = window.end}, core::AtStart{}, job.pass});
  }
  if (!working_.has_room_to_open()) {
    job.action = core::RestartJob{
        .reason = action.reason, .detail = action.detail, .wait = stage_.scenario.stream.settle.poll_max, .cancel_job = false};
    return {};
  }
  if (auto submitted = submit_changes(window, std::move(changes)); !submitted) return submitted;
  job.done = true;
  return {};
}

// The crew is sent home; what is open in the ledger is taken up by the next.
void SettleShell::trouble(const common::Error& error) {
  check_internal(error);
  jobs_.clear();
  watch_wake_ = kNever;
  doing_ = Doing::kBackoff;
  sleep(needs_operator(error.code) ? backoff_.slow() : backoff_.next(chance()));
}

Duration SettleShell::owed_gather() const {
  constexpr Duration kUnasked = 6h;
  const auto& ages = stage_.scenario.stream.settle.ages;
  return ages.size() > 1 ? std::min(kUnasked, ages[1] / 12) : kUnasked;
}

std::vector<core::LedgerChange> SettleShell::newly_owed() const {
  if (!availability_) return {};
  return core::newly_owed({.gather = owed_gather()}, working_, publisher_.digests(), *availability_, passes_);
}

}  // namespace tests::model
