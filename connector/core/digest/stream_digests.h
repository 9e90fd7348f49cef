#pragma once

// The digests of one stream as its publisher uses them: what is committed, and above it what transactions under way will make of
// it. Rows are decided in batches, in the order in which their transactions commit; a batch is applied when its transaction is
// known to be committed, and else discarded with every later one and decided again. One thread.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/digest/index.h"
#include "connector/core/digest/reconcile.h"
#include "connector/core/names.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace connector::core {

struct KeyedSighting {
  std::string_view key;  // of the record
  Sighting sighting;
};

// What the transaction writes to the digests topic; no value: a tombstone.
struct DigestRecord {
  std::string key;  // digest_key()
  std::optional<std::string> value;
  friend bool operator==(const DigestRecord&, const DigestRecord&) = default;
};

struct DigestCounters {
  std::array<std::uint64_t, kDigestReasons> rows{};  // by reason
  std::uint64_t published = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t expired = 0;

  [[nodiscard]] std::uint64_t of(DigestReason reason) const { return rows[static_cast<std::size_t>(reason)]; }
  DigestCounters& operator+=(const DigestCounters& other);
  friend bool operator==(const DigestCounters&, const DigestCounters&) = default;
};

using BatchNumber = std::uint64_t;
struct DigestBatch {
  BatchNumber number = 0;              // rises by one
  std::vector<RowDecision> decisions;  // of each row, in order
  std::vector<DigestRecord> records;   // one a key
};

struct ExpiryRules {
  common::Duration quiet{3'600'000};  // a closed record is quiet when it has not changed for this long
  common::Duration sealed{300'000};   // … and at the latest after this, when a job has sealed it: nobody follows it any more
  common::Duration give_up{7'776'000'000};  // 90 days: an open or owed one that has not changed for this long is left alone
};

class StreamDigests {
 public:
  StreamDigests(StreamName stream, StreamRules rules);

  // A record of the digests topic, oldest first; no value: a tombstone. Before anything is decided. kStateRefused names the key.
  common::Result<void> restore(std::string_view record_key, std::optional<std::string_view> value);

  // Rows in the order in which they arrived. Nothing of the rows is kept but keys whose entry changes.
  DigestBatch decide(std::span<const KeyedSighting> rows);
  // Entries set by other decisions than reconcile() (gone); none: a tombstone.
  DigestBatch change(std::span<const std::pair<std::string, std::optional<DigestEntry>>> entries);
  // Tombstones for entries that are no longer needed, of at most `most` entries looked at; nothing if there are none. `now`: the
  // service's clock. An entry lives until no lane is to read its home day any more (by the ledgers: `is_done_with`) and its
  // record is closed, quiet, not owed and no dead letter, or it waits in vain (open, owed, dead) and is unchanged for give_up. So
  // nothing goes while the passes wait, for hours or months. Nor while another record of its day is owed or open: the job that
  // one needs returns the whole day, and would take it for new.
  std::optional<DigestBatch> expire(DigestIndex::Cursor& cursor, std::size_t most, const ExpiryRules& rules, common::Instant now,
                                    const std::function<bool(HomeDay)>& is_done_with);

  // The transaction of the oldest batch is known to be committed.
  void apply(BatchNumber number);
  // The transaction of this batch is known not to be committed: it and all later ones are void.
  void discard(BatchNumber number);

  // As the next decision will see it.
  [[nodiscard]] std::optional<DigestEntry> find(std::string_view key) const;
  [[nodiscard]] const DigestIndex& committed() const { return index_; }
  [[nodiscard]] const DigestCounters& counters() const { return counters_; }  // of what was applied
  [[nodiscard]] std::size_t pending_batches() const { return pending_.size(); }
  // How many records of the day a job whose data is complete to `availability` may settle. `last_availability`: of the day's last
  // complete pass; what was owed before that and is owed still was not in it.
  [[nodiscard]] std::uint64_t due(HomeDay day, std::optional<common::Instant> last_availability,
                                  common::Instant availability) const;

 private:
  struct Pending {
    BatchNumber number = 0;
    DigestCounters counters;
    std::vector<std::pair<std::string, std::optional<DigestEntry>>> changes;  // one a key
  };
  struct Overlaid {
    BatchNumber number = 0;
    std::optional<DigestEntry> entry;
  };
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };
  using Overlay = std::unordered_map<std::string, Overlaid, KeyHash, std::equal_to<>>;

  void overlay(std::string_view key, BatchNumber number, const std::optional<DigestEntry>& entry);
  [[nodiscard]] std::set<HomeDay> days_awaited(const ExpiryRules& rules, common::Instant now) const;
  DigestBatch close(Pending pending, std::vector<std::string_view> keys, std::vector<RowDecision> decisions);

  StreamName stream_;
  StreamRules rules_;
  DigestIndex index_;
  Overlay overlay_;
  std::deque<Pending> pending_;
  BatchNumber next_number_ = 1;
  DigestCounters counters_;
};

}  // namespace connector::core
