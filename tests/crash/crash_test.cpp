// The connector is killed with SIGKILL again and again, at random instants, while the service misbehaves; then everything it
// promised is checked against what a read_committed consumer finds. GK_CRASH_ROUNDS sets the number of kills, GK_CRASH_SEED
// repeats a run.

#include "common/json.h"
#include "connector/core/ledger/ledger.h"
#include "tests/crash/delivery_checker.h"
#include "tests/support/http_get.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/process.h"
#include "tests/support/topic_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tests::crash {
namespace {

using connector::core::Lane;
using connector::core::Ledger;
using namespace std::chrono_literals;
using support::Process;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Everything the network and the service do wrong now and then; what would make a window's rows appear again by rule (a job that
// expires while it is being read) is left to tests of its own.
constexpr const char* kFaults = R"({"rules": [
  {"name": "throttled", "match": {"path": "/analytics/", "probability": 0.02}, "fault": {"kind": "status", "status": 429, "retry_after": 1}},
  {"name": "unavailable", "match": {"path": "/analytics/", "probability": 0.03}, "fault": {"kind": "status", "status": 503}},
  {"name": "cut", "match": {"path": "details", "probability": 0.03}, "fault": {"kind": "truncate", "after": 3000}},
  {"name": "cut-json", "match": {"path": "details", "probability": 0.02}, "fault": {"kind": "cut_json"}},
  {"name": "reset", "match": {"path": "/analytics/", "probability": 0.03}, "fault": {"kind": "reset_after"}},
  {"name": "garbage", "match": {"path": "/analytics/", "probability": 0.02}, "fault": {"kind": "garbage"}},
  {"name": "html", "match": {"path": "/analytics/", "probability": 0.02}, "fault": {"kind": "html", "status": 502}},
  {"name": "revoked", "match": {"path": "/analytics/", "probability": 0.01}, "fault": {"kind": "revoke_tokens"}},
  {"name": "doubled", "match": {"path": "details/query", "probability": 0.05}, "fault": {"kind": "duplicate_rows", "count": 5}},
  {"name": "job-fails", "match": {"path": "details/jobs/[^/]+$", "probability": 0.02}, "fault": {"kind": "job_state", "state": "FAILED"}}
]})";

// A service, a broker and a connector that can be killed. Time runs fast: windows of seconds, a lake that is seconds behind.
class Scene {
 public:
  explicit Scene(std::string connector_binary)
      : connector_binary_(std::move(connector_binary)), name_(support::unique_name("crash")) {
    write(folder_.path() / "faults.json", kFaults);
    start_ = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) - 60s;
    simulator_.emplace(support::ProcessOptions{.arguments = {GK_SIMULATOR,
                                                             "--start",
                                                             instant(start_),
                                                             "--spacing",
                                                             "25ms",
                                                             "--duration",
                                                             "3s",
                                                             "--wrap-up",
                                                             "500ms",
                                                             "--record-bytes",
                                                             "2000",
                                                             "--lake-lag",
                                                             "3s",
                                                             "--lake-step",
                                                             "2s",
                                                             "--job-queued",
                                                             "50ms",
                                                             "--job-time",
                                                             "200ms",
                                                             "--rate",
                                                             "0",
                                                             "--total-hits",
                                                             "approximate",
                                                             "--max-job-page-size",
                                                             "100",
                                                             "--faults",
                                                             (folder_.path() / "faults.json").string()},
                                               .output = folder_.path() / "simulator.out",
                                               .error_output = folder_.path() / "simulator.err"});
    if (!simulator_->wait_for_output("listening", 20s))
      throw std::runtime_error("the simulator does not start: " + read("simulator.err"));
    const auto ready = common::json::parse(simulator_->output().substr(0, simulator_->output().find('\n')));
    service_ = std::string(common::json::find_string(ready.value(), "listening").value());
    write(folder_.path() / "secret", "simulator-secret");
    write_configuration();
  }

  void start_connector() {
    connector_.emplace(
        support::ProcessOptions{.arguments = {connector_binary_, "run", "--config", (folder_.path() / "connector.yaml").string()},
                                .output = folder_.path() / "connector.log"});
  }
  void kill_connector() { connector_->kill(); }
  support::ExitStatus stop_connector() { return connector_->terminate(30s); }
  [[nodiscard]] bool connector_runs() { return connector_->running(); }
  void mend_the_service() { support::http_post(service_ + "/_sim/reset-faults", "{}"); }

  [[nodiscard]] std::map<Lane, Ledger> ledgers() const {
    std::map<Lane, Ledger> found;
    for (const auto& [key, value] :
         support::read_compacted({.bootstrap = support::shared_broker().bootstrap()}, name_ + "-offsets")) {
      for (const Lane lane : {Lane::kLive, Lane::kSettle}) {
        if (key.find(fmt::format(R"("lane":"{}")", connector::core::to_string(lane))) == std::string::npos) continue;
        auto ledger = Ledger::parse(value);
        if (!ledger) throw std::runtime_error(ledger.error().message);
        found.emplace(lane, std::move(*ledger));
      }
    }
    return found;
  }

  // Until both lanes say that they are done with everything before `instant`.
  void wait_until_complete(common::Instant instant, std::chrono::seconds bound) {
    const auto deadline = std::chrono::steady_clock::now() + bound;
    for (;;) {
      const auto now = ledgers();
      if (now.contains(Lane::kLive) && now.contains(Lane::kSettle) && now.at(Lane::kLive).complete_until() >= instant &&
          now.at(Lane::kSettle).complete_until() >= instant) {
        return;
      }
      if (!connector_runs()) throw std::runtime_error("the connector ended: " + read("connector.log"));
      if (std::chrono::steady_clock::now() > deadline) {
        throw std::runtime_error(
            fmt::format("not complete until {} in time: {}", common::format_instant(instant), tail("connector.log")));
      }
      std::this_thread::yield();
    }
  }

  // Until this life of the connector has moved a ledger.
  void wait_until_committed(std::chrono::seconds bound) {
    const auto before = ledgers();
    const auto deadline = std::chrono::steady_clock::now() + bound;
    while (ledgers() == before) {
      if (!connector_runs()) throw std::runtime_error("the connector ended: " + read("connector.log"));
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("nothing committed in time: " + tail("connector.log"));
      std::this_thread::yield();
    }
  }

  [[nodiscard]] std::vector<Violation> violations() const {
    std::vector<Delivered> records;
    support::for_each_record({.bootstrap = support::shared_broker().bootstrap()}, name_ + ".conversations",
                             [&records](support::TopicRecord record) {
                               records.push_back({.lane = connector::core::parse_lane(record.headers.at("gk.lane")).value(),
                                                  .key = record.key.value(),
                                                  .window = record.headers.at("gk.window"),
                                                  .value = record.value.value()});
                             });
    std::vector<Claimed> claimed;
    for (const auto& [lane, ledger] : ledgers()) claimed.push_back({.lane = lane, .complete = ledger.complete()});
    delivered_ = records.size();
    return find_violations(truth(), claimed, records);
  }
  [[nodiscard]] std::size_t delivered() const { return delivered_; }

 private:
  static std::string instant(std::chrono::system_clock::time_point point) {
    return common::format_instant(std::chrono::time_point_cast<common::Duration>(point));
  }
  static void write(const std::filesystem::path& file, const std::string& text) { std::ofstream(file) << text; }
  [[nodiscard]] std::string read(const std::string& file) const { return support::read_file(folder_.path() / file); }
  [[nodiscard]] std::string tail(const std::string& file) const {
    const auto text = read(file);
    return text.size() > 6'000 ? text.substr(text.size() - 6'000) : text;
  }

  void write_configuration() const {
    write(folder_.path() / "connector.yaml",
          fmt::format(R"(
name: {name}
genesys:
  api_url: {service}
  login_url: {service}
  client_id: simulator-client
  client_secret: ${{file:{folder}/secret}}
  budget: {{share: 1.0, assumed_requests_per_minute: 60000}}
  retry: {{initial: 20ms, max: 500ms, deadline: 10s}}
  breaker: {{failures: 20, open: 200ms, max_open: 1s}}
kafka:
  bootstrap_servers: {bootstrap}
  commit_interval: 20ms
streams:
  conversations:
    definition: conversation-details
    start: {start}
    job_page_size: 100
    live: {{every: 1s, delay: 500ms}}
    settle: {{window: 5s, poll_initial: 50ms, poll_max: 500ms, availability_every: 1s}}
metrics: {{listen: "127.0.0.1:0"}}
log: {{level: info}}
)",
                      fmt::arg("name", name_), fmt::arg("service", service_), fmt::arg("folder", folder_.path().string()),
                      fmt::arg("bootstrap", support::shared_broker().bootstrap()), fmt::arg("start", instant(start_))));
  }

  [[nodiscard]] std::vector<Truth> truth() const {
    const auto answer = support::http_get(
        fmt::format("{}/_sim/truth?from={}&to={}", service_, instant(start_), instant(std::chrono::system_clock::now())));
    const auto parsed = common::json::parse(answer.body);
    if (!parsed || !parsed->is_array()) throw std::runtime_error("no truth from the simulator: " + answer.body.substr(0, 200));
    std::vector<Truth> conversations;
    for (const auto& entry : parsed->as_array()) {
      conversations.push_back({.key = common::json::find_string(entry, "id").value(),
                               .start = common::parse_instant(common::json::find_string(entry, "start").value()).value()});
    }
    return conversations;
  }

  std::string connector_binary_;
  std::string name_;
  support::TemporaryFolder folder_;
  std::chrono::system_clock::time_point start_;
  std::string service_;
  std::optional<Process> simulator_;
  std::optional<Process> connector_;
  mutable std::size_t delivered_ = 0;
};

// One life of the connector: until something was committed or for a random while, then SIGKILL. The instant is random on purpose;
// nothing waits for it.
void live_and_die(Scene& scene, std::mt19937_64& random) {
  scene.start_connector();
  std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution<int>(300, 2'500)(random)));
  scene.kill_connector();
}

TEST(Crash, KilledAtAnyInstantNothingIsLostAndNoPageTwice) {
  const auto rounds = number_from_environment("GK_CRASH_ROUNDS", 12);
  const auto seed = number_from_environment("GK_CRASH_SEED", std::random_device()());
  SCOPED_TRACE(fmt::format("GK_CRASH_SEED={}", seed));
  std::mt19937_64 random(seed);
  Scene scene(GK_CONNECTOR);

  for (std::uint64_t round = 0; round < rounds; ++round) live_and_die(scene, random);
  const auto until = std::chrono::time_point_cast<common::Duration>(std::chrono::system_clock::now());
  scene.mend_the_service();
  scene.start_connector();
  scene.wait_until_complete(until, 60s);
  EXPECT_EQ(scene.stop_connector().code, 0);

  for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  EXPECT_GT(scene.delivered(), 1'000U);
  std::cout << rounds << " kills, " << scene.delivered() << " records, seed " << seed << "\n";
}

// The proof that the test above can fail: the same kills, and a publisher that writes its ledger first.
TEST(Crash, ABrokenPublisherIsCaught) {
  const auto seed = number_from_environment("GK_CRASH_SEED", std::random_device()());
  SCOPED_TRACE(fmt::format("GK_CRASH_SEED={}", seed));
  std::mt19937_64 random(seed);
  Scene scene(GK_BROKEN_CONNECTOR);

  constexpr int kMostTries = 10;
  constexpr int kKillsATry = 4;
  std::size_t caught = 0;
  int tries = 0;
  for (; caught == 0 && tries < kMostTries; ++tries) {
    for (int kill = 0; kill < kKillsATry; ++kill) live_and_die(scene, random);
    // The next life ends what the dead one left open, which would hide the records of the living.
    scene.start_connector();
    scene.wait_until_committed(60s);
    scene.kill_connector();
    for (const auto& violation : scene.violations()) caught += violation.kind == "lost" ? 1 : 0;
  }

  EXPECT_GT(caught, 0U) << "the checker missed a ledger that is ahead of its records in " << tries * kKillsATry << " kills";
  std::cout << "caught after " << tries * kKillsATry << " kills: " << caught << " records lost by the broken publisher\n";
}

}  // namespace
}  // namespace tests::crash
