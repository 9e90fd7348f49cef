#pragma once

// Reading a stream's topic as a consumer with isolation.level=read_committed sees it: every partition, from a point in time to
// the end as of the call. Blocking; it joins no group, commits nothing and writes nothing.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/ports/publisher.h"
#include "connector/kafka/options.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace connector::kafka {

// A record of the topic; the views end with the call.
struct DataRecord {
  std::string_view key;
  std::optional<std::string_view> value;             // none: a tombstone
  core::RecordForm form = core::RecordForm::kQuery;  // header gk.form; what has none is taken for a query form
  common::Instant read_at;                           // header gk.read-at, else the record's timestamp
};
using TakeData = std::function<void(const DataRecord& record)>;

struct DataTopicFigures {
  std::uint64_t records = 0;
  std::int32_t partitions = 0;
};

// `from`: records before the first one of each partition whose timestamp is not older are passed over; none: from the beginning.
// Records of a partition come in their order. kRetryable: not read to the end within `silence` without an answer (somebody's
// transaction is open, or brokers are away); kTopicUnusable, kPermissionDenied; kCancelled soon after `stop` was raised.
common::Result<DataTopicFigures> read_data_topic(const KafkaOptions& options, const core::ConnectorName& name,
                                                 const std::string& topic, std::optional<common::Instant> from,
                                                 common::Logger logger, common::Duration silence, const std::atomic<bool>& stop,
                                                 const TakeData& take);

}  // namespace connector::kafka
