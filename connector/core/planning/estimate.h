#pragma once

// What a lane will ask of the service, from its settings and assumptions about the traffic: a forecast for people, on the safe
// side (records are thought to be spread so that every window has a page that is not full). Pure.

#include "common/instant.h"
#include "connector/core/planning/follow_planner.h"
#include "connector/core/planning/live_planner.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace connector::core {

struct Traffic {
  double records_per_day = 10'000;
  common::Duration mean_duration{600'000};  // from a record's start to its end
};

struct Requests {
  double windows = 0;
  double jobs = 0;
  double requests = 0;  // pages, submissions, polls, dates
};
struct LaneEstimate {
  Requests a_day;                      // when nothing waits
  Requests catch_up;                   // what lies between the start and now, read once
  common::Duration catch_up_least{0};  // however large the quota
};

// What the query returns for a window.
enum class WindowRows : std::uint8_t { kOverlapping, kStartedInside };

struct LiveSettings {
  LivePlanOptions plan;
  std::vector<common::Duration> ages;
  std::size_t page_size = 100;
  WindowRows rows = WindowRows::kOverlapping;
};
LaneEstimate estimate_live(const LiveSettings& live, const Traffic& traffic, common::Duration history);

// Records that the query shows open (`seen_after`: how old a record is then, on average) are read again until they are closed and
// quiet.
LaneEstimate estimate_follow(const FollowOptions& follow, common::Duration seen_after, const Traffic& traffic);

struct SettleSettings {
  common::Duration window{86'400'000};
  std::size_t passes = 1;
  std::size_t page_size = 1'000;
  std::uint32_t max_jobs = 2;
  common::Duration poll_initial{1'000};
  common::Duration poll_max{30'000};
  common::Duration availability_every{300'000};
  common::Duration job_duration{120'000};  // assumed
};
LaneEstimate estimate_settle(const SettleSettings& settle, const Traffic& traffic, common::Duration history);

// All lanes together against what may be sent.
struct BudgetEstimate {
  double permitted_per_minute = 0;
  double requests_per_day = 0;
  double share_of_permitted = 0;  // 1: all of it
  double requests_per_month = 0;  // of 31 days
  double catch_up_requests = 0;   // once, beside them
  // While everything else goes on; nothing: never, the quota is too small.
  std::optional<common::Duration> catch_up;
};
BudgetEstimate estimate_budget(const std::vector<LaneEstimate>& lanes, double permitted_per_minute);

// What a bound on the requests of a month means for them.
struct MonthVerdict {
  bool suffices = false;                // for what comes every day
  bool suffices_with_catch_up = false;  // even in a month that reads all of the history, too
  double used_up_after_days = 0;        // of what comes every day; at most 31
};
MonthVerdict judge_month(const BudgetEstimate& estimate, double max_requests_per_month);

}  // namespace connector::core
