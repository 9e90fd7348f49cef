#pragma once

// Where the records are in an answer, and what identifies one: the parts of a stream definition that the slicer works by. Values
// only.

#include <string>
#include <variant>
#include <vector>

namespace connector::source {

// Records that are put together: for every element an envelope, a JSON object of slices of the answer as they stand there. What
// points into a record (key, start, …) points into the envelope.
struct CompositeRecords {
  std::vector<std::string> each;  // pointers to the elements; `*` is every element of an array, and the last segment of each
  std::vector<std::string> with;  // pointers to values beside the elements; members of the envelope by their last segment
  std::string as;                 // the element's member; empty: the last name in `each`
  std::string list;               // member that says by its last name which of `each` it was; empty: none
};

// A pointer to the array (empty: the answer itself is the array), or how records are put together.
using RecordsRule = std::variant<std::string, CompositeRecords>;

// One of the values that are a key together.
struct KeyPart {
  std::string pointer;
  bool optional = false;  // absent and null are `null` in the key; else there is no key then
  friend bool operator==(const KeyPart&, const KeyPart&) = default;
};

// A pointer to the text that is the record key; or several values that are it together, as a JSON array in canonical spelling
// (RawJson::append_canonical; an interval with an offset from UTC is spelled without).
using KeyRule = std::variant<std::string, std::vector<KeyPart>>;

}  // namespace connector::source
