#pragma once

// Reading one partition of a compacted state topic whole: everything that is committed, and nothing later missed. The high
// watermark is asked read-uncommitted first, then the partition is read committed-only up to it: somebody's open transaction
// hides even our own newer values until it ends (docs/adr, "Reading back"). Blocking; it writes nothing.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/kafka/options.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace connector::kafka {

struct StateLocation {
  core::ConnectorName name;
  std::string topic;
  std::int32_t partition = 0;
};

// One stored record; `value` is null for a tombstone. The views end with the call. An error ends the reading.
using TakeStored = std::function<common::Result<void>(std::string_view key, const std::string_view* value)>;

// kRetryable: not read to the end within `timeout` of silence (the message says why); kTopicUnusable, kPermissionDenied;
// kCancelled soon after `stop` was raised; whatever `take` answers.
common::Result<void> read_partition(const KafkaOptions& options, const StateLocation& location, common::Logger logger,
                                    common::Duration timeout, const std::atomic<bool>& stop, const TakeStored& take);

}  // namespace connector::kafka
