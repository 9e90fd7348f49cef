#pragma once

// A stream's topic: as configured, and as found at start.

#include "connector/core/dead_letters/guard.h"
#include "connector/core/digest/reconcile.h"
#include "connector/core/digest/stream_digests.h"
#include "connector/core/names.h"
#include "connector/core/topic_settings.h"

#include <cstddef>
#include <string>

namespace connector::kafka {

struct StreamTopic {
  core::StreamName stream;
  std::string topic;
  core::TopicSettings settings;  // for creating it; settings.name is not looked at
  core::StreamRules rules;       // which lanes read it
  bool by_age = false;           // of its jobs' data no service tells how far it is complete (`job.lag`)
  core::ExpiryRules expiry;
  core::DeadLetterRules dead_letters;
};

// What is known of a stream's topic after start.
struct TopicFacts {
  std::string name;
  std::string id;        // base64, as Kafka's tools print it
  bool created = false;  // by this start
  bool empty = true;     // no record in any partition
  int partitions = 0;
  std::size_t max_message_bytes = 0;
};

}  // namespace connector::kafka
