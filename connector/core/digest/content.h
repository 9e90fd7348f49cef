#pragma once

// The digests of one record's content, as connector/source computes them. Values.

#include <cstdint>

namespace connector::core {

struct ContentDigests {
  std::uint64_t common = 0;  // without the members that only the job's form has
  std::uint64_t full = 0;    // of everything; equal to `common` if the record has no such member
  friend bool operator==(const ContentDigests&, const ContentDigests&) = default;
};

}  // namespace connector::core
