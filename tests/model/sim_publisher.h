#pragma once

// The publisher of a simulated run: core::PageQueue, kafka's move_ledgers and TaskDigests led as connector/kafka/publisher.cpp
// leads them, over topics that are vectors. Of the topics only what is committed survives a kill.

#include "connector/core/transaction/page_queue.h"
#include "connector/core/transaction/read_back.h"
#include "connector/kafka/task_digests.h"
#include "connector/kafka/transaction.h"
#include "tests/model/stage.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tests::model {

// What was committed, as a reader of the topics sees it, and what is checked of it as it comes.
class Topics {
 public:
  explicit Topics(Stage& stage) : stage_(stage), keys_(stage.world.plan().conversations.size()) {}

  std::map<std::string, std::string> state;    // the offsets topic, compacted
  std::map<std::string, std::string> digests;  // the digests topic, compacted

  // `is_told`: the publisher learns that it was.
  void publish(const Row& row, connector::core::Lane lane, bool is_told);
  // Nothing of the key any more; `at`: when the service was asked.
  void publish_tombstone(const std::string& key, Instant at, bool is_told);
  void note_gone(const std::string& key);  // what comes back of it is published, equal content too
  void forget(const std::string& key);     // its digest was tombstoned
  void saw(const Row& row);                // a read that a committed ledger counts on

  struct Key {
    std::optional<std::size_t> seen;  // the newest version that was read
    const Row* last = nullptr;
    bool is_told = true;  // of `last`
    const Row* newest_told = nullptr;
    bool is_forgotten = false;  // since the last record
    bool is_gone = false;       // likewise
    bool is_deleted = false;    // the last record is a tombstone
    bool is_undecided = false;  // it was forgotten before it was decided whether it is gone
    std::size_t records = 0;
    std::size_t tombstones = 0;
  };
  [[nodiscard]] const std::vector<Key>& keys() const { return keys_; }
  std::size_t beyond_horizon = 0;     // repeats of what had been forgotten
  std::vector<const Row*> published;  // while a log is kept

 private:
  [[nodiscard]] bool may_be_taken_for_gone(std::size_t number) const;

  Stage& stage_;
  std::vector<Key> keys_;
};

class SimPublisher {
 public:
  SimPublisher(Stage& stage, Topics& topics, int incarnation);

  // As core::Publisher.
  common::Result<void> submit(connector::core::PageGroup group);
  // False: not yet.
  common::Result<bool> flush(const connector::core::SourcePartition& source);
  [[nodiscard]] const connector::core::Ledger& committed(const connector::core::SourcePartition& source) const {
    return committed_.at(source);
  }
  [[nodiscard]] const connector::core::StreamDigests& digests() const { return *digests_.of(topic_.stream); }

  Instant wake = kNever;
  // True: something was decided, whoever waits should look.
  bool step();
  void stop_stream(Duration how_long);
  // The process dies now.
  void die();

 private:
  enum class Doing : std::uint8_t { kIdle, kCommitting };

  void begin();
  bool begin_expiry();
  void put_off();
  void published();
  void write(bool all);
  [[nodiscard]] Instant next_wake() const;

  Stage& stage_;
  Topics& topics_;
  connector::kafka::StreamTopic topic_;
  connector::kafka::TaskDigests digests_;
  connector::core::PageQueue queue_;
  connector::core::Ledgers committed_;
  std::string incarnation_;
  connector::kafka::Transaction in_hand_;
  std::uint64_t commit_number_ = 0;
  Doing doing_ = Doing::kIdle;
  bool redo_ = false;
  bool flushing_ = false;
  Instant next_sweep_{};
  std::optional<Instant> stopped_until_;
};

}  // namespace tests::model
