#pragma once

// Which records of a state that is read whole (a snapshot) the service no longer has (docs/records.md, "Records that the service
// has deleted"). Nobody can be asked for one of them by its id: gone is what several whole readings in a row did not return. How
// often each was absent stands in the lane's ledger and moves in the transaction of the reading, so that a restart loses no
// count, and a reading that was not committed counts for nothing. If too many are absent at once, or all, none is taken for gone.
// Decisions: no I/O.

#include "common/instant.h"
#include "connector/core/digest/entry.h"
#include "connector/core/digest/pass_keys.h"
#include "connector/core/ledger/absent_keys.h"
#include "connector/core/names.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace connector::core {

struct VanishedReadingOptions {
  std::uint32_t confirm = 3;  // whole readings in a row that must lack a key; at least 1
  double max_share = 0.05;    // of what is remembered: if more is absent, nothing is taken for gone
};

// Why a reading that was complete does not tell what is gone.
enum class NotWhole : std::uint8_t {
  kNone,         // it does
  kMemory,       // it was committed page by page, or its keys were too many
  kDeadLetters,  // what had no key, or was no record, may be what is missed
  kRepeated,     // a key came twice: the pages have shifted
  kTotal,        // fewer records than the service counts or pages through, or its count moved between the pages
};
std::string_view to_string(NotWhole why);

// What the pages of a reading said of its being whole.
class ReadingFacts {
 public:
  // `total` as the service counts, on pages with rows; `repeated`: rows whose key an earlier row had.
  void page(std::uint64_t rows, std::uint64_t repeated, std::uint64_t dead_letters, std::optional<std::int64_t> total);
  // The pages before the last end with one that repeats others, and that says nothing of them (PagesEnd::kNothingNew).
  void ended_by_repeat() { repeated_ -= repeated_by_last_; }
  // There is more than the service pages through.
  void ended_by_refusal() { is_cut_ = true; }
  [[nodiscard]] NotWhole judge(std::uint64_t distinct, bool page_by_page, const PassKeys& returned) const;

 private:
  std::uint64_t repeated_ = 0;
  std::uint64_t repeated_by_last_ = 0;
  std::uint64_t dead_letters_ = 0;
  std::optional<std::int64_t> total_;
  bool total_moved_ = false;
  bool is_cut_ = false;
};

struct VanishedReadingFindings {
  std::vector<AbsentKey> absent;  // for the ledger: takes the place of what stood there
  std::vector<RecordKey> gone;    // absent often enough
  std::uint64_t missing = 0;      // absent from this reading
  std::uint64_t withheld = 0;     // of these, because they are too many
  bool is_braked = false;
};

// Of a whole reading. Told every remembered entry, in as many steps as it takes.
class VanishedReading {
 public:
  // `before`: of the ledger. `read_at`: the service's `Date` at the reading's beginning. They outlive this.
  VanishedReading(VanishedReadingOptions options, const PassKeys& returned, const AbsentKeys& before, common::Instant read_at);
  void look_at(std::string_view key, const DigestEntry& entry);
  [[nodiscard]] VanishedReadingFindings take();

 private:
  VanishedReadingOptions options_;
  const PassKeys& returned_;
  const AbsentKeys& before_;
  common::Instant read_at_;
  std::uint64_t known_ = 0;  // the gone ones too
  std::uint64_t gone_ = 0;
  std::uint64_t missing_ = 0;
  bool any_returned_ = false;
  std::vector<RecordKey> keys_;  // of the missing ones; only the first AbsentKeys::kMost
};

// Of a reading that does not tell what is gone, but returned these: they are there. What it lacks keeps its count.
std::vector<AbsentKey> without_returned(const AbsentKeys& before, const PassKeys& returned);

}  // namespace connector::core
