#pragma once

// What a lane hands over and what becomes of it. The publisher (connector/kafka) puts whole pages of one stream and the ledgers
// they move into one transaction; a lane never sees Kafka. One executor.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/digest/content.h"
#include "connector/core/digest/entry.h"
#include "connector/core/digest/stream_digests.h"
#include "connector/core/digest/vanished_day.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/names.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::core {

// By id: the query form, too, of a record that was asked for by its key.
enum class RecordForm : std::uint8_t { kQuery, kById, kJob };
std::string_view to_string(RecordForm form);  // "query", "job": header gk.form

// A record to publish: slices into the page's buffer, nothing owned.
struct RecordSlice {
  std::string_view key;
  std::string_view value;
};

// What decides whether a record is published at all (core/digest).
struct RecordContent {
  ContentDigests digests;
  HomeDay home_day;
  bool open = false;
  bool known_when_asked = false;  // by id: what was remembered of the key when it was asked for
};

// A record that cannot be published as such. `bytes` are owned by the page's buffer as well; where the stream has a projection or
// redaction they are what that left of the record, or nothing.
struct DeadLetter {
  std::string reason;    // bounded set: "not_an_object", "no_key", "oversize", "broker_refused"
  std::string detail;    // for people
  std::string_view key;  // empty if there is none
  std::string_view bytes;
  std::uint64_t index = 0;                           // place on the page
  std::optional<std::uint64_t> size = std::nullopt;  // of the whole record, if its bytes are withheld
  // Of what the service sent, where `bytes` are something else: tells two dead letters apart. Never published.
  std::optional<std::uint64_t> apart = std::nullopt;
};

// One decided page (or only ledger changes), the unit that is published whole or not at all.
struct Page {
  SourcePartition source;
  std::unique_ptr<std::string> buffer;  // owns the bytes behind every slice; null for ledger-only
  std::vector<RecordSlice> records;
  std::vector<RecordContent> contents;  // of each record; empty: all are published
  std::vector<DeadLetter> dead_letters;
  std::vector<LedgerChange> changes;  // applied in order; what the page means for the ledger
  RecordForm form = RecordForm::kQuery;
  // Its records are keys alone, without a value: the service no longer has them. What becomes of those of which that is still so
  // when the page is published (core/digest decides).
  std::optional<OnDelete> gone;
  bool repair = false;  // its records are published though their content is known: what was published of them is not there
  common::Interval window;
  common::Instant read_at;
  common::Instant service_date;  // the answer's `Date`
  std::optional<common::Instant>
      availability;  // of a job's results (of `gone`: that lack the keys): they are complete up to here
  std::string correlation_id;
  std::string position;  // for dead letters and logs: "page 3", "cursor …"
};

// Several pages that must become visible together (a page-numbered window that could still move). Published in one transaction,
// in order.
using PageGroup = std::vector<Page>;

class Publisher {
 public:
  virtual ~Publisher() = default;
  // Takes the group over; returns when there is room for it (backpressure), not when it is committed. Groups of one source
  // partition are committed in the order given. kCancelled when the task stops, kTopicUnusable when this stream was stopped
  // alone: the group is then dropped, its ledger unmoved. After pages of this source partition were dropped nothing is taken
  // until flush() has said so, however soon the stream runs again: the lane begins again at `committed`.
  virtual boost::asio::awaitable<common::Result<void>> submit(PageGroup group) = 0;
  // Returns when everything submitted before for this source partition is committed, or dropped: kTopicUnusable, once.
  virtual boost::asio::awaitable<common::Result<void>> flush(SourcePartition source) = 0;
  // The committed ledger of a source partition (after restore, and after every commit).
  [[nodiscard]] virtual const Ledger& committed(const SourcePartition& source) const = 0;
  // What is known to be published of the stream's keys; null: not kept for it.
  [[nodiscard]] virtual const StreamDigests* digests(const StreamName& stream) const = 0;
  // Storage of a page whose fate is known, to be reused as ApiRequest::response_storage; empty if none is spare.
  virtual std::string take_spare_storage() = 0;
};

}  // namespace connector::core
