#pragma once

// Runs a scenario to its end in simulated time, life after life, and says which guarantee does not hold, if any.

#include "tests/model/scenario.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tests::model {

struct PublishedRecord {
  std::string key;
  std::size_t version = 0;
  Form form = Form::kQuery;
};

struct RunResult {
  std::optional<std::string> broken;
  std::vector<PublishedRecord> published;  // if the log is kept
  std::vector<std::string> log;            // if kept
  // That the runs are worth something is seen from these.
  std::size_t steps = 0;
  std::size_t records = 0;
  std::size_t sealed = 0;  // keys whose last record is the job's form
  std::size_t beyond_horizon = 0;
  std::size_t tombstones = 0;
};

enum class KeepLog : std::uint8_t { kNo, kYes };
// `attempt`: other dice in the same scenario.
RunResult run(const Scenario& scenario, KeepLog keep_log, std::uint64_t attempt = 0);

}  // namespace tests::model
