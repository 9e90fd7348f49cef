#pragma once

// What a topic should be like when we create or check it. Plain values.

#include <map>
#include <string>

namespace connector::core {

struct TopicSettings {
  std::string name;                           // empty: the default name
  int partitions = 0;                         // 0: the default of its kind (state topics 1, streams' topics the broker's)
  int replication_factor = -1;                // -1: the broker's default
  std::map<std::string, std::string> config;  // topic-level configuration, over our defaults
};

}  // namespace connector::core
