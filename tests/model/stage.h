#pragma once

// What the lanes and the publisher of a simulated run share: time, chance, the service and what goes wrong with it, and the log
// of what happened. One thread.

#include "common/clock.h"
#include "common/result.h"
#include "connector/core/digest/entry.h"
#include "connector/core/planning/clocks.h"
#include "tests/model/chance.h"
#include "tests/model/scenario.h"
#include "tests/model/world.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tests::model {

constexpr Instant kNever = Instant::max();

struct SimulatedJob {
  Interval window;
  Instant ready_at;
  bool fails = false;
  std::optional<Instant> complete_to;  // from ready_at on
  std::vector<std::size_t> conversations;
};

struct Stage {
  Stage(const Scenario& plan, std::uint64_t attempt)
      : scenario(plan), world(plan.world), chance(plan.seed + (attempt << 32U)), now(plan.begins) {}

  const Scenario& scenario;
  World world;
  Chance chance;
  Instant now;             // of the service: the truth
  Duration host_ahead{0};  // of the host's clock
  Instant outage_until{};  // the service answers nothing
  std::vector<SimulatedJob> jobs;
  std::set<connector::core::HomeDay> not_judged;  // of which it was not decided what is gone when they were last read
  std::optional<std::string> broken;              // a property does not hold
  bool keeps_log = false;
  std::vector<std::string> log;

  [[nodiscard]] Instant host_now() const { return now + host_ahead; }
  // (A life asks for its organisation before its lanes begin. From then on the steady clock tells what the service's says.)
  [[nodiscard]] Instant earlier_now() const { return connector::core::earlier_clock(host_now(), -host_ahead); }
  [[nodiscard]] common::SteadyTime steady_now() const { return common::SteadyTime(now.time_since_epoch()); }
  [[nodiscard]] bool is_calm() const { return now >= scenario.calm_from; }
  bool happens(std::uint64_t one_in) { return one_in != 0 && !is_calm() && chance.one_in(one_in); }

  Duration latency() {
    using namespace std::chrono_literals;
    return happens(scenario.odds.slow_request) ? chance.between(1min, 2h) : chance.between(20ms, 3s);
  }
  // An answer that arrives now: when the service made it, by its `Date`; or what went wrong.
  struct Answer {
    Instant at;
    Instant date;
  };
  common::Result<Answer> answer() {
    using namespace std::chrono_literals;
    if (now < outage_until) return common::fail(common::ErrorCode::kRetryable, "outage");
    if (happens(scenario.odds.request_fails)) {
      using common::ErrorCode;
      return common::fail(chance.any_of({ErrorCode::kRetryable, ErrorCode::kRateLimited, ErrorCode::kMalformedResponse,
                                         ErrorCode::kPermissionDenied, ErrorCode::kTooComplex, ErrorCode::kPositionInvalid}),
                          "injected");
    }
    const Instant at = now - chance.between(0ms, 1s);
    const Instant date = std::chrono::floor<std::chrono::seconds>(at);
    return Answer{.at = at, .date = date};
  }

  void fail(std::string what) {
    note("BROKEN " + what);
    if (!broken) broken = common::format_instant(now) + ": " + std::move(what);
  }
  // Of a window that has nothing to do with any conversation nobody wants to read.
  void note_read(const std::string& what, const Interval& window) {
    const auto concerns = [&](const Conversation& conversation) {
      return common::start_of_day(conversation.start) == common::start_of_day(window.start);
    };
    if (keeps_log && (scenario.world.conversations.empty() || std::ranges::any_of(scenario.world.conversations, concerns))) {
      note(what + " " + common::format_interval(window));
    }
  }
  void note(const std::string& what) {
    if (keeps_log) log.push_back(common::format_instant(now) + " " + what);
  }
};

}  // namespace tests::model
