#pragma once

// What the service has deleted, as a lane of jobs finds out: what a job over a whole home day did not return is looked for by id,
// by a coroutine for each such day, until core::VanishedDay has decided. Days that are not decided are known to the ledger, what
// is known of them only here. A part of one lane, and on its executor. Internal to connector/source.

#include "connector/core/digest/pass_keys.h"
#include "connector/core/digest/vanished_day.h"
#include "connector/core/planning/lane_backoff.h"
#include "connector/source/lane.h"
#include "connector/source/task_group.h"

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace connector::source {

class VanishedJudge final {
 public:
  // `lane` outlives it. Only the settle lane judges, and only where the definition and the windows allow it.
  explicit VanishedJudge(Lane& lane);

  // A pass over the window shows what is missing of its day.
  [[nodiscard]] bool judges(const common::Interval& window) const;
  // What a pass with these keys did not return of what is known of the day.
  boost::asio::awaitable<core::MissedByPass> search_missed(const core::PassKeys& keys, core::HomeDay day,
                                                           common::Instant availability) const;
  // A pass over the window is complete, as the last of `changes` say; what the ledger is to be told beside that is added to them.
  // `missed`: of a pass that it judges and whose keys are whole. An error: a change that the ledger refuses.
  common::Result<void> take_pass(const common::Interval& window, const core::Pass& pass, common::Instant availability,
                                 const core::PassKeys& keys, std::optional<core::MissedByPass> missed,
                                 std::vector<core::LedgerChange>& changes);

  // Starts the coroutines of the days that have none; an error that concerns the whole lane becomes the group's.
  void judge_days(TaskGroup& group);
  // Days that the ledger has undecided and of which nothing is known any more.
  [[nodiscard]] std::vector<core::LedgerChange> forgotten() const;
  void forget();
  void forget_before(common::Instant instant);

 private:
  using Awaited = boost::asio::awaitable<common::Result<void>>;

  void begin(core::MissedByPass missed, std::vector<core::LedgerChange>& changes);
  boost::asio::awaitable<void> judge(TaskGroup& group, std::shared_ptr<core::VanishedDay> day);
  Awaited ask_whether_gone(core::VanishedDay& day, core::AskVanished asked, core::LaneBackoff& backoff);
  void tell(const core::VanishedDay& day, const core::VanishedFindings& findings) const;

  Lane& lane_;
  StreamContext& stream_;
  bool judges_;
  SliceSpec by_id_spec_;
  // Shared with the coroutine that asks for its ids: it goes on as long as it finds its day here.
  std::map<core::HomeDay, std::shared_ptr<core::VanishedDay>> judged_;
  std::set<core::HomeDay> judging_;         // days that have their coroutine
  std::vector<core::RecordKey> witnesses_;  // of the last pass that returned any record
};

}  // namespace connector::source
