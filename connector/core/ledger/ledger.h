#pragma once

// The ledger of one source partition: what a lane has done, as stored under its key in the offsets topic (docs/state.md). A pure
// value: lanes describe what a page did as LedgerChange, the publisher applies the changes of a transaction and writes the result
// in it.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/ledger/absent_keys.h"
#include "connector/core/ledger/backfill_mark.h"
#include "connector/core/ledger/interval_set.h"
#include "connector/core/ledger/ledger_change.h"
#include "connector/core/ledger/lost_ranges.h"
#include "connector/core/ledger/owed_days.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::core {

struct OpenWindow {
  common::Interval window;
  Position position;
  std::uint64_t records = 0;  // published so far from this window, by whichever incarnation
  std::uint32_t pages = 0;
  Pass pass = {};
  friend bool operator==(const OpenWindow&, const OpenWindow&) = default;
};

// What the state belongs to; a difference refuses the start (docs/guarantees.md, "Other state").
struct LedgerIdentity {
  std::string organization_id;
  std::string cluster_id;
  std::string topic_id;    // of the stream's data topic; a new id means that the topic was deleted and made again
  std::string membership;  // fingerprint of what decides which records belong (endpoint, filters, key)
  std::string content;     // fingerprint of what decides what counts as a change; empty: not known (written before it was kept)
  friend bool operator==(const LedgerIdentity&, const LedgerIdentity&) = default;
};

struct CommitStamp {
  std::string incarnation;   // id of the owner's life that wrote this value
  std::uint64_t number = 0;  // rises with every transaction of the task
  friend bool operator==(const CommitStamp&, const CommitStamp&) = default;
};

class Ledger {
 public:
  // The newest known. Version 3 is written of a backfill only, as it alone has something that version 2 would lose.
  static constexpr int kFormatVersion = 3;
  static constexpr std::size_t kMaxIntervals = 256;  // complete, at all ages together
  static constexpr std::size_t kMaxAges = 16;
  static constexpr std::size_t kMaxOpenWindows = 64;
  static constexpr std::size_t kMaxShortWindows = 64;
  static constexpr std::size_t kMaxUnjudged = 64;
  static constexpr std::size_t kMaxLost = LostRanges::kMax;
  static constexpr std::size_t kMaxBytes = 64UL << 10U;
  static constexpr std::size_t kMaxCursorBytes = 4UL << 10U;

  Ledger() = default;
  Ledger(LedgerIdentity identity, common::Instant start) : identity_(std::move(identity)), start_(start) {}

  // The stored value of this version or an older one. kStateRefused: newer format version (upgrade), not JSON, wrong shape,
  // intervals that overlap; the message carries the remedy.
  static common::Result<Ledger> parse(std::string_view stored);
  [[nodiscard]] std::string serialize() const;

  // Contradictions (a page of a window that is not open, completing what is complete) are kInternal: the caller's bug, not the
  // operator's. kOversize: a cursor above its bound, or a value above kMaxBytes. A refused change leaves the ledger as it was.
  common::Result<void> apply(const LedgerChange& change);
  // What an operator may do to a lane (`offsets set`); its watermarks may go back by it. What is owed stays owed.
  // As if everything before `instant` had been read and nothing behind it: what was not read before it counts as read at every
  // age, what was keeps its passes. `instant` lies behind `start`.
  [[nodiscard]] Ledger moved_to(common::Instant instant) const;
  // As if nothing of `window` had been read.
  [[nodiscard]] Ledger without(const common::Interval& window) const;
  // As if the lane had begun there: what was read behind it stays read. `instant` lies before the end of what is complete.
  [[nodiscard]] Ledger started_at(common::Instant instant) const;
  // False when completing or opening would pass a bound above: the lane then finishes open windows first.
  [[nodiscard]] bool has_room_to_open() const;
  [[nodiscard]] const OpenWindow* find_open(const common::Interval& window) const;
  // Nothing complete and nothing open: the lane has not begun.
  [[nodiscard]] bool is_untouched() const { return complete_.intervals().empty() && open_.empty(); }
  // Equal but for what it belongs to, who wrote it and the date that was seen.
  [[nodiscard]] bool has_same_progress(const Ledger& other) const;

  [[nodiscard]] const LedgerIdentity& identity() const { return identity_; }
  void set_identity(LedgerIdentity identity) { identity_ = std::move(identity); }
  // Where the lane begins: the configured start when it was first run.
  [[nodiscard]] common::Instant start() const { return start_; }
  [[nodiscard]] const IntervalSet& complete() const { return complete_; }  // read for the first time
  // Read again, by age; every one lies within `complete`. An age is here, if only empty, from its AgeStarted on.
  [[nodiscard]] const std::map<common::Duration, IntervalSet>& passes() const { return passes_; }
  [[nodiscard]] const std::vector<OpenWindow>& open() const { return open_; }
  // Complete, but fewer rows than the total promised.
  [[nodiscard]] const std::vector<common::Interval>& short_windows() const { return short_; }
  [[nodiscard]] const std::vector<OwedDay>& owed() const { return owed_.days(); }
  // Home days of which it is not decided yet whether what their last pass did not return is gone.
  [[nodiscard]] const IntervalSet& unjudged() const { return unjudged_; }
  // Counts as complete, though it was never read: the service kept it no longer when its turn came. The newest 64.
  [[nodiscard]] const IntervalSet& lost() const { return lost_.ranges(); }
  [[nodiscard]] std::optional<common::Instant> lost_at() const { return lost_.at(); }  // the last of it
  // Of a state: published keys that the last readings did not return.
  [[nodiscard]] const AbsentKeys& absent() const { return absent_; }
  [[nodiscard]] std::optional<common::Instant> availability() const { return availability_; }
  // What the lane was asked for last; none: it is no backfill, or has never been asked for one.
  [[nodiscard]] const std::optional<BackfillMark>& backfill() const { return backfill_; }
  // End of the gap-free prefix that has been read at least once.
  [[nodiscard]] common::Instant complete_until() const { return complete_.prefix_end(start_); }
  // End of the gap-free prefix that has been read at every age. Does not go back when another age is begun.
  [[nodiscard]] common::Instant settled_until() const;
  [[nodiscard]] const CommitStamp& stamp() const { return stamp_; }
  void set_stamp(CommitStamp stamp) { stamp_ = std::move(stamp); }
  friend bool operator==(const Ledger&, const Ledger&) = default;

 private:
  struct Applier;
  struct Parser;

  [[nodiscard]] std::size_t interval_count() const;
  [[nodiscard]] std::size_t size_estimate(std::size_t cursor_reserve) const;
  // What stands in the way of reading this window in this pass; nothing: it may be opened, or completed without.
  [[nodiscard]] const char* contradiction_of(const common::Interval& window, const Pass& pass) const;

  LedgerIdentity identity_;
  common::Instant start_;
  IntervalSet complete_;
  std::map<common::Duration, IntervalSet> passes_;
  std::vector<OpenWindow> open_;
  std::vector<common::Interval> short_;  // the newest 64
  OwedDays owed_;
  IntervalSet unjudged_;
  LostRanges lost_;
  AbsentKeys absent_;
  std::optional<common::Instant> settled_;  // how far settled_until() had come when an age was begun
  std::optional<common::Instant> availability_;
  std::optional<BackfillMark> backfill_;
  CommitStamp stamp_;
};

}  // namespace connector::core
