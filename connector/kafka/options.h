#pragma once

// How we talk to Kafka and what we keep there. Filled by config/, checked there; plain values.

#include "common/instant.h"
#include "common/secret.h"
#include "connector/core/topic_settings.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>

namespace connector::kafka {

enum class Delivery : std::uint8_t { kExactlyOnce, kAtLeastOnce };

// A librdkafka property: secret ones (passwords, keys) print as *** and may come from a file that is read again.
using PropertyValue = std::variant<std::string, common::SecretSource>;

// Records that tell consumers how far each stream has come.
struct ProgressOptions {
  bool enabled = true;
  common::Duration every{10'000};  // at most this often a stream, and only when it has moved
  core::TopicSettings topic;       // "<name>-progress"; compacted unless its configuration says otherwise
};

// Requests to the task's owner from outside (`backfill`).
struct ControlOptions {
  bool enabled = true;
  core::TopicSettings topic;  // "<name>-control"; one partition, compacted
};

struct TopicsOptions {
  bool create = true;                // false: never create, only check
  int replication_factor = -1;       // for every topic that does not say its own
  core::TopicSettings offsets;       // "<name>-offsets", compacted
  core::TopicSettings digests;       // "<name>-digests", compacted
  core::TopicSettings dead_letters;  // "<name>-dead-letters"
  ProgressOptions progress;
  ControlOptions control;
  std::string stream_pattern = "{name}.{stream}";
};

struct KafkaOptions {
  std::string bootstrap_servers;
  Delivery delivery = Delivery::kExactlyOnce;
  std::string transactional_id_prefix;              // empty: "<name>"; the id is "<prefix>-task-<partition>"
  common::Duration transaction_timeout{60'000};     // ≤ the broker's transaction.max.timeout.ms
  common::Duration commit_interval{200};            // how long a decided page may wait for company before its transaction begins
  std::size_t commit_bytes = 8UL << 20U;            // … or until this much is waiting
  std::size_t memory_bytes = 40UL << 20U;           // pages held (waiting, in a transaction); a larger page is taken alone
  std::size_t digests_memory_bytes = 2UL << 30U;    // of what is remembered of keys: more refuses a start, and is warned of
  std::map<std::string, PropertyValue> librdkafka;  // passed through; what we depend on is refused by config/
  TopicsOptions topics;
};

}  // namespace connector::kafka
