#pragma once

// One life of a producer as the publisher sees it: begin, produce, commit or abort, each a bounded attempt that the transaction
// machine (core/transaction) may ask for again. Behind it is librdkafka (connector/kafka); tests wrap it to lose or reorder
// steps. One executor; never two calls at a time.

#include "common/result.h"
#include "common/secret.h"
#include "connector/core/names.h"
#include "connector/core/ports/publisher.h"

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::core {

// A key and value for the task's own partition of the offsets topic: a ledger or the claim. No value: it is removed.
struct StateRecord {
  std::string key;
  std::optional<std::string> value;
};

// What becomes of one record of a batch in the next attempt.
enum class RecordFate : std::uint8_t {
  kPublish,
  kSuspect,   // was in a batch the broker refused: sent apart from the others, to find the one that is at fault
  kWithheld,  // not published: its content is, or a better form is awaited
  kKept,      // of what is gone: the last record of the key stays, and nothing is published
  kOversize,  // larger than its topic takes: dead letter
  kDropped,   // the same, where the stream's owner wants none
  kRefused,   // found at fault: dead letter
  kDead,      // found at fault, and a dead letter already: nothing is sent
};
// The reason of a dead letter (docs/records.md); empty: the record becomes none.
constexpr std::string_view dead_letter_reason(RecordFate fate) {
  if (fate == RecordFate::kOversize) return "oversize";
  return fate == RecordFate::kRefused ? "broker_refused" : "";
}
// Neither published nor about to be, whatever is known of its content.
constexpr bool is_unpublishable(RecordFate fate) {
  return fate == RecordFate::kOversize || fate == RecordFate::kDropped || fate == RecordFate::kRefused ||
         fate == RecordFate::kDead;
}

// The contents of one transaction: whole pages of one stream, and the state they move. Owns every byte that is produced; it must
// outlive the attempt's commit, abort or close.
struct TransactionBatch {
  StreamName stream;
  std::vector<Page> pages;
  std::vector<StateRecord> state;
  std::vector<DigestRecord> digests;             // for the task's partition of the digests topic
  std::optional<StateRecord> progress;           // for the progress topic
  std::vector<StateRecord> control;              // for the control topic, if there is one: requests that are done with
  std::vector<bool> beyond_horizon;              // of each record, as `fates`: header gk.beyond-horizon; empty: of none
  std::vector<RecordFate> fates;                 // one a record, over all pages in order
  std::size_t suspect_chunk = 0;                 // how many suspects may share a produce request; 0: there is no suspect
  RecordFate too_large = RecordFate::kOversize;  // what becomes of a record that is; or kDropped
  std::size_t dead_letter_limit = 0;             // a dead letter's value is cut to this many bytes
};

class TransactionalProducer {
 public:
  virtual ~TransactionalProducer() = default;

  // Fences every older producer of the same id and ends its open transaction. kRetryable: not yet, call again; it never says why
  // (see `take_trouble`).
  virtual boost::asio::awaitable<common::Result<void>> init() = 0;
  virtual boost::asio::awaitable<common::Result<void>> begin() = 0;
  // Hands every record of the batch to the producer; its bytes stay referenced until commit or abort succeeds or close returns.
  virtual boost::asio::awaitable<common::Result<void>> produce(const TransactionBatch& batch) = 0;
  virtual boost::asio::awaitable<common::Result<void>> commit() = 0;
  virtual boost::asio::awaitable<common::Result<void>> abort() = 0;
  // Between transactions: where each partition of the stream's topic ends. Everything this producer or an older one has committed
  // lies before. kRetryable: not known just now.
  virtual boost::asio::awaitable<common::Result<std::vector<std::int64_t>>> end_offsets(StreamName stream) = 0;
  // Gives the producer up, whatever is open. Afterwards no byte of a batch is referenced and only destruction is allowed.
  virtual boost::asio::awaitable<void> close() = 0;

  // Places (over all pages) of records that the broker refused since `begin`, ascending.
  [[nodiscard]] virtual std::vector<std::size_t> refused_records() const = 0;
  // Why the brokers cannot be used, as the library's error events said since last asked: what an operator must mend (password,
  // certificate, name). Nothing if there was no such event.
  virtual std::optional<std::string> take_trouble() = 0;
  // A new password for the next connection.
  virtual void set_password(const common::Secret& password) = 0;
  // From now on a running produce returns kCancelled as soon as it can; the other calls are bounded anyway.
  virtual void request_stop() = 0;
};

}  // namespace connector::core
