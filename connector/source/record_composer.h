#pragma once

// Puts records together out of an answer whose values were cut and validated before (PageSlicer): for every element an envelope
// of slices. Made for one answer; knows nothing of keys.

#include "common/result.h"
#include "connector/source/raw_json.h"
#include "connector/source/records_rule.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace connector::source {

// A part of what was composed.
struct ComposedPiece {
  std::size_t offset = 0;
  std::size_t size = 0;
  bool is_record = true;  // false: something else stands where an object with records inside was expected
};

class RecordComposer {
 public:
  // `rule` as config/ lets it pass; must outlive this, as does `raw`.
  RecordComposer(const CompositeRecords& rule, RawJson& raw);

  // Pointers to the outermost arrays, each once: what the slicer cuts.
  [[nodiscard]] const std::vector<std::string>& arrays() const { return arrays_; }

  // A value of the answer outside these arrays, by its pointer.
  void take_beside(std::string_view pointer, std::string_view text);
  // An element of arrays()[array]. Both views must live until compose() has returned.
  void take_element(std::size_t array, std::string_view text) { elements_.push_back({array, text}); }
  [[nodiscard]] std::size_t elements() const { return elements_.size(); }

  // Everything that was taken, in that order; `out` is emptied first. kMalformedResponse: no array where one is promised;
  // kTooComplex: more than `max_bytes`, as a value beside the records may be large, and repeats with each.
  common::Result<void> compose(std::string& out, std::vector<ComposedPiece>& pieces, std::size_t max_bytes);

 private:
  using Tokens = std::vector<std::string>;
  // One of `each`: from the element of the outermost array down, the way to the next array.
  struct Path {
    std::size_t array = 0;      // of arrays_
    std::vector<Tokens> steps;  // empty: the elements of the outermost array are the records
    std::string list;           // quoted: its last name
    std::string as;             // quoted: the element's member
  };
  struct Beside {
    std::string pointer;    // whole
    std::size_t level = 0;  // how many arrays it lies in
    Tokens tokens;          // from there
    std::string name;       // quoted
  };
  struct Element {
    std::size_t array;
    std::string_view text;
  };

  common::Result<void> expand(const Path& path, std::size_t level, std::string_view text);
  common::Result<void> add(const Path& path, std::string_view element);

  RawJson& raw_;
  std::vector<std::string> arrays_;
  std::vector<Path> paths_;
  std::vector<Beside> beside_;
  std::string list_;                                     // quoted: the member; empty: none
  std::vector<std::optional<std::string_view>> values_;  // of beside_, for the element at hand
  std::vector<Element> elements_;
  std::string* out_ = nullptr;
  std::vector<ComposedPiece>* pieces_ = nullptr;
  std::size_t max_bytes_ = 0;
};

}  // namespace connector::source
