#include "connector/core/digest/limit.h"

#include <string>

namespace connector::core {

common::Result<void> DigestsLimit::check_start(std::uint64_t keys, std::size_t bytes) const {
  if (bytes <= max_bytes_) return {};
  const auto in_mebibytes = [](std::size_t count) { return std::to_string((count + (1U << 20U) - 1) >> 20U) + "MiB"; };
  return common::fail(common::ErrorCode::kConfigInvalid,
                      "what is remembered of " + std::to_string(keys) + " keys takes " + in_mebibytes(bytes) +
                          " of memory, more than kafka.digests_memory (" + in_mebibytes(max_bytes_) +
                          "): raise it, and the memory of the process with it; or let fewer days be read again (shorter "
                          "settle.ages), or give streams to connectors of their own");
}

DigestsLimit::Told DigestsLimit::check(std::size_t bytes) {
  const bool was_passed = is_passed_;
  if (bytes > max_bytes_) is_passed_ = true;
  if (bytes < max_bytes_ - max_bytes_ / 10) is_passed_ = false;
  if (is_passed_ == was_passed) return Told::kNothing;
  return is_passed_ ? Told::kPassed : Told::kWithin;
}

}  // namespace connector::core
