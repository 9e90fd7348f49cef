#include "tests/support/kafka_broker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <map>
#include <memory>

namespace tests::support {
namespace {

using testing::HasSubstr;
using testing::Not;

using Properties = std::map<std::string, std::string>;
struct DestroyProducer {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
};
using Producer = std::unique_ptr<rd_kafka_t, DestroyProducer>;

Producer make_producer(Properties properties) {
  std::array<char, 512> error{};
  rd_kafka_conf_t* configuration = rd_kafka_conf_new();
  properties.emplace("log_level", "0");
  properties.emplace("reconnect.backoff.max.ms", "200");
  for (const auto& [key, value] : properties) {
    if (rd_kafka_conf_set(configuration, key.c_str(), value.c_str(), error.data(), error.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(configuration);
      throw std::runtime_error(error.data());
    }
  }
  rd_kafka_t* handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, error.data(), error.size());
  if (handle == nullptr) {
    rd_kafka_conf_destroy(configuration);
    throw std::runtime_error(error.data());
  }
  return Producer(handle);
}

// The cluster's id, or nothing if none was learnt within `bound`.
std::optional<std::string> cluster_id(const Properties& properties, std::chrono::milliseconds bound) {
  const Producer producer = make_producer(properties);
  char* id = rd_kafka_clusterid(producer.get(), static_cast<int>(bound.count()));
  if (id == nullptr) return std::nullopt;
  std::string result(id);
  rd_kafka_mem_free(producer.get(), id);
  return result;
}

constexpr std::chrono::milliseconds kPatience{20'000};
constexpr std::chrono::milliseconds kShort{1'500};

TEST(KafkaBroker, ComesBackOnTheSamePortWithTheSameData) {
  KafkaBroker broker;
  const std::string address = broker.bootstrap();
  const auto before = cluster_id({{"bootstrap.servers", address}}, kPatience);
  ASSERT_TRUE(before);

  broker.kill();
  EXPECT_FALSE(cluster_id({{"bootstrap.servers", address}}, kShort));
  broker.restart();

  EXPECT_EQ(broker.bootstrap(), address);
  EXPECT_EQ(cluster_id({{"bootstrap.servers", address}}, kPatience), before);
}

TEST(KafkaBroker, AnswersNothingWhilePaused) {
  KafkaBroker& broker = shared_broker();

  broker.pause();
  EXPECT_FALSE(cluster_id({{"bootstrap.servers", broker.bootstrap()}}, kShort));
  broker.resume();

  EXPECT_TRUE(cluster_id({{"bootstrap.servers", broker.bootstrap()}}, kPatience));
}

TEST(KafkaBroker, SaysWhyItDoesNotStart) {
  try {
    const KafkaBroker broker({.properties = {"log.retention.ms=none"}});
    FAIL() << "must throw";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("log.retention.ms"));
  }
}

TEST(KafkaBroker, AsksForUsersAndPasswordsUnderSasl) {
  const KafkaBroker broker({.security = BrokerSecurity::kSaslSsl});
  Properties properties = {
      {"bootstrap.servers", broker.bootstrap()}, {"security.protocol", "SASL_SSL"}, {"ssl.ca.location", broker.ca_file()},
      {"sasl.mechanism", "SCRAM-SHA-512"},       {"sasl.username", "connector"},    {"sasl.password", "connector-secret"}};

  EXPECT_TRUE(cluster_id(properties, kPatience));
  properties["sasl.mechanism"] = "PLAIN";
  EXPECT_TRUE(cluster_id(properties, kPatience));
  properties["sasl.password"] = "wrong";
  EXPECT_FALSE(cluster_id(properties, kShort));
}

TEST(KafkaBroker, AsksForAKnownCertificateUnderMutualTls) {
  const KafkaBroker broker({.security = BrokerSecurity::kMutualTls});
  const auto as = [&broker](const std::string& name) -> Properties {
    return {{"bootstrap.servers", broker.bootstrap()},
            {"security.protocol", "SSL"},
            {"ssl.ca.location", broker.ca_file()},
            {"ssl.certificate.location", broker.certificate_file(name)},
            {"ssl.key.location", broker.key_file(name)}};
  };

  EXPECT_TRUE(cluster_id(as("connector"), kPatience));
  EXPECT_FALSE(cluster_id(as("stranger"), kShort));
}

TEST(UniqueName, IsNeverTheSame) {
  EXPECT_THAT(unique_name("topic"), testing::StartsWith("topic-"));
  EXPECT_THAT(unique_name("topic"), Not(unique_name("topic")));
}

}  // namespace
}  // namespace tests::support
