#pragma once

// Reading the task's partition of the offsets topic: everything that is committed, and nothing later missed. The high watermark
// is asked read-uncommitted first, then the partition is read committed-only up to it: somebody's open transaction hides even our
// own newer ledgers until it ends (docs/adr, "Reading back"). Blocking; it writes nothing.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/transaction/read_back.h"
#include "connector/kafka/options.h"

#include <atomic>
#include <cstdint>
#include <string>

namespace connector::kafka {

struct StateLocation {
  core::ConnectorName name;
  std::string topic;
  std::int32_t partition = 0;
};

// Keys as Kafka Connect writes them: ["<name>",{"stream":"…","lane":"…"}] and ["<name>",{"task":0}].
std::string ledger_key(const core::ConnectorName& name, const core::SourcePartition& source);
std::string claim_key(const core::ConnectorName& name, std::int32_t task);

// Takes one stored record into `state`. Keys of another connector are passed over, a null value removes. kStateRefused: damaged
// or of a newer version.
common::Result<void> take_stored(const StateLocation& location, std::string_view key, const std::string_view* value,
                                 core::StoredState& state);

// kRetryable: not read to the end within `timeout` (the message says why); kTopicUnusable, kPermissionDenied, kStateRefused;
// kCancelled soon after `stop` was raised.
common::Result<core::StoredState> read_state(const KafkaOptions& options, const StateLocation& location, common::Logger logger,
                                             common::Duration timeout, const std::atomic<bool>& stop);

}  // namespace connector::kafka
