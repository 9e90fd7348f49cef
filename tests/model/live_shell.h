#pragma once

// connector/source/live_lane.cpp without coroutines.

#include "connector/core/planning/live_planner.h"
#include "connector/core/planning/query_paging.h"
#include "connector/source/window_rows.h"
#include "tests/model/lane_shell.h"

#include <optional>

namespace tests::model {

class LiveShell final : public LaneShell {
 public:
  LiveShell(Stage& stage, SimPublisher& publisher, SimTurns& turns);
  ~LiveShell();
  void step();
  // Something was committed or dropped.
  void look();
  void clock_was_set();

 private:
  enum class Doing : std::uint8_t { kBegin, kAvailability, kPlan, kTurn, kPage, kFlush, kWait, kBackoff, kDecision };
  struct Reading;

  void begin();
  void availability_arrived();
  void plan();
  void flush_then_wait();
  void start_reading();
  void fetch(connector::core::Position at);
  void page_arrived();
  connector::core::PagingAction take_page(const Stage::Answer& answer, std::int64_t number);
  void perform(connector::core::PagingAction action);
  common::Result<void> hand_over_pages();
  common::Result<void> complete(bool is_short);
  void finish(const common::Result<void>& done);
  void recover(const common::Error& error);
  void put_off(const common::Error& error);
  void go_on() {
    doing_ = begun_ ? Doing::kPlan : Doing::kBegin;
    wake = stage_.now;
  }

  SimTurns& turns_;
  connector::core::LivePlanner planner_;
  connector::core::LaneBackoff backoff_;
  Doing doing_ = Doing::kBegin;
  bool begun_ = false;
  bool split_short_ = true;
  bool undecided_ = false;
  int put_off_in_a_row_ = 0;
  connector::core::ReadWindow planned_;
  std::unique_ptr<Reading> reading_;
  std::int64_t page_ = 1;
  Instant wait_until_{};
  connector::core::Ledger planned_from_;
};

}  // namespace tests::model
