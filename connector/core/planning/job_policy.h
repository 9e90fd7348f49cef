#pragma once

// The life of one window that an asynchronous job reads: submit, poll with growing intervals, read the chain of results,
// complete; and what to do with a job that fails, expires, is unknown or never ends. A decision: events in, actions out; it
// survives the restarts of its window, so that it knows which one keeps failing.

#include "common/clock.h"
#include "common/instant.h"
#include "common/result.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/planning/lane_backoff.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace connector::core {

struct JobPolicyOptions {
  common::Duration poll_initial{1'000};
  common::Duration poll_max{30'000};
  // Not finished this long after it was submitted: cancelled and restarted. As long may another's job be waited for.
  common::Duration deadline{21'600'000};
  common::Duration availability_every{300'000};  // wait after results that are older than their pass needs
  common::Duration min_window{60'000};           // a window that keeps failing is halved down to this
  std::uint32_t failures_before_split = 3;
  std::uint32_t attempts_at_page = 5;  // a results page that is malformed or too large
  LaneBackoffOptions backoff;
};

// What happened.
struct JobSubmitted {
  JobId job;
};
struct JobStatus {
  std::string state;
  std::string error_message;
};
struct JobPage {
  std::optional<std::string> next;              // absent: this was the last
  std::optional<common::Instant> availability;  // as the page says; absent: it says nothing
  std::uint64_t distinct = 0;                   // rows of the window, each once, that the pages before this one have brought
};
struct JobStepFailed {
  common::Error error;
};
// A submission was refused because the service runs no more jobs at once, and others run.
struct JobTurnedAway {
  common::Error error;
  common::SteadyTime at;
};
struct JobWaited {};  // the wait of RestartJob is over

using JobEvent = std::variant<JobSubmitted, JobStatus, JobPage, JobStepFailed, JobTurnedAway, JobWaited>;

// What to do. Waits come first.
struct SubmitJob {};
struct PollJob {
  common::Duration wait{0};
};
struct ReadResults {
  std::optional<std::string> cursor;
  common::Duration wait{0};
};
struct CompleteJob {};  // the page of this step was the last: commit it with the window's completion
// Back to the window's start: record it, cancel the job if told, wait, then JobWaited.
struct RestartJob {
  std::string reason;  // bounded set, a metric's label
  std::string detail;
  common::Duration wait{0};
  bool cancel_job = false;
  bool awaits_turn = false;  // another's job runs, and not for longer than one may take: nothing has failed
};
// Abandon the window for parts of this length.
struct SplitJob {
  std::string reason;
  std::string detail;
  common::Duration part{0};
  common::Duration wait{0};
  bool cancel_job = false;
};
using JobAction = std::variant<SubmitJob, PollJob, ReadResults, CompleteJob, RestartJob, SplitJob>;

// The date that a pass over the window needs its data to be complete to: at an age, what may have come in until then; of an owed
// one, at least the earliest read that is owed (it pays for that, and if it knows more, for more).
common::Instant needed_for(const common::Interval& window, const Pass& pass, const Ledger& ledger);

class JobPolicy {
 public:
  // `needed`: the results count only if their data is complete to this date, or to the window's end if that is later.
  JobPolicy(JobPolicyOptions options, common::Interval window, Position position,
            common::Instant needed = common::Instant::min());

  [[nodiscard]] JobAction begin() const;
  // `now`: the host's clock, as AtJob::submitted. `chance` in [0, 1) for jitter.
  JobAction step(const JobEvent& event, common::Instant now, double chance);

  // Job and cursor to commit with a page or a submission.
  [[nodiscard]] const Position& position() const { return position_; }
  [[nodiscard]] const common::Interval& window() const { return window_; }
  // Of a window that cannot wait until it has failed often enough to be split: its half if a job of it has failed; else, or if
  // it cannot be cut, zero.
  [[nodiscard]] common::Duration part_of_failed() const;
  [[nodiscard]] common::Instant needed() const { return needed_; }

 private:
  enum class Step : std::uint8_t { kSubmit, kPoll, kResults };

  JobAction on(const JobSubmitted& event, common::Instant now, double chance);
  JobAction on(const JobStatus& event, common::Instant now, double chance);
  JobAction on(const JobPage& event, common::Instant now, double chance);
  JobAction on(const JobStepFailed& event, common::Instant now, double chance);
  JobAction on(const JobTurnedAway& event, common::Instant now, double chance);
  JobAction on(const JobWaited& event, common::Instant now, double chance);
  JobAction submit_failed(const common::Error& error, double chance);
  JobAction poll_failed(const common::Error& error, common::Instant now, double chance);
  JobAction results_failed(const common::Error& error, double chance);
  JobAction job_failed(std::string reason, std::string detail, double chance, bool cancel_job = false);
  RestartJob restart(std::string reason, std::string detail, common::Duration wait, bool cancel_job = false);
  void forget_job();
  common::Duration wait_after(const common::Error& error, double chance);
  [[nodiscard]] bool is_overdue(common::Instant now) const;

  JobPolicyOptions options_;
  common::Interval window_;
  common::Instant needed_;
  Position position_;
  Step step_ = Step::kSubmit;
  common::Duration poll_wait_{0};
  LaneBackoff backoff_;
  std::optional<common::SteadyTime> turned_away_since_;
  std::uint32_t attempts_ = 0;
  std::uint32_t job_failures_ = 0;
  std::uint64_t distinct_ = 0;
  std::uint32_t pages_of_job_ = 0;
  std::uint32_t barren_ = 0;  // pages in a row without a row not seen before
  std::uint32_t barren_bound_;
};

}  // namespace connector::core
