#pragma once

// The follow lane of a stream: reads records again by id that were published open, or of which only the name is known, until they
// are closed and quiet. Which and when is core::FollowPlanner's decision. Internal to connector/source; started by StreamReader.

#include "connector/core/planning/follow_planner.h"
#include "connector/source/lane.h"

#include <map>
#include <span>

namespace connector::source {

class FollowLane final : public Lane {
 public:
  explicit FollowLane(StreamContext& stream);
  Awaited run();
  // It has looked at what was published by then, and every id that was due has been answered.
  [[nodiscard]] bool is_caught_up(common::Instant by) const { return looked_at_ >= by && !planner_.has_due(by); }

 private:
  Awaited advance();
  Awaited ask(const core::AskIds& asked);
  // All of them, by as many requests as it takes: one that the service will not answer is halved down to the id at fault.
  Awaited read_all(const core::AskIds& asked);
  Awaited read(std::span<const core::RecordKey> ids, common::Instant first_day);
  // What the other lanes have published since: takes up what is open, leaves what is sealed or gone.
  void look_at_digests(common::Instant now);
  // What an earlier life followed that is closed and not quiet yet: nothing else tells of it.
  Awaited take_up_closed();
  void put_back(std::span<const core::RecordKey> ids, common::Duration wait,
                core::FollowPlanner::AtFault at_fault = core::FollowPlanner::AtFault::kOther);

  const ByIdSource& by_id_;
  SliceSpec spec_;
  core::FollowPlanner planner_;
  core::LaneBackoff backoff_;
  common::Instant looked_at_{};
  std::map<core::RecordKey, core::DigestEntry> asked_;  // what was remembered of them when their turn came
};

}  // namespace connector::source
