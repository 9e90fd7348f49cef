#include "connector/kafka/partition_reader.h"

#include "connector/kafka/client.h"
#include "connector/kafka/conf.h"
#include "connector/kafka/error.h"
#include "connector/kafka/list_offsets.h"

#include <algorithm>
#include <utility>

namespace connector::kafka {

using common::ErrorCode;
using common::Result;

namespace {

// Counts the time spent in calls by their own timeouts: the adapter needs no clock.
class Patience {
 public:
  Patience(common::Duration whole, const std::atomic<bool>& stop) : left_(whole), stop_(stop) {}
  // Milliseconds for the next call, at most `slice`; 0 when nothing is left or stop was raised.
  int slice(common::Duration wanted) {
    const auto given = std::min(left_, wanted);
    left_ -= given;
    return stopped() ? 0 : static_cast<int>(given.count());
  }
  void give_back(common::Duration unused) { left_ += unused; }
  [[nodiscard]] bool stopped() const { return stop_.load(std::memory_order_relaxed); }

 private:
  common::Duration left_;
  const std::atomic<bool>& stop_;
};

// Ends the fetcher before the topic handle goes.
class Consumption {
 public:
  Consumption(rd_kafka_topic_t* topic, std::int32_t partition) : topic_(topic), partition_(partition) {}
  ~Consumption() { rd_kafka_consume_stop(topic_, partition_); }
  Consumption(const Consumption&) = delete;
  Consumption& operator=(const Consumption&) = delete;

 private:
  rd_kafka_topic_t* topic_;
  std::int32_t partition_;
};

common::Error refused_permission(common::Error error, const std::string& topic) {
  error.code = ErrorCode::kPermissionDenied;
  error.message += "; allow Read on topic " + topic + " to the connector's principal";
  return error;
}

}  // namespace

Result<void> read_partition(const KafkaOptions& options, const StateLocation& location, common::Logger logger,
                            common::Duration timeout, const std::atomic<bool>& stop, const TakeStored& take) {
  const std::string doing = "reading topic " + location.topic;
  auto conf = make_conf(options, {.role = ClientRole::kReader, .name = location.name});
  if (!conf) return common::fail(conf.error());
  auto client = Client::create(RD_KAFKA_CONSUMER, std::move(*conf), std::move(logger));
  if (!client) return common::fail(client.error());
  rd_kafka_t* handle = (*client)->get();
  Patience patience{timeout, stop};

  const auto ends = list_offsets(handle, location.topic, {location.partition}, TopicEdge::kEnd, timeout, stop);
  if (!ends) {
    if (ends.error().code == ErrorCode::kRetryable) {
      if (auto trouble = (*client)->take_trouble()) return common::fail(ErrorCode::kRetryable, doing + ": " + *trouble);
    }
    return common::fail(ends.error());
  }
  const std::int64_t end = ends->front();
  // Loads the metadata too: without it the first fetch waits half a second.
  std::int64_t low = 0;
  std::int64_t stable_end = 0;
  if (const auto code = rd_kafka_query_watermark_offsets(handle, location.topic.c_str(), location.partition, &low, &stable_end,
                                                         patience.slice(common::Duration{2'000}))) {
    const common::Error error = to_error(code, doing);
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) return common::fail(refused_permission(error, location.topic));
    return common::fail(error);
  }
  if (end <= low) return {};

  const TopicHandle topic{rd_kafka_topic_new(handle, location.topic.c_str(), nullptr)};
  if (rd_kafka_consume_start(topic.get(), location.partition, RD_KAFKA_OFFSET_BEGINNING) != 0) {
    return common::fail(to_error(rd_kafka_last_error(), doing));
  }
  const Consumption consumption{topic.get(), location.partition};
  std::int64_t position = low;
  while (position < end) {
    const int wait = patience.slice(common::Duration{100});
    if (patience.stopped()) return common::fail(ErrorCode::kCancelled, doing + ": stopped");
    if (wait == 0) {
      return common::fail(
          ErrorCode::kRetryable,
          doing + ": committed up to offset " + std::to_string(position) + " of " + std::to_string(end) +
              "; a transaction on it is still open. If it is so for longer than transaction.timeout.ms, look for it "
              "with kafka-transactions.sh find-hanging");
    }
    const MessageHandle message{rd_kafka_consume(topic.get(), location.partition, wait)};
    if (!message) continue;
    patience.give_back(common::Duration{wait});  // an answer came: only silence counts
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // At the last stable offset; it comes again when that moves.
      position = message->offset;
      continue;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const common::Error error = to_error(message->err, doing, rd_kafka_message_errstr(message.get()));
      if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        return common::fail(refused_permission(error, location.topic));
      }
      return common::fail(error);
    }
    position = message->offset + 1;
    if (message->key == nullptr) continue;
    const std::string_view key{static_cast<const char*>(message->key), message->key_len};
    const std::string_view value{static_cast<const char*>(message->payload), message->payload != nullptr ? message->len : 0};
    if (auto taken = take(key, message->payload != nullptr ? &value : nullptr); !taken) return taken;
  }
  return {};
}

}  // namespace connector::kafka
