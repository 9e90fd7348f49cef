#pragma once

// What a configuration will cost and make: windows, jobs, requests against the quota, and topics. From the configuration and
// assumptions about the traffic alone; nothing is asked. Pure functions.

#include "common/instant.h"
#include "connector/app/definitions.h"
#include "connector/app/options.h"
#include "connector/core/planning/estimate.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace connector::app {

struct PlanAssumptions {
  double records_per_day = 10'000;  // of a stream
  std::map<core::StreamName, double> records_per_day_of;
  common::Duration mean_duration{600'000};  // of a record; of definitions that say when one begins and ends
  common::Duration job_duration{120'000};
};

struct LanePlan {
  core::SourcePartition source;
  core::LaneEstimate estimate;
};
struct PlannedTopic {
  std::string name;
  std::string holds;           // for people
  int partitions = 0;          // 0: the broker's default
  int replication_factor = 0;  // likewise
  bool created = false;        // if it is missing; else the start is refused then, or the stream stopped
};
struct Plan {
  PlanAssumptions assumptions;
  std::map<core::StreamName, common::Duration> history;  // from the start, or what is kept of it, to now: to be read first
  std::vector<std::string> problems;                     // of starts behind what the service keeps
  std::vector<LanePlan> lanes;
  core::BudgetEstimate budget;
  std::optional<std::uint64_t> max_requests_per_month;
  std::vector<PlannedTopic> topics;
};

// `now`: a start in the past is history.
Plan make_plan(const AppOptions& options, const Definitions& definitions, const PlanAssumptions& assumptions,
               common::Instant now);

}  // namespace connector::app
