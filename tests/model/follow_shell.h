#pragma once

// connector/source/follow_lane.cpp without coroutines.

#include "connector/core/planning/follow_planner.h"
#include "tests/model/lane_shell.h"

#include <map>
#include <vector>

namespace tests::model {

class FollowShell final : public LaneShell {
 public:
  FollowShell(Stage& stage, SimPublisher& publisher, SimTurns& turns);
  void step();
  void look();

 private:
  enum class Doing : std::uint8_t { kPlan, kTurn, kAnswer, kBackoff, kDecision };
  using Ids = std::vector<connector::core::RecordKey>;

  void plan();
  void look_at_digests(Instant now);
  void take_up_closed(Instant now);
  void start_asking();
  void ask_next();
  void answer_arrived();
  common::Result<void> take_answer(const Stage::Answer& answer, const Ids& ids);
  void finish(const common::Result<void>& done);
  void put_back(const Ids& ids, Duration wait);

  SimTurns& turns_;
  connector::core::FollowPlanner planner_;
  connector::core::LaneBackoff backoff_;
  Doing doing_ = Doing::kPlan;
  bool undecided_ = false;
  connector::core::AskIds asked_;
  std::map<connector::core::RecordKey, connector::core::DigestEntry> when_asked_;  // what was remembered of them
  std::vector<Ids> parts_;                                                         // of `asked_`, the next one last
  int refused_ = 0;
  Instant looked_at_{};
  bool changed_ = true;  // something was committed since the last look
};

}  // namespace tests::model
