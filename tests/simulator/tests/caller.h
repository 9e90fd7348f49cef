#pragma once

// A client of the simulator without a network: logs in once, sends requests at a time the test chooses. Domain verbs, so that a
// test is a few lines.

#include "common/json.h"
#include "tests/simulator/chance.h"
#include "tests/simulator/simulator.h"

#include <gtest/gtest.h>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tests::simulator {

inline Instant at(std::string_view text) {
  return common::parse_instant(text).value();
}

// A small world whose history begins at 2026-05-01: one conversation a minute, lives of five minutes, none of the rare fates.
inline SimulatorOptions small_world() {
  SimulatorOptions options;
  options.world.start = at("2026-05-01T00:00:00Z");
  options.world.spacing = std::chrono::minutes{1};
  options.world.long_share = 0;
  options.world.reopen_share = 0;
  options.world.late_share = 0;
  options.world.record_bytes = 2'000;
  options.lake = {.lag = std::chrono::hours{1}, .step = std::chrono::minutes{10}};
  options.rate.per_window = 0;
  return options;
}

class Caller {
 public:
  Caller(SimulatorOptions options, Instant now) : simulator(std::move(options)), now(now) { log_in(); }

  void log_in() {
    const auto granted = token("simulator-client", "simulator-secret");
    bearer = "Bearer " + common::json::find_string(json(granted), "access_token").value_or("");
  }
  support::Reply token(std::string_view id, std::string_view secret, std::string_view form = "grant_type=client_credentials") {
    support::ReceivedRequest request{.method = "POST", .target = "/oauth/token", .headers = {}, .body = std::string(form)};
    request.headers.add("Authorization", "Basic " + to_base64(std::string(id) + ":" + std::string(secret)));
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    return simulator.handle(request, now);
  }
  support::Reply send(std::string_view method, std::string_view target, std::string_view body = "") {
    support::ReceivedRequest request{
        .method = std::string(method), .target = std::string(target), .headers = {}, .body = std::string(body)};
    request.headers.add("Authorization", bearer);
    if (!body.empty()) {
      request.headers.add("Content-Type", "application/json");
    }
    return simulator.handle(request, now);
  }
  support::Reply get(std::string_view target) { return send("GET", target); }
  support::Reply query(std::string_view interval, int page, int size, std::string_view more = "") {
    return send("POST", "/api/v2/analytics/conversations/details/query",
                R"({"interval":")" + std::string(interval) + R"(","paging":{"pageSize":)" + std::to_string(size) +
                    R"(,"pageNumber":)" + std::to_string(page) + "}" + std::string(more) + "}");
  }
  std::string submit(std::string_view interval, std::string_view more = "") {
    const auto reply =
        send("POST", std::string(kJobs), R"({"interval":")" + std::string(interval) + "\"" + std::string(more) + "}");
    EXPECT_EQ(reply.status, 202) << reply.body;
    return common::json::find_string(json(reply), "jobId").value_or("");
  }
  void make_fault(std::string_view rules) {
    const auto reply = send("POST", "/_sim/faults", R"({"rules":[)" + std::string(rules) + "]}");
    ASSERT_EQ(reply.status, 200) << reply.body;
  }

  static common::json::Value json(const support::Reply& reply) {
    auto parsed = common::json::parse(reply.shared_body ? *reply.shared_body : reply.body);
    EXPECT_TRUE(parsed) << reply.body;
    return parsed ? *parsed : common::json::Value();
  }
  static std::vector<std::string> ids(const support::Reply& reply) {
    std::vector<std::string> found;
    const auto body = json(reply);
    const auto* rows = common::json::find(body, "conversations");
    if (rows != nullptr && rows->is_array()) {
      for (const auto& row : rows->get_array()) {
        found.push_back(common::json::find_string(row, "conversationId").value_or("<none>"));
      }
    }
    return found;
  }
  static std::string header(const support::Reply& reply, std::string_view name) {
    return std::string(reply.headers.find(name).value_or("<absent>"));
  }
  static std::string code(const support::Reply& reply) {
    return common::json::find_string(json(reply), "code").value_or("<none>");
  }
  static std::string message(const support::Reply& reply) {
    return common::json::find_string(json(reply), "message").value_or("<none>");
  }

  static constexpr std::string_view kJobs = "/api/v2/analytics/conversations/details/jobs";
  Simulator simulator;
  Instant now;
  std::string bearer;
};

}  // namespace tests::simulator
