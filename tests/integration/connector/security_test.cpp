// Everything encrypted and authenticated, both ways, with the least rights that suffice; and nothing that is secret shows
// anywhere (G10), at the most talkative log level and with every failure that could make somebody talk.

#include "tests/integration/kafka/harness.h"
#include "tests/support/certificates.h"
#include "tests/support/connector_scene.h"
#include "tests/support/topic_writer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <fstream>
#include <memory>
#include <regex>
#include <string>
#include <vector>

namespace tests::integration {
namespace {

using support::CertificateAuthority;
using support::ConnectorScene;
using support::KafkaBroker;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

constexpr const char* kClientSecret = "client-secret-7b1f0c";
constexpr const char* kBasicCredentials = "c2ltdWxhdG9yLWNsaWVudDpjbGllbnQtc2VjcmV0LTdiMWYwYw==";  // simulator-client:<the above>
constexpr const char* kKafkaPassword = "kafka-password-51d3aa";
constexpr const char* kToken = "sim-[0-9a-f]{8}-[0-9a-f]{4}-";  // how every token of the simulator begins

class Secured : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    broker = std::make_unique<KafkaBroker>(
        support::KafkaBrokerOptions{.security = support::BrokerSecurity::kSaslSsl, .users = {{"connector", kKafkaPassword}}});
  }
  static void TearDownTestSuite() { broker.reset(); }

  static Properties sasl(const std::string& user, const std::string& password) {
    return {{"security.protocol", "SASL_SSL"},
            {"sasl.mechanism", "SCRAM-SHA-512"},
            {"sasl.username", user},
            {"sasl.password", password},
            {"ssl.ca.location", broker->ca_file().string()}};
  }
  static Properties admin() { return sasl(std::string(KafkaBroker::kAdminUser), std::string(KafkaBroker::kAdminPassword)); }

  Secured() {
    scene.write_secret(kClientSecret);
    std::ofstream(scene.folder() / "kafka-password") << kKafkaPassword;
    scene.configuration.genesys = {fmt::format("http: {{ca_file: {}, client_certificate: {}, client_key: {}}}",
                                               authority.ca_file().string(), client.certificate.string(), client.key.string())};
    scene.configuration.kafka = {"librdkafka:"};
    for (const auto& [property, value] : sasl("connector", fmt::format("${{file:{}/kafka-password}}", scene.folder().string())))
      scene.configuration.kafka.push_back(fmt::format("  {}: {}", property, value));
    scene.configuration.kafka.emplace_back("topics: {create: false}");
    scene.configuration.log_level = "debug";
    make_topics_and_grant_least(broker->bootstrap(), scene.name(), "User:connector", admin());
  }

  static std::unique_ptr<KafkaBroker> broker;
  CertificateAuthority authority;
  support::CertificateFiles server = authority.issue();
  support::CertificateFiles client = authority.issue({.common_name = "connector"});
  support::HttpTrust trust{.ca_file = authority.ca_file(), .client_certificate = client.certificate, .client_key = client.key};
  ConnectorScene scene{{.broker = broker.get(),
                        .reader_properties = admin(),
                        .simulator = {{"--client", fmt::format("simulator-client:{}", kClientSecret)},
                                      {"--tls-cert", server.certificate.string()},
                                      {"--tls-key", server.key.string()},
                                      {"--tls-client-ca", authority.ca_file().string()}},
                        .trust = trust}};
};

std::unique_ptr<KafkaBroker> Secured::broker;

void expect_no_secret(const std::string& text, const std::string& where) {
  for (const char* secret : {kClientSecret, kBasicCredentials, kKafkaPassword}) {
    EXPECT_EQ(text.find(secret), std::string::npos) << where << " tells " << secret;
  }
  std::smatch token;
  EXPECT_FALSE(std::regex_search(text, token, std::regex(kToken))) << where << " tells a token: " << token.str();
}

// What the search above looks for is what the service really gives.
TEST_F(Secured, ATokenLooksAsThisTestThinks) {
  common::http::Request request{.method = common::http::Method::kPost,
                                .url = scene.simulator().url() + "/oauth/token",
                                .headers = {{"Authorization", std::string("Basic ") + kBasicCredentials},
                                            {"Content-Type", "application/x-www-form-urlencoded"}},
                                .body = "grant_type=client_credentials"};

  const auto answer = support::http_exchange(std::move(request), trust);

  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, ContainsRegex(kToken));
}

TEST_F(Secured, AWholeRunWithTheLeastRightsTellsNoSecretAnywhere) {
  const auto checked = scene.run_verb({"check"});
  EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  const auto shown = scene.run_verb({"config", "show"});

  scene.simulator().add_faults(R"(
    {"match": {"path": "details/", "nth": 3}, "fault": {"kind": "revoke_tokens"}},
    {"match": {"path": "details/", "nth": 6}, "fault": {"kind": "garbage"}},
    {"match": {"path": "details/", "nth": 9}, "fault": {"kind": "html", "status": 502}},
    {"match": {"path": "details/", "nth": 12}, "fault": {"kind": "status", "status": 500}},
    {"match": {"path": "oauth/token", "nth": 2}, "fault": {"kind": "status", "status": 503}},
    {"match": {"path": "details/", "nth": 15}, "fault": {"kind": "bad_record", "record": "no_id"}})");
  auto& connector = scene.start_connector();
  scene.wait_until_complete();

  const auto process = "/proc/" + std::to_string(connector.process.pid());
  EXPECT_THAT(support::read_file(process + "/limits"), ContainsRegex("Max core file size +0 +0 "));
  expect_no_secret(support::read_file(process + "/cmdline"), "the process list");
  expect_no_secret(connector.get("/metrics").body, "/metrics");
  for (const char* path : {"/health/live", "/health/ready", "/"}) expect_no_secret(connector.get(path).body, path);
  EXPECT_EQ(scene.stop_connector().code, 0);
  EXPECT_THAT(scene.log(), HasSubstr(R"("level":"debug")"));
  expect_no_secret(scene.log(), "the log");
  expect_no_secret(checked.out + checked.err, "check");
  expect_no_secret(shown.out + shown.err, "config show");
  for (const auto& topic : {scene.topic(), scene.offsets_topic(), scene.dead_letter_topic()}) {
    for (const auto& record : scene.records(topic)) {
      std::string all = record.key.value_or("") + "\n" + record.value.value_or("");
      for (const auto& [name, value] : record.headers) all += "\n" + name + "\n" + value;
      expect_no_secret(all, topic);
    }
  }

  for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  EXPECT_GT(scene.delivered(), 100U);
}

TEST_F(Secured, ABackfillNeedsNoMoreThanTheLeastRights) {
  scene.start_connector();
  scene.wait_until_complete();

  const auto begin = std::chrono::time_point_cast<common::Duration>(scene.simulator().begin());
  const auto done = scene.run_verb(
      {"backfill", "conversations", "--from", common::format_instant(begin), "--to", common::format_instant(begin + 4s)});

  EXPECT_EQ(done.code, 0) << done.err << scene.log();
  EXPECT_THAT(done.out, HasSubstr("is done"));
  EXPECT_EQ(scene.stop_connector().code, 0);
  for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
}

TEST_F(Secured, ListingDeadLettersNeedsReadOnTheirTopicAndNothingElse) {
  support::TopicRecord letter;
  letter.key = "a";
  letter.value = "{}";
  letter.headers = {{"gk.stream", "conversations"}, {"gk.reason", "oversize"}, {"gk.size", "2"}};
  support::write_record(scene.reader(), scene.dead_letter_topic(), letter);

  const auto refused = scene.run_verb({"dead-letters", "list"});
  EXPECT_EQ(refused.code, 3) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("allow Read on topic " + scene.dead_letter_topic()));

  allow(broker->bootstrap(), RD_KAFKA_RESOURCE_TOPIC, scene.dead_letter_topic(), RD_KAFKA_ACL_OPERATION_READ, "User:connector",
        admin());

  const auto listed = scene.run_verb({"dead-letters", "list"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("conversations  oversize  1"));
  expect_no_secret(listed.out + listed.err + refused.err, "dead-letters list");
}

TEST_F(Secured, OtherVerbsLeaveNoCoreFileEither) {
  scene.run_verb({"check", "--offline"});  // writes the configuration
  scene.simulator().add_faults(R"({"name": "silent", "match": {"path": "organizations"}, "fault": {"kind": "never_answer"}})");
  support::Process check({.arguments = {support::connector_binary(), "check", "--config", scene.configuration_file().string()}});
  while (scene.simulator().strikes("silent") == 0) ASSERT_FALSE(check.wait(25ms)) << "it ended without asking";

  EXPECT_THAT(support::read_file("/proc/" + std::to_string(check.pid()) + "/limits"), ContainsRegex("Max core file size +0 +0 "));
}

TEST_F(Secured, ARefusedSecretAndPasswordAreNotToldEither) {
  scene.write_secret("refused-secret-99");
  std::ofstream(scene.folder() / "kafka-password") << "refused-password-99";

  const auto checked = scene.run_verb({"check"});

  EXPECT_EQ(checked.code, 3);
  EXPECT_THAT(checked.out + checked.err, Not(HasSubstr("refused-")));
  EXPECT_THAT(checked.out, HasSubstr("failed: Kafka"));
}

TEST_F(Secured, AServiceThatWantsACertificateRefusesAnInstanceWithout) {
  scene.configuration.genesys = {fmt::format("http: {{ca_file: {}}}", authority.ca_file().string())};
  scene.configuration.retry = "{initial: 20ms, max: 100ms, deadline: 500ms}";

  const auto checked = scene.run_verb({"check"});

  EXPECT_NE(checked.code, 0);
  EXPECT_THAT(checked.out, HasSubstr("failed: "));
}

TEST_F(Secured, AServiceWhoseAuthorityIsUnknownIsAConfigurationError) {
  const CertificateAuthority other;
  scene.configuration.genesys = {fmt::format("http: {{ca_file: {}}}", other.ca_file().string())};

  const auto checked = scene.run_verb({"check"});

  EXPECT_EQ(checked.code, 2) << checked.out;
  EXPECT_THAT(checked.out, HasSubstr("certificate"));
}

}  // namespace
}  // namespace tests::integration
