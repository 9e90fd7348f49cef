// The real broker with SASL_SSL and an authorizer, and with client certificates.

#include "connector/kafka/topic_admin.h"
#include "tests/integration/kafka/harness.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <filesystem>
#include <fstream>

namespace tests::integration {
namespace {

using common::ErrorCode;
using common::Secret;
using common::SecretSource;
using connector::core::TaskState;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kPrincipal = "User:connector";

class SaslSsl : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    broker = std::make_unique<support::KafkaBroker>(support::KafkaBrokerOptions{.security = support::BrokerSecurity::kSaslSsl});
  }
  static void TearDownTestSuite() { broker.reset(); }

  SaslSsl() {
    options.kafka.librdkafka = {{"security.protocol", "SASL_SSL"},
                                {"sasl.mechanism", "SCRAM-SHA-512"},
                                {"sasl.username", "connector"},
                                {"sasl.password", SecretSource::of_value(Secret{"connector-secret"})},
                                {"ssl.ca.location", broker->ca_file().string()}};
    options.tuning.start_grace = common::Duration{3'000};
  }
  [[nodiscard]] static Properties admin() {
    return {{"security.protocol", "SASL_SSL"},
            {"sasl.mechanism", "SCRAM-SHA-512"},
            {"sasl.username", std::string{support::KafkaBroker::kAdminUser}},
            {"sasl.password", std::string{support::KafkaBroker::kAdminPassword}},
            {"ssl.ca.location", broker->ca_file().string()}};
  }
  static void allow_topic(const std::string& topic, int operation) {
    allow(broker->bootstrap(), RD_KAFKA_RESOURCE_TOPIC, topic, operation, kPrincipal, admin());
  }
  void grant_least() { make_topics_and_grant_least(broker->bootstrap(), options.name, kPrincipal, admin()); }

  static std::unique_ptr<support::KafkaBroker> broker;
  Loop loop;
  InstanceOptions options = plain_options(*broker);
  const std::string offsets = options.name + "-offsets";
  const std::string dead_letters = options.name + "-dead-letters";
  const std::string data = options.name + ".conversations";
};

std::unique_ptr<support::KafkaBroker> SaslSsl::broker;

TEST_F(SaslSsl, ScramWithTheLeastAclsSuffices) {
  grant_least();
  options.kafka.topics.create = false;
  options.kafka.topics.progress.enabled = true;
  options.kafka.topics.control.enabled = true;
  Instance instance{loop, options};
  instance.start_and_run();

  instance.submit_pages(2, 50);
  ASSERT_TRUE(instance.flush());

  expect_each_once(broker->bootstrap(), data, 100, admin());
  EXPECT_TRUE(loop.until([&] { return !read_committed(broker->bootstrap(), instance.progress_topic(), admin()).empty(); }));
  EXPECT_EQ(instance.log().find("connector-secret"), std::string::npos);
  EXPECT_EQ(instance.log().find("GROUP_AUTHORIZATION"), std::string::npos);
}

TEST_F(SaslSsl, AControlTopicThatMayNotBeReadIsAPermissionErrorWithItsRemedy) {
  grant_least();
  options.kafka.topics.create = false;
  options.kafka.topics.control.enabled = true;
  options.kafka.topics.control.topic.name = options.name + "-requests";
  make_topic(broker->bootstrap(), options.kafka.topics.control.topic.name, 1, {}, admin());
  allow_topic(options.kafka.topics.control.topic.name, RD_KAFKA_ACL_OPERATION_WRITE);
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kPermissionDenied);
  EXPECT_NE(started.error().message.find("allow Read on it"), std::string::npos) << started.error().message;
}

TEST_F(SaslSsl, AWrongPasswordEndsTheStartWithItsReasonAfterTheGrace) {
  options.kafka.librdkafka["sasl.password"] = SecretSource::of_value(Secret{"not-the-password"});
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kConfigInvalid);
  EXPECT_NE(started.error().message.find("uthentication"), std::string::npos) << started.error().message;
  EXPECT_EQ(started.error().message.find("not-the-password"), std::string::npos);
  EXPECT_EQ(instance.log().find("not-the-password"), std::string::npos);
  EXPECT_EQ(instance.publisher->state(), TaskState::kFailed);
}

TEST_F(SaslSsl, AReplacedPasswordFileIsReadWhileTheStartWaits) {
  grant_least();
  const support::TemporaryFolder folder;
  const auto file = folder.path() / "password";
  std::ofstream{file} << "wrong\n";
  options.kafka.librdkafka["sasl.password"] = SecretSource::of_file(file, Secret{"wrong"});
  options.tuning.start_grace = common::Duration{60'000};
  Instance instance{loop, options};
  std::optional<common::Result<connector::kafka::RestoredState>> started;
  boost::asio::co_spawn(loop.io, instance.publisher->start(),
                        [&](const std::exception_ptr&, auto result) { started = std::move(result); });
  ASSERT_TRUE(loop.until([&] { return instance.log().find("_AUTHENTICATION") != std::string::npos; }));
  ASSERT_FALSE(started);

  std::ofstream{file} << "connector-secret\n";

  ASSERT_TRUE(loop.until([&] { return started.has_value(); }));
  EXPECT_TRUE(*started) << started->error().message;
  instance.stop();
}

TEST_F(SaslSsl, AnUntrustedCertificateIsNamed) {
  options.kafka.librdkafka.erase("ssl.ca.location");
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kConfigInvalid);
  EXPECT_NE(started.error().message.find("certificate"), std::string::npos) << started.error().message;
}

TEST_F(SaslSsl, PlaintextToATlsListenerIsNamed) {
  options.kafka.librdkafka = {};
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kConfigInvalid);
  EXPECT_NE(started.error().message.find("security.protocol"), std::string::npos) << started.error().message;
}

TEST_F(SaslSsl, TopicsThatMayNotBeMadeAreAPermissionError) {
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kPermissionDenied) << started.error().message;
  EXPECT_NE(started.error().message.find(offsets), std::string::npos) << started.error().message;
}

TEST_F(SaslSsl, ATransactionalIdThatIsNotAllowedIsAPermissionError) {
  grant_least();
  options.kafka.transactional_id_prefix = "other";
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kPermissionDenied) << started.error().message;
  EXPECT_NE(started.error().message.find("TRANSACTIONAL_ID_AUTHORIZATION_FAILED"), std::string::npos) << started.error().message;
}

TEST_F(SaslSsl, AStreamWhoseTopicMayNotBeWrittenStopsAlone) {
  grant_least();
  const std::string users = options.name + ".users";
  make_topic(broker->bootstrap(), users, 1, {}, admin());
  allow_topic(users, RD_KAFKA_ACL_OPERATION_DESCRIBE);
  options.streams = {"conversations", "users"};
  Instance instance{loop, options};
  instance.start_and_run();

  const auto trouble = instance.publisher->stream_trouble(StreamName{"users"});
  ASSERT_TRUE(trouble);
  EXPECT_EQ(trouble->code, ErrorCode::kTopicUnusable);
  EXPECT_NE(trouble->message.find("may not be written"), std::string::npos) << trouble->message;
  instance.submit_pages(1, 10);
  ASSERT_TRUE(instance.flush());

  allow_topic(users, RD_KAFKA_ACL_OPERATION_WRITE);
  ASSERT_TRUE(loop.until([&] {
    return loop.wait(instance.publisher->reset_stream(StreamName{"users"})).has_value();  // ACLs take a moment to arrive
  }));
  const auto submitted = instance.submit(page(StreamName{"users"}, 70, 0, 5));
  ASSERT_TRUE(submitted) << submitted.error().message;
  ASSERT_TRUE(instance.flush("users"));
  expect_each_once(broker->bootstrap(), users, 5, admin());
}

TEST_F(SaslSsl, CheckNamesWhatIsMissingAndItsRemedy) {
  make_topic(broker->bootstrap(), offsets, 1, {{"cleanup.policy", "compact"}}, admin());
  make_topic(broker->bootstrap(), data, 1, {}, admin());
  allow_topic(offsets, RD_KAFKA_ACL_OPERATION_WRITE);
  allow_topic(data, RD_KAFKA_ACL_OPERATION_WRITE);
  auto topics = connector::kafka::TopicAdmin::create(options.kafka, connector::core::ConnectorName{options.name}, {});
  ASSERT_TRUE(topics) << topics.error().message;

  const auto described = (*topics)->describe({offsets, dead_letters, data}, common::Duration{10'000});

  ASSERT_TRUE(described) << described.error().message;
  using Verdict = connector::kafka::AccessFinding::Verdict;
  const auto findings =
      connector::kafka::assess_access({(*described)[0]}, (*described)[1], {(*described)[2]}, false, options.name + "-task-0");
  ASSERT_EQ(findings.size(), 4U);
  EXPECT_EQ(findings[0].verdict, Verdict::kWrong);  // no Read on the offsets topic
  EXPECT_NE(findings[0].remedy.find("Read"), std::string::npos);
  EXPECT_EQ(findings[1].verdict, Verdict::kWrong);  // dead letters: not even visible
  EXPECT_EQ(findings[2].verdict, Verdict::kFine);
  EXPECT_EQ(findings[3].verdict, Verdict::kUnproven);  // the transactional id
}

class MutualTls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    broker = std::make_unique<support::KafkaBroker>(support::KafkaBrokerOptions{.security = support::BrokerSecurity::kMutualTls});
  }
  static void TearDownTestSuite() { broker.reset(); }
  void use_certificate(const std::string& name) {
    options.kafka.librdkafka = {{"security.protocol", "SSL"},
                                {"ssl.ca.location", broker->ca_file().string()},
                                {"ssl.certificate.location", broker->certificate_file(name).string()},
                                {"ssl.key.location", broker->key_file(name).string()}};
    options.tuning.start_grace = common::Duration{3'000};
  }
  static std::unique_ptr<support::KafkaBroker> broker;
  Loop loop;
  InstanceOptions options = plain_options(*broker);
};

std::unique_ptr<support::KafkaBroker> MutualTls::broker;

TEST_F(MutualTls, ATrustedCertificatePublishes) {
  use_certificate("admin");
  Instance instance{loop, options};
  instance.start_and_run();

  instance.submit_pages(1, 10);

  EXPECT_TRUE(instance.flush());
}

TEST_F(MutualTls, AStrangersCertificateEndsTheStartWithTheReason) {
  use_certificate("stranger");
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kConfigInvalid);
  EXPECT_NE(started.error().message.find("certificate"), std::string::npos) << started.error().message;
}

}  // namespace
}  // namespace tests::integration
