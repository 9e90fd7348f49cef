// The connector is killed with SIGKILL again and again, at random instants, while the service misbehaves; then everything it
// promised is checked against what a read_committed consumer finds. GK_CRASH_ROUNDS sets the number of kills, GK_CRASH_SEED
// repeats a run.

#include "tests/support/connector_scene.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace tests::crash {
namespace {

using namespace std::chrono_literals;
using support::ConnectorScene;
using support::SimulatorProcess;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Everything the network and the service do wrong now and then; what would make a window's rows appear again by rule (a job that
// expires while it is being read) is left to tests of its own.
constexpr const char* kFaults = R"(
  {"name": "throttled", "match": {"path": "/analytics/", "probability": 0.02}, "fault": {"kind": "status", "status": 429, "retry_after": 1}},
  {"name": "unavailable", "match": {"path": "/analytics/", "probability": 0.03}, "fault": {"kind": "status", "status": 503}},
  {"name": "cut", "match": {"path": "details", "probability": 0.03}, "fault": {"kind": "truncate", "after": 3000}},
  {"name": "cut-json", "match": {"path": "details", "probability": 0.02}, "fault": {"kind": "cut_json"}},
  {"name": "reset", "match": {"path": "/analytics/", "probability": 0.03}, "fault": {"kind": "reset_after"}},
  {"name": "garbage", "match": {"path": "/analytics/", "probability": 0.02}, "fault": {"kind": "garbage"}},
  {"name": "html", "match": {"path": "/analytics/", "probability": 0.02}, "fault": {"kind": "html", "status": 502}},
  {"name": "revoked", "match": {"path": "/analytics/", "probability": 0.01}, "fault": {"kind": "revoke_tokens"}},
  {"name": "doubled", "match": {"path": "details/query", "probability": 0.05}, "fault": {"kind": "duplicate_rows", "count": 5}},
  {"name": "job-fails", "match": {"path": "details/jobs/[^/]+$", "probability": 0.02}, "fault": {"kind": "job_state", "state": "FAILED"}})";

// Longer windows and a slower lake than usual, so that kills meet every state of a job. Conversations stay open for long, are
// opened again, and change when they have been settled; 15 s after its start the last one is what it will be for good:
// 1.6 × 5 s open + 1 s + 1.6 × 2 s open again + 1 s to the evaluation.
SimulatorProcess::Options changing_service(const std::string& late_after = "1s") {
  return {{"--duration", "2s"},      {"--wrap-up", "500ms"},   {"--long-share", "0.05"}, {"--long-duration", "5s"},
          {"--reopen-share", "0.1"}, {"--reopen-after", "1s"}, {"--late-share", "0.3"},  {"--late-after", late_after},
          {"--index-lag", "1s"},     {"--lake-lag", "3s"},     {"--lake-step", "2s"},    {"--job-time", "200ms"}};
}

std::string settle_at(const std::string& ages) {
  return "{window: 5s, ages: " + ages + ", poll_initial: 50ms, poll_max: 500ms, availability_every: 1s}";
}

ConnectorScene make_scene(const std::string& connector, const std::string& delivery = "exactly_once") {
  return ConnectorScene({.connector = connector,
                         .simulator = changing_service(),
                         .history = 60s,
                         .faults = kFaults,
                         .configuration = {.live = "{every: 1s, delay: 500ms, ages: [4s]}",
                                           .settle = settle_at("[0s, 8s, 15s]"),
                                           .kafka = {"delivery: " + delivery}}});
}

// SIGKILL at a random instant, on purpose: nothing waits for it. It must not have ended by itself before.
void die(ConnectorScene& scene, std::mt19937_64& random, int earliest_ms) {
  const std::chrono::milliseconds life{std::uniform_int_distribution<int>(earliest_ms, 2'500)(random)};
  EXPECT_FALSE(scene.connector().process.wait(life).has_value()) << scene.connector().log();
  scene.connector().process.kill();
}

void live_and_die(ConnectorScene& scene, std::mt19937_64& random) {
  scene.start_connector();
  die(scene, random, 300);
}

// Killed while it reads and publishes, however long a sanitized build takes to start.
void work_and_die(ConnectorScene& scene, std::mt19937_64& random) {
  scene.start_connector();
  scene.connector().wait_for_log("stream started");
  die(scene, random, 100);
}

// Kills, then a life in peace until everything that began before it has been settled for good; in the end every conversation is
// published as the service holds it.
void kill_again_and_again(ConnectorScene& scene, const std::set<std::string>& allowed) {
  const auto rounds = number_from_environment("GK_CRASH_ROUNDS", 12);
  const auto seed = number_from_environment("GK_CRASH_SEED", std::random_device()());
  SCOPED_TRACE(fmt::format("GK_CRASH_SEED={}", seed));
  std::mt19937_64 random(seed);

  for (std::uint64_t round = 0; round < rounds; ++round) live_and_die(scene, random);
  const auto until = ConnectorScene::now();
  scene.simulator().reset_faults();
  scene.start_connector();
  scene.wait_until_complete(until, 60s);
  scene.wait_until_settled(until, 90s);
  EXPECT_EQ(scene.stop_connector().code, 0);

  std::map<std::string, int> seen;
  for (const auto& violation : scene.violations()) {
    ++seen[violation.kind];
    if (!allowed.contains(violation.kind)) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  }
  for (const auto& difference : scene.differences(until)) ADD_FAILURE() << difference.kind << ": " << difference.detail;
  EXPECT_GT(scene.delivered(), 1'000U);
  std::cout << rounds << " kills, " << scene.delivered() << " records, seed " << seed;
  for (const auto& [kind, count] : seen) std::cout << ", " << kind << ": " << count;
  std::cout << "\n";
}

TEST(Crash, KilledAtAnyInstantNothingIsLostAndNoPageTwice) {
  ConnectorScene scene = make_scene(support::connector_binary());

  kill_again_and_again(scene, {});
}

// Without transactions a page that was being written is written again, and what was newer then may come before it once more.
TEST(Crash, WithoutTransactionsNothingIsLostAndTheLastRecordOfEveryKeyIsTheTruth) {
  ConnectorScene scene = make_scene(support::connector_binary(), "at_least_once");

  kill_again_and_again(scene, {"twice", "step back"});
}

// The proof that what is stale in the end would be seen: settled once only, evaluations that come later stay unknown.
TEST(Crash, WhatChangesAfterTheLastPassIsSeenToDiffer) {
  ConnectorScene scene({.simulator = changing_service("30s"),
                        .history = 60s,
                        .configuration = {.live = "{every: 1s, delay: 500ms, ages: []}", .settle = settle_at("[0s]")}});
  const auto until = ConnectorScene::now();

  scene.start_connector();
  scene.wait_until_settled(until, 60s);
  EXPECT_EQ(scene.stop_connector().code, 0);

  std::vector<Violation> differences;
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (differences.empty() && std::chrono::steady_clock::now() < give_up) differences = scene.differences(until);
  const auto stale = std::ranges::count(differences, "stale", &Violation::kind);
  EXPECT_GT(stale, 0) << "the checker takes what is stale for the truth";
  EXPECT_EQ(static_cast<std::size_t>(stale), differences.size());
}

// The proof that the test above can fail: the same kills, and a publisher that writes its ledger first.
TEST(Crash, ABrokenPublisherIsCaught) {
  const auto seed = number_from_environment("GK_CRASH_SEED", std::random_device()());
  SCOPED_TRACE(fmt::format("GK_CRASH_SEED={}", seed));
  std::mt19937_64 random(seed);
  ConnectorScene scene = make_scene(GK_BROKEN_CONNECTOR);

  constexpr int kMostTries = 10;
  constexpr int kKillsATry = 4;
  std::size_t caught = 0;
  int tries = 0;
  for (; caught == 0 && tries < kMostTries; ++tries) {
    for (int kill = 0; kill < kKillsATry; ++kill) work_and_die(scene, random);
    // The next life ends what the dead one left open, which would hide the records of the living.
    scene.start_connector();
    scene.wait_until_committed(60s);
    scene.stop_connector();  // not killed: nothing stays open that a reader would wait for
    for (const auto& violation : scene.violations()) caught += violation.kind == "lost" ? 1 : 0;
  }

  EXPECT_GT(caught, 0U) << "the checker missed a ledger that is ahead of its records in " << tries * kKillsATry << " kills";
  std::cout << "caught after " << tries * kKillsATry << " kills: " << caught << " records lost by the broken publisher\n";
}

}  // namespace
}  // namespace tests::crash
