#pragma once

// The digests of a record's content: equal for equal JSON, however it is written. The order of an object's members, white space
// and the escapes of strings do not count; the order of an array's elements and the spelling of numbers do (the service does not
// respell them, and what a reader makes of them is not ours to say). Reused from record to record; not thread-safe.

#include "common/result.h"
#include "connector/core/digest/content.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace connector::source {

// Part of the content fingerprint: with another version every record looks changed.
inline constexpr int kContentDigestVersion = 1;

// RFC 6901 pointers into a record; a segment `*` stands for every element of an array and every member of an object.
struct ContentRules {
  std::vector<std::string> ignore;    // in neither digest
  std::vector<std::string> job_only;  // in the full digest only
};

class ContentDigester {
 public:
  explicit ContentDigester(const ContentRules& rules);
  ~ContentDigester();
  ContentDigester(const ContentDigester&) = delete;
  ContentDigester& operator=(const ContentDigester&) = delete;

  // Bytes that must be readable behind a record; what they are does not matter (common::http::kBodyPadding are there behind a
  // body).
  static std::size_t padding();
  // `record`: a JSON object, validated by PageSlicer. Members of one name all count, in whichever order they stand. Ignored
  // elements of an array leave no place. kMalformedResponse: not an object, or deeper than kMaxNesting; what is no JSON leads to
  // an error or to some digest. Allocates only for a record larger than any before.
  common::Result<core::ContentDigests> digest(std::string_view record);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace connector::source
