#pragma once

// Cuts a page of JSON into its records without copying them: each record is a view into the body, validated whole, byte for byte
// as the service sent it. Composite records are put together into another body, of slices of the first. Reused from page to page;
// not thread-safe.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/ports/publisher.h"
#include "connector/source/records_rule.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::source {

// Deeper nesting (of a record, or of anything beside the records) is refused: real records are about ten deep, and consumers'
// parsers give up at some depth too.
inline constexpr std::size_t kMaxNesting = 256;

// What to look for. Pointers are RFC 6901; an empty optional one is not looked at.
struct SliceSpec {
  RecordsRule records;              // the array; empty: the page itself is the array
  KeyRule key;                      // in a record
  std::string start;                // in a record: when it began
  std::string end;                  // in a record: when it ended
  std::string open_while_absent;    // in a record: it is open while this is absent or null
  std::vector<std::string> wanted;  // scalars beside the records: total, cursor …
  bool key_optional = false;        // a record without a key is one all the same
};

struct RecordFacts {
  std::optional<common::Instant> start;
  std::optional<common::Instant> end;
  bool open = false;
};

struct SlicedPage {
  std::vector<core::RecordSlice> records;
  std::vector<RecordFacts> facts;             // of each record; empty if the spec asks for none of them
  std::vector<core::ContentDigests> digests;  // of each record; filled by the lane
  std::vector<core::DeadLetter> dead_letters;
  std::vector<std::optional<std::string>> wanted;  // text of each wanted scalar; nothing if absent, null or not a scalar
  // What the service counts and pages through: the elements of the (outermost) array. Of plain records as many as rows().
  std::uint64_t elements = 0;

  [[nodiscard]] std::size_t rows() const { return records.size() + dead_letters.size(); }
};

class PageSlicer {
 public:
  static constexpr std::size_t kMostComposed = std::size_t{256} << 20U;
  // `max_composed`: bytes that composite records may take, though a page that is large itself may become twice as much.
  explicit PageSlicer(std::size_t max_composed = kMostComposed);
  ~PageSlicer();
  PageSlicer(const PageSlicer&) = delete;
  PageSlicer& operator=(const PageSlicer&) = delete;

  // All of the page or nothing: kMalformedResponse (with the place) if any byte of it is not JSON, if the page is no object, or
  // if the records are no array. Records absent or null are an empty page. A record that is no object or has no key (no text at
  // its pointer; a value that is missing or an empty text where one is required) becomes a dead letter, and so does what stands
  // where an object with records inside should. Of members with one name the first counts, but two arrays of records are refused.
  // A byte order mark is skipped. `body` keeps the bytes behind every view of `page` and may be made longer (padding, and keys
  // that do not stand in it); composite records replace what stood in it (kTooComplex: they are far more). `page` is overwritten
  // and its storage reused.
  common::Result<void> slice(const SliceSpec& spec, std::string& body, SlicedPage& page);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace connector::source
