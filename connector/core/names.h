#pragma once

// The vocabulary of docs/architecture.md as types: names that must not be swapped, and the lanes.

#include "common/strong_string.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace connector::core {

using ConnectorName = common::StrongString<struct ConnectorNameTag>;
using StreamName = common::StrongString<struct StreamNameTag>;
using TopicName = common::StrongString<struct TopicNameTag>;
using JobId = common::StrongString<struct JobIdTag>;
using RecordKey = common::StrongString<struct RecordKeyTag>;

// One way of reading a stream; also the unit of quota weight, in order of precedence.
enum class Lane : std::uint8_t { kLive, kFollow, kSettle, kBackfill };
inline constexpr std::array kAllLanes{Lane::kLive, Lane::kFollow, Lane::kSettle, Lane::kBackfill};
std::string_view to_string(Lane lane);  // "live" …: the spelling in source partitions, labels and headers
std::optional<Lane> parse_lane(std::string_view text);

// (stream, lane): with the connector's name it is the source partition of Kafka Connect's offsets.
struct SourcePartition {
  StreamName stream;
  Lane lane = Lane::kLive;
  friend auto operator<=>(const SourcePartition&, const SourcePartition&) = default;
};

}  // namespace connector::core
