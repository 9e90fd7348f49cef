#pragma once

// Where partitions of a topic begin or end, asked of the brokers. Blocking; any thread but the handle's poller.

#include "common/instant.h"
#include "common/result.h"
#include "connector/kafka/handles.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace connector::kafka {

enum class TopicEdge : std::uint8_t {
  kFirst,  // the first record that is still there
  kEnd     // behind the last one, of transactions under way or aborted, too
};

// In the order of `partitions`. kRetryable when there was no answer within `timeout`, kCancelled when `stop` was raised.
common::Result<std::vector<std::int64_t>> list_offsets(rd_kafka_t* handle, const std::string& topic,
                                                       const std::vector<std::int32_t>& partitions, TopicEdge edge,
                                                       common::Duration timeout, const std::atomic<bool>& stop);
// The partitions 0 … count - 1.
std::vector<std::int32_t> first_partitions(int count);

}  // namespace connector::kafka
