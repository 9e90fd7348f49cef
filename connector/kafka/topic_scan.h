#pragma once

// Reading a topic as a consumer with isolation.level=read_committed sees it: every partition, from a point in time to the end as
// of the call. Blocking; it joins no group, commits nothing and writes nothing. Internal to connector/kafka.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/kafka/handles.h"
#include "connector/kafka/options.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace connector::kafka {

using TakeMessage = std::function<void(const rd_kafka_message_t& message)>;

struct ScanFigures {
  std::uint64_t messages = 0;
  std::int32_t partitions = 0;
};

// `from`: records before the first one of each partition whose timestamp is not older are passed over; none: from the beginning.
// Records of a partition come in their order. kRetryable: not read to the end within `silence` without an answer (somebody's
// transaction is open, or brokers are away); kTopicUnusable, kPermissionDenied; kCancelled soon after `stop` was raised.
common::Result<ScanFigures> scan_topic(const KafkaOptions& options, const core::ConnectorName& name,
                                       const std::string& topic_name, std::optional<common::Instant> from, common::Logger logger,
                                       common::Duration silence, const std::atomic<bool>& stop, const TakeMessage& take);

// Of a record of ours; empty if it has none of that name. A view into the message.
std::string_view header(const rd_kafka_message_t& message, const char* name);
// By its header, else by its timestamp.
common::Instant read_at(const rd_kafka_message_t& message);

}  // namespace connector::kafka
