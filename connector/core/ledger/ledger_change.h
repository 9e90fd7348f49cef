#pragma once

// What a page did, as a lane tells it and the publisher applies it to the ledger in the page's transaction. Plain values.

#include "common/instant.h"
#include "connector/core/ledger/absent_keys.h"
#include "connector/core/ledger/backfill_mark.h"
#include "connector/core/names.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

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

// Which reading of a window: the first one; one more when its end is `age` old; or, at age 0, one because its day is owed.
struct Pass {
  common::Duration age{0};
  bool is_owed = false;

  [[nodiscard]] bool is_first() const { return age == common::Duration{0} && !is_owed; }
  friend bool operator==(const Pass&, const Pass&) = default;
};

// Where the lane begins; only while it has neither read nor opened anything.
struct LaneStarted {
  common::Instant start;
};
// Windows are read again at this age from now on. What ends before `from` counts as read at it: a lane that has been running does
// not read its history again. `from` lies within the gap-free prefix of what is complete.
struct AgeStarted {
  common::Duration age;
  common::Instant from;
};
// No longer. Its open windows have been abandoned before.
struct AgeEnded {
  common::Duration age;
};
// A new window, or a new job for a window that is open at AtStart.
struct WindowOpened {
  common::Interval window;
  Position position;
  Pass pass = {};
};
// `page` is the number of this page within the window, from 1, and guards against a page that was dropped on the way: one that
// does not follow the last page applied is a contradiction. 0: not checked.
struct PageRead {
  common::Interval window;
  Position next;
  std::uint64_t records = 0;
  std::uint32_t page = 0;
};
// The last page of an open window (`page` as above), or a whole window that was never open. Read at an age it is complete for the
// younger ages, too.
struct WindowCompleted {
  common::Interval window;
  std::uint64_t records = 0;
  bool is_short = false;
  std::uint32_t page = 0;
  Pass pass = {};  // of a window that was never open; an open one has its own
  // Up to which the job's data was complete, its oldest page counting: pays what is owed. An owed pass has one.
  std::optional<common::Instant> availability = std::nullopt;
};
// What was read so late that it need not be read again at this age.
struct PassCompleted {
  common::Interval window;
  common::Duration age;
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
// A state of a record of this home day was read at `after` and no job has seen it: settled again when availability lies beyond.
struct OwedAdded {
  common::Interval window;
  common::Instant after;
};
// Another lane has read this whole: what was short of it is short no more.
struct ShortMadeGood {
  common::Interval window;
};
// A pass over this home day is complete, but whether the records that it did not return are gone is not decided yet. Not
// remembered if too many days are.
struct JudgingBegun {
  common::Interval day;
};
// It is decided, or given up.
struct JudgingEnded {
  common::Interval day;
};
// Of a state: how often in a row each of these is absent now. They take the place of all there were.
struct AbsenceCounted {
  AbsentKeys absent;
};
// The service keeps nothing of this any more: it is read at no age, and counts as done at all of them. What of it had never been
// read is lost, and stays told. None of it is open.
struct OutOfReach {
  common::Interval window;
  std::optional<common::Instant> at = std::nullopt;  // when that was found
};
// The lane reads this range, and nothing of what it read before counts. None is under way.
struct BackfillBegan {
  BackfillOrder order;
  common::Instant at;
};
// What it has cost by now, and what it is paid from.
struct BackfillUsed {
  std::uint64_t requests = 0;
  double permitted = 0;
  common::Instant at;
};
// Done, or given up: what is open is open no longer. Its request goes with it, in the same transaction.
struct BackfillEnded {
  BackfillState state = BackfillState::kDone;
  std::string detail;  // cut if it is long
  std::uint64_t set_aside = 0;
  common::Instant at;
};
using LedgerChange = std::variant<LaneStarted, AgeStarted, AgeEnded, WindowOpened, PageRead, WindowCompleted, PassCompleted,
                                  WindowRestarted, WindowAbandoned, AvailabilitySeen, OwedAdded, ShortMadeGood, JudgingBegun,
                                  JudgingEnded, AbsenceCounted, OutOfReach, BackfillBegan, BackfillUsed, BackfillEnded>;

}  // namespace connector::core
