// Options are read back from librdkafka, so the mapping itself is tested.

#include "connector/kafka/conf.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>

namespace connector::kafka {
namespace {

using common::ErrorCode;

class Conf : public testing::Test {
 protected:
  Conf() { options.bootstrap_servers = "kafka-1:9093,kafka-2:9093"; }
  std::string property(ClientRole role, const char* name, std::size_t smallest = 0) {
    const auto conf = make_conf(options, {.role = role,
                                          .name = core::ConnectorName{"acme"},
                                          .transactional_id = transactional_id(options, core::ConnectorName{"acme"}, 0),
                                          .smallest_max_message_bytes = smallest});
    if (!conf) return "error: " + conf.error().message;
    std::array<char, 512> value{};
    std::size_t size = value.size();
    if (rd_kafka_conf_get(conf->get(), name, value.data(), &size) != RD_KAFKA_CONF_OK) return "unset";
    return value.data();
  }
  KafkaOptions options;
};

TEST_F(Conf, OfTheTransactionalProducer) {
  options.transaction_timeout = common::Duration{45'000};
  constexpr auto kRole = ClientRole::kTransactionalProducer;

  EXPECT_EQ(property(kRole, "bootstrap.servers"), "kafka-1:9093,kafka-2:9093");
  EXPECT_EQ(property(kRole, "client.id"), "genesys-kafka-acme");
  EXPECT_EQ(property(kRole, "transactional.id"), "acme-task-0");
  EXPECT_EQ(property(kRole, "transaction.timeout.ms"), "45000");
  EXPECT_EQ(property(kRole, "enable.idempotence"), "true");
  EXPECT_EQ(property(kRole, "partitioner"), "murmur2_random");
  EXPECT_EQ(property(kRole, "reconnect.backoff.max.ms"), "1000");
  EXPECT_EQ(property(kRole, "enable.metrics.push"), "false");
  EXPECT_EQ(property(kRole, "topic.metadata.propagation.max.ms"), "5000");
}

TEST_F(Conf, AtLeastOnceHasNoTransactionalId) {
  EXPECT_EQ(property(ClientRole::kIdempotentProducer, "transactional.id"), "unset");
  EXPECT_EQ(property(ClientRole::kIdempotentProducer, "enable.idempotence"), "true");
}

TEST_F(Conf, TheReaderSeesCommittedRecordsOnlyAndNeedsNoGroup) {
  EXPECT_EQ(property(ClientRole::kReader, "isolation.level"), "read_committed");
  EXPECT_EQ(property(ClientRole::kReader, "enable.partition.eof"), "true");
  EXPECT_EQ(property(ClientRole::kReader, "group.id"), "unset");
}

TEST_F(Conf, BatchesStayBelowTheSmallestTopicsLimit) {
  constexpr auto kRole = ClientRole::kTransactionalProducer;

  EXPECT_EQ(property(kRole, "batch.size", 20'000), "19000");
  EXPECT_EQ(property(kRole, "batch.size", 1'048'588), "1000000");
  EXPECT_EQ(property(kRole, "batch.size", 1'500), "751");
}

TEST_F(Conf, UsersPropertiesPassThroughAndReplaceOurDefaults) {
  options.librdkafka = {{"linger.ms", "50"}, {"compression.type", "zstd"}};

  EXPECT_EQ(property(ClientRole::kTransactionalProducer, "linger.ms"), "50");
  EXPECT_EQ(property(ClientRole::kTransactionalProducer, "compression.type"), "zstd");
}

TEST_F(Conf, WhatTheGuaranteesRestOnCannotBeReplaced) {
  options.librdkafka = {{"enable.idempotence", "false"}, {"transactional.id", "mine"}, {"isolation.level", "read_uncommitted"}};

  EXPECT_EQ(property(ClientRole::kTransactionalProducer, "enable.idempotence"), "true");
  EXPECT_EQ(property(ClientRole::kTransactionalProducer, "transactional.id"), "acme-task-0");
  EXPECT_EQ(property(ClientRole::kReader, "isolation.level"), "read_committed");
}

TEST_F(Conf, AnUnknownPropertyIsNamedWithLibrdkafkasText) {
  options.librdkafka = {{"no.such.property", "1"}};

  const auto conf = make_conf(options, {.role = ClientRole::kAdmin, .name = core::ConnectorName{"acme"}});

  ASSERT_FALSE(conf);
  EXPECT_EQ(conf.error().code, ErrorCode::kConfigInvalid);
  EXPECT_NE(conf.error().message.find("kafka.librdkafka.no.such.property"), std::string::npos);
  EXPECT_NE(conf.error().message.find("No such configuration property"), std::string::npos);
}

TEST_F(Conf, ASecretIsSetButNeverInAnError) {
  options.librdkafka = {{"sasl.password", common::SecretSource::of_value(common::Secret{"hush"})}};
  const auto fine = make_conf(options, {.role = ClientRole::kAdmin, .name = core::ConnectorName{"acme"}});
  EXPECT_TRUE(fine);

  options.librdkafka = {{"acks", common::SecretSource::of_value(common::Secret{"hush"})}};
  const auto refused = make_conf(options, {.role = ClientRole::kAdmin, .name = core::ConnectorName{"acme"}});

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("hush"), std::string::npos) << refused.error().message;
}

TEST_F(Conf, KnowsWhetherRecordsAreCompressed) {
  EXPECT_FALSE(compresses(options));
  options.librdkafka = {{"compression.type", "none"}};
  EXPECT_FALSE(compresses(options));
  options.librdkafka = {{"compression.codec", "lz4"}};
  EXPECT_TRUE(compresses(options));
}

TEST_F(Conf, TheTransactionalIdsPrefixIsTheNameUnlessGiven) {
  EXPECT_EQ(transactional_id(options, core::ConnectorName{"acme"}, 3), "acme-task-3");
  options.transactional_id_prefix = "team-x";
  EXPECT_EQ(transactional_id(options, core::ConnectorName{"acme"}, 0), "team-x-task-0");
}

}  // namespace
}  // namespace connector::kafka
