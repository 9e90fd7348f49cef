// Kafka away: at the start, in the middle, and while we are asked to stop.

#include "tests/support/connector_scene.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

namespace tests::integration {
namespace {

using support::ConnectorScene;
using support::KafkaBroker;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::chrono::seconds kPromptly{10};

// One broker for all; each test leaves it running.
class Broker : public testing::Test {
 protected:
  static void SetUpTestSuite() { broker = std::make_unique<KafkaBroker>(); }
  static void TearDownTestSuite() { broker.reset(); }

  static void expect_complete(ConnectorScene& scene) {
    scene.wait_until_complete();
    EXPECT_EQ(scene.stop_connector().code, 0);
    for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
    EXPECT_GT(scene.delivered(), 100U);
  }
  static bool waits_for_kafka(support::ConnectorProcess& connector) {
    return connector.metric("genesys_kafka_task_state", {R"(state="waiting_for_kafka")"}) == 1;
  }

  static std::unique_ptr<KafkaBroker> broker;
};

std::unique_ptr<KafkaBroker> Broker::broker;

TEST_F(Broker, DownAtTheStartIsWaitedFor) {
  ConnectorScene scene({.broker = broker.get()});
  broker->kill();
  auto& connector = scene.start_connector();
  connector.until("it waits for Kafka", [&] { return waits_for_kafka(connector); });
  EXPECT_EQ(connector.get("/health/live").status, 200);
  EXPECT_EQ(connector.get("/health/ready").status, 503);

  broker->restart();

  expect_complete(scene);
}

TEST_F(Broker, KilledTwiceInTheMiddleOfWorkNothingIsLostOrDoubled) {
  ConnectorScene scene({.broker = broker.get(), .history = 30s});
  auto& connector = scene.start_connector();
  scene.wait_until_committed();

  for (int outage = 0; outage < 2; ++outage) {
    const auto committed = connector.metric("genesys_kafka_transactions_total", {R"(outcome="committed")"});
    scene.kill_broker();
    connector.until("pages wait", [&] { return connector.metric("genesys_kafka_in_flight_bytes") > 0; });
    EXPECT_EQ(connector.get("/health/live").status, 200);
    broker->restart();
    connector.until("it commits again",
                    [&] { return connector.metric("genesys_kafka_transactions_total", {R"(outcome="committed")"}) > committed; });
  }

  expect_complete(scene);
}

TEST_F(Broker, AwayAtTheStartDoesNotKeepAStopWaiting) {
  ConnectorScene scene({.broker = broker.get()});
  broker->kill();
  auto& connector = scene.start_connector();
  connector.until("it waits for Kafka", [&] { return waits_for_kafka(connector); });

  connector.process.signal(SIGTERM);

  EXPECT_EQ(connector.ended(kPromptly).code, 0) << connector.log();
  broker->restart();
}

TEST_F(Broker, AwayInTheMiddleAStopGivesUpWhatIsInHandWithinTheGraceAndTheNextLifeReadsItAgain) {
  ConnectorScene scene({.broker = broker.get()});
  scene.configuration.top = {"shutdown: {grace: 3s}"};
  auto& connector = scene.start_connector();
  scene.wait_until_committed();
  scene.kill_broker();
  connector.until("pages wait", [&] { return connector.metric("genesys_kafka_in_flight_bytes") > 0; });

  connector.process.signal(SIGTERM);

  EXPECT_EQ(connector.ended(kPromptly).code, 0) << connector.log();
  broker->restart();
  scene.start_connector();
  expect_complete(scene);
}

TEST_F(Broker, ASecondSignalEndsAtOnce) {
  ConnectorScene scene({.broker = broker.get()});
  auto& connector = scene.start_connector();
  scene.wait_until_committed();
  broker->pause();
  connector.until("pages wait", [&] { return connector.metric("genesys_kafka_in_flight_bytes") > 0; });
  connector.process.signal(SIGTERM);
  connector.wait_for_log("\"stopping: ");

  connector.process.signal(SIGTERM);

  EXPECT_EQ(connector.ended(kPromptly).code, 7) << connector.log();
  EXPECT_THAT(connector.log(), HasSubstr("second signal"));
  broker->resume();
  scene.start_connector();
  expect_complete(scene);
}

}  // namespace
}  // namespace tests::integration
