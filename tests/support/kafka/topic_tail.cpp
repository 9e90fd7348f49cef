// Shows what stands in topics as a read_committed consumer sees it: `topic_tail follow` prints records as they come, `topic_tail
// count` reads to the end and counts. For the demo and for people; keeps nothing but the keys it counts, joins no consumer group.

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCallTimeoutMs = 5'000;
constexpr int kPollMs = 100;
constexpr std::size_t kShownBytes = 600;

volatile std::sig_atomic_t interrupted = 0;

void on_signal(int /*number*/) {
  interrupted = 1;
}

template <auto Function>
struct Release {
  template <class T>
  void operator()(T* pointer) const {
    Function(pointer);
  }
};
using Consumer = std::unique_ptr<rd_kafka_t, Release<rd_kafka_destroy>>;
using Message = std::unique_ptr<rd_kafka_message_t, Release<rd_kafka_message_destroy>>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, Release<rd_kafka_topic_partition_list_destroy>>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, Release<rd_kafka_topic_destroy>>;

struct Options {
  std::string bootstrap;
  std::vector<std::string> properties;
  std::vector<std::string> topics;
  std::chrono::seconds wait{60};
  int per_second = 5;
  std::vector<std::string> headers;  // shown; empty: all
};

Consumer make_consumer(const Options& options) {
  std::array<char, 512> error{};
  std::vector<std::pair<std::string, std::string>> settings = {
      {"bootstrap.servers", options.bootstrap}, {"group.id", "topic-tail"},
      {"isolation.level", "read_committed"},    {"enable.auto.commit", "false"},
      {"enable.partition.eof", "true"},         {"fetch.wait.max.ms", "50"},
      {"reconnect.backoff.max.ms", "500"},      {"log_level", "0"}};
  for (const std::string& property : options.properties) {
    const std::size_t equals = property.find('=');
    if (equals == std::string::npos) throw std::runtime_error("--property must be KEY=VALUE, not " + property);
    settings.emplace_back(property.substr(0, equals), property.substr(equals + 1));
  }
  rd_kafka_conf_t* configuration = rd_kafka_conf_new();
  for (const auto& [key, value] : settings) {
    if (rd_kafka_conf_set(configuration, key.c_str(), value.c_str(), error.data(), error.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(configuration);
      throw std::runtime_error(error.data());
    }
  }
  rd_kafka_t* handle = rd_kafka_new(RD_KAFKA_CONSUMER, configuration, error.data(), error.size());
  if (handle == nullptr) {
    rd_kafka_conf_destroy(configuration);
    throw std::runtime_error(error.data());
  }
  rd_kafka_poll_set_consumer(handle);
  return Consumer(handle);
}

// Its number of partitions; 0 while the topic does not exist or the broker does not answer.
int partition_count(rd_kafka_t* consumer, const std::string& topic) {
  const TopicHandle handle(rd_kafka_topic_new(consumer, topic.c_str(), nullptr));
  const struct rd_kafka_metadata* metadata = nullptr;
  if (rd_kafka_metadata(consumer, 0, handle.get(), &metadata, kCallTimeoutMs) != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;
  const int count = metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR  //
                        ? metadata->topics[0].partition_cnt
                        : 0;
  rd_kafka_metadata_destroy(metadata);
  return count;
}

using Partition = std::pair<std::string, std::int32_t>;

std::set<Partition> assign_from_the_beginning(rd_kafka_t* consumer, const Options& options) {
  const auto deadline = Clock::now() + options.wait;
  std::set<Partition> partitions;
  const PartitionList list(rd_kafka_topic_partition_list_new(8));
  for (const std::string& topic : options.topics) {
    int count = partition_count(consumer, topic);
    while (count == 0 && interrupted == 0 && Clock::now() < deadline) {
      const Message served(rd_kafka_consumer_poll(consumer, kPollMs));
      count = partition_count(consumer, topic);
    }
    if (count == 0) throw std::runtime_error(fmt::format("topic {} does not exist at {}", topic, options.bootstrap));
    for (std::int32_t number = 0; number < count; ++number) {
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), number)->offset = RD_KAFKA_OFFSET_BEGINNING;
      partitions.emplace(topic, number);
    }
  }
  const rd_kafka_resp_err_t error = rd_kafka_assign(consumer, list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(error));
  return partitions;
}

std::string_view key_of(const rd_kafka_message_t& message) {
  return {static_cast<const char*>(message.key), message.key_len};
}

std::string_view value_of(const rd_kafka_message_t& message) {
  return {static_cast<const char*>(message.payload), message.len};
}

std::string shorten(std::string_view text) {
  return text.size() <= kShownBytes ? std::string(text) : std::string(text.substr(0, kShownBytes)) + "…";
}

std::string format_headers(const rd_kafka_message_t& message, const std::vector<std::string>& wanted) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  std::string text;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t index = 0; rd_kafka_header_get_all(headers, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++index) {
    if (!wanted.empty() && std::ranges::find(wanted, name) == wanted.end()) continue;
    text += fmt::format(" {}={}", name, std::string_view(static_cast<const char*>(value), size));
  }
  return text;
}

void print(const rd_kafka_message_t& message, const std::vector<std::string>& wanted_headers) {
  const char* topic = rd_kafka_topic_name(message.rkt);
  const std::string headers = format_headers(message, wanted_headers);
  // What has headers is a record, too large to show; what has none is an entry of a state topic.
  fmt::print("{}/{}@{} {} {}\n", topic, message.partition, message.offset, key_of(message),
             headers.empty() ? shorten(value_of(message)) : fmt::format("{} bytes{}", message.len, headers));
}

void check(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR || message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return;
  // These librdkafka mends by itself.
  if (message.err == RD_KAFKA_RESP_ERR__TRANSPORT || message.err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) return;
  throw std::runtime_error(rd_kafka_message_errstr(&message));
}

int follow(const Options& options) {
  const Consumer consumer = make_consumer(options);
  assign_from_the_beginning(consumer.get(), options);
  auto second_ends = Clock::now() + std::chrono::seconds(1);
  std::map<std::string, int> shown;  // in this second, by topic, so that a busy topic does not hide a quiet one
  std::uint64_t hidden = 0;
  while (interrupted == 0) {
    const Message message(rd_kafka_consumer_poll(consumer.get(), kPollMs));
    if (Clock::now() >= second_ends) {
      if (hidden > 0) fmt::print("… and {} more\n", hidden);
      std::fflush(stdout);
      hidden = 0;
      shown.clear();
      second_ends = Clock::now() + std::chrono::seconds(1);
    }
    if (!message) continue;
    check(*message);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (shown[rd_kafka_topic_name(message->rkt)]++ < options.per_second) {
      print(*message, options.headers);
      std::fflush(stdout);
    } else {
      ++hidden;
    }
  }
  return 0;
}

struct Count {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::unordered_set<std::string> keys;
};

int count(const Options& options) {
  const Consumer consumer = make_consumer(options);
  std::set<Partition> unfinished = assign_from_the_beginning(consumer.get(), options);
  std::map<std::string, Count> counts;
  auto deadline = Clock::now() + options.wait;
  while (!unfinished.empty()) {
    if (interrupted != 0) return 7;
    if (Clock::now() >= deadline) throw std::runtime_error("nothing was heard from the broker for too long");
    const Message message(rd_kafka_consumer_poll(consumer.get(), kPollMs));
    if (!message) continue;
    check(*message);
    const std::string topic = rd_kafka_topic_name(message->rkt);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      unfinished.erase({topic, message->partition});
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      deadline = Clock::now() + options.wait;
      Count& of_topic = counts[topic];
      ++of_topic.records;
      of_topic.bytes += message->len;
      of_topic.keys.emplace(key_of(*message));
    }
  }
  for (const std::string& topic : options.topics) {
    const Count& of_topic = counts[topic];
    fmt::print("{} records={} keys={} bytes={}\n", topic, of_topic.records, of_topic.keys.size(), of_topic.bytes);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  long wait_seconds = options.wait.count();
  CLI::App application("Shows what a read_committed consumer sees in topics, from their beginning.");
  application.require_subcommand(1);
  application.add_option("--bootstrap", options.bootstrap, "host:port of a broker")->required();
  application.add_option("--property", options.properties, "KEY=VALUE for librdkafka; repeatable");
  application.add_option("--wait", wait_seconds, "seconds to wait for a topic to exist, and for the broker to say something");
  CLI::App* follow_verb = application.add_subcommand("follow", "prints records as they come, until interrupted");
  follow_verb->add_option("--per-second", options.per_second, "lines shown a second and topic; the rest is counted");
  follow_verb->add_option("--header", options.headers, "a header to show; repeatable; without: all")->allow_extra_args(false);
  follow_verb->add_option("topics", options.topics)->required();
  CLI::App* count_verb = application.add_subcommand("count", "reads to the end; one line a topic: NAME records=N keys=N bytes=N");
  count_verb->add_option("topics", options.topics)->required();
  CLI11_PARSE(application, argc, argv);
  options.wait = std::chrono::seconds(wait_seconds);

  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  try {
    return follow_verb->parsed() ? follow(options) : count(options);
  } catch (const std::exception& error) {
    if (interrupted != 0) return 0;
    fmt::print(stderr, "topic_tail: {}\n", error.what());
    return 1;
  }
}
