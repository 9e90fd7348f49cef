// What a start costs when there is much to remember: the connector's own producer writes the digests of so many keys into the
// topic of a real broker, in transactions as large as those of a busy lane; then a publisher starts on them as after a kill.
// Prints one line of JSON.

#include "connector/core/digest/entry.h"
#include "connector/kafka/producer.h"
#include "tests/bench/resources.h"
#include "tests/bench/uuids.h"
#include "tests/integration/kafka/harness.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>

namespace tests::bench {
namespace {

namespace core = connector::core;
using integration::Instance;
using integration::InstanceOptions;
using integration::Loop;

constexpr std::chrono::minutes kBound{60};

struct Options {
  std::uint64_t keys = 1'000'000;
  std::uint64_t a_transaction = 5'000;
  double rewritten = 0.1;  // share of the keys whose entry stands twice in the topic, as it does before compaction
};

template <class T>
T must(common::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

core::DigestRecord record(Uuids& uuids, const core::StreamName& stream, std::uint64_t number, std::uint64_t salt) {
  constexpr std::int64_t kFirst = 1'777'885'923;
  const core::Second read_at{std::chrono::seconds(kFirst + static_cast<std::int64_t>(number / 10))};
  const core::DigestEntry entry{.state = core::DigestState::kSealed,
                                .common = (number + salt) * 0x9E3779B97F4A7C15U,
                                .full = (number + salt) * 0xBF58476D1CE4E5B9U,
                                .read_at = read_at,
                                .changed_at = read_at,
                                .home_day = std::chrono::floor<std::chrono::days>(read_at)};
  return {.key = core::digest_key(stream, uuids.at(number)), .value = entry.serialize()};
}

// A bounded attempt is made again until it is decided, as the publisher's machine does.
template <class Step>
void decided(Loop& loop, const Step& step) {
  for (;;) {
    const auto result = loop.wait(step(), kBound);
    if (result || result.error().code != common::ErrorCode::kRetryable) return must(result);
  }
}

// Of the task's own producer, whose next incarnation is the instance that starts.
void write(Loop& loop, const InstanceOptions& instance, const Options& options) {
  const core::StreamName stream{instance.streams.front()};
  const connector::kafka::ProducerSetup setup{.options = instance.kafka,
                                              .name = core::ConnectorName{instance.name},
                                              .partition = 0,
                                              .topics = {{stream, instance.name + "." + stream.str()}},
                                              .offsets_topic = instance.name + "-offsets",
                                              .digests_topic = instance.name + "-digests",
                                              .dead_letter_topic = instance.name + "-dead-letters",
                                              .progress_topic = {},
                                              .smallest_max_message_bytes = 1'000'000,
                                              .logger = {}};
  const auto producer = must(connector::kafka::make_producer(setup));
  decided(loop, [&] { return producer->init(); });
  const auto rewritten = static_cast<std::uint64_t>(static_cast<double>(options.keys) * options.rewritten);
  Uuids uuids;
  for (std::uint64_t first = 0; first < options.keys + rewritten; first += options.a_transaction) {
    core::TransactionBatch batch;
    batch.stream = stream;
    const std::uint64_t behind = std::min(first + options.a_transaction, options.keys + rewritten);
    for (std::uint64_t number = first; number < behind; ++number) {
      batch.digests.push_back(record(uuids, stream, number % options.keys, number / options.keys));
    }
    must(loop.wait(producer->begin(), kBound));
    must(loop.wait(producer->produce(batch), kBound));
    decided(loop, [&] { return producer->commit(); });
  }
  loop.wait(producer->close(), kBound);
}

int run(const Options& options) {
  const support::KafkaBroker broker;
  Loop loop;
  const InstanceOptions instance = integration::plain_options(broker);
  {
    Instance first(loop, instance);
    must(first.start(kBound));  // makes the topics, leaves its claim and mark
    first.run();
    first.stop();
  }
  const Stopwatch writing;
  write(loop, instance, options);
  const double written = writing.seconds();

  const long peak_before = peak_kib();
  const double cpu_before = cpu_seconds();
  const Stopwatch watch;
  Instance again(loop, instance);
  must(again.start(kBound));
  const double started = watch.seconds();
  const double cpu = cpu_seconds() - cpu_before;
  const core::DigestIndex& index = again.publisher->digests(core::StreamName{instance.streams.front()})->committed();
  if (index.size() != options.keys) throw std::runtime_error(fmt::format("{} keys were restored", index.size()));
  std::cout
      << fmt::format(
             R"({{"keys":{},"records":{},"written_seconds":{:.2f},"start_seconds":{:.2f},"cpu_seconds":{:.2f},"keys_a_second":{:.0f},"bytes_a_key":{:.1f},"peak_mib":{:.0f},"peak_mib_before":{:.0f}}})",
             options.keys, options.keys + static_cast<std::uint64_t>(static_cast<double>(options.keys) * options.rewritten),
             written, started, cpu, static_cast<double>(options.keys) / started,
             static_cast<double>(index.bytes()) / static_cast<double>(options.keys), static_cast<double>(peak_kib()) / 1024,
             static_cast<double>(peak_before) / 1024)
      << "\n";
  again.run();
  again.stop();
  return 0;
}

}  // namespace
}  // namespace tests::bench

int main(int argc, char** argv) {
  tests::bench::Options options;
  CLI::App app("A start with so many digests");
  app.add_option("--keys", options.keys, "Keys to remember");
  app.add_option("--transaction", options.a_transaction, "Entries a transaction");
  app.add_option("--rewritten", options.rewritten, "Share of the keys that are in the topic twice");
  CLI11_PARSE(app, argc, argv);
  try {
    return tests::bench::run(options);
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << "\n";
    return 1;
  }
}
