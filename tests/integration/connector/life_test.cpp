// The life of an instance: what it says of itself, signals, a rival of the same name, and the weaker delivery.

#include "tests/support/connector_scene.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace tests::integration {
namespace {

using support::ConnectorProcess;
using support::ConnectorScene;
using support::ExitStatus;
using testing::AllOf;
using testing::HasSubstr;
using namespace std::chrono_literals;

// "Promptly" on a busy machine; the grace period is 25 s.
constexpr std::chrono::seconds kPromptly{10};

ExitStatus end_with(ConnectorProcess& connector, int signal, std::chrono::milliseconds bound) {
  connector.process.signal(signal);
  return connector.ended(bound);
}

void expect_complete(ConnectorScene& scene) {
  scene.wait_until_complete();
  EXPECT_EQ(scene.stop_connector().code, 0);
  for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  EXPECT_GT(scene.delivered(), 100U);
}

TEST(Health, TellsLiveAndReadyAtEveryStageAndMetricsAreServed) {
  ConnectorScene scene({.faults = R"({"match": {"path": "organizations/me"}, "fault": {"kind": "status", "status": 503}})"});
  scene.configuration.retry = "{initial: 20ms, max: 100ms, deadline: 500ms}";
  auto& connector = scene.start_connector();

  connector.wait_for_log("the service does not tell the organisation; trying again");
  EXPECT_EQ(connector.get("/health/live").status, 200);
  const auto waiting = connector.get("/health/ready");
  EXPECT_EQ(waiting.status, 503);
  EXPECT_THAT(waiting.body, HasSubstr("503"));
  EXPECT_EQ(connector.metric("genesys_kafka_build_info"), 1);

  scene.simulator().reset_faults();
  connector.wait_until_ready();
  EXPECT_THAT(connector.get("/health/ready").body, HasSubstr("running"));
  EXPECT_EQ(connector.metric("genesys_kafka_task_state", {R"(state="running")"}), 1);

  scene.wait_until_complete();
  for (const char* lane : {"live", "settle"}) {
    const auto label = fmt::format(R"(lane="{}")", lane);
    EXPECT_GT(connector.metric("genesys_kafka_complete_until_timestamp_seconds", {label}), 1.6e9);
    EXPECT_GT(connector.metric("genesys_kafka_records_published_total", {label}), 0);
    EXPECT_GT(connector.metric("genesys_kafka_windows_completed_total", {label}), 0);
    EXPECT_EQ(connector.metric("genesys_kafka_lane_failing", {label}), 0);
  }
  for (const char* mark : {"seen_until", "complete_until", "settled_until"}) {
    EXPECT_GT(connector.metric("genesys_kafka_watermark_timestamp_seconds", {fmt::format(R"(watermark="{}")", mark)}), 1.6e9);
  }
  EXPECT_EQ(connector.get("/nothing/here").status, 404);
  EXPECT_EQ(scene.stop_connector().code, 0);
}

class Signals : public testing::TestWithParam<int> {};

TEST_P(Signals, UnderLoadEndWithZeroAndTheNextLifeGoesOnWithoutRepeating) {
  ConnectorScene scene({.history = 60s});  // a backlog that outlasts the first life
  auto& connector = scene.start_connector();
  scene.wait_until_committed();

  const auto ended = end_with(connector, GetParam(), kPromptly);

  EXPECT_EQ(ended.code, 0) << connector.log();
  scene.start_connector();
  expect_complete(scene);
}

INSTANTIATE_TEST_SUITE_P(Both, Signals, testing::Values(SIGTERM, SIGINT),
                         [](const auto& info) { return std::string(info.param == SIGTERM ? "Term" : "Int"); });

TEST(Stopping, EndAnInstanceThatWaitsForADeadServiceAtItsStart) {
  ConnectorScene scene;
  scene.simulator().stop();
  auto& connector = scene.start_connector();
  connector.wait_for_log("no access token could be had");

  EXPECT_EQ(end_with(connector, SIGTERM, kPromptly).code, 0) << connector.log();
}

TEST(Stopping, EndAnInstanceWhoseServiceDied) {
  ConnectorScene scene;
  scene.configuration.breaker = "{failures: 3, open: 30s, max_open: 60s}";
  auto& connector = scene.start_connector();
  scene.wait_until_committed();
  scene.simulator().stop();
  connector.until("the breaker opens", [&] { return connector.metric("genesys_kafka_breaker_state", {R"(state="open")"}) == 1; });

  EXPECT_EQ(end_with(connector, SIGTERM, kPromptly).code, 0) << connector.log();
}

// A service that takes the request and never answers.
TEST(Stopping, EndAnInstanceInTheMiddleOfARequest) {
  ConnectorScene scene(
      {.faults = R"({"name": "silent", "match": {"path": "details/query"}, "fault": {"kind": "never_answer"}})"});
  auto& connector = scene.start_connector();
  connector.until("a request hangs", [&] { return scene.simulator().strikes("silent") > 0; });

  EXPECT_EQ(end_with(connector, SIGTERM, kPromptly).code, 0) << connector.log();
}

TEST(SecondInstance, TheOlderIsFencedSaysSoAndTheNewerGoesOnWithoutRepeating) {
  ConnectorScene scene({.history = 30s});
  scene.start_connector();
  scene.wait_until_committed();
  const auto older = scene.take_connector();
  scene.start_connector();

  const auto ended = older->ended();

  EXPECT_EQ(ended.code, 4) << older->log();
  EXPECT_THAT(older->log(), AllOf(HasSubstr("another instance"), HasSubstr("fenced")));
  expect_complete(scene);
}

TEST(AtLeastOnce, NothingIsLostAfterKills) {
  ConnectorScene scene({.history = 30s});
  scene.configuration.kafka = {"delivery: at_least_once"};
  for (int kill = 0; kill < 3; ++kill) {
    auto& connector = scene.start_connector();
    connector.wait_until_ready();
    // In the middle of work: some pages of this life are through, others are on their way.
    connector.until("pages were published", [&] { return connector.metric("genesys_kafka_records_published_total") > 200; });
    connector.process.kill();
  }
  scene.start_connector();

  scene.wait_until_complete();

  EXPECT_EQ(scene.stop_connector().code, 0);
  for (const auto& violation : scene.violations()) {
    if (violation.kind != "twice") ADD_FAILURE() << violation.kind << ": " << violation.detail;
  }
  EXPECT_GT(scene.delivered(), 1'000U);
}

}  // namespace
}  // namespace tests::integration
