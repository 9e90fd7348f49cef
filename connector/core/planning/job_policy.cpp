#include "connector/core/planning/job_policy.h"

#include "connector/core/planning/window_split.h"

#include <algorithm>
#include <utility>

namespace connector::core {

using common::Duration;
using common::Error;
using common::ErrorCode;
using common::Instant;

namespace {

// Cursors that go round would be followed for ever.
constexpr std::uint32_t kMaxBarrenPages = 100;

// Waiting helps little: an operator must act, or the service must be asked for something else.
bool needs_operator(ErrorCode code) {
  return code == ErrorCode::kPermissionDenied || code == ErrorCode::kRequestRejected || code == ErrorCode::kCredentialsInvalid ||
         code == ErrorCode::kUnauthorized || code == ErrorCode::kConfigInvalid;
}

}  // namespace

Instant needed_for(const common::Interval& window, const Pass& pass, const Ledger& ledger) {
  if (!pass.is_owed) return window.end + pass.age;
  std::optional<Instant> since;
  for (const OwedDay& owed : ledger.owed()) {
    if (owed.window.overlaps(window)) since = std::min(owed.since, since.value_or(owed.since));
  }
  return since ? std::max(window.end, *since + Duration{1}) : window.end;
}

JobPolicy::JobPolicy(JobPolicyOptions options, common::Interval window, Position position, Instant needed)
    : options_(options),
      window_(window),
      needed_(std::max(needed, window.end)),
      position_(std::move(position)),
      poll_wait_(options.poll_initial),
      backoff_(options.backoff),
      barren_bound_(kMaxBarrenPages) {
  // A position that no job wrote cannot be taken up.
  if (!std::holds_alternative<AtJob>(position_)) position_ = AtStart{};
  if (const auto* at = std::get_if<AtJob>(&position_)) step_ = at->cursor ? Step::kResults : Step::kPoll;
}

JobAction JobPolicy::begin() const {
  const auto* at = std::get_if<AtJob>(&position_);
  if (at == nullptr) return SubmitJob{};
  if (at->cursor) return ReadResults{.cursor = at->cursor};
  return PollJob{};
}

Duration JobPolicy::part_of_failed() const {
  return job_failures_ == 0 ? Duration{0} : half_of(window_, options_.min_window);
}

JobAction JobPolicy::step(const JobEvent& event, Instant now, double chance) {
  return std::visit([&](const auto& one) { return on(one, now, chance); }, event);
}

JobAction JobPolicy::on(const JobSubmitted& event, Instant now, double /*chance*/) {
  turned_away_since_.reset();
  position_ = AtJob{.job = event.job, .cursor = std::nullopt, .submitted = now};
  step_ = Step::kPoll;
  poll_wait_ = options_.poll_initial;
  return PollJob{poll_wait_};
}

JobAction JobPolicy::on(const JobStatus& event, Instant now, double chance) {
  if (event.state == "FULFILLED") {
    step_ = Step::kResults;
    attempts_ = 0;
    return ReadResults{};
  }
  if (event.state == "FAILED") return job_failed("job_failed", event.error_message, chance);
  if (event.state == "CANCELLED") return job_failed("job_cancelled", event.error_message, chance);
  if (event.state == "EXPIRED") return job_failed("job_expired", event.error_message, chance);
  // QUEUED, PENDING, and whatever the service may call it one day.
  if (is_overdue(now)) return job_failed("job_never_finished", "still " + event.state, chance, true);
  poll_wait_ = std::min(poll_wait_ * 2, options_.poll_max);
  return PollJob{poll_wait_};
}

JobAction JobPolicy::on(const JobPage& event, Instant /*now*/, double chance) {
  attempts_ = 0;
  if (event.availability && *event.availability < needed_) {
    // The results may lack what came in since: they do not count, and neither does this as a failure of the job.
    return restart("availability_behind",
                   "the results are complete up to " + common::format_instant(*event.availability) + ", " +
                       common::format_instant(needed_) + " is needed",
                   options_.availability_every);
  }
  if (!event.next || event.next->empty()) return CompleteJob{};
  auto& at = std::get<AtJob>(position_);
  if (at.cursor == event.next) return job_failed("cursor_repeats", "the service names the same next page again", chance);
  barren_ = pages_of_job_ == 0 || event.distinct > distinct_ ? 0 : barren_ + 1;
  distinct_ = event.distinct;
  ++pages_of_job_;
  if (barren_ > barren_bound_) {
    return job_failed("cursor_repeats", std::to_string(barren_) + " pages in a row without a new record", chance);
  }
  at.cursor = event.next;
  backoff_.reset();
  return ReadResults{.cursor = at.cursor};
}

JobAction JobPolicy::on(const JobTurnedAway& event, Instant /*now*/, double chance) {
  turned_away_since_ = turned_away_since_.value_or(event.at);
  RestartJob again = restart("submit_failed", event.error.message, wait_after(event.error, chance));
  again.awaits_turn = event.at - *turned_away_since_ <= options_.deadline;
  return again;
}

JobAction JobPolicy::on(const JobWaited& /*event*/, Instant /*now*/, double /*chance*/) {
  return SubmitJob{};
}

JobAction JobPolicy::on(const JobStepFailed& event, Instant now, double chance) {
  switch (step_) {
    case Step::kSubmit:
      return submit_failed(event.error, chance);
    case Step::kPoll:
      return poll_failed(event.error, now, chance);
    case Step::kResults:
      return results_failed(event.error, chance);
  }
  std::unreachable();
}

Duration JobPolicy::wait_after(const Error& error, double chance) {
  const Duration wait = needs_operator(error.code) ? backoff_.slow() : backoff_.next(chance);
  return error.retry_after ? std::max<Duration>(wait, *error.retry_after) : wait;
}

JobAction JobPolicy::submit_failed(const Error& error, double chance) {
  turned_away_since_.reset();
  if (error.code == ErrorCode::kTooComplex) {
    if (const Duration part = half_of(window_, options_.min_window); part > Duration{0}) {
      return SplitJob{.reason = "too_complex", .detail = error.message, .part = part};
    }
  }
  return restart("submit_failed", error.message, wait_after(error, chance));
}

JobAction JobPolicy::poll_failed(const Error& error, Instant now, double chance) {
  if (error.code == ErrorCode::kPositionInvalid) return job_failed("job_unknown", error.message, chance);
  if (is_overdue(now)) return job_failed("job_never_finished", error.message, chance, true);
  return PollJob{wait_after(error, chance)};
}

JobAction JobPolicy::results_failed(const Error& error, double chance) {
  switch (error.code) {
    case ErrorCode::kPositionInvalid:
      return job_failed("job_unknown", error.message, chance);
    case ErrorCode::kRequestRejected:  // how some services call a cursor they no longer know
      return job_failed("position_rejected", error.message, chance);
    case ErrorCode::kMalformedResponse:
    case ErrorCode::kOversize:
    case ErrorCode::kTooComplex:
      if (++attempts_ >= options_.attempts_at_page) {
        attempts_ = 0;
        return job_failed("page_unreadable", error.message, chance);
      }
      break;
    default:
      break;
  }
  const auto* at = std::get_if<AtJob>(&position_);
  return ReadResults{.cursor = at->cursor, .wait = wait_after(error, chance)};
}

JobAction JobPolicy::job_failed(std::string reason, std::string detail, double chance, bool cancel_job) {
  ++job_failures_;
  forget_job();
  const Duration wait = backoff_.next(chance);
  const Duration part = half_of(window_, options_.min_window);
  if (job_failures_ >= options_.failures_before_split && part > Duration{0}) {
    return SplitJob{
        .reason = std::move(reason), .detail = std::move(detail), .part = part, .wait = wait, .cancel_job = cancel_job};
  }
  return restart(std::move(reason), std::move(detail), wait, cancel_job);
}

RestartJob JobPolicy::restart(std::string reason, std::string detail, Duration wait, bool cancel_job) {
  forget_job();
  return RestartJob{.reason = std::move(reason), .detail = std::move(detail), .wait = wait, .cancel_job = cancel_job};
}

void JobPolicy::forget_job() {
  position_ = AtStart{};
  step_ = Step::kSubmit;
  attempts_ = 0;
  // The next job shows first what this one has shown.
  barren_bound_ = std::max(barren_bound_, kMaxBarrenPages + std::exchange(pages_of_job_, 0));
  barren_ = 0;
}

bool JobPolicy::is_overdue(Instant now) const {
  const auto* at = std::get_if<AtJob>(&position_);
  return at != nullptr && now - at->submitted > options_.deadline;
}

}  // namespace connector::core
