#pragma once

// The names of the topics the connector keeps beside the streams': configured, or made from its own name. Pure.

#include "connector/core/names.h"
#include "connector/kafka/options.h"

#include <string>

namespace connector::kafka {

struct StateTopics {
  std::string offsets;
  std::string digests;
  std::string dead_letters;
};

inline StateTopics state_topics(const core::ConnectorName& name, const TopicsOptions& topics) {
  return {.offsets = topics.offsets.name.empty() ? name.str() + "-offsets" : topics.offsets.name,
          .digests = topics.digests.name.empty() ? name.str() + "-digests" : topics.digests.name,
          .dead_letters = topics.dead_letters.name.empty() ? name.str() + "-dead-letters" : topics.dead_letters.name};
}

}  // namespace connector::kafka
