// The floor of writing: a bare idempotent librdkafka producer, its default batching, no copies, no transaction, no headers, sends
// the records of one saved page again and again under new keys. Prints one line of JSON.

#include "common/json.h"
#include "connector/source/page_slicer.h"
#include "tests/bench/resources.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <CLI/CLI.hpp>

#include <array>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace tests::bench {
namespace {

struct Options {
  std::string bootstrap;
  std::string topic;
  std::string page;
  int partitions = 1;
  std::uint64_t records = 100'000;
};

template <auto Function>
struct Release {
  template <class T>
  void operator()(T* pointer) const {
    Function(pointer);
  }
};
using Producer = std::unique_ptr<rd_kafka_t, Release<rd_kafka_destroy>>;
using Topic = std::unique_ptr<rd_kafka_topic_t, Release<rd_kafka_topic_destroy>>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Release<rd_kafka_NewTopic_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Release<rd_kafka_queue_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Release<rd_kafka_event_destroy>>;

std::uint64_t failed = 0;

void on_delivery(rd_kafka_t* /*handle*/, const rd_kafka_message_t* message, void* /*opaque*/) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++failed;
}

Producer make_producer(const Options& options) {
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"bootstrap.servers", options.bootstrap},
                                    {"enable.idempotence", "true"},
                                    {"partitioner", "murmur2_random"}}) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      throw std::runtime_error(error.data());
    }
  }
  rd_kafka_conf_set_dr_msg_cb(conf, &on_delivery);
  Producer producer(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size()));
  if (!producer) {
    rd_kafka_conf_destroy(conf);
    throw std::runtime_error(error.data());
  }
  return producer;
}

void make_topic(rd_kafka_t* producer, const Options& options) {
  std::array<char, 512> error{};
  const NewTopic topic(rd_kafka_NewTopic_new(options.topic.c_str(), options.partitions, 1, error.data(), error.size()));
  if (!topic) throw std::runtime_error(error.data());
  const Queue queue(rd_kafka_queue_new(producer));
  rd_kafka_NewTopic_t* wanted = topic.get();
  rd_kafka_CreateTopics(producer, &wanted, 1, nullptr, queue.get());
  const Event event(rd_kafka_queue_poll(queue.get(), 30'000));
  if (!event) throw std::runtime_error("no answer to the creation of " + options.topic);
  std::size_t count = 0;
  const auto** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1 || rd_kafka_topic_result_error(results[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::runtime_error("topic " + options.topic + " could not be made");
  }
  // Its leader must be known before the clock starts.
  const Topic handle(rd_kafka_topic_new(producer, options.topic.c_str(), nullptr));
  for (int tries = 0; tries < 100; ++tries) {
    const struct rd_kafka_metadata* metadata = nullptr;
    if (rd_kafka_metadata(producer, 0, handle.get(), &metadata, 5'000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const bool ready = metadata->topic_cnt == 1 && metadata->topics[0].partition_cnt == options.partitions;
      rd_kafka_metadata_destroy(metadata);
      if (ready) return;
    }
    rd_kafka_poll(producer, 50);
  }
  throw std::runtime_error("topic " + options.topic + " has no leader");
}

int run(const Options& options) {
  std::ifstream file(options.page, std::ios::binary);
  std::string body((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  connector::source::PageSlicer slicer;
  connector::source::SlicedPage page;
  if (auto cut = slicer.slice({.records = "/conversations", .key = "/conversationId"}, body, page);
      !cut || page.records.empty()) {
    throw std::runtime_error("no records in " + options.page);
  }
  // The library copies keys into its messages only when told to copy all: they must stay.
  std::vector<std::string> keys;
  keys.reserve(options.records);
  for (std::uint64_t i = 0; i < options.records; ++i)
    keys.push_back(fmt::format("{:08x}-0000-4000-8000-{:012x}", i * 2654435761U, i));

  const Producer producer = make_producer(options);
  make_topic(producer.get(), options);
  const Topic topic(rd_kafka_topic_new(producer.get(), options.topic.c_str(), nullptr));
  const double cpu_before = cpu_seconds();
  const Stopwatch watch;
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 0; i < options.records; ++i) {
    const auto& record = page.records[i % page.records.size()];
    bytes += record.value.size();
    // Neither copied nor freed, and not written to.
    while (rd_kafka_produce(topic.get(), RD_KAFKA_PARTITION_UA, 0, const_cast<char*>(record.value.data()), record.value.size(),
                            keys[i].data(), keys[i].size(), nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        throw std::runtime_error(rd_kafka_err2str(rd_kafka_last_error()));
      rd_kafka_poll(producer.get(), 10);
    }
    rd_kafka_poll(producer.get(), 0);
  }
  while (rd_kafka_flush(producer.get(), 1'000) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
  }
  const double seconds = watch.seconds();
  if (failed > 0) throw std::runtime_error(std::to_string(failed) + " records were not delivered");
  std::cout << common::json::serialize(common::json::Object{{"seconds", seconds},
                                                            {"cpu_seconds", cpu_seconds() - cpu_before},
                                                            {"peak_kib", peak_kib()},
                                                            {"records", options.records},
                                                            {"bytes", bytes}})
            << '\n';
  return 0;
}

}  // namespace
}  // namespace tests::bench

int main(int argc, char** argv) {
  tests::bench::Options options;
  CLI::App app{"Sends the records of a saved page with a bare librdkafka producer."};
  app.add_option("--bootstrap", options.bootstrap)->required();
  app.add_option("--topic", options.topic, "is made; must not exist")->required();
  app.add_option("--page", options.page, "a page of the job or the query, as download_floor saves it")->required();
  app.add_option("--partitions", options.partitions)->check(CLI::PositiveNumber);
  app.add_option("--records", options.records)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    return tests::bench::run(options);
  } catch (const std::exception& error) {
    std::cerr << "producer_floor: " << error.what() << '\n';
    return 1;
  }
}
