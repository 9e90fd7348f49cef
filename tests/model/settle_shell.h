#pragma once

// connector/source/settle_lane.cpp without coroutines: the crew's dispatcher, the watch on the availability date, and the jobs
// each have a time when they go on.

#include "connector/core/digest/vanished_day.h"
#include "connector/core/planning/job_policy.h"
#include "connector/core/planning/newly_owed.h"
#include "connector/core/planning/settle_planner.h"
#include "connector/source/window_rows.h"
#include "tests/model/lane_shell.h"

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace tests::model {

class SettleShell final : public LaneShell {
 public:
  SettleShell(Stage& stage, SimPublisher& publisher, SimTurns& turns);
  ~SettleShell();
  // Of everything in the lane.
  [[nodiscard]] Instant next_wake() const;
  void step();
  void look();
  // Nothing of it wakes before.
  void freeze_until(Instant instant);

 private:
  enum class Doing : std::uint8_t { kCrew, kDispatch, kFlush, kAsleep, kBackoff, kDecision };
  struct Job;
  struct Judged;

  void run_crew();
  void dispatch();
  void flush_then_wait();
  void watch();
  void want_availability();
  void notify();
  void fall_asleep();
  void run(Job& job);
  void perform(Job& job);
  common::Result<void> act(Job& job);
  common::Result<void> submit_job(Job& job);
  void poll_job(Job& job);
  common::Result<void> read_results(Job& job);
  common::Result<void> restart_job(Job& job, const connector::core::RestartJob& action);
  common::Result<void> split_job(Job& job, const connector::core::SplitJob& action);
  void trouble(const common::Error& error);
  [[nodiscard]] Duration owed_gather() const;
  [[nodiscard]] std::vector<connector::core::LedgerChange> newly_owed() const;
  [[nodiscard]] std::vector<Interval> running() const;

  [[nodiscard]] bool reads_whole_day(const Interval& window) const;
  [[nodiscard]] connector::core::MissedByPass search_missed(const Job& job) const;
  void begin_judging(const Interval& window, connector::core::MissedByPass missed,
                     std::vector<connector::core::LedgerChange>& changes);
  [[nodiscard]] std::vector<connector::core::LedgerChange> forgotten_judgements() const;
  void forget_judgements();
  void judge(Judged& judged);
  common::Result<void> ask_whether_gone(Judged& judged);
  void tell(connector::core::HomeDay day, const connector::core::VanishedFindings& findings);

  Doing doing_ = Doing::kCrew;
  connector::core::LaneBackoff backoff_;
  connector::core::LaneBackoff watch_backoff_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::optional<Instant> availability_;
  std::optional<Instant> wanted_until_;
  bool changed_ = false;  // something ended, or the date was told
  bool wanted_ = false;
  bool fetching_ = false;
  Instant watch_wake_ = kNever;
  Instant watch_sleeps_until_{};
  connector::core::Ledger planned_from_;
  connector::core::PassTimes passes_;
  Instant newest_read_{};  // date of a job's data
  SimTurns& turns_;
  bool judges_;
  std::map<connector::core::HomeDay, std::unique_ptr<Judged>> judged_;
  std::vector<connector::core::RecordKey> witnesses_;
};

}  // namespace tests::model
