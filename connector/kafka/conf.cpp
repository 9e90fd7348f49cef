#include "connector/kafka/conf.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

namespace connector::kafka {

using common::ErrorCode;
using common::Result;

namespace {

Result<void> set(rd_kafka_conf_t& conf, const std::string& property, const std::string& value, bool secret) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(&conf, property.c_str(), value.c_str(), reason.data(), reason.size()) == RD_KAFKA_CONF_OK) return {};
  // librdkafka's text may repeat the value.
  const std::string text = secret ? "the value is not accepted" : std::string{reason.data()};
  return common::fail(ErrorCode::kConfigInvalid, "kafka.librdkafka." + property + ": " + text);
}

Result<void> set_all(rd_kafka_conf_t& conf, std::initializer_list<std::pair<const char*, std::string>> properties) {
  for (const auto& [property, value] : properties) {
    if (auto done = set(conf, property, value, false); !done) return done;
  }
  return {};
}

bool is_producer(ClientRole role) {
  return role == ClientRole::kTransactionalProducer || role == ClientRole::kIdempotentProducer;
}

Result<void> set_defaults(rd_kafka_conf_t& conf, const KafkaOptions& options, const ConfRequest& request) {
  if (auto done = set_all(conf, {{"client.id", "genesys-kafka-" + request.name.str()},
                                 {"reconnect.backoff.max.ms", "1000"},  // back in seconds after a broker's restart, not in 20
                                 {"retry.backoff.ms", "20"},
                                 {"socket.connection.setup.timeout.ms", "5000"},
                                 {"socket.nagle.disable", "true"},
                                 {"enable.metrics.push", "false"},
                                 {"topic.metadata.propagation.max.ms", "5000"}});
      !done) {
    return done;
  }
  if (!is_producer(request.role)) return {};
  // Referenced, not copied: this bounds what the library may queue, which is what the publisher holds anyway.
  const std::size_t queue_kbytes = std::max(options.memory_bytes, 2 * kMaxRecordBytes) >> 10U;
  // A request that is not full waits for the flush that ends every transaction, which follows at once.
  if (auto done = set_all(conf, {{"linger.ms", "500"},
                                 {"queue.buffering.max.messages", "0"},
                                 {"queue.buffering.max.kbytes", std::to_string(queue_kbytes)}});
      !done) {
    return done;
  }
  if (request.smallest_max_message_bytes == 0) return {};
  // A request above the topic's bound is refused whole and never split. 1000 bytes: request and batch framing.
  constexpr std::size_t kUsualBatchBytes = 1'000'000;
  const std::size_t bound = request.smallest_max_message_bytes > 2000 ? request.smallest_max_message_bytes - 1000
                                                                      : request.smallest_max_message_bytes / 2 + 1;
  return set(conf, "batch.size", std::to_string(std::min(kUsualBatchBytes, bound)), false);
}

Result<void> set_requirements(rd_kafka_conf_t& conf, const KafkaOptions& options, const ConfRequest& request) {
  if (auto done = set(conf, "bootstrap.servers", options.bootstrap_servers, false); !done) return done;
  switch (request.role) {
    case ClientRole::kTransactionalProducer:
      if (auto done = set_all(conf, {{"transactional.id", request.transactional_id},
                                     {"transaction.timeout.ms", std::to_string(options.transaction_timeout.count())}});
          !done) {
        return done;
      }
      [[fallthrough]];
    case ClientRole::kIdempotentProducer:
      return set_all(conf, {{"enable.idempotence", "true"},
                            {"acks", "all"},
                            {"partitioner", "murmur2_random"},
                            {"message.max.bytes", std::to_string(kMaxRecordBytes)}});
    case ClientRole::kReader:
    case ClientRole::kFollower:
      // Who reads to the end and is done must not wait there; who stays asks the broker no more often than it must.
      return set_all(conf, {{"isolation.level", "read_committed"},
                            {"enable.partition.eof", "true"},
                            {"fetch.wait.max.ms", request.role == ClientRole::kReader ? "10" : "500"},
                            {"auto.offset.reset", "error"},
                            {"allow.auto.create.topics", "false"},
                            {"enable.auto.commit", "false"}});
    case ClientRole::kAdmin:
      return {};
  }
  return {};
}

}  // namespace

Result<ConfHandle> make_conf(const KafkaOptions& options, const ConfRequest& request) {
  ConfHandle conf{rd_kafka_conf_new()};
  if (auto done = set_defaults(*conf, options, request); !done) return common::fail(done.error());
  for (const auto& [property, value] : options.librdkafka) {
    const auto* plain = std::get_if<std::string>(&value);
    const std::string& text = plain != nullptr ? *plain : std::get<common::SecretSource>(value).value().reveal();
    if (auto done = set(*conf, property, text, plain == nullptr); !done) return common::fail(done.error());
  }
  if (auto done = set_requirements(*conf, options, request); !done) return common::fail(done.error());
  return conf;
}

bool compresses(const KafkaOptions& options) {
  for (const char* property : {"compression.type", "compression.codec"}) {
    const auto found = options.librdkafka.find(property);
    if (found == options.librdkafka.end()) continue;
    const auto* text = std::get_if<std::string>(&found->second);
    return text == nullptr || *text != "none";
  }
  return false;
}

std::string transactional_id(const KafkaOptions& options, const core::ConnectorName& name, std::int32_t partition) {
  const std::string& prefix = options.transactional_id_prefix.empty() ? name.str() : options.transactional_id_prefix;
  return prefix + "-task-" + std::to_string(partition);
}

}  // namespace connector::kafka
