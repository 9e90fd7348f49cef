#pragma once

// One window while jobs read it, one job after the other if need be: performs what the window's core::JobPolicy decides, and
// hands over what the results hold. Which window is next, and when one that has failed gets a place again, is its lane's to say
// (settle_lane.h). A part of one lane, and on its executor. Internal to connector/source.

#include "connector/core/digest/pass_keys.h"
#include "connector/core/planning/job_availability.h"
#include "connector/core/planning/job_policy.h"
#include "connector/core/planning/newly_owed.h"
#include "connector/source/backfill_run.h"
#include "connector/source/lane.h"
#include "connector/source/pagination.h"
#include "connector/source/vanished_judge.h"
#include "connector/source/window_rows.h"

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace connector::source {

// How the results of every job of a stream are read.
struct JobReading {
  explicit JobReading(const StreamContext& stream);

  const JobSource& source;
  int page_size;
  SliceSpec spec;
  PageScalars scalars;
};

// Up to when a lane's data is complete: as the service tells, and as the jobs had it that were read.
struct DataDates {
  std::optional<common::Instant> told;  // the newest answer
  std::optional<common::Instant> first_told;
  common::Instant newest_read{};
  core::PassTimes passes;

  void note_read(const common::Interval& window, common::Instant availability);
};

// The parts of its lane that the windows work with; all of them outlive the windows.
struct WindowJobParts {
  Lane& lane;
  const JobReading& reading;
  DataDates& dates;
  VanishedJudge& judge;
  const BackfillRun* backfill;  // null: of the settle lane
};

class WindowJob final {
 public:
  WindowJob(const WindowJobParts& parts, common::Interval window, core::Position position, core::Pass pass,
            std::size_t memory_bytes);

  using Awaited = boost::asio::awaitable<common::Result<void>>;

  // The next step, until is_done(). An error concerns the whole lane, or is the caller's cancellation.
  Awaited perform();
  // If the step asks for it: how long nothing is done then, the window being without a job; if it is not done, go_on() follows.
  [[nodiscard]] std::optional<common::Duration> rest() const { return rest_; }
  void go_on() { step(core::JobWaited{}); }
  // It is complete, or given back to the plan.
  [[nodiscard]] bool is_done() const { return done_; }

  [[nodiscard]] const common::Interval& window() const { return policy_.window(); }
  [[nodiscard]] const core::Pass& pass() const { return pass_; }
  // The date to which its job's data must be complete.
  [[nodiscard]] common::Instant needed() const { return policy_.needed(); }

 private:
  Awaited refuse_to_complete() const;
  Awaited submit_job();
  Awaited give_back();
  Awaited poll_job(common::Duration wait);
  Awaited read_results(common::Duration wait);
  Awaited restart(core::RestartJob action);
  Awaited split(core::SplitJob action);
  std::vector<core::LedgerChange> halve(common::Duration part, const std::string& reason, const std::string& detail) const;
  [[nodiscard]] common::Instant began(const core::OpenWindow& open) const;
  void step(const core::JobEvent& event);
  void step_failed(const common::Error& error, const core::Position& position);
  void report_failed(const common::Error& error, const core::Position& position);
  [[nodiscard]] core::ApiRequest request_for(RequestBuilder builder) const;

  WindowJobParts parts_;
  Lane& lane_;
  StreamContext& stream_;
  const core::SourcePartition& source_;
  const JobSource& job_;
  core::JobPolicy policy_;
  core::JobAction action_;
  WindowRows rows_;      // survives the restarts of the window: a second job repeats what the first one brought
  core::PassKeys keys_;  // of the present job alone
  core::Pass pass_;
  core::JobAvailability data_;
  std::optional<common::Instant> availability_;  // of the oldest results page
  std::optional<common::Duration> rest_;
  bool done_ = false;
};

}  // namespace connector::source
