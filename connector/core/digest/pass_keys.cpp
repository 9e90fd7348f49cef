#include "connector/core/digest/pass_keys.h"

#include <xxhash.h>
#include <algorithm>
#include <string>

namespace connector::core {

std::uint64_t PassKeys::hash(std::string_view key) {
  return XXH3_64bits(key.data(), key.size());
}

void PassKeys::begin() {
  *this = PassKeys(max_keys_);
  begun_ = true;
}

void PassKeys::add(std::string_view key) {
  if (hashes_.size() >= max_keys_) {
    overflown_ = true;
    return;
  }
  hashes_.push_back(hash(key));
  sorted_ = false;
  if (witnesses_.size() < kWitnesses) witnesses_.emplace_back(std::string(key));
}

bool PassKeys::contains_hash(std::uint64_t hash) const {
  if (!sorted_) {
    std::ranges::sort(hashes_);
    sorted_ = true;
  }
  return std::ranges::binary_search(hashes_, hash);
}

}  // namespace connector::core
