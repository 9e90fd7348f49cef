#pragma once

// How often in a row whole readings of a state did not return a key that is published: a part of the ledger (docs/state.md).
// Plain value.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace connector::core {

struct AbsentKey {
  std::uint64_t key = 0;  // hash of the record key (PassKeys::hash)
  std::uint32_t readings = 0;
  friend bool operator==(const AbsentKey&, const AbsentKey&) = default;
};

class AbsentKeys {
 public:
  static constexpr std::size_t kMost = 512;  // 24 bytes each in the ledger

  AbsentKeys() = default;
  // At most kMost, each key once, each absent at least once.
  explicit AbsentKeys(std::vector<AbsentKey> keys) : keys_(std::move(keys)) { std::ranges::sort(keys_, {}, &AbsentKey::key); }
  [[nodiscard]] bool is_valid() const {
    return keys_.size() <= kMost && std::ranges::adjacent_find(keys_, {}, &AbsentKey::key) == keys_.end() &&
           std::ranges::all_of(keys_, [](const AbsentKey& absent) { return absent.readings > 0; });
  }
  [[nodiscard]] std::uint32_t readings(std::uint64_t key) const {
    const auto found = std::ranges::lower_bound(keys_, key, {}, &AbsentKey::key);
    return found != keys_.end() && found->key == key ? found->readings : 0;
  }
  [[nodiscard]] const std::vector<AbsentKey>& all() const { return keys_; }
  friend bool operator==(const AbsentKeys&, const AbsentKeys&) = default;

 private:
  std::vector<AbsentKey> keys_;  // sorted
};

}  // namespace connector::core
