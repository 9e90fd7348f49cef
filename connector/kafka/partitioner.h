#pragma once

// Kafka's usual hash, for placing streams on the partitions of the state topics. Data topics use librdkafka's own
// `murmur2_random`. Pure.

#include <cstdint>
#include <string_view>

namespace connector::kafka {

// As org.apache.kafka.common.utils.Utils.murmur2.
std::uint32_t murmur2(std::string_view bytes);

// (murmur2(stream) & 0x7fffffff) mod partitions; `partitions` ≥ 1.
std::int32_t state_partition(std::string_view stream, std::int32_t partitions);

}  // namespace connector::kafka
