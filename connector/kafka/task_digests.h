#pragma once

// The digests of the task's streams: restored at the start, asked for every row of a transaction, moved on when it is known to be
// committed (docs/records.md, "Once per content"). The decisions are core/digest's. On the one executor.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/digest/stream_digests.h"
#include "connector/core/names.h"
#include "connector/core/transaction/read_back.h"
#include "connector/kafka/stream_topic.h"
#include "connector/kafka/transaction.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::kafka {

class TaskDigests {
 public:
  explicit TaskDigests(const std::vector<StreamTopic>& streams);

  // A record of the digests topic, oldest first. Of a stream that is not configured (any more): passed over.
  void restore(std::string_view key, const std::string_view* value);
  // All of them have been restored. kStateRefused: of a key the last value cannot be read.
  [[nodiscard]] common::Result<void> restored() const;

  // Decides which records of the transaction are published, and adds the digests they leave. Again when the broker has refused
  // some of them since: what was decided before is void then. `ledgers`: as committed.
  void decide(Transaction& transaction, const core::Ledgers& ledgers);
  void apply(const Transaction& transaction);  // it is known to be committed
  void discard(Transaction& transaction);      // it is known not to be
  // Tombstones for entries that are not needed any more, if a step of the search through one
  // stream after the other finds any: a transaction of digests only.
  std::optional<Transaction> expire(const core::Ledgers& ledgers, common::Instant now);

  [[nodiscard]] std::uint64_t keys() const;
  // Memory of all of them.
  [[nodiscard]] std::size_t bytes() const;
  // Calls of expire() that find nothing until every entry has been looked at.
  [[nodiscard]] std::size_t steps_a_round() const;

  // Null: no such stream.
  [[nodiscard]] const core::StreamDigests* of(const core::StreamName& stream) const;

 private:
  struct Stream {
    core::StreamDigests digests;
    core::StreamRules rules;
    core::ExpiryRules expiry;
    core::DigestIndex::Cursor swept;
  };

  std::optional<Transaction> expire_next(const core::Ledgers& ledgers, common::Instant now);
  common::Result<void> take_stored(std::string_view key, const std::string_view* value);

  std::map<core::StreamName, Stream> streams_;
  std::map<std::string, common::Error, std::less<>> damaged_;  // by key: what was stored of it last
  std::optional<core::StreamName> last_swept_;
  std::vector<core::KeyedSighting> rows_;
  std::vector<std::size_t> places_;
  std::vector<bool> keeps_;       // of each row: what is gone stays in the topic
  std::vector<bool> backfilled_;  // of each row
};

}  // namespace connector::kafka
