#pragma once

// Topics as the brokers know them: make what is missing, describe what is there, say what is wrong with it. Blocking calls, one
// thread at a time; each returns within its own timeout or soon after `stop` was raised. Data is never read or deleted here.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/topic_settings.h"
#include "connector/kafka/client.h"
#include "connector/kafka/options.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::kafka {

struct TopicDescription {
  std::string name;
  bool exists = false;
  bool describable = true;  // false: no permission to see it
  std::string id;
  int partitions = 0;
  bool readable = true;  // the broker's word on our permissions; true if it does not say
  bool writable = true;
  std::map<std::string, std::string> config;  // empty if it may not be read

  [[nodiscard]] std::optional<std::string> setting(const std::string& name) const;
  // Of max.message.bytes; the broker's default if not known.
  [[nodiscard]] std::size_t max_message_bytes() const;
};

// What `check` tells about one thing we need: fine, wrong with the remedy, or not provable.
struct AccessFinding {
  enum class Verdict : std::uint8_t { kFine, kWrong, kUnproven };
  std::string subject;  // "topic acme-offsets"
  Verdict verdict = Verdict::kFine;
  std::string detail;  // what is wrong
  std::string remedy;
};

class TopicAdmin {
 public:
  static common::Result<std::unique_ptr<TopicAdmin>> create(const KafkaOptions& options, const core::ConnectorName& name,
                                                            common::Logger logger);

  // kRetryable while no broker answers.
  common::Result<std::string> cluster_id(common::Duration timeout);
  // In the order asked; a topic that is missing or hidden is described as such, not an error.
  common::Result<std::vector<TopicDescription>> describe(const std::vector<std::string>& topics, common::Duration timeout);
  // A topic that exists meanwhile is a success. kPermissionDenied, kConfigInvalid (refused settings) name the topic.
  common::Result<void> make(const std::string& topic, const core::TopicSettings& settings, common::Duration timeout);
  // No record in any partition.
  common::Result<bool> is_empty(const TopicDescription& topic, common::Duration timeout);

  std::optional<std::string> take_trouble() { return client_->take_trouble(); }
  common::Result<void> set_password(const common::Secret& password) { return client_->set_password(password); }
  void recovered() { client_->recovered(); }
  void request_stop() { stop_.store(true, std::memory_order_relaxed); }
  void close() { client_->close(); }

 private:
  explicit TopicAdmin(std::unique_ptr<Client> client) : client_(std::move(client)) {}
  common::Result<void> read_configs(std::vector<TopicDescription>& topics, common::Duration timeout);

  std::unique_ptr<Client> client_;
  std::atomic<bool> stop_ = false;
};

// Settings of the state topics (docs/state.md): small segments and a low dirty ratio keep what a start reads short.
std::map<std::string, std::string> state_topic_config();

// With what a state topic is made: as configured, `own` before what holds for all topics.
core::TopicSettings state_topic_settings(const TopicsOptions& topics, core::TopicSettings own);

// kStateRefused: a state topic would lose state (not compacted) or belongs to another layout (partitions).
common::Result<void> check_state_topic(const TopicDescription& topic, int partitions);
// Where a topic's settings differ from what we would have made: worth a warning each.
std::vector<std::string> differences(const TopicDescription& topic, const std::map<std::string, std::string>& wanted);

// For `check`: whether the permissions suffice, each with its remedy. `id`: the transactional id, which cannot be tried without
// fencing a running connector.
std::vector<AccessFinding> assess_access(const std::vector<TopicDescription>& state, const TopicDescription& dead_letters,
                                         const std::vector<TopicDescription>& data, bool may_create, const std::string& id,
                                         const std::optional<TopicDescription>& control = std::nullopt);

}  // namespace connector::kafka
