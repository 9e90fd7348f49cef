#pragma once

// What the task's partition of the offsets topic holds: claim and ledgers, their keys and how they are read. Blocking; it writes
// nothing.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/transaction/read_back.h"
#include "connector/kafka/options.h"
#include "connector/kafka/partition_reader.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace connector::kafka {

// Keys as Kafka Connect writes them: ["<name>",{"stream":"…","lane":"…"}] and ["<name>",{"task":0}].
std::string ledger_key(const core::ConnectorName& name, const core::SourcePartition& source);
std::string claim_key(const core::ConnectorName& name, std::int32_t task);
// In the digests topic, where every other key begins with a stream's name.
inline std::string digests_mark_key(const core::ConnectorName& name, std::int32_t task) {
  return claim_key(name, task);
}

// Takes one stored record into `state`. Keys of another connector are passed over, a null value removes. kStateRefused: damaged
// or of a newer version.
common::Result<void> take_stored(const StateLocation& location, std::string_view key, const std::string_view* value,
                                 core::StoredState& state);

// kRetryable: not read to the end within `timeout` (the message says why); kTopicUnusable, kPermissionDenied, kStateRefused;
// kCancelled soon after `stop` was raised.
common::Result<core::StoredState> read_state(const KafkaOptions& options, const StateLocation& location, common::Logger logger,
                                             common::Duration timeout, const std::atomic<bool>& stop);

// The values of this connector's keys as they are stored, unjudged: verbs must be able to show and mend what a start refuses.
using StoredOffsets = std::map<std::string, std::string>;
common::Result<StoredOffsets> read_offsets(const KafkaOptions& options, const StateLocation& location, common::Logger logger,
                                           common::Duration timeout, const std::atomic<bool>& stop);
// Whose ledger stands under `key`; nothing: no ledger of this connector.
std::optional<core::SourcePartition> ledger_source(const core::ConnectorName& name, std::string_view key);
// As far as it can be read: what is damaged is left out.
core::StoredState readable_state(const StateLocation& location, const StoredOffsets& stored);

}  // namespace connector::kafka
