#pragma once

// What follows from the configured streams: their topics (given, or made from kafka.topics.stream_pattern) and the lanes that
// run. Pure functions.

#include "connector/app/definitions.h"
#include "connector/app/options.h"
#include "connector/kafka/publisher.h"

#include <cstddef>
#include <vector>

namespace connector::app {

// In the order of the configuration; replication falls back to kafka.topics.replication_factor.
std::vector<kafka::StreamTopic> stream_topics(const AppOptions& options, const Definitions& definitions);

std::vector<core::Lane> lanes_of(const source::StreamOptions& stream, const source::Definition& definition);
std::vector<core::SourcePartition> configured_sources(const AppOptions& options, const Definitions& definitions);
std::size_t live_lanes(const AppOptions& options, const Definitions& definitions);

}  // namespace connector::app
