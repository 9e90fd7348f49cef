#pragma once

// What one transaction carries: pages of one stream, the ledgers they move as they are once it is committed, and the fate of each
// record; and what is told of it afterwards. Pure.

#include "common/clock.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/ports/transactional_producer.h"
#include "connector/core/task/claim.h"
#include "connector/core/transaction/read_back.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace connector::kafka {

// The largest message of the stream's topic and of the dead letters' topic.
struct MessageLimits {
  std::size_t record = 0;
  std::size_t dead_letter = 0;
};

struct Transaction {
  core::TransactionBatch batch;
  MessageLimits limits;
  std::optional<core::BatchNumber> digests;  // decided for it
  core::Ledgers ledgers;                     // as they are once it is committed
  std::uint64_t number = 0;                  // 0: the claim
  common::SteadyTime began;
};

// With this an incarnation begins.
Transaction claim_transaction(const core::ConnectorName& name, std::int32_t task, const core::Claim& claim);

// `claim`, which has a mark, in both state topics: from then on the digests are those that go with this task's ledgers.
Transaction mark_transaction(const core::ConnectorName& name, std::int32_t task, const core::Claim& claim);

// Applies the pages' changes to copies of the `committed` ledgers, which has one for each source partition, and adds them,
// stamped, as the transaction's state. A change that its ledger refuses is returned: nothing of the transaction may be published
// then.
common::Result<void> move_ledgers(Transaction& transaction, const core::ConnectorName& name, const core::Ledgers& committed,
                                  const std::string& incarnation);

// Adds the transaction's ledgers as its state: by their stamp its outcome is known when its commit does not tell.
void stamp_ledgers(Transaction& transaction, const core::ConnectorName& name, const std::string& incarnation);

// What a record with a value of that size takes in its topic at most: with key, headers and framing, uncompressed.
std::size_t message_bytes(const core::Page& page, std::string_view key, std::size_t value_bytes);
// Whether that is no larger than `limit`.
bool fits(const core::Page& page, const core::RecordSlice& record, std::size_t limit);
// The fate of every record by its size; of those that are too large, the batch's `too_large`.
void measure(Transaction& transaction, const MessageLimits& limits);

struct PublishedSum {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t withheld = 0;                         // their content is published already, or a better form is awaited
  std::uint64_t tombstones = 0;                       // not among the records
  std::uint64_t kept = 0;                             // gone, but their last record stays
  std::uint64_t dropped = 0;                          // too large, and not wanted as dead letters
  std::map<std::string, std::uint64_t> dead_letters;  // by reason
};
std::map<core::SourcePartition, PublishedSum> sum_up(const core::TransactionBatch& batch);

// Adds the keys of records that pages of a repair have published.
void add_repaired(const core::TransactionBatch& batch, std::set<std::string>& keys);

}  // namespace connector::kafka
