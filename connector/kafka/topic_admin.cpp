#include "connector/kafka/topic_admin.h"

#include "connector/kafka/admin_call.h"
#include "connector/kafka/conf.h"
#include "connector/kafka/list_offsets.h"

#include <array>
#include <charconv>
#include <utility>

namespace connector::kafka {

using common::ErrorCode;
using common::Result;

namespace {

constexpr std::size_t kBrokerDefaultMaxMessageBytes = 1'048'588;

bool operation_allowed(const rd_kafka_TopicDescription_t* topic, rd_kafka_AclOperation_t wanted) {
  std::size_t count = 0;
  const rd_kafka_AclOperation_t* operations = rd_kafka_TopicDescription_authorized_operations(topic, &count);
  if (operations == nullptr) return true;
  for (std::size_t i = 0; i < count; ++i) {
    if (operations[i] == wanted || operations[i] == RD_KAFKA_ACL_OPERATION_ALL) return true;
  }
  return count == 0;
}

std::string base64_id(const rd_kafka_Uuid_t* id) {
  if (id == nullptr) return {};
  const char* text = rd_kafka_Uuid_base64str(id);
  return text != nullptr ? std::string{text} : std::string{};
}

TopicDescription to_description(const rd_kafka_TopicDescription_t* topic) {
  TopicDescription described;
  described.name = rd_kafka_TopicDescription_name(topic);
  const rd_kafka_error_t* error = rd_kafka_TopicDescription_error(topic);
  const auto code = error != nullptr ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
  if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
    described.describable = described.readable = described.writable = false;
    return described;
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return described;
  described.exists = true;
  described.id = base64_id(rd_kafka_TopicDescription_topic_id(topic));
  std::size_t partitions = 0;
  rd_kafka_TopicDescription_partitions(topic, &partitions);
  described.partitions = static_cast<int>(partitions);
  described.readable = operation_allowed(topic, RD_KAFKA_ACL_OPERATION_READ);
  described.writable = operation_allowed(topic, RD_KAFKA_ACL_OPERATION_WRITE);
  return described;
}

}  // namespace

std::optional<std::string> TopicDescription::setting(const std::string& property) const {
  const auto found = config.find(property);
  if (found == config.end()) return std::nullopt;
  return found->second;
}

std::size_t TopicDescription::max_message_bytes() const {
  const auto text = setting("max.message.bytes");
  if (!text) return kBrokerDefaultMaxMessageBytes;
  std::size_t bytes = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), bytes);
  return error == std::errc{} && bytes > 0 ? bytes : kBrokerDefaultMaxMessageBytes;
}

Result<std::unique_ptr<TopicAdmin>> TopicAdmin::create(const KafkaOptions& options, const core::ConnectorName& name,
                                                       common::Logger logger) {
  auto conf = make_conf(options, {.role = ClientRole::kAdmin, .name = name});
  if (!conf) return common::fail(conf.error());
  auto client = Client::create(RD_KAFKA_PRODUCER, std::move(*conf), std::move(logger));
  if (!client) return common::fail(client.error());
  return std::unique_ptr<TopicAdmin>{new TopicAdmin(std::move(*client))};
}

Result<std::string> TopicAdmin::cluster_id(common::Duration timeout) {
  // Allocated by librdkafka's own allocator, so freed through it.
  const std::unique_ptr<char, decltype([](char* text) { rd_kafka_mem_free(nullptr, text); })> id{
      rd_kafka_clusterid(client_->get(), static_cast<int>(timeout.count()))};
  if (!id) return common::fail(ErrorCode::kRetryable, "no Kafka broker answers");
  return std::string{id.get()};
}

Result<std::vector<TopicDescription>> TopicAdmin::describe(const std::vector<std::string>& topics, common::Duration timeout) {
  std::vector<const char*> names;
  names.reserve(topics.size());
  for (const auto& topic : topics) names.push_back(topic.c_str());
  const TopicCollectionHandle collection{rd_kafka_TopicCollection_of_topic_names(names.data(), names.size())};
  auto event = admin_call(client_->get(), RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, "describing topics", timeout, stop_,
                          [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                            const ErrorHandle error{rd_kafka_AdminOptions_set_include_authorized_operations(options, 1)};
                            rd_kafka_DescribeTopics(client_->get(), collection.get(), options, queue);
                          });
  if (!event) return common::fail(event.error());
  std::size_t count = 0;
  const auto* const* answers = rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event->get()), &count);
  std::map<std::string, TopicDescription> by_name;
  for (std::size_t i = 0; i < count; ++i) {
    TopicDescription described = to_description(answers[i]);
    by_name[described.name] = std::move(described);
  }
  std::vector<TopicDescription> described;
  described.reserve(topics.size());
  for (const auto& topic : topics) {
    described.push_back(std::move(by_name[topic]));
    described.back().name = topic;
  }
  if (auto read = read_configs(described, timeout); !read) return common::fail(read.error());
  return described;
}

Result<void> TopicAdmin::read_configs(std::vector<TopicDescription>& topics, common::Duration timeout) {
  std::vector<ConfigResourceHandle> owned;
  std::vector<rd_kafka_ConfigResource_t*> asked;
  for (const auto& topic : topics) {
    if (!topic.exists) continue;
    owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.name.c_str()));
    asked.push_back(owned.back().get());
  }
  if (asked.empty()) return {};
  auto event = admin_call(client_->get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "reading topic settings", timeout, stop_,
                          [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                            rd_kafka_DescribeConfigs(client_->get(), asked.data(), asked.size(), options, queue);
                          });
  if (!event) return common::fail(event.error());
  std::size_t count = 0;
  const auto* const* resources =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    // Without DescribeConfigs on a topic its settings stay unknown; only the offsets topic's matter enough to be asked for.
    if (rd_kafka_ConfigResource_error(resources[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const std::string name = rd_kafka_ConfigResource_name(resources[i]);
    std::size_t entries = 0;
    const auto* const* entry = rd_kafka_ConfigResource_configs(resources[i], &entries);
    for (auto& topic : topics) {
      if (topic.name != name) continue;
      for (std::size_t e = 0; e < entries; ++e) {
        const char* value = rd_kafka_ConfigEntry_value(entry[e]);
        topic.config[rd_kafka_ConfigEntry_name(entry[e])] = value != nullptr ? value : "";
      }
    }
  }
  return {};
}

Result<void> TopicAdmin::make(const std::string& topic, const core::TopicSettings& settings, common::Duration timeout) {
  std::array<char, 512> reason{};
  // -1 leaves the number to the broker (KIP-464), as it does for the replication factor.
  const NewTopicHandle wanted{rd_kafka_NewTopic_new(topic.c_str(), settings.partitions > 0 ? settings.partitions : -1,
                                                    settings.replication_factor, reason.data(), reason.size())};
  if (!wanted) return common::fail(ErrorCode::kConfigInvalid, "topic " + topic + ": " + reason.data());
  for (const auto& [property, value] : settings.config) {
    if (const auto code = rd_kafka_NewTopic_set_config(wanted.get(), property.c_str(), value.c_str())) {
      return common::fail(to_error(code, "topic " + topic + ": " + property));
    }
  }
  std::array<rd_kafka_NewTopic_t*, 1> list{wanted.get()};
  const std::string doing = "making topic " + topic;
  auto event = admin_call(client_->get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, doing, timeout, stop_,
                          [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                            rd_kafka_AdminOptions_set_operation_timeout(options, static_cast<int>(timeout.count()), nullptr, 0);
                            rd_kafka_CreateTopics(client_->get(), list.data(), list.size(), options, queue);
                          });
  if (!event) return common::fail(event.error());
  std::size_t count = 0;
  const auto* const* answers = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(answers[i]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
    const char* detail = rd_kafka_topic_result_error_string(answers[i]);
    common::Error error = to_error(code, doing, detail != nullptr ? detail : "");
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) {
      error.code = ErrorCode::kPermissionDenied;
      error.message += "; make it yourself or allow Create on it";
    }
    return common::fail(std::move(error));
  }
  return {};
}

Result<bool> TopicAdmin::is_empty(const TopicDescription& topic, common::Duration timeout) {
  if (topic.partitions == 0) return true;
  const auto partitions = first_partitions(topic.partitions);
  const auto first = list_offsets(client_->get(), topic.name, partitions, TopicEdge::kFirst, timeout, stop_);
  if (!first) return common::fail(first.error());
  const auto last = list_offsets(client_->get(), topic.name, partitions, TopicEdge::kEnd, timeout, stop_);
  if (!last) return common::fail(last.error());
  return *first == *last;
}

std::map<std::string, std::string> state_topic_config() {
  return {{"cleanup.policy", "compact"},
          {"segment.bytes", "16777216"},  // 16 MiB
          {"segment.ms", "3600000"},      // 1 h
          {"min.cleanable.dirty.ratio", "0.1"}};
}

core::TopicSettings state_topic_settings(const TopicsOptions& topics, core::TopicSettings own) {
  if (own.replication_factor == -1) own.replication_factor = topics.replication_factor;
  own.partitions = 1;
  for (auto& [property, value] : state_topic_config()) own.config.try_emplace(property, value);
  return own;
}

Result<void> check_state_topic(const TopicDescription& topic, int partitions) {
  const auto policy = topic.setting("cleanup.policy");
  if (policy && *policy != "compact") {
    return common::fail(ErrorCode::kStateRefused, "topic " + topic.name + " has cleanup.policy=" + *policy +
                                                      ": the state in it would be deleted after its retention time. Set it to "
                                                      "compact (kafka-configs.sh --alter --entity-type topics --entity-name " +
                                                      topic.name + " --add-config cleanup.policy=compact) or name another topic");
  }
  if (topic.partitions != partitions) {
    return common::fail(ErrorCode::kStateRefused, "topic " + topic.name + " has " + std::to_string(topic.partitions) +
                                                      " partitions, the state is laid out for " + std::to_string(partitions) +
                                                      ": restore the number or name another topic");
  }
  return {};
}

std::vector<std::string> differences(const TopicDescription& topic, const std::map<std::string, std::string>& wanted) {
  std::vector<std::string> found;
  for (const auto& [property, value] : wanted) {
    const auto actual = topic.setting(property);
    if (actual && *actual != value) found.push_back(property + " is " + *actual + ", recommended " + value);
  }
  return found;
}

std::vector<AccessFinding> assess_access(const std::vector<TopicDescription>& state, const TopicDescription& dead_letters,
                                         const std::vector<TopicDescription>& data, bool may_create, const std::string& id,
                                         const std::optional<TopicDescription>& control) {
  using Verdict = AccessFinding::Verdict;
  std::vector<AccessFinding> findings;
  enum class Needs : std::uint8_t { kWrite, kWriteAndRead, kStateTopic };
  const auto topic_finding = [&](const TopicDescription& topic, Needs needs) {
    const bool read_too = needs != Needs::kWrite;
    AccessFinding finding{.subject = "topic " + topic.name, .verdict = Verdict::kFine, .detail = {}, .remedy = {}};
    const std::string needed = needs == Needs::kStateTopic ? "Write, Read and DescribeConfigs"
                               : read_too                  ? "Write and Read"
                                                           : "Write";
    if (!topic.describable) {
      finding.verdict = Verdict::kWrong;
      finding.detail = "may not be seen";
      finding.remedy = "allow " + needed + " on it to the connector's principal";
    } else if (!topic.exists) {
      finding.verdict = may_create ? Verdict::kUnproven : Verdict::kWrong;
      finding.detail = may_create ? "does not exist yet; it is made at the first start, which needs Create" : "does not exist";
      finding.remedy = may_create ? "allow Create on it, or make it" : "make it, or set kafka.topics.create";
    } else if (!topic.writable || (read_too && !topic.readable)) {
      finding.verdict = Verdict::kWrong;
      finding.detail = !topic.writable ? "may not be written" : "may not be read";
      finding.remedy = "allow " + needed + " on it to the connector's principal";
    } else if (needs == Needs::kStateTopic && topic.config.empty()) {
      finding.verdict = Verdict::kUnproven;
      finding.detail = "its settings may not be read, so compaction cannot be proven";
      finding.remedy = "allow DescribeConfigs on it";
    }
    findings.push_back(std::move(finding));
  };
  for (const auto& topic : state) topic_finding(topic, Needs::kStateTopic);
  topic_finding(dead_letters, Needs::kWrite);
  for (const auto& topic : data) topic_finding(topic, Needs::kWrite);
  if (control) topic_finding(*control, Needs::kWriteAndRead);
  if (!id.empty()) {
    findings.push_back({.subject = "transactional id " + id,
                        .verdict = Verdict::kUnproven,
                        .detail = "cannot be tried without fencing a running connector",
                        .remedy = "allow Write and Describe on it"});
  }
  return findings;
}

}  // namespace connector::kafka
