#pragma once

// The publisher on a real Kafka: one task, one producer at a time, one transaction at a time. It takes whole groups from the
// lanes, puts those of one stream and the ledgers they move into a transaction, and survives what brokers do to it; what to do
// when is decided by core/transaction. Everything on the one executor; librdkafka's blocking calls run on the producer's thread.

#include "common/clock.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/ports/metrics.h"
#include "connector/core/ports/publisher.h"
#include "connector/core/task/claim.h"
#include "connector/core/task/task_state.h"
#include "connector/kafka/options.h"
#include "connector/kafka/producer.h"
#include "connector/kafka/stream_topic.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::kafka {

struct RestoredState {
  std::map<core::SourcePartition, core::Ledger> ledgers;  // every one found, of streams no longer configured too
  std::optional<core::Claim> previous;                    // the owner before us
  std::string cluster_id;
  std::map<core::StreamName, TopicFacts> topics;  // of streams that can run
};

// Waits that tests shorten.
struct PublisherTuning {
  common::Duration start_grace{30'000};         // how long a wrong password, certificate or name is retried at start
  common::Duration topic_check_every{30'000};   // topic ids and the password file
  common::Duration dead_letter_pause{600'000};  // until a stream stopped for its dead letters is tried again
  common::Duration progress_pause{60'000};      // until progress that could not be written is thought of again
  common::Duration backoff_first{100};
  common::Duration backoff_cap{5'000};
};

class KafkaPublisher final : public core::Publisher {
 public:
  // `clock` and `metrics` outlive it. `seed` feeds the jitter and the incarnation's id.
  KafkaPublisher(boost::asio::any_io_executor executor, core::ConnectorName name, KafkaOptions options,
                 std::vector<StreamTopic> streams, common::Clock& clock, core::Metrics& metrics, common::Logger logger,
                 std::uint64_t seed, ProducerFactory factory = {}, PublisherTuning tuning = {});
  ~KafkaPublisher() override;
  KafkaPublisher(const KafkaPublisher&) = delete;
  KafkaPublisher& operator=(const KafkaPublisher&) = delete;

  // Ensures topics, fences an older owner, reads back, claims. Waits and retries for as long as the brokers are down; what an
  // operator must mend ends it: kConfigInvalid (also a wrong password or certificate, after `start_grace`), kPermissionDenied,
  // kStateRefused, kFenced, kCancelled by stop().
  boost::asio::awaitable<common::Result<RestoredState>> start();
  // Publishes until stopped (no error) or until the task cannot go on (kFenced, kPermissionDenied, kStateRefused, kConfigInvalid,
  // kInternal). Call once, after start(). Cancellation is a stop without patience.
  boost::asio::awaitable<common::Result<void>> run();
  // Publishes what was submitted as far as `patience` allows, aborts the rest, gives the producer up. Returns within `patience`
  // plus about a second even if no broker answers. run() has ended then.
  boost::asio::awaitable<void> stop(common::Duration patience);

  // A first ledger for a source partition that has none; before its first submit.
  common::Result<void> adopt(const core::SourcePartition& source, core::Ledger initial);
  // Another ledger for a source partition; before its first submit, and stored with its next transaction. One that has read
  // nothing begins the stream's watermarks anew.
  void replace(const core::SourcePartition& source, core::Ledger ledger);
  // The service's clock, by which digests come to their end; the host's if nobody tells, and that may be wrong by months. Before
  // run().
  void tell_time_by(std::function<common::Instant()> service_now);
  // Why a stream is stopped alone; nothing while it runs.
  [[nodiscard]] std::optional<common::Error> stream_trouble(const core::StreamName& stream) const;
  // Looks at a stopped stream's topic again; on success submits are taken again.
  boost::asio::awaitable<common::Result<void>> reset_stream(core::StreamName stream);

  [[nodiscard]] core::TaskState state() const;
  [[nodiscard]] const std::string& cluster_id() const;
  [[nodiscard]] const std::string& incarnation() const;
  // Keys that pages of a repair have published, each once however often it was.
  [[nodiscard]] std::size_t repaired_keys() const;
  [[nodiscard]] std::optional<TopicFacts> topic(const core::StreamName& stream) const;

  boost::asio::awaitable<common::Result<void>> submit(core::PageGroup group) override;
  boost::asio::awaitable<common::Result<void>> flush(core::SourcePartition source) override;
  [[nodiscard]] const core::Ledger& committed(const core::SourcePartition& source) const override;
  [[nodiscard]] const core::StreamDigests* digests(const core::StreamName& stream) const override;
  std::string take_spare_storage() override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace connector::kafka
