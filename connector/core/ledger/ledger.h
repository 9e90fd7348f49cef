#pragma once

// The ledger of one source partition: what a lane has done, as stored under its key in the offsets topic (docs/state.md). A pure
// value: lanes describe what a page did as LedgerChange, the publisher applies the changes of a transaction and writes the result
// in it.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/ledger/interval_set.h"
#include "connector/core/names.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace connector::core {

// Where the next page of a window starts.
struct AtStart {
  friend bool operator==(const AtStart&, const AtStart&) = default;
};
struct AtPage {
  std::int64_t number = 1;  // of the next page
  friend bool operator==(const AtPage&, const AtPage&) = default;
};
struct AtCursor {
  std::string cursor;  // opaque, or the absolute next URI
  friend bool operator==(const AtCursor&, const AtCursor&) = default;
};
struct AtJob {
  JobId job;
  std::optional<std::string> cursor;  // absent: the first results page
  common::Instant submitted;
  friend bool operator==(const AtJob&, const AtJob&) = default;
};
using Position = std::variant<AtStart, AtPage, AtCursor, AtJob>;

struct OpenWindow {
  common::Interval window;
  Position position;
  std::uint64_t records = 0;  // published so far from this window, by whichever incarnation
  std::uint32_t pages = 0;
  friend bool operator==(const OpenWindow&, const OpenWindow&) = default;
};

// What the state belongs to; a difference refuses the start (docs/guarantees.md, "Other state").
struct LedgerIdentity {
  std::string organization_id;
  std::string cluster_id;
  std::string topic_id;    // of the stream's data topic; a new id means that the topic was deleted and made again
  std::string membership;  // fingerprint of what decides which records belong (endpoint, filters, key)
  friend bool operator==(const LedgerIdentity&, const LedgerIdentity&) = default;
};

struct CommitStamp {
  std::string incarnation;   // id of the owner's life that wrote this value
  std::uint64_t number = 0;  // rises with every transaction of the task
  friend bool operator==(const CommitStamp&, const CommitStamp&) = default;
};

// Where the lane begins; only while it has neither read nor opened anything.
struct LaneStarted {
  common::Instant start;
};
// A new window, or a new job for a window that is open at AtStart.
struct WindowOpened {
  common::Interval window;
  Position position;
};
// `page` is the number of this page within the window, from 1, and guards against a page that was dropped on the way: one that
// does not follow the last page applied is a contradiction. 0: not checked.
struct PageRead {
  common::Interval window;
  Position next;
  std::uint64_t records = 0;
  std::uint32_t page = 0;
};
// The last page of an open window (`page` as above), or a whole window that was never open.
struct WindowCompleted {
  common::Interval window;
  std::uint64_t records = 0;
  bool is_short = false;
  std::uint32_t page = 0;
};
struct WindowRestarted {
  common::Interval window;
};  // position refused, job expired or failed: back to AtStart
struct WindowAbandoned {
  common::Interval window;
};  // replaced by others (split): no longer open, not complete
struct AvailabilitySeen {
  common::Instant date;
};  // dataAvailabilityDate; never moves the stored one back
using LedgerChange =
    std::variant<LaneStarted, WindowOpened, PageRead, WindowCompleted, WindowRestarted, WindowAbandoned, AvailabilitySeen>;

class Ledger {
 public:
  static constexpr int kFormatVersion = 1;
  static constexpr std::size_t kMaxCompleteIntervals = 256;
  static constexpr std::size_t kMaxOpenWindows = 64;
  static constexpr std::size_t kMaxShortWindows = 64;
  static constexpr std::size_t kMaxBytes = 64UL << 10U;
  static constexpr std::size_t kMaxCursorBytes = 4UL << 10U;

  Ledger() = default;
  Ledger(LedgerIdentity identity, common::Instant start) : identity_(std::move(identity)), start_(start) {}

  // The stored value. kStateRefused: newer format version (upgrade), not JSON, wrong shape, intervals that overlap; the message
  // carries the remedy.
  static common::Result<Ledger> parse(std::string_view stored);
  [[nodiscard]] std::string serialize() const;

  // Contradictions (a page of a window that is not open, completing what is complete) are kInternal: the caller's bug, not the
  // operator's. kOversize: a cursor above its bound, or a value above kMaxBytes. A refused change leaves the ledger as it was.
  common::Result<void> apply(const LedgerChange& change);
  // False when completing or opening would pass a bound above: the lane then finishes open windows first.
  [[nodiscard]] bool has_room_to_open() const;
  [[nodiscard]] const OpenWindow* find_open(const common::Interval& window) const;
  // Nothing complete and nothing open: the lane has not begun.
  [[nodiscard]] bool is_untouched() const { return complete_.intervals().empty() && open_.empty(); }

  [[nodiscard]] const LedgerIdentity& identity() const { return identity_; }
  void set_identity(LedgerIdentity identity) { identity_ = std::move(identity); }
  [[nodiscard]] common::Instant start() const {
    return start_;
  }  // where the lane begins: the configured start when it was first run
  [[nodiscard]] const IntervalSet& complete() const { return complete_; }
  [[nodiscard]] const std::vector<OpenWindow>& open() const { return open_; }
  [[nodiscard]] const std::vector<common::Interval>& short_windows() const {
    return short_;
  }  // complete, but fewer rows than the total promised
  [[nodiscard]] std::optional<common::Instant> availability() const { return availability_; }
  [[nodiscard]] common::Instant complete_until() const { return complete_.prefix_end(start_); }
  [[nodiscard]] const CommitStamp& stamp() const { return stamp_; }
  void set_stamp(CommitStamp stamp) { stamp_ = std::move(stamp); }
  friend bool operator==(const Ledger&, const Ledger&) = default;

 private:
  struct Applier;

  LedgerIdentity identity_;
  common::Instant start_;
  IntervalSet complete_;
  std::vector<OpenWindow> open_;
  std::vector<common::Interval> short_;  // the newest 64
  std::optional<common::Instant> availability_;
  CommitStamp stamp_;
};

}  // namespace connector::core
