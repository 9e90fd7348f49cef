#include "connector/source/window_job.h"

#include "connector/core/planning/ages.h"
#include "connector/core/planning/clocks.h"
#include "connector/core/ports/earlier_now.h"
#include "connector/source/json_pointer.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <variant>

namespace connector::source {

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

SliceSpec slice_spec(const Definition& definition) {
  SliceSpec spec;
  spec.records = definition.job->records;
  spec.key = definition.key;
  spec.start = definition.start_pointer.value_or("");
  spec.open_while_absent = definition.open_while_absent.value_or("");
  return spec;
}

}  // namespace

JobReading::JobReading(const StreamContext& stream)
    : source(*stream.definition.job),
      page_size(page_size_of(source.pages, stream.options.job_page_size)),
      spec(slice_spec(stream.definition)),
      scalars(source, spec) {}

void DataDates::note_read(const Interval& window, common::Instant availability) {
  newest_read = std::max(newest_read, availability);
  passes.note(window, availability);
}

WindowJob::WindowJob(const WindowJobParts& parts, Interval window, core::Position position, core::Pass pass,
                     std::size_t memory_bytes)
    : parts_(parts),
      lane_(parts.lane),
      stream_(parts.lane.stream()),
      source_(parts.lane.source()),
      job_(parts.reading.source),
      policy_(policy_options(stream_.options.settle), window, std::move(position),
              core::needed_for(window, pass, lane_.working())),
      action_(policy_.begin()),
      rows_(window, RowRule::kAny, memory_bytes, home_days_of(stream_.definition)),
      keys_(max_keys(memory_bytes)),
      pass_(pass),
      data_(job_.lag) {}

WindowJob::Awaited WindowJob::perform() {
  rest_.reset();
  core::JobAction action = std::move(action_);
  if (std::holds_alternative<core::SubmitJob>(action)) return submit_job();
  if (const auto* poll = std::get_if<core::PollJob>(&action)) return poll_job(poll->wait);
  if (const auto* read = std::get_if<core::ReadResults>(&action)) return read_results(read->wait);
  if (auto* begins_again = std::get_if<core::RestartJob>(&action)) return restart(std::move(*begins_again));
  if (auto* parts = std::get_if<core::SplitJob>(&action)) return split(std::move(*parts));
  return refuse_to_complete();
}

WindowJob::Awaited WindowJob::refuse_to_complete() const {
  co_return fail(ErrorCode::kInternal, "a job completed outside of a page: " + common::format_interval(window()));
}

void WindowJob::step(const core::JobEvent& event) {
  action_ = policy_.step(event, core::earlier_now(stream_.clock, stream_.api), lane_.chance());
}

// The policy decides; what it decided to wait is told with the failure.
void WindowJob::step_failed(const Error& error, const core::Position& position) {
  step(core::JobStepFailed{error});
  report_failed(error, position);
}

void WindowJob::report_failed(const Error& error, const core::Position& position) {
  common::Duration wait{0};
  if (const auto* poll = std::get_if<core::PollJob>(&action_)) wait = poll->wait;
  if (const auto* read = std::get_if<core::ReadResults>(&action_)) wait = read->wait;
  if (const auto* restart = std::get_if<core::RestartJob>(&action_)) wait = restart->wait;
  lane_.report_failure(error, window(), position, wait);
}

core::ApiRequest WindowJob::request_for(RequestBuilder builder) const {
  const core::Position& position = policy_.position();
  if (const core::JobId* id = job_of(position)) builder.job(*id);
  core::ApiRequest request = std::move(builder).build(source_);
  request.window = common::format_interval(window());
  request.position = describe(position);
  return request;
}

WindowJob::Awaited WindowJob::submit_job() {
  // Its window may have expired while it waited to be tried again: the plan cuts it, or gives it up.
  if (lane_.has_expired(window().start)) {
    done_ = true;
    co_return co_await give_back();
  }
  RequestBuilder builder(job_.submit, stream_.options.query);
  builder.window(stream_.definition.window, window());
  const common::Instant asked = stream_.clock.utc_now();
  core::ApiRequest request = request_for(std::move(builder));
  request.takes_conflict = job_.max_open > 0;
  Result<core::ApiResponse> response = co_await stream_.api.send(std::move(request));
  if (response && response->status == kTooManyJobs) {
    const Error busy = too_many_jobs();
    step(core::JobTurnedAway{.error = busy, .at = stream_.clock.steady_now()});
    const auto* again = std::get_if<core::RestartJob>(&action_);
    if (again == nullptr || !again->awaits_turn) report_failed(busy, core::AtStart{});
    co_return Result<void>{};
  }
  Result<common::json::Value> answer = response ? common::json::parse(response->body) : fail(response.error());
  std::string id = answer ? text_at(*answer, job_.id) : std::string();
  if (answer && (id.empty() || id.size() > kMaxJobIdBytes)) {
    answer = fail(ErrorCode::kMalformedResponse, "the answer to the job has no id at " + job_.id + " that can be kept");
  }
  if (!answer) {
    if (answer.error().code == ErrorCode::kCancelled) co_return fail(answer.error());
    step_failed(answer.error(), core::AtStart{});
    co_return Result<void>{};
  }
  // By the earlier clock (the service's may be known by this answer only) and before it was sent: what the ledger keeps of it
  // must hold for a later life, whose host's clock may have been set right.
  const common::Instant submitted = core::earlier_clock(asked, stream_.api.clock_skew());
  action_ = policy_.step(core::JobSubmitted{core::JobId(std::move(id))}, submitted, lane_.chance());
  data_.submitted(submitted, parts_.dates.told);
  // At once and by itself: a job that is not in the ledger would be paid for again after a crash.
  std::vector<core::LedgerChange> changes;
  if (const auto behind = data_.behind()) changes.emplace_back(core::AvailabilitySeen{*behind});
  changes.emplace_back(core::WindowOpened{window(), policy_.position(), pass_});
  if (parts_.backfill != nullptr) parts_.backfill->add_usage(changes);
  co_return co_await lane_.submit_changes(window(), std::move(changes));
}

// Planned anew it has failed never: if it did, it is halved at once, or whatever fails in it would keep the rest from being read
// until all of it has expired.
WindowJob::Awaited WindowJob::give_back() {
  const common::Duration part = policy_.part_of_failed();
  std::vector<core::LedgerChange> changes;
  if (part > common::Duration{0} && lane_.working().has_room_to_open()) {
    changes = halve(part, "expires", "the service keeps its beginning no longer");
  } else if (lane_.working().find_open(window()) != nullptr) {
    changes.emplace_back(core::WindowAbandoned{window()});
  }
  if (changes.empty()) co_return Result<void>{};
  co_return co_await lane_.submit_changes(window(), std::move(changes));
}

// Its parts wait for jobs of their own. There is room for them.
std::vector<core::LedgerChange> WindowJob::halve(common::Duration part, const std::string& reason,
                                                 const std::string& detail) const {
  const Interval window = policy_.window();
  const common::Instant middle = std::min(window.start + part, window.end);
  stream_.metrics.window_restarted(source_, reason);
  stream_.logger.warn("a job's window keeps failing and is halved", {{"stream", source_.stream.str()},
                                                                     {"lane", core::to_string(source_.lane)},
                                                                     {"window", common::format_interval(window)},
                                                                     {"part", common::format_duration(part)},
                                                                     {"reason", reason},
                                                                     {"detail", detail}});
  std::vector<core::LedgerChange> changes;
  if (lane_.working().find_open(window) != nullptr) changes.emplace_back(core::WindowAbandoned{window});
  changes.emplace_back(core::WindowOpened{{.start = window.start, .end = middle}, core::AtStart{}, pass_});
  if (middle < window.end) {
    changes.emplace_back(core::WindowOpened{{.start = middle, .end = window.end}, core::AtStart{}, pass_});
  }
  return changes;
}

WindowJob::Awaited WindowJob::poll_job(common::Duration wait) {
  if (auto slept = co_await lane_.sleep(wait); !slept) co_return slept;
  Result<common::json::Value> answer = co_await lane_.fetch_document(request_for(RequestBuilder(job_.status)));
  if (answer && text_at(*answer, job_.state).empty()) {
    answer = fail(ErrorCode::kMalformedResponse, "the status of the job has no text at " + job_.state);
  }
  if (!answer) {
    if (answer.error().code == ErrorCode::kCancelled) co_return fail(answer.error());
    step_failed(answer.error(), policy_.position());
    co_return Result<void>{};
  }
  const auto shown = [](std::string text) {
    constexpr std::size_t kShown = 400;
    if (text.size() > kShown) text.resize(kShown);
    return text;
  };
  step(core::JobStatus{.state = shown(state_of_job(job_, text_at(*answer, job_.state))),
                       .error_message = shown(text_at(*answer, job_.error_message))});
  co_return Result<void>{};
}

WindowJob::Awaited WindowJob::read_results(common::Duration wait) {
  if (auto slept = co_await lane_.sleep(wait); !slept) co_return slept;
  const core::Position at = policy_.position();
  RequestBuilder builder(job_.results);
  put_position(builder, job_.pages, at, parts_.reading.page_size);
  Result<ReadPage> read = co_await lane_.fetch_page(request_for(std::move(builder)), parts_.reading.spec);
  const PageScalars& scalars = parts_.reading.scalars;
  std::optional<std::string> next = read ? scalars.next(read->sliced, read->headers) : std::nullopt;
  if (next && next->size() > core::Ledger::kMaxCursorBytes) {
    read = fail(ErrorCode::kMalformedResponse, "a cursor of " + std::to_string(next->size()) + " bytes is too long to keep");
  }
  if (read && !next && read->sliced.elements == 0 && !scalars.is_of_a_job(read->sliced)) {
    // `{}` is what a gateway answers, or a job that is not ready after all. The last page, too, names its date.
    read = fail(ErrorCode::kMalformedResponse,
                "a results page has neither records nor a cursor nor what every page has: date or mark");
  }
  if (!read) {
    if (read.error().code == ErrorCode::kCancelled) co_return fail(read.error());
    step_failed(read.error(), at);
    co_return Result<void>{};
  }
  const auto* from = std::get_if<core::AtJob>(&at);
  if (from != nullptr) {
    data_.taken_up(from->submitted, lane_.working().availability());
  }
  const auto told = data_.of_page(scalars.availability(read->sliced), core::earlier_now(stream_.clock, stream_.api));
  step(core::JobPage{.next = std::move(next), .availability = told, .distinct = rows_.distinct()});
  const bool is_last = std::holds_alternative<core::CompleteJob>(action_);
  // A page the policy does not accept is dropped whole: its window begins again.
  if (!is_last && !std::holds_alternative<core::ReadResults>(action_)) co_return Result<void>{};

  if (from != nullptr && !from->cursor) keys_.begin();
  const bool is_judged = parts_.judge.judges(window());
  if (is_judged) {
    for (const core::RecordSlice& record : read->sliced.records) keys_.add(record.key);
  }

  core::PageGroup group;
  // No job is submitted before the service guarantees its window; taken up again, nothing more is known of it (by age, it is).
  const common::Instant availability = told.value_or(data_.behind().value_or(window().end));
  availability_ = std::min(availability, availability_.value_or(availability));
  group.push_back(lane_.make_page(*read, at, window(), core::RecordForm::kJob));
  group.back().availability = availability;
  const RowCounts counts = rows_.take(std::move(read->sliced), group);
  rows_.handed_over(1);
  if (counts.duplicates > 0) stream_.metrics.records_dropped(source_, "duplicate_in_window", counts.duplicates);
  core::Page& page = group.back();
  const std::uint64_t records = compact(page);
  lane_.report_dead_letters(page);
  std::optional<core::MissedByPass> missed;
  if (is_last && is_judged && keys_.is_whole()) {
    const core::HomeDay day = std::chrono::floor<std::chrono::days>(window().start);
    missed = co_await parts_.judge.search_missed(keys_, day, *availability_);
  }
  const core::OpenWindow* open = lane_.working().find_open(window());
  if (open == nullptr) co_return fail(ErrorCode::kInternal, "a job's window is not open: " + common::format_interval(window()));
  if (is_last) {
    page.changes.emplace_back(
        core::WindowCompleted{.window = window(), .records = records, .page = open->pages + 1, .availability = availability_});
    // A full ledger has no place to say so.
    if (lane_.working().has_room_to_open()) {
      std::ranges::move(core::passes_satisfied(lane_.working(), window(), began(*open), core::Satisfied::kWhole),
                        std::back_inserter(page.changes));
    }
    const auto judged = parts_.judge.take_pass(window(), pass_, *availability_, keys_, std::move(missed), page.changes);
    if (!judged) co_return judged;
  } else {
    page.changes.emplace_back(
        core::PageRead{.window = window(), .next = policy_.position(), .records = records, .page = open->pages + 1});
  }
  if (parts_.backfill != nullptr) parts_.backfill->add_usage(page.changes);
  if (is_last) parts_.dates.note_read(window(), *availability_);  // the planner looks while this is handed over
  if (auto submitted = co_await lane_.submit(std::move(group)); !submitted) co_return submitted;
  lane_.report_recovery(window());
  if (is_last) {
    done_ = true;
    stream_.metrics.window_completed(source_, false);
  }
  co_return Result<void>{};
}

// From when on the job's data is: it knows nothing that came after it was submitted, nor what was not available.
common::Instant WindowJob::began(const core::OpenWindow& open) const {
  const auto* at = std::get_if<core::AtJob>(&open.position);
  const common::Instant submitted = at == nullptr ? open.window.end : at->submitted;
  return std::min(submitted, availability_.value_or(open.window.end));
}

WindowJob::Awaited WindowJob::restart(core::RestartJob action) {
  stream_.metrics.window_restarted(source_, action.reason);
  const core::OpenWindow* open = lane_.working().find_open(window());
  const core::Position before = open == nullptr ? core::Position{core::AtStart{}} : open->position;
  stream_.logger.warn("a job's window starts again", {{"stream", source_.stream.str()},
                                                      {"lane", core::to_string(source_.lane)},
                                                      {"window", common::format_interval(window())},
                                                      {"position", describe(before)},
                                                      {"reason", action.reason},
                                                      {"detail", action.detail},
                                                      {"again_in", common::format_duration(action.wait)}});
  if (const core::JobId* id = job_of(before); id != nullptr && action.cancel_job) {
    if (auto cancelled = co_await lane_.cancel_job(*id); !cancelled) co_return cancelled;
  }
  if (before != core::Position{core::AtStart{}}) {
    if (auto restarted = co_await lane_.submit_changes(window(), {core::WindowRestarted{window()}}); !restarted)
      co_return restarted;
  }
  rest_ = action.wait;
  co_return Result<void>{};
}

WindowJob::Awaited WindowJob::split(core::SplitJob action) {
  if (!lane_.working().has_room_to_open()) {
    // The ledger is full of windows: this one stays whole until others have ended.
    co_return co_await restart({.reason = action.reason, .detail = action.detail, .wait = stream_.options.settle.poll_max});
  }
  std::vector<core::LedgerChange> changes = halve(action.part, action.reason, action.detail);
  const core::OpenWindow* open = lane_.working().find_open(window());
  const core::JobId* id = open == nullptr ? nullptr : job_of(open->position);
  if (id != nullptr && action.cancel_job) {
    if (auto cancelled = co_await lane_.cancel_job(*id); !cancelled) co_return cancelled;
  }
  if (auto submitted = co_await lane_.submit_changes(window(), std::move(changes)); !submitted) co_return submitted;
  done_ = true;
  rest_ = action.wait;
  co_return Result<void>{};
}

}  // namespace connector::source
