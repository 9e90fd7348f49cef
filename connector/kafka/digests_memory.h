#pragma once

// How much is remembered of the streams' keys, as operators see it: in metrics, and in the log when it passes
// kafka.digests_memory; a start with more is refused. The limit is core::DigestsLimit's. On the one executor.

#include "common/log.h"
#include "common/result.h"
#include "connector/core/digest/limit.h"
#include "connector/core/ports/metrics.h"
#include "connector/kafka/stream_topic.h"
#include "connector/kafka/task_digests.h"

#include <cstddef>
#include <vector>

namespace connector::kafka {

class DigestsMemory {
 public:
  // `streams` and `metrics` outlive it.
  DigestsMemory(const std::vector<StreamTopic>& streams, std::size_t max_bytes, core::Metrics& metrics, common::Logger logger);

  // Of digests just restored. kConfigInvalid: more than a start may have, with the remedy.
  [[nodiscard]] common::Result<void> check_start(const TaskDigests& digests) const {
    return limit_.check_start(digests.keys(), digests.bytes());
  }
  void tell(const TaskDigests& digests);

 private:
  const std::vector<StreamTopic>& streams_;
  core::DigestsLimit limit_;
  core::Metrics& metrics_;
  common::Logger logger_;
};

}  // namespace connector::kafka
