#pragma once

// Whether a batch may be published with the dead letters it has: a stream can be told to stop at a record that is too large, or
// when there are too many dead letters. What is refused is not committed; the batch is read again when the stream goes on. Pure;
// remembers what was committed since this instance began.

#include "common/result.h"
#include "connector/core/dead_letters/threshold.h"
#include "connector/core/names.h"
#include "connector/core/ports/transactional_producer.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace connector::core {

// What becomes of records that are larger than their topic takes. Dropped ones are counted and logged, and nothing else.
enum class OnOversize : std::uint8_t { kDeadLetter, kFail, kDrop };

struct DeadLetterRules {
  OnOversize on_oversize = OnOversize::kDeadLetter;
  ThresholdRules stop;
};

class DeadLetterGuard {
 public:
  void set_rules(const StreamName& stream, const DeadLetterRules& rules) { rules_[stream] = rules; }

  [[nodiscard]] DeadLetterRules rules_of(const StreamName& stream) const;

  // kTopicUnusable says what to change: the stream is to stop, and nothing of the batch to be published. Every fate but the
  // broker's own refusals is known; asked again after those.
  [[nodiscard]] common::Result<void> allow(const TransactionBatch& batch) const;
  // The batch, allowed before, is committed.
  void commit(const TransactionBatch& batch);

 private:
  // Records that went to a topic, in order, of one source partition.
  struct Outcome {
    std::size_t records = 0;
    std::vector<std::size_t> dead;
    std::map<std::string, std::size_t> reasons;
    std::string last_place;  // of a dead letter: window and position
  };
  static std::map<SourcePartition, Outcome> outcomes(const TransactionBatch& batch);

  std::map<StreamName, DeadLetterRules> rules_;
  std::map<SourcePartition, Threshold> thresholds_;
};

}  // namespace connector::core
