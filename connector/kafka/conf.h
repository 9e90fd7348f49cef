#pragma once

// KafkaOptions become librdkafka's configuration: our defaults, then the user's pass-through properties, then what the guarantees
// rest on. docs/kafka.md says why each value. No handle is made here.

#include "common/result.h"
#include "connector/core/names.h"
#include "connector/kafka/handles.h"
#include "connector/kafka/options.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace connector::kafka {

enum class ClientRole : std::uint8_t { kTransactionalProducer, kIdempotentProducer, kAdmin, kReader, kFollower };

// A record larger than this is never sent, whatever a topic allows.
inline constexpr std::size_t kMaxRecordBytes = 64UL << 20U;

struct ConfRequest {
  ClientRole role = ClientRole::kAdmin;
  core::ConnectorName name;
  std::string transactional_id;                // of the transactional producer
  std::size_t smallest_max_message_bytes = 0;  // of the topics written to; 0: not known
};

// kConfigInvalid names the property and carries librdkafka's text; values of secrets are not in it.
common::Result<ConfHandle> make_conf(const KafkaOptions& options, const ConfRequest& request);

// Whether produce requests are compressed, so that only the broker can say whether a record fits.
bool compresses(const KafkaOptions& options);
// "<prefix>-task-<partition>"
std::string transactional_id(const KafkaOptions& options, const core::ConnectorName& name, std::int32_t partition);

}  // namespace connector::kafka
