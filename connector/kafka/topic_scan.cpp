#include "connector/kafka/topic_scan.h"

#include "connector/kafka/admin_call.h"
#include "connector/kafka/client.h"
#include "connector/kafka/conf.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace connector::kafka {

using common::ErrorCode;
using common::Result;

namespace {

constexpr int kCallMs = 10'000;
constexpr common::Duration kSlice{100};

// A partition between the offset it is read from and its end as of the beginning.
struct Part {
  std::int64_t position = 0;
  std::int64_t end = 0;
};

common::Error with_remedy(rd_kafka_resp_err_t code, const std::string& doing, const std::string& topic,
                          std::string_view detail = {}) {
  common::Error error = to_error(code, doing, detail);
  if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
    error.code = ErrorCode::kPermissionDenied;
    error.message += "; allow Read on topic " + topic + " to the connector's principal";
  }
  if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
    error.code = ErrorCode::kTopicUnusable;
  }
  return error;
}

Result<std::int32_t> count_partitions(rd_kafka_t* handle, rd_kafka_topic_t* topic, const std::string& name,
                                      const std::string& doing) {
  const struct rd_kafka_metadata* raw = nullptr;
  if (const auto code = rd_kafka_metadata(handle, 0, topic, &raw, kCallMs)) return common::fail(with_remedy(code, doing, name));
  const MetadataHandle metadata{raw};
  if (metadata->topic_cnt != 1) return common::fail(ErrorCode::kRetryable, doing + ": no answer");
  if (const auto code = metadata->topics[0].err) return common::fail(with_remedy(code, doing, name));
  return metadata->topics[0].partition_cnt;
}

// Where each partition ends, with open transactions: what is committed by now lies before it.
Result<void> find_ends(rd_kafka_t* handle, const std::string& topic, const std::string& doing, const std::atomic<bool>& stop,
                       std::vector<Part>& parts) {
  const PartitionListHandle asked{rd_kafka_topic_partition_list_new(static_cast<int>(parts.size()))};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    rd_kafka_topic_partition_list_add(asked.get(), topic.c_str(), static_cast<std::int32_t>(i))->offset =
        RD_KAFKA_OFFSET_SPEC_LATEST;
  }
  auto event = admin_call(
      handle, RD_KAFKA_ADMIN_OP_LISTOFFSETS, doing, common::Duration{kCallMs}, stop,
      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        const ErrorHandle error{rd_kafka_AdminOptions_set_isolation_level(options, RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED)};
        rd_kafka_ListOffsets(handle, asked.get(), options, queue);
      });
  if (!event) return common::fail(event.error());
  std::size_t count = 0;
  const auto* const* infos = rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event->get()), &count);
  if (count != parts.size()) return common::fail(ErrorCode::kRetryable, doing + ": not every partition was answered for");
  for (std::size_t i = 0; i < count; ++i) {
    const auto* answer = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
    if (answer->err != RD_KAFKA_RESP_ERR_NO_ERROR) return common::fail(with_remedy(answer->err, doing, topic));
    parts[static_cast<std::size_t>(answer->partition)].end = answer->offset;
  }
  return {};
}

Result<void> find_starts(rd_kafka_t* handle, const std::string& topic, const std::string& doing,
                         std::optional<common::Instant> from, std::vector<Part>& parts) {
  const PartitionListHandle asked{rd_kafka_topic_partition_list_new(static_cast<int>(parts.size()))};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto partition = static_cast<std::int32_t>(i);
    std::int64_t high = 0;
    if (const auto code =
            rd_kafka_query_watermark_offsets(handle, topic.c_str(), partition, &parts[i].position, &high, kCallMs)) {
      return common::fail(with_remedy(code, doing, topic));
    }
    if (from) {
      rd_kafka_topic_partition_list_add(asked.get(), topic.c_str(), partition)->offset = from->time_since_epoch().count();
    }
  }
  if (!from) return {};
  if (const auto code = rd_kafka_offsets_for_times(handle, asked.get(), kCallMs)) {
    return common::fail(with_remedy(code, doing, topic));
  }
  for (int i = 0; i < asked->cnt; ++i) {
    const rd_kafka_topic_partition_t& answer = asked->elems[i];
    if (answer.err != RD_KAFKA_RESP_ERR_NO_ERROR) return common::fail(with_remedy(answer.err, doing, topic));
    Part& part = parts[static_cast<std::size_t>(answer.partition)];
    part.position = answer.offset < 0 ? part.end : std::max(part.position, answer.offset);  // negative: nothing so young
  }
  return {};
}

// Ends the fetchers before the topic handle and the queue go.
class Consumption {
 public:
  Consumption(rd_kafka_topic_t* topic, rd_kafka_queue_t* queue) : topic_(topic), queue_(queue) {}
  ~Consumption() {
    for (const std::int32_t partition : begun_) rd_kafka_consume_stop(topic_, partition);
  }
  Consumption(const Consumption&) = delete;
  Consumption& operator=(const Consumption&) = delete;

  bool begin(std::int32_t partition, std::int64_t offset) {
    if (rd_kafka_consume_start_queue(topic_, partition, offset, queue_) != 0) return false;
    begun_.push_back(partition);
    return true;
  }
  void end(std::int32_t partition) {
    if (std::erase(begun_, partition) != 0) rd_kafka_consume_stop(topic_, partition);
  }

 private:
  rd_kafka_topic_t* topic_;
  rd_kafka_queue_t* queue_;
  std::vector<std::int32_t> begun_;
};

}  // namespace

Result<ScanFigures> scan_topic(const KafkaOptions& options, const core::ConnectorName& name, const std::string& topic_name,
                               std::optional<common::Instant> from, common::Logger logger, common::Duration silence,
                               const std::atomic<bool>& stop, const TakeMessage& take) {
  const std::string doing = "reading topic " + topic_name;
  auto conf = make_conf(options, {.role = ClientRole::kReader, .name = name});
  if (!conf) return common::fail(conf.error());
  // Of each partition: a topic may have many.
  if (rd_kafka_conf_set(conf->get(), "queued.max.messages.kbytes", "4096", nullptr, 0) != RD_KAFKA_CONF_OK) {
    return common::fail(ErrorCode::kInternal, "queued.max.messages.kbytes cannot be set");
  }
  auto client = Client::create(RD_KAFKA_CONSUMER, std::move(*conf), std::move(logger));
  if (!client) return common::fail(client.error());
  rd_kafka_t* handle = (*client)->get();
  const TopicHandle topic{rd_kafka_topic_new(handle, topic_name.c_str(), nullptr)};

  const auto partitions = count_partitions(handle, topic.get(), topic_name, doing);
  if (!partitions) {
    if (auto trouble = (*client)->take_trouble()) return common::fail(partitions.error().code, doing + ": " + *trouble);
    return common::fail(partitions.error());
  }
  std::vector<Part> parts(static_cast<std::size_t>(*partitions));
  if (auto found = find_ends(handle, topic_name, doing, stop, parts); !found) return common::fail(found.error());
  if (auto found = find_starts(handle, topic_name, doing, from, parts); !found) return common::fail(found.error());

  const QueueHandle queue{rd_kafka_queue_new(handle)};
  Consumption consumption{topic.get(), queue.get()};
  std::size_t left = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].position >= parts[i].end) continue;
    if (!consumption.begin(static_cast<std::int32_t>(i), parts[i].position)) {
      return common::fail(to_error(rd_kafka_last_error(), doing));
    }
    ++left;
  }
  ScanFigures figures{.messages = 0, .partitions = *partitions};
  common::Duration silent{0};
  while (left > 0) {
    if (stop.load(std::memory_order_relaxed)) return common::fail(ErrorCode::kCancelled, doing + ": stopped");
    const MessageHandle message{rd_kafka_consume_queue(queue.get(), static_cast<int>(kSlice.count()))};
    const bool at_end = message && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (message && !at_end && message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return common::fail(with_remedy(message->err, doing, topic_name, rd_kafka_message_errstr(message.get())));
    }
    if (!message) {
      silent += kSlice;
      if (silent >= silence) {
        return common::fail(ErrorCode::kRetryable, doing + ": " + std::to_string(left) +
                                                       " partition(s) not read to their end; somebody's transaction is still "
                                                       "open, or no broker answers");
      }
      continue;
    }
    silent = common::Duration{0};
    Part& part = parts[static_cast<std::size_t>(message->partition)];
    if (part.position >= part.end) continue;  // behind the end: not asked for
    // At the last stable offset; it comes again when that moves.
    part.position = at_end ? message->offset : message->offset + 1;
    if (!at_end && message->offset < part.end) {
      ++figures.messages;
      take(*message);
    }
    if (part.position >= part.end) {
      consumption.end(message->partition);
      --left;
    }
  }
  return figures;
}

std::string_view header(const rd_kafka_message_t& message, const char* name) {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  if (rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR || value == nullptr) return {};
  return {static_cast<const char*>(value), size};
}

common::Instant read_at(const rd_kafka_message_t& message) {
  const auto told = common::parse_instant(header(message, "gk.read-at"));
  return told ? *told : common::Instant(common::Duration(rd_kafka_message_timestamp(&message, nullptr)));
}

}  // namespace connector::kafka
