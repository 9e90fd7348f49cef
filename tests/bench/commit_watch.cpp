// Tells when a read_committed reader sees each entry of a connector's offsets topic, which becomes visible together with the
// records it speaks of: one line of JSON each, with the monotonic clock. The topic is small, so that watching costs the measured
// run nothing. Ends on SIGTERM.

#include "common/json.h"

#include <librdkafka/rdkafka.h>
#include <CLI/CLI.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tests::bench {
namespace {

volatile std::sig_atomic_t stopped = 0;

void on_signal(int /*number*/) {
  stopped = 1;
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
using Topic = std::unique_ptr<rd_kafka_topic_t, Release<rd_kafka_topic_destroy>>;
using Partitions = std::unique_ptr<rd_kafka_topic_partition_list_t, Release<rd_kafka_topic_partition_list_destroy>>;

Consumer make_consumer(const std::string& bootstrap) {
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"bootstrap.servers", bootstrap},
                                    {"group.id", "commit-watch"},
                                    {"isolation.level", "read_committed"},
                                    {"enable.auto.commit", "false"},
                                    {"auto.offset.reset", "earliest"},
                                    {"fetch.wait.max.ms", "10"},  // a fetch that waits does not see a commit at once
                                    {"log_level", "0"}}) {
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

bool exists(rd_kafka_t* consumer, const std::string& topic) {
  const Topic handle(rd_kafka_topic_new(consumer, topic.c_str(), nullptr));
  const struct rd_kafka_metadata* metadata = nullptr;
  if (rd_kafka_metadata(consumer, 0, handle.get(), &metadata, 1'000) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  const bool found = metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
                     metadata->topics[0].partition_cnt > 0 && metadata->topics[0].partitions[0].leader >= 0;
  rd_kafka_metadata_destroy(metadata);
  return found;
}

int run(const std::string& bootstrap, const std::string& topic) {
  const Consumer consumer = make_consumer(bootstrap);
  // Assigned before it exists, a topic would be looked for again only now and then.
  while (stopped == 0 && !exists(consumer.get(), topic)) const Message served(rd_kafka_consumer_poll(consumer.get(), 10));
  const Partitions partitions(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(partitions.get(), topic.c_str(), 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
  if (const auto error = rd_kafka_assign(consumer.get(), partitions.get())) throw std::runtime_error(rd_kafka_err2str(error));
  while (stopped == 0) {
    const Message message(rd_kafka_consumer_poll(consumer.get(), 50));
    if (!message || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const std::string_view key{static_cast<const char*>(message->key), message->key_len};
    const std::string_view value{static_cast<const char*>(message->payload), message->len};
    std::cout << common::json::serialize(common::json::Object{
                     {"seconds", std::chrono::duration<double>(now).count()}, {"key", key}, {"value", value}})
              << '\n'
              << std::flush;
  }
  return 0;
}

}  // namespace
}  // namespace tests::bench

int main(int argc, char** argv) {
  std::string bootstrap;
  std::string topic;
  CLI::App app{"Prints what becomes visible in an offsets topic, and when."};
  app.add_option("--bootstrap", bootstrap)->required();
  app.add_option("topic", topic)->required();
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGTERM, tests::bench::on_signal);
  std::signal(SIGINT, tests::bench::on_signal);
  try {
    return tests::bench::run(bootstrap, topic);
  } catch (const std::exception& error) {
    std::cerr << "commit_watch: " << error.what() << '\n';
    return 1;
  }
}
