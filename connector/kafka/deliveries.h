#pragma once

// What the delivery reports of one transaction said. Written by librdkafka's polling thread and by the thread that commits, read
// between attempts: counters, and a lock that only failures and whoever waits take.

#include "common/result.h"
#include "connector/kafka/client.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace connector::kafka {

enum class RecordKind : std::uint8_t { kRecord, kDeadLetter, kDigest, kState, kProgress, kControl };

class Deliveries final : public DeliverySink {
 public:
  // Kind and place travel through librdkafka as the message's opaque pointer.
  static void* tag(RecordKind kind, std::size_t place);

  void begin();  // forgets the last transaction
  void sent(std::size_t bytes);
  void not_sent(std::size_t bytes);
  void delivered(const rd_kafka_message_t& message) noexcept override;
  void note(RecordKind kind, std::size_t place, rd_kafka_resp_err_t code);

  [[nodiscard]] std::size_t outstanding() const { return outstanding_.load(std::memory_order_acquire); }
  // Until no more than `rest` bytes of values are outstanding, or something failed. False if `patience` was not enough.
  bool wait_until_left(std::size_t rest, std::chrono::milliseconds patience);
  // What came of everything that was sent; nothing while a report is missing. Reports that come meanwhile cannot slip between
  // its two questions, as asking `outstanding` and `failure` by oneself lets them.
  [[nodiscard]] std::optional<common::Result<void>> outcome() const;
  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_acquire); }
  // The failure that tells most; consequences (purged, timed out) only if there is nothing else.
  [[nodiscard]] std::optional<common::Error> failure() const;
  [[nodiscard]] std::vector<std::size_t> refused() const;
  // How many partitions of the stream's topic are known to have taken records since `begin`: 1 + the highest.
  [[nodiscard]] int partitions_seen() const { return partitions_seen_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::size_t> outstanding_ = 0;
  std::atomic<std::size_t> bytes_ = 0;  // of the values outstanding
  std::atomic<bool> awaited_ = false;   // somebody waits for there to be no more of them than rest_
  std::atomic<std::size_t> rest_ = 0;
  std::condition_variable drained_;
  std::atomic<int> partitions_seen_ = 0;  // written by the polling thread only, but for begin()
  std::atomic<bool> failed_ = false;
  mutable std::mutex mutex_;
  std::optional<common::Error> failure_;
  std::vector<std::size_t> refused_;
};

}  // namespace connector::kafka
