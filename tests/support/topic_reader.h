#pragma once

// Reads a topic as a consumer with isolation.level=read_committed sees it, from its beginning to its end as of the call. For
// tests that prove what came through; joins no group and commits nothing.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tests::support {

struct TopicRecord {
  int partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;  // nothing: a tombstone
  std::map<std::string, std::string> headers;
};

struct TopicReaderOptions {
  std::string bootstrap;
  std::map<std::string, std::string> properties;  // librdkafka's: security and the like
  std::chrono::milliseconds timeout{30'000};
};

// Throws std::runtime_error when the topic does not exist or its end (the high watermark of each partition when called) is not
// reached in time: an open transaction hides what lies behind it.
void for_each_record(const TopicReaderOptions& options, const std::string& topic, const std::function<void(TopicRecord)>& visit);
std::vector<TopicRecord> read_topic(const TopicReaderOptions& options, const std::string& topic);
// Whether no transaction is open, or ended without its markers yet, in any partition of the topic.
bool has_no_open_transaction(const TopicReaderOptions& options, const std::string& topic);
// The latest value of every key, tombstones left out: what a compacted topic holds.
std::map<std::string, std::string> read_compacted(const TopicReaderOptions& options, const std::string& topic);

}  // namespace tests::support
