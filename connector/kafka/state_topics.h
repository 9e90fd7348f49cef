#pragma once

// The names of the topics the connector keeps beside the streams': configured, or made from its own name. Pure.

#include "connector/core/names.h"
#include "connector/kafka/options.h"

#include <string>
#include <vector>

namespace connector::kafka {

struct StateTopics {
  std::string offsets;
  std::string digests;
  std::string dead_letters;
  std::string progress;  // empty: not written
  std::string control;   // empty: nothing is asked for

  // In this order, which those who ask for them all rely on.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all{offsets, digests, dead_letters};
    if (!progress.empty()) all.push_back(progress);
    if (!control.empty()) all.push_back(control);
    return all;
  }
};

inline StateTopics state_topics(const core::ConnectorName& name, const TopicsOptions& topics) {
  const core::TopicSettings& progress = topics.progress.topic;
  const core::TopicSettings& control = topics.control.topic;
  return {.offsets = topics.offsets.name.empty() ? name.str() + "-offsets" : topics.offsets.name,
          .digests = topics.digests.name.empty() ? name.str() + "-digests" : topics.digests.name,
          .dead_letters = topics.dead_letters.name.empty() ? name.str() + "-dead-letters" : topics.dead_letters.name,
          .progress = !topics.progress.enabled ? std::string{}
                      : progress.name.empty()  ? name.str() + "-progress"
                                               : progress.name,
          .control = !topics.control.enabled ? std::string{}
                     : control.name.empty()  ? name.str() + "-control"
                                             : control.name};
}

}  // namespace connector::kafka
