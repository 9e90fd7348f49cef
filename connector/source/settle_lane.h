#pragma once

// The settle lane of a stream: asynchronous jobs over windows behind the service's availability date. Several jobs at once, each
// a coroutine that a JobPolicy leads. What a job over a whole day did not return is looked for by id (core::VanishedDay), by a
// coroutine for each such day. With an order it is a backfill: the same over a bounded range, each window once, with its own
// ledger, and an end; it does not judge what is gone. Internal to connector/source; started by StreamReader.

#include "connector/core/digest/vanished_day.h"
#include "connector/core/planning/job_policy.h"
#include "connector/core/planning/newly_owed.h"
#include "connector/core/planning/settle_planner.h"
#include "connector/source/lane.h"
#include "connector/source/task_group.h"
#include "connector/source/window_rows.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace connector::source {

class SettleLane final : public Lane {
 public:
  explicit SettleLane(StreamContext& stream, std::optional<core::BackfillOrder> order = std::nullopt);
  // Of a backfill: ends without an error when the ledger says that it is done.
  Awaited run();
  // Of a backfill that does not run any more: its jobs are deleted at the service, and the ledger says that it was given up.
  Awaited cancel();
  // What was due by then, this lane's and a backfill's beside it, is committed: by the first availability date of this life,
  // which began after `due`.
  [[nodiscard]] bool is_caught_up(common::Instant due) const;

 private:
  struct Job;
  struct Crew;

  Awaited run_crew();
  Awaited dispatch(Crew& crew);
  Awaited give_up_expired(const Crew& crew);
  boost::asio::awaitable<void> watch_availability(Crew& crew);
  boost::asio::awaitable<void> run_job(Crew& crew, common::Interval window, core::Position position, core::Pass pass);
  [[nodiscard]] std::uint32_t max_jobs() const;
  [[nodiscard]] core::SettlePlanOptions plan_options() const;
  void hold_days(const Crew& crew);
  Awaited begin_backfill();
  Awaited end_backfill(core::BackfillState state);
  void add_usage(std::vector<core::LedgerChange>& changes) const;
  [[nodiscard]] std::uint64_t set_aside() const;
  [[nodiscard]] common::Duration owed_gather() const;
  std::vector<core::LedgerChange> newly_owed() const;
  static common::Instant began(const Job& job, const core::OpenWindow& open);
  Awaited read_window(Crew& crew, Job& job);

  Awaited submit_job(Job& job);
  Awaited give_back(const Job& job);
  std::vector<core::LedgerChange> halve(const Job& job, common::Duration part, const std::string& reason,
                                        const std::string& detail);
  Awaited poll_job(Job& job, common::Duration wait);
  Awaited read_results(Job& job, const core::ReadResults& action);
  Awaited restart_job(Crew& crew, Job& job, core::RestartJob action);
  Awaited split_job(Crew& crew, Job& job, core::SplitJob action);
  Awaited wait_without_job(Crew& crew, core::Pass pass, common::Duration wait);
  Awaited await_room(Crew& crew, core::Pass pass);
  Awaited cancel_job(const core::JobId& job);
  void step(Job& job, const core::JobEvent& event);
  void step_failed(Job& job, const common::Error& error, const core::Position& position);
  void report_failed(const Job& job, const common::Error& error, const core::Position& position);
  core::ApiRequest request_for(RequestBuilder builder, const Job& job) const;

  [[nodiscard]] bool reads_whole_day(const Job& job) const;
  boost::asio::awaitable<core::MissedByPass> search_missed(const Job& job);
  void begin_judging(const Job& job, core::MissedByPass missed, std::vector<core::LedgerChange>& changes);
  void judge_days(Crew& crew);
  boost::asio::awaitable<void> judge(Crew& crew, std::shared_ptr<core::VanishedDay> day);
  Awaited ask_whether_gone(core::VanishedDay& day, core::AskVanished asked, core::LaneBackoff& backoff);
  void tell(const core::VanishedDay& day, const core::VanishedFindings& findings);
  std::vector<core::LedgerChange> forgotten_judgements() const;

  const JobSource& job_;
  std::optional<core::BackfillOrder> order_;
  // The backfill's requests are those of its former lives, and this source's since this one began.
  std::uint64_t carried_requests_ = 0;
  std::uint64_t requests_before_ = 0;
  SliceSpec spec_;
  std::optional<PageScalars> scalars_;
  int page_size_;
  core::LaneBackoff backoff_;
  std::optional<common::Instant> availability_;  // the newest answer
  std::optional<common::Instant> first_availability_;
  core::PassTimes passes_;
  common::Instant newest_read_{};  // date of a job's data
  bool judges_;                    // what a job did not return; never of a backfill
  SliceSpec by_id_spec_;
  // Shared with the coroutine that asks for its ids: it goes on as long as it finds its day here.
  std::map<core::HomeDay, std::shared_ptr<core::VanishedDay>> judged_;
  std::vector<core::RecordKey> witnesses_;  // of the last pass that returned any record
};

}  // namespace connector::source
