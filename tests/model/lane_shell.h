#pragma once

// What the simulated lanes share, as connector/source/lane.cpp does it: the working ledger, handing over, flushing, and waiting
// until the fate of what was handed over is known.

#include "connector/core/planning/lane_backoff.h"
#include "tests/model/sim_publisher.h"
#include "tests/model/stage.h"

#include <deque>
#include <vector>

namespace tests::model {

class LaneShell {
 public:
  LaneShell(Stage& stage, SimPublisher& publisher, connector::core::Lane lane)
      : stage_(stage), publisher_(publisher), source_{.stream = stage.scenario.stream.name, .lane = lane} {}

  Instant wake = kNever;  // step() is to be called then

 protected:
  connector::core::Page make_page(const Interval& window, connector::core::RecordForm form, const Stage::Answer& answer) const;
  // A row as a sliced record.
  static connector::core::RecordSlice slice_of(const Stage& stage, const Row& row);

  common::Result<void> submit(connector::core::PageGroup group);
  common::Result<void> submit_changes(const Interval& window, std::vector<connector::core::LedgerChange> changes);
  // False: not yet.
  common::Result<bool> flush();
  // After a failure to hand over. False: not yet.
  bool decided();
  common::Result<void> start_ledger(Instant start);
  common::Result<void> start_ages(const std::vector<Duration>& ages);
  void resynchronise() { working_ = publisher_.committed(source_); }
  double chance() { return stage_.chance.unit(); }
  void sleep(Duration duration) { wake = stage_.now + std::max(duration, Duration{0}); }
  // Ends the run: such an error is a bug of ours.
  void check_internal(const common::Error& error);

  Stage& stage_;
  SimPublisher& publisher_;
  connector::core::SourcePartition source_;
  connector::core::Ledger working_;
};

bool needs_operator(common::ErrorCode code);
bool may_be_one_of_them(common::ErrorCode code);

// As connector::source::Turns: who reads may come one at a time, in the order of asking.
class SimTurns {
 public:
  // True: at once; else `wake` is set when it is the caller's turn.
  bool take(Instant& wake);
  void give_back(Instant now);
  // Waits no longer.
  void leave(const Instant& wake) { std::erase(waiting_, &wake); }

 private:
  bool taken_ = false;
  std::deque<Instant*> waiting_;
};

}  // namespace tests::model
