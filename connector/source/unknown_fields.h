#pragma once

// Finds members of records that the definition's model does not name: the service has begun to send something new. It looks at
// some of the records, all of the first ones and then one of many, so that it costs next to nothing; it says each thing once, and
// no more than a bounded number of things. Nothing depends on what it finds. Not thread-safe.

#include "connector/source/definition.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace connector::source {

class UnknownFields {
 public:
  static constexpr std::uint64_t kLookedAtFirst = 256;  // records of a life
  static constexpr std::uint64_t kThenOneOf = 64;
  static constexpr std::size_t kMostFields = 64;  // that are told in one life

  explicit UnknownFields(const Model& model);
  ~UnknownFields();
  UnknownFields(const UnknownFields&) = delete;
  UnknownFields& operator=(const UnknownFields&) = delete;

  // Whether the next record is one to look at; counts it either way.
  bool is_due() {
    const std::uint64_t number = records_++;
    return number < kLookedAtFirst || number % kThenOneOf == 0;
  }
  // `record`: a JSON object, validated by PageSlicer, with ContentDigester::padding() readable bytes behind it.
  void look_at(std::string_view record);

  // What was found since the last call, as pointers in which `*` stands for elements and for members whose names are not in the
  // model: names of its own making are told only where the model lists the names.
  std::vector<std::string> take_found();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::uint64_t records_ = 0;
};

}  // namespace connector::source
