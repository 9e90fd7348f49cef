#pragma once

// What the endpoints share: the simulated service's state, one call to it, and its answer. One thread.

#include "tests/simulator/fault_script.h"
#include "tests/simulator/fixed_pages.h"
#include "tests/simulator/job_store.h"
#include "tests/simulator/lake.h"
#include "tests/simulator/options.h"
#include "tests/simulator/problem.h"
#include "tests/simulator/rate_limiter.h"
#include "tests/simulator/record.h"
#include "tests/simulator/statistics.h"
#include "tests/simulator/tokens.h"
#include "tests/simulator/world.h"
#include "tests/support/scripted_server.h"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tests::simulator {

struct Service {
  explicit Service(SimulatorOptions chosen)
      : options(std::move(chosen)),
        world(options.world),
        lake(options.lake),
        limiter(options.rate),
        tokens(options.tokens, options.world.seed),
        faults(options.world.seed),
        jobs(options.api, options.world.seed) {}

  SimulatorOptions options;
  World world;
  Lake lake;
  RateLimiter limiter;
  Tokens tokens;
  std::map<std::string, Tokens, std::less<>> dialect_tokens;  // by dialect, made with their first use
  FaultScript faults;
  JobStore jobs;
  Statistics statistics;
  std::unique_ptr<FixedPages> query_pages;  // made with their first use
  std::unique_ptr<FixedPages> job_pages;
  std::uint64_t requests = 0;
};

struct Call {
  const support::ReceivedRequest& request;
  std::string_view path;
  FormFields query;
  Instant now;  // of the service's clock
  std::optional<Fault> fault;
  std::string client_id;                     // behind the token, once authenticated
  std::vector<std::string> path_parameters;  // what stood for {…}, in order

  [[nodiscard]] const Fault* fault_of(FaultKind kind) const { return fault && fault->kind == kind ? &*fault : nullptr; }
};

struct Answer {
  int status = 200;
  std::string body;
  std::shared_ptr<const std::string> shared_body;
  std::string_view content_type = "application/json";
  common::http::Headers headers = {};
};

// The request's body as an object whose members are all among `known` (unless the simulator is told to be lenient).
Outcome<common::json::Object> read_body(const Service& service, const Call& call, std::initializer_list<std::string_view> known);
Outcome<Interval> read_interval(const common::json::Object& body);
// `paging` with its defaults and bounds: the size, and the position of the first row.
struct PageRequest {
  std::uint64_t size = 0;
  std::uint64_t number = 1;
  [[nodiscard]] std::uint64_t first() const { return (number - 1) * size; }
};
Outcome<PageRequest> read_paging(const common::json::Object& body, const ApiOptions& options);
// totalHits as the options and faults want it told.
std::uint64_t told_total(const Service& service, const Call& call, std::uint64_t total);
// One item that is no proper record, as a fault wants it.
std::string bad_record(const Fault& fault, std::uint64_t bits, Instant now);

}  // namespace tests::simulator
