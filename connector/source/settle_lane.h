#pragma once

// The settle lane of a stream: asynchronous jobs over windows behind the service's availability date. It says which window is
// next, several at once, each a coroutine; what is done with one is WindowJob's, and who looks for what a job over a whole day
// did not return is VanishedJudge. With an order it is a backfill: the same over a bounded range, each window once, with its own
// ledger, and an end (BackfillRun); it does not judge what is gone. Internal to connector/source; started by StreamReader.

#include "connector/core/planning/settle_planner.h"
#include "connector/source/backfill_run.h"
#include "connector/source/lane.h"
#include "connector/source/task_group.h"
#include "connector/source/vanished_judge.h"
#include "connector/source/window_job.h"

#include <cstdint>
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
  struct Crew;

  Awaited run_crew();
  Awaited dispatch(Crew& crew);
  Awaited give_up_expired(const Crew& crew);
  boost::asio::awaitable<void> watch_availability(Crew& crew);
  boost::asio::awaitable<void> run_job(Crew& crew, common::Interval window, core::Position position, core::Pass pass);
  Awaited read_window(Crew& crew, WindowJob& job);
  Awaited wait_without_job(Crew& crew, core::Pass pass, common::Duration wait);
  Awaited await_age(Crew& crew, const WindowJob& job);
  Awaited await_room(Crew& crew, core::Pass pass);
  void hold_days(const Crew& crew);
  [[nodiscard]] std::uint32_t max_jobs() const;
  [[nodiscard]] core::SettlePlanOptions plan_options() const;
  [[nodiscard]] common::Duration owed_gather() const;
  [[nodiscard]] std::vector<core::LedgerChange> newly_owed() const;

  const JobSource& job_;
  JobReading reading_;
  core::LaneBackoff backoff_;
  DataDates dates_;
  VanishedJudge judge_;
  std::optional<BackfillRun> backfill_;
};

}  // namespace connector::source
