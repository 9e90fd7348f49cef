#pragma once

// The rows of one window, page after page: which are published, which are dropped because another row of the window says the same
// or more. Pages that are still held can lose a row to a later, better one. Plain value; no I/O.

#include "connector/core/planning/window_keys.h"
#include "connector/core/ports/publisher.h"
#include "connector/source/definition.h"
#include "connector/source/page_slicer.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace connector::source {

struct RowCounts {
  std::uint64_t duplicates = 0;       // dropped: the window has the same, or more, of that key
  std::uint64_t outside = 0;          // dropped: began outside the window (start_day)
  std::uint64_t not_overlapping = 0;  // published, though their lifetime does not touch the window (overlap)
  bool all_before_window = false;     // every row that says when it began, began before the window
};

// How the rows of an answer relate to the window that was asked for.
enum class RowRule : std::uint8_t {
  kAny,       // a job: the service's word
  kOverlap,   // rows that do not overlap the window are evidence, but are published
  kStartDay,  // rows that began outside the window belong to another
};

// Of which day's readings a record is, so that what is remembered of it lasts as long as it may be read again.
enum class HomeDays : std::uint8_t {
  kByStart,  // the day it began on: no other day's reading returns it
  // The last day of which a reading returned it: the service returns it for every window it touches; or it is a bucket's, whose
  // window may lie on two days and is read again as long as the later one is.
  kBySighting,
};
HomeDays home_days_of(const Definition& definition);
core::HomeDay home_day(HomeDays rule, const RecordFacts& record, const common::Interval& window);
// What no record's key is spelled like, and tells a dead letter from others: it has no key, so the same bytes are the same one.
std::string identity_of(const core::DeadLetter& letter);

class WindowRows {
 public:
  WindowRows(common::Interval window, RowRule rule, std::size_t memory_bytes, HomeDays home_days = HomeDays::kByStart);

  // Fills the last page of `held` with the rows of `sliced`. `held` are the pages not handed over, in order.
  RowCounts take(SlicedPage sliced, core::PageGroup& held);
  // The pages held so far are handed over: their rows can no longer be taken back.
  void handed_over(std::size_t pages) { first_held_ += static_cast<std::uint32_t>(pages); }
  [[nodiscard]] std::uint64_t distinct() const { return keys_.distinct(); }

 private:
  bool is_outside(const RecordFacts& facts) const;
  bool is_not_overlapping(const RecordFacts& facts) const;

  common::Interval window_;
  RowRule rule_;
  HomeDays home_days_;
  core::WindowKeys keys_;
  std::uint32_t first_held_ = 0;  // number, within the window, of the first page held
};

// Leaves the rows that were taken back out of the page; gives up the bytes if nothing is left. Returns the records to publish.
std::uint64_t compact(core::Page& page);

}  // namespace connector::source
