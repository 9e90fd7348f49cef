#pragma once

// The keys that a job returned for a whole home day, so that what it did not return can be told: 8 bytes a key, bounded. Of two
// keys with one hash the one that is missing goes unnoticed: nothing is taken for gone by it. Plain value.

#include "connector/core/names.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace connector::core {

class PassKeys {
 public:
  static constexpr std::size_t kWitnesses = 8;

  explicit PassKeys(std::size_t max_keys) : max_keys_(max_keys) {}

  // The first page of a job's results comes: of another job nothing counts.
  void begin();
  void add(std::string_view key);
  // Every page of one job was seen here, from the first on, and all their keys are known.
  [[nodiscard]] bool is_whole() const { return begun_ && !overflown_; }
  // They were more than there is room for, and would be the next time.
  [[nodiscard]] bool has_overflown() const { return overflown_; }
  [[nodiscard]] bool contains(std::string_view key) const { return contains_hash(hash(key)); }
  [[nodiscard]] bool contains_hash(std::uint64_t hash) const;
  // What stands for a key; the same in every release, as the ledger of a state keeps some (AbsentKeys).
  static std::uint64_t hash(std::string_view key);
  // Some of the keys: they are known to exist.
  [[nodiscard]] const std::vector<RecordKey>& witnesses() const { return witnesses_; }

 private:
  std::size_t max_keys_;
  bool begun_ = false;
  bool overflown_ = false;
  mutable std::vector<std::uint64_t> hashes_;  // sorted when it is first looked at
  mutable bool sorted_ = true;
  std::vector<RecordKey> witnesses_;
};

}  // namespace connector::core
