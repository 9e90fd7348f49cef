#pragma once

// What a seed stands for: a service, a configuration and what goes wrong, all decided beforehand, so that a failing one can be
// made smaller. Plain values.

#include "connector/kafka/stream_topic.h"
#include "connector/source/options.h"
#include "tests/model/world.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tests::model {

enum class FaultKind : std::uint8_t {
  kKill,         // SIGKILL; started again after `duration`
  kFreeze,       // the process stands still for `duration` (SIGSTOP, a suspended host)
  kOutage,       // the service answers nothing for `duration`
  kClock,        // the host's clock is wrong by `duration` from now on
  kStreamStops,  // the stream's topic cannot be used for `duration`
};
struct Fault {
  Instant at;
  FaultKind kind = FaultKind::kKill;
  Duration duration{0};
};

// One in so many; 0: never.
struct Odds {
  std::uint64_t request_fails = 0;
  std::uint64_t job_fails = 0;
  std::uint64_t abort = 0;
  std::uint64_t unknown_applied = 0;
  std::uint64_t slow_request = 0;
};

struct Scenario {
  std::uint64_t seed = 0;
  WorldPlan world;
  connector::source::StreamOptions stream;
  int query_page_size = 100;
  int job_page_size = 1000;
  int max_ids = 50;
  std::size_t memory_bytes = 1U << 20U;
  std::int64_t max_depth = 0;
  std::size_t commit_bytes = 8U << 20U;
  bool exactly_once = true;
  bool availability_goes_back = false;
  Odds odds;  // until `calm_from`
  std::vector<Fault> faults;
  Instant begins;     // the connector's first start
  Instant calm_from;  // no faults any more
  Instant ends;       // everything that is promised has been done by then
};

Scenario make_scenario(std::uint64_t seed);
// As configured: rules and expiry are the product's own.
connector::kafka::StreamTopic topic_of(const Scenario& scenario);
std::string describe(const Scenario& scenario);

}  // namespace tests::model
