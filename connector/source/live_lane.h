#pragma once

// The live lane of a stream: the query over short windows close to now, each published whole, in one group; or a snapshot, read
// whole at a cadence. Internal to connector/source; started by StreamReader.

#include "connector/core/digest/vanished_reading.h"
#include "connector/core/planning/live_planner.h"
#include "connector/core/planning/query_paging.h"
#include "connector/source/lane.h"
#include "connector/source/window_rows.h"

#include <vector>

namespace connector::source {

class LiveLane final : public Lane {
 public:
  explicit LiveLane(StreamContext& stream);
  Awaited run();
  // What was due by then is committed.
  [[nodiscard]] bool is_caught_up(common::Instant due) const;

 private:
  struct Reading;

  Awaited begin();
  [[nodiscard]] core::LivePlan plan(common::Instant now) const;
  Awaited advance();
  Awaited recover(const common::Error& error);
  // Of what is read again. Whatever is left to recover from; nothing: the lane goes on.
  Awaited put_off(const common::Error& error);
  Awaited read_window(core::ReadWindow planned);
  boost::asio::awaitable<core::PagingAction> read_page(Reading& reading, core::Position at);
  [[nodiscard]] common::Result<void> check_clock(common::Instant due) const;
  Awaited hand_over_pages(Reading& reading);
  Awaited complete(Reading& reading, bool is_short);
  // Of a snapshot that was read: what the service no longer has goes with it.
  Awaited judge_absence(Reading& reading, std::vector<core::LedgerChange>& changes);
  boost::asio::awaitable<core::VanishedReadingFindings> search_absent(const Reading& reading);
  void add_gone(Reading& reading, const std::vector<core::RecordKey>& gone);
  void tell_absence(const Reading& reading, core::NotWhole why, const core::VanishedReadingFindings& findings);
  Awaited give_up_open(const common::Interval& window);
  [[nodiscard]] core::QueryPagingOptions paging_options() const;
  [[nodiscard]] RowRule row_rule() const;
  void note_counts(const RowCounts& counts);

  const QuerySource& query_;
  core::LivePlanner planner_;
  core::LaneBackoff backoff_;
  SliceSpec spec_;
  std::optional<PageScalars> scalars_;
  int page_size_;
  bool split_short_ = true;  // cutting a window has not been in vain lately
  bool told_overlap_ = false;
  bool judges_;  // what is absent from a snapshot
  core::NotWhole told_not_whole_ = core::NotWhole::kNone;
  bool told_brake_ = false;
  core::IntervalSet refused_;                  // whose next page was refused when it was read last
  std::optional<core::ReadWindow> rereading_;  // what is being read again
  std::uint32_t put_off_in_a_row_ = 0;
  common::Interval window_{};  // being read, for the report
  core::Position position_;
};

}  // namespace connector::source
