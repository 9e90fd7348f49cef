#include "tests/support/topic_reader.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <utility>

namespace tests::support {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kCallMs = 5'000;
constexpr int kPollMs = 100;

template <auto Function>
struct Release {
  template <class T>
  void operator()(T* pointer) const {
    Function(pointer);
  }
};
using Consumer = std::unique_ptr<rd_kafka_t, Release<rd_kafka_destroy>>;
using Message = std::unique_ptr<rd_kafka_message_t, Release<rd_kafka_message_destroy>>;
using Partitions = std::unique_ptr<rd_kafka_topic_partition_list_t, Release<rd_kafka_topic_partition_list_destroy>>;

Consumer make_consumer(const TopicReaderOptions& options, const std::string& isolation) {
  std::map<std::string, std::string> settings = options.properties;
  settings["bootstrap.servers"] = options.bootstrap;
  settings["group.id"] = "topic-reader";
  settings["isolation.level"] = isolation;
  settings["enable.auto.commit"] = "false";
  settings["enable.partition.eof"] = "true";
  settings["fetch.wait.max.ms"] = "10";
  settings["auto.offset.reset"] = "earliest";
  settings["log_level"] = "2";
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      throw std::runtime_error(error.data());
    }
  }
  Consumer consumer(rd_kafka_new(RD_KAFKA_CONSUMER, conf, error.data(), error.size()));
  if (!consumer) {
    rd_kafka_conf_destroy(conf);
    throw std::runtime_error(error.data());
  }
  rd_kafka_poll_set_consumer(consumer.get());
  return consumer;
}

int partition_count(rd_kafka_t* consumer, const std::string& topic) {
  const std::unique_ptr<rd_kafka_topic_t, Release<rd_kafka_topic_destroy>> handle(
      rd_kafka_topic_new(consumer, topic.c_str(), nullptr));
  const struct rd_kafka_metadata* raw = nullptr;
  const auto error = rd_kafka_metadata(consumer, 0, handle.get(), &raw, kCallMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error("metadata of " + topic + ": " + rd_kafka_err2str(error));
  const std::unique_ptr<const struct rd_kafka_metadata, Release<rd_kafka_metadata_destroy>> metadata(raw);
  if (metadata->topic_cnt != 1 || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::runtime_error("topic " + topic + ": " + rd_kafka_err2str(metadata->topics[0].err));
  }
  return metadata->topics[0].partition_cnt;
}

// The end of each partition: the real one with read_uncommitted, that of what no open transaction hides with read_committed.
std::vector<std::int64_t> ends_of(const TopicReaderOptions& options, const std::string& topic, const std::string& isolation) {
  const Consumer consumer = make_consumer(options, isolation);
  std::vector<std::int64_t> ends;
  const int count = partition_count(consumer.get(), topic);
  for (int partition = 0; partition < count; ++partition) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto error = rd_kafka_query_watermark_offsets(consumer.get(), topic.c_str(), partition, &low, &high, kCallMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error("watermarks of " + topic + ": " + rd_kafka_err2str(error));
    ends.push_back(low == high ? 0 : high);
  }
  return ends;
}

TopicRecord to_record(rd_kafka_message_t* message) {
  TopicRecord record{.partition = message->partition, .offset = message->offset, .key = {}, .value = {}, .headers = {}};
  rd_kafka_timestamp_type_t type{};
  record.timestamp_ms = rd_kafka_message_timestamp(message, &type);
  if (message->key != nullptr) record.key.emplace(static_cast<const char*>(message->key), message->key_len);
  if (message->payload != nullptr) record.value.emplace(static_cast<const char*>(message->payload), message->len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      record.headers.emplace(name, std::string(static_cast<const char*>(value), size));
    }
  }
  return record;
}

}  // namespace

void for_each_record(const TopicReaderOptions& options, const std::string& topic, const std::function<void(TopicRecord)>& visit) {
  const auto ends = ends_of(options, topic, "read_uncommitted");
  const Consumer consumer = make_consumer(options, "read_committed");
  const Partitions assignment(rd_kafka_topic_partition_list_new(static_cast<int>(ends.size())));
  std::size_t unfinished = 0;
  std::vector<bool> finished(ends.size(), false);
  for (std::size_t partition = 0; partition < ends.size(); ++partition) {
    if (ends[partition] == 0) {
      finished[partition] = true;
      continue;
    }
    ++unfinished;
    rd_kafka_topic_partition_list_add(assignment.get(), topic.c_str(), static_cast<std::int32_t>(partition))->offset =
        RD_KAFKA_OFFSET_BEGINNING;
  }
  if (unfinished == 0) return;
  rd_kafka_assign(consumer.get(), assignment.get());

  const auto deadline = Clock::now() + options.timeout;
  const auto reached = [&](std::size_t partition, std::int64_t next) {
    if (next < ends[partition] || finished[partition]) return;
    finished[partition] = true;
    --unfinished;
  };
  while (unfinished > 0) {
    if (Clock::now() > deadline)
      throw std::runtime_error("topic " + topic + " was not read to its end in time (an open transaction?)");
    const Message message(rd_kafka_consumer_poll(consumer.get(), kPollMs));
    if (!message) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      reached(static_cast<std::size_t>(message->partition), message->offset);
      continue;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;  // connection trouble: the deadline decides
    const auto partition = static_cast<std::size_t>(message->partition);
    if (message->offset < ends[partition]) visit(to_record(message.get()));
    reached(partition, message->offset + 1);
  }
}

std::vector<TopicRecord> read_topic(const TopicReaderOptions& options, const std::string& topic) {
  std::vector<TopicRecord> records;
  for_each_record(options, topic, [&records](TopicRecord record) { records.push_back(std::move(record)); });
  return records;
}

bool has_no_open_transaction(const TopicReaderOptions& options, const std::string& topic) {
  return ends_of(options, topic, "read_committed") == ends_of(options, topic, "read_uncommitted");
}

std::map<std::string, std::string> read_compacted(const TopicReaderOptions& options, const std::string& topic) {
  std::map<std::string, std::string> latest;
  for_each_record(options, topic, [&latest](TopicRecord record) {
    const std::string key = record.key.value_or("");
    if (record.value) {
      latest[key] = std::move(*record.value);
    } else {
      latest.erase(key);
    }
  });
  return latest;
}

}  // namespace tests::support
