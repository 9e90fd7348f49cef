#pragma once

// The control topic: what is asked of the task's owner, one key a kind and stream (docs/state.md). The owner reads it and removes
// what it has done, in the transaction that does it; whoever asks writes it.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/kafka/options.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace connector::kafka {

// Everything is in this partition, so that requests have an order.
inline constexpr std::int32_t kControlPartition = 0;

// ["<name>",{"backfill":"<stream>"}]
std::string backfill_key(const core::ConnectorName& name, const core::StreamName& stream);
// Whose backfill is asked for under `key`; nothing: another connector's, or another kind.
std::optional<core::StreamName> backfill_stream(const core::ConnectorName& name, std::string_view key);

// Puts a record under `key`; returns when every in-sync replica has it. Blocking, no transaction. kRetryable: not within
// `patience`; kPermissionDenied, kTopicUnusable.
common::Result<void> write_control(const KafkaOptions& options, const core::ConnectorName& name, const std::string& topic,
                                   const std::string& key, const std::string& value, common::Logger logger,
                                   common::Duration patience);

}  // namespace connector::kafka
