#pragma once

// A time zone as a table of its offsets from UTC, read once from the system's time zone database (package tzdata; the library
// that reads it stops here). A plain value from then on: no file is looked at again, so that a database that is replaced while
// the process runs changes nothing.

#include "common/instant.h"
#include "common/result.h"

#include <string>
#include <utility>
#include <vector>

namespace common {

class TimeZone {
 public:
  struct Offset {
    Instant from;  // of the first: it holds for everything before, too
    Duration offset;
    friend bool operator==(const Offset&, const Offset&) = default;
  };

  // From 1999 to as far ahead as the database tells. kConfigInvalid: there is no such zone, or no (usable) database; the message
  // says which.
  static Result<TimeZone> find(const std::string& name);
  // Ascending, at least one.
  explicit TimeZone(std::vector<Offset> offsets) : offsets_(std::move(offsets)) {}

  [[nodiscard]] const std::vector<Offset>& offsets() const { return offsets_; }
  // The longest span that each offset is a multiple of: an hour in Berlin, half of one on Lord Howe Island. 0: it is UTC.
  [[nodiscard]] Duration step() const;

 private:
  std::vector<Offset> offsets_;
};

}  // namespace common
