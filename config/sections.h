#pragma once

// One function a section of the configuration: reads it into the options of its module and reports what is wrong with it.

#include "config/reader.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace config {

void read_genesys(Section genesys, connector::genesys::GenesysOptions& options);
void read_kafka(Section kafka, const connector::core::ConnectorName& name, connector::kafka::KafkaOptions& options);
void read_streams(Section& root, const std::map<std::string, connector::source::Definition>& definitions, Config& config);
// The members that a definition's records have; nothing if they are what the service sends.
std::optional<std::set<std::string>> members_of(const connector::source::RecordsRule& records);
// `projection` and `redaction` of a stream; `definition` may be unknown.
void read_rewriting(Section& stream, const connector::source::Definition* definition, connector::source::StreamOptions& options);
// A stream's `query`, which has been read: what it must not and what it must say; and how long the buckets are that it asks for.
void check_stream_query(const Section& stream, const connector::source::Definition& definition,
                        connector::source::StreamOptions& options);
// {name, partitions, replication_factor, config}.
void read_topic_settings(Section topic, std::string_view default_name, connector::core::TopicSettings& settings);
// Durations in ascending order; the first pass of `settle` is at 0, that of `live` is no age.
void read_ages(Section& lane, std::vector<common::Duration>& ages, bool settle);
// Of what a service keeps: longer is no bound.
inline constexpr common::Duration kLongestRetention = std::chrono::days{7'300};
// The files under `definitions:`, beside those that are there.
void read_definitions(Section& root, std::map<std::string, connector::source::Definition>& definitions,
                      std::map<std::string, DefinitionFile>& files);

// A parameter of the query's URL that the connector sets, and by which of its parts.
struct OwnedParameter {
  std::string name;
  std::string_view owner;  // "windows", "paging", "page_size"
};
std::vector<OwnedParameter> parameters_of_the_connector(const connector::source::Definition& definition);

// What kafka.librdkafka does not take: other keys or the guarantees own it.
std::vector<std::string_view> refused_librdkafka_properties();

// The name a stream's topic gets.
std::string effective_topic(const connector::source::StreamOptions& stream, const Config& config);

}  // namespace config
