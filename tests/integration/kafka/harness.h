#pragma once

// Publishers against a real broker, driven from the test's own thread: one io_context, every wait with a bound, pages with
// countable keys, and a read_committed reader that tells what is really visible.

#include "common/clock.h"
#include "connector/kafka/publisher.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/recording_metrics.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tests::integration {

using connector::core::Lane;
using connector::core::PageGroup;
using connector::core::SourcePartition;
using connector::core::StreamName;

inline constexpr std::chrono::seconds kPatience{60};

struct VisibleRecord {
  std::string key;
  std::string value;
  bool tombstone = false;
  std::map<std::string, std::string> headers;
  std::int64_t timestamp = 0;
  std::int64_t offset = 0;
  int partition = 0;
};

using Properties = std::map<std::string, std::string>;

// Everything committed in the topic now, by partition and offset; empty if the topic is missing.
std::vector<VisibleRecord> read_committed(const std::string& bootstrap, const std::string& topic, const Properties& more = {});

void make_topic(const std::string& bootstrap, const std::string& topic, int partitions, const Properties& config = {},
                const Properties& more = {});
void delete_topic(const std::string& bootstrap, const std::string& topic, const Properties& more = {});
// Allows `operation` (librdkafka's number) on a topic or transactional id to `principal`.
void allow(const std::string& bootstrap, int resource_type, const std::string& resource, int operation,
           const std::string& principal, const Properties& more);
// Topics of connector `name` made by an administrator, and nothing allowed to `principal` beyond what docs/kafka.md lists.
void make_topics_and_grant_least(const std::string& bootstrap, const std::string& name, const std::string& principal,
                                 const Properties& admin);
void set_topic_config(const std::string& bootstrap, const std::string& topic, const std::string& property,
                      const std::string& value, const Properties& more = {});

// Window `number` of a lane, a minute long.
common::Interval window(std::uint64_t number);
// One page that opens and completes window `number` and holds the records `first` … `first + count - 1`: keys "k-<n>".
PageGroup page(const StreamName& stream, std::uint64_t number, std::uint64_t first, std::uint64_t count,
               std::size_t value_bytes = 200);
std::string key_of(std::uint64_t record);

class Loop {
 public:
  boost::asio::io_context io;

  // Runs the loop until `done()`; false after `bound`.
  bool until(const std::function<bool()>& done, std::chrono::milliseconds bound = kPatience);

  template <class T>
  T wait(boost::asio::awaitable<T> operation, std::chrono::milliseconds bound = kPatience) {
    std::optional<T> result;
    boost::asio::co_spawn(io, std::move(operation), [&result](const std::exception_ptr& failure, T value) {
      if (failure) std::rethrow_exception(failure);
      result = std::move(value);
    });
    if (!until([&] { return result.has_value(); }, bound)) throw std::runtime_error("an operation did not end within its bound");
    return std::move(*result);
  }
  void wait(boost::asio::awaitable<void> operation, std::chrono::milliseconds bound = kPatience);
};

struct InstanceOptions {
  std::string name;
  std::vector<std::string> streams{"conversations"};
  connector::kafka::KafkaOptions kafka;
  connector::core::DeadLetterRules dead_letters;  // of every stream
  connector::kafka::PublisherTuning tuning;
  connector::kafka::ProducerFactory factory;
  std::uint64_t seed = 1;
};

// One connector instance's publisher.
class Instance {
 public:
  Instance(Loop& loop, InstanceOptions options);
  // Stops the publisher if the test did not, so that nothing outlives the loop.
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  common::Result<connector::kafka::RestoredState> start(std::chrono::milliseconds bound = kPatience);
  // start(), a first ledger for every stream's live lane, and run() in the background.
  void start_and_run();
  void run();
  common::Result<void> submit(PageGroup group) { return loop_.wait(publisher->submit(std::move(group))); }
  common::Result<void> flush(const std::string& stream = "conversations") { return loop_.wait(publisher->flush(live(stream))); }
  // Pages of `per_page` records from `next_record` on, submitted and left to the publisher.
  void submit_pages(std::uint64_t pages, std::uint64_t per_page, std::size_t value_bytes = 200,
                    const std::string& stream = "conversations");
  void stop(std::chrono::milliseconds patience = std::chrono::seconds{20});
  [[nodiscard]] bool ended() const { return result.has_value(); }

  static SourcePartition live(const std::string& stream) { return {.stream = StreamName{stream}, .lane = Lane::kLive}; }
  [[nodiscard]] std::string topic(const std::string& stream = "conversations") const { return options_.name + "." + stream; }
  [[nodiscard]] std::string offsets_topic() const { return options_.name + "-offsets"; }
  [[nodiscard]] std::string dead_letter_topic() const { return options_.name + "-dead-letters"; }
  [[nodiscard]] std::string progress_topic() const { return options_.name + "-progress"; }
  [[nodiscard]] std::string log() const;

  tests::support::RecordingMetrics metrics;
  std::unique_ptr<connector::kafka::KafkaPublisher> publisher;
  std::optional<common::Result<void>> result;  // of run()
  std::uint64_t next_window = 0;
  std::uint64_t next_record = 0;

 private:
  Loop& loop_;
  InstanceOptions options_;
  common::SystemClock clock_;
  struct Lines {
    std::mutex mutex;
    std::string text;
  };
  std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();  // librdkafka's threads write to it too
  bool running_ = false;
};

// Progress is not written, so that the transactions are those of the test's pages alone.
InstanceOptions plain_options(const tests::support::KafkaBroker& broker);

// Every record 0 … count-1 exactly once in the topic.
void expect_each_once(const std::string& bootstrap, const std::string& topic, std::uint64_t count, const Properties& more = {});
// The ledger that is visible for the stream's live lane, if any.
std::optional<connector::core::Ledger> visible_ledger(const std::string& bootstrap, const std::string& offsets_topic,
                                                      const std::string& stream = "conversations", const Properties& more = {});

}  // namespace tests::integration
