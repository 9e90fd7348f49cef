#include "tests/model/settle_shell.h"

#include "connector/core/planning/ages.h"
#include "connector/core/planning/unjudged_days.h"

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

core::JobPolicyOptions policy_options(const connector::source::SettleOptions& settle) {
  return {.poll_initial = settle.poll_initial,
          .poll_max = settle.poll_max,
          .deadline = settle.job_deadline,
          .availability_every = settle.availability_every};
}

}  // namespace

struct SettleShell::Job {
  Job(core::JobPolicyOptions options, const Interval& window, core::Position position, core::Pass read_as, Instant needed,
      std::size_t memory)
      : policy(options, window, std::move(position), needed),
        action(policy.begin()),
        rows(window, RowRule::kAny, memory),
        keys(std::max<std::size_t>(memory / 64, 1024)),
        pass(read_as) {}

  core::JobPolicy policy;
  core::JobAction action;
  connector::source::WindowRows rows;
  core::PassKeys keys;
  core::Pass pass;
  std::optional<Instant> submitted_behind;
  std::optional<Instant> availability;
  bool done = false;
  bool restarting = false;  // it waits before it begins again
  bool ready = false;       // and then until there is room

  [[nodiscard]] bool is_waiting() const { return restarting && !ready && !pass.is_first(); }
  Instant wake = kNever;
};

// A day of which it is being decided what is gone.
struct SettleShell::Judged {
  enum class Doing : std::uint8_t { kPlan, kTurn, kAnswer };

  core::VanishedDay day;
  core::LaneBackoff backoff;
  Doing doing = Doing::kPlan;
  core::AskVanished asked;
  Instant wake = kNever;
};

SettleShell::SettleShell(Stage& stage, SimPublisher& publisher, SimTurns& turns)
    : LaneShell(stage, publisher, core::Lane::kSettle),
      turns_(turns),
      judges_(stage.scenario.max_ids >= 2 && stage.scenario.stream.settle.window == kDay) {
  resynchronise();
  wake = stage.now;
}

Instant SettleShell::next_wake() const {
  Instant next = std::min(wake, watch_wake_);
  for (const auto& job : jobs_) next = std::min(next, job->wake);
  for (const auto& [day, judged] : judged_) next = std::min(next, judged->wake);
  return next;
}

void SettleShell::freeze_until(Instant instant) {
  wake = std::max(wake, instant);
  watch_wake_ = std::max(watch_wake_, instant);
  for (const auto& job : jobs_) job->wake = std::max(job->wake, instant);
  for (const auto& [day, judged] : judged_) judged->wake = std::max(judged->wake, instant);
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
  for (const auto& [day, judged] : judged_) {
    if (judged->wake <= stage_.now) return judge(*judged);
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
  const auto waiting = std::ranges::count_if(jobs_, [](const auto& job) { return job->is_waiting(); });
  const core::SettlePlanOptions options{.window = settle.window,
                                        .max_jobs = settle.max_jobs,
                                        .waiting = static_cast<std::uint32_t>(waiting),
                                        .owed_gather = owed_gather()};
  if (std::vector<core::LedgerChange> forgotten = forgotten_judgements(); !forgotten.empty()) {
    stage_.note("settle has forgotten judgements");
    if (auto submitted = submit_changes({}, std::move(forgotten)); !submitted) return trouble(submitted.error());
  }
  if (std::vector<core::LedgerChange> owed = newly_owed(); !owed.empty()) {
    stage_.note("settle owes " + std::to_string(owed.size()) + " days");
    if (auto submitted = submit_changes({}, std::move(owed)); !submitted) return trouble(submitted.error());
  }
  const core::SettlePlan plan =
      core::plan_settle(options, working_, {.availability = availability_, .now = stage_.earlier_now()}, running());
  const auto begin = [&](const Interval& window, core::Position position, core::Pass pass) {
    jobs_.push_back(std::make_unique<Job>(policy_options(settle), window, std::move(position), pass,
                                          core::needed_for(window, pass, working_), stage_.scenario.memory_bytes));
    wake = stage_.now;  // and dispatch again
    perform(*jobs_.back());
  };
  if (const auto* resume = std::get_if<core::ResumeWindow>(&plan)) {
    return begin(resume->open.window, resume->open.position, resume->open.pass);
  }
  if (const auto* submit = std::get_if<core::SubmitWindow>(&plan)) return begin(submit->window, core::AtStart{}, submit->pass);
  const auto* ask = std::get_if<core::AskAvailability>(&plan);
  wanted_until_ = ask != nullptr ? std::optional(ask->until) : std::nullopt;
  want_availability();
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
  forget_judgements();
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
    const std::optional<Instant> before = availability_ ? availability_ : working_.availability();
    if (before && date < *before) {
      stage_.note("availability goes back from " + common::format_instant(*before) + " to " + common::format_instant(date));
      std::vector<core::LedgerChange> lost = core::availability_lost({.window = stage_.scenario.stream.settle.window}, working_,
                                                                     std::max(*before, newest_read_), date);
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
    if (job.ready) wait = stage_.scenario.stream.settle.poll_initial;
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
  stage_.jobs.push_back({.window = job.policy.window(),
                         .ready_at = answer->at + stage_.chance.between(10s, stage_.happens(8) ? Duration{8h} : Duration{10min}),
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
      asked.conversations = stage_.world.in_job(asked.window, *asked.complete_to, asked.ready_at);
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
  if (!at.cursor) job.keys.begin();
  if (reads_whole_day(window)) {
    for (const core::RecordSlice& record : sliced.records) job.keys.add(record.key);
  }
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
    if (reads_whole_day(window) && job.keys.is_whole()) {
      begin_judging(window, search_missed(job), page.changes);
    } else if (judges_) {
      core::Ledger after = working_;
      for (const core::LedgerChange& change : page.changes) {
        if (auto applied = after.apply(change); !applied) return applied;
      }
      std::vector<core::LedgerChange> missed = core::judgement_missed(after, window, job.pass, *job.availability);
      if (missed.empty()) stage_.not_judged.insert(std::chrono::floor<std::chrono::days>(window.start));
      std::ranges::move(missed, std::back_inserter(page.changes));
    }
    newest_read_ = std::max(newest_read_, *job.availability);
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
    job.ready = !job.pass.is_first();
    const auto without = std::ranges::count_if(jobs_, [](const auto& one) { return one->is_waiting() || one->ready; });
    if (job.ready && jobs_.size() - static_cast<std::size_t>(without) >= stage_.scenario.stream.settle.max_jobs) return {};
    job.ready = false;
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
  if (!job.pass.is_first()) notify();
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
  forget_judgements();
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
  return core::newly_owed({.gather = owed_gather(), .max_gather = stage_.scenario.stream.follow.max}, working_,
                          publisher_.digests(), *availability_, passes_);
}

// --- what a job did not return ---------------------------------------------------------------------------------------------

bool SettleShell::reads_whole_day(const Interval& window) const {
  return judges_ && window == core::whole_day(std::chrono::floor<std::chrono::days>(window.start));
}

core::MissedByPass SettleShell::search_missed(const Job& job) const {
  const core::HomeDay day = std::chrono::floor<std::chrono::days>(job.policy.window().start);
  core::MissedByPassSearch search(job.keys, day, *job.availability);
  core::DigestIndex::Cursor cursor;
  while (!cursor.at_end()) {
    publisher_.digests().committed().visit_day(
        cursor, day, 1000, [&](std::string_view key, const core::DigestEntry& entry) { search.look_at(key, entry); });
  }
  return search.take();
}

void SettleShell::begin_judging(const Interval& window, core::MissedByPass missed, std::vector<core::LedgerChange>& changes) {
  const core::HomeDay day = missed.day;
  if (missed.witnesses.empty()) {
    missed.witnesses = witnesses_;
  } else {
    witnesses_ = missed.witnesses;
  }
  auto known = judged_.find(day);
  if (known == judged_.end()) {
    const auto& settle = stage_.scenario.stream.settle;
    const core::VanishedOptions options{.confirm = settle.delete_confirm,
                                        .max_share = settle.delete_max_share,
                                        .max_ids = static_cast<std::size_t>(stage_.scenario.max_ids),
                                        .again = std::min(settle.delete_confirm, core::VanishedOptions{}.again)};
    known = judged_
                .emplace(day, std::make_unique<Judged>(
                                  Judged{.day = core::VanishedDay(options), .backoff = core::LaneBackoff{}, .asked = {}}))
                .first;
  }
  Judged& judged = *known->second;
  stage_.not_judged.erase(day);
  for (const core::RecordKey& key : missed.keys) stage_.note("missed by a job: " + key.str());
  tell(day, judged.day.take(std::move(missed), stage_.steady_now()));
  if (!judged.day.is_decided()) {
    if (judged.doing == Judged::Doing::kPlan) judged.wake = stage_.now;
    changes.emplace_back(core::JudgingBegun{window});
    return;
  }
  if (working_.unjudged().overlaps(window)) changes.emplace_back(core::JudgingEnded{window});
  // One that is asking goes on until it has its answer.
  if (judged.doing == Judged::Doing::kPlan) judged_.erase(known);
}

std::vector<core::LedgerChange> SettleShell::forgotten_judgements() const {
  std::set<core::HomeDay> judged;
  for (const auto& [day, ignored] : judged_) judged.insert(day);
  return core::forgotten_judgements(working_, judged);
}

void SettleShell::forget_judgements() {
  for (const auto& [day, judged] : judged_) {
    if (judged->doing == Judged::Doing::kTurn) turns_.leave(judged->wake);
    // (A turn that was given but not begun with yet: its wake has come.)
    const bool has_turn =
        judged->doing == Judged::Doing::kAnswer || (judged->doing == Judged::Doing::kTurn && judged->wake != kNever);
    if (has_turn) turns_.give_back(stage_.now);
  }
  judged_.clear();
}

void SettleShell::judge(Judged& judged) {
  judged.wake = kNever;
  const core::HomeDay day = judged.day.day();
  if (judged.doing == Judged::Doing::kAnswer) {
    judged.doing = Judged::Doing::kPlan;
    const Result<void> done = ask_whether_gone(judged);
    turns_.give_back(stage_.now);
    if (!done) return trouble(done.error());
  }
  if (judged.doing == Judged::Doing::kPlan) {
    core::VanishedPlan plan = judged.day.next(stage_.steady_now());
    if (std::holds_alternative<core::VanishedDecided>(plan)) {
      judged_.erase(day);
      return notify();
    }
    if (const auto* at = std::get_if<core::AskVanishedAt>(&plan)) {
      judged.wake = stage_.now + std::chrono::ceil<Duration>(at->when - stage_.steady_now());
      return;
    }
    judged.asked = std::get<core::AskVanished>(std::move(plan));
    judged.doing = Judged::Doing::kTurn;
    if (!turns_.take(judged.wake)) return;
  }
  judged.doing = Judged::Doing::kAnswer;
  judged.wake = stage_.now + stage_.latency();
}

Result<void> SettleShell::ask_whether_gone(Judged& judged) {
  const auto answer = stage_.answer();
  const Interval window = core::whole_day(judged.day.day());
  core::VanishedFindings findings;
  if (answer) {
    judged.backoff.reset();
    std::vector<std::string_view> found;
    const auto look = [&](const core::RecordKey& key) {
      if (stage_.world.shown_by_query(*stage_.world.find(key.str()), answer->at)) found.push_back(key.str());
    };
    std::ranges::for_each(judged.asked.ids, look);
    look(judged.asked.witness);
    core::AskVanished asked = judged.asked;
    findings = judged.day.answered(std::move(asked), found, stage_.steady_now());
  } else if (may_be_one_of_them(answer.error().code)) {
    findings = judged.day.refused(std::move(judged.asked));
  } else {
    const Duration wait = needs_operator(answer.error().code) ? judged.backoff.slow() : judged.backoff.next(chance());
    judged.day.put_back(std::move(judged.asked), stage_.steady_now() + wait);
    return {};
  }
  tell(judged.day.day(), findings);
  std::vector<core::LedgerChange> changes;
  if (judged.day.is_decided()) changes.emplace_back(core::JudgingEnded{window});
  if (findings.gone.empty()) return changes.empty() ? Result<void>{} : submit_changes(window, std::move(changes));
  core::PageGroup group;
  group.push_back(make_page(window, core::RecordForm::kJob, *answer));
  core::Page& page = group.back();
  page.gone = stage_.scenario.stream.settle.on_delete;
  page.availability = judged.day.availability();
  for (const core::RecordKey& key : findings.gone) {
    const Conversation& conversation = stage_.world.conversation(*stage_.world.find(key.str()));
    page.records.push_back({.key = conversation.key, .value = {}});
    page.contents.push_back({.digests = {}, .home_day = judged.day.day(), .open = false});
  }
  page.changes = std::move(changes);
  return submit(std::move(group));
}

void SettleShell::tell(core::HomeDay day, const core::VanishedFindings& findings) {
  if (findings.is_braked) stage_.note("the brake holds " + std::to_string(findings.withheld) + " deletions");
  if (findings.unknown > 0) stage_.note("unknown whether gone: " + std::to_string(findings.unknown));
  if (findings.is_braked || findings.unknown > 0) stage_.not_judged.insert(day);
}

}  // namespace tests::model
