#pragma once

// The committed digest entries of one stream in memory, by record key: the one thing whose size grows with the data, so it is
// packed. A UUID in its usual spelling costs 64 bytes with its entry, any other key its text besides. Memory of erased keys is
// kept for the next ones. Growing copies a small part at a time: no call blocks for long. Plain value, one thread.

#include "connector/core/digest/entry.h"

#include <array>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace connector::core {

// Whether somebody reads open records again by id: if not, an owed record waits for nothing but the job.
enum class Following : std::uint8_t { kById, kNobody };

// The owed records of one home day.
struct OwedRecords {
  std::map<Second, std::uint64_t> due;  // how many need a job row whose data is complete beyond this
  std::uint64_t waiting = 0;            // to be read by id first: open, wanted or in doubt
  // Where nobody reads by id, how many of those due are open, wanted or in doubt, by when they changed last.
  std::map<Second, std::uint64_t> open = {};
  friend bool operator==(const OwedRecords&, const OwedRecords&) = default;
};
using OwedByDay = std::map<HomeDay, OwedRecords>;

class DigestIndex {
 public:
  explicit DigestIndex(Following following = Following::kById);
  ~DigestIndex();
  DigestIndex(DigestIndex&&) noexcept;
  DigestIndex& operator=(DigestIndex&&) noexcept;

  [[nodiscard]] std::optional<DigestEntry> find(std::string_view key) const;
  // Times outside 1970 to 2106 are moved to that border, days outside 1970 to 2149 to theirs.
  void put(std::string_view key, const DigestEntry& entry);
  bool erase(std::string_view key);  // false: was not there
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t slots() const { return used_slots_; }  // what visit() looks at
  [[nodiscard]] std::size_t bytes() const;                         // on the heap, allocator's overhead estimated

  // Where an iteration stands. A key that is there from its first step to its last is visited exactly once, whatever is put or
  // erased between the steps (entries do not move; a key whose home day changes counts for the day it has when it is passed). One
  // that is put or erased meanwhile is visited or not.
  class Cursor {
   public:
    [[nodiscard]] bool at_end() const { return next_ == kEnd; }

   private:
    friend class DigestIndex;
    static constexpr std::uint64_t kEnd = ~std::uint64_t{0};
    std::uint64_t next_ = 0;
  };
  // The key is a view that ends with the call. The index must not be changed by it.
  using Visitor = std::function<void(std::string_view key, const DigestEntry& entry)>;
  // One step of at most `most` entries looked at (not: visited), so that its time is bounded. A day's entries lie mostly
  // together; the rest is passed over without being looked at.
  void visit(Cursor& cursor, std::size_t most, const Visitor& visitor) const;
  void visit_day(Cursor& cursor, HomeDay day, std::size_t most, const Visitor& visitor) const;
  // Entries that are to be read by id (DigestEntry::is_followed); no scan.
  void visit_followed(Cursor& cursor, std::size_t most, const Visitor& visitor) const;
  [[nodiscard]] std::size_t followed() const { return followed_.size(); }
  // Kept up to date with every change.
  [[nodiscard]] const OwedByDay& owed() const { return owed_; }
  [[nodiscard]] std::uint64_t owed_count() const { return owed_count_; }

 private:
  using SlotNumber = std::uint32_t;
  struct KeyId;
  struct KeyRef;
  struct Slot;
  struct Chunk;
  // The hash table holds numbers of slots; what it compares stands in the slots.
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    const std::vector<std::unique_ptr<Chunk>>* chunks;
    std::size_t operator()(SlotNumber number) const;
    std::size_t operator()(const KeyRef& key) const;
  };
  struct Equal {
    using is_transparent = void;
    const std::vector<std::unique_ptr<Chunk>>* chunks;
    bool operator()(SlotNumber a, SlotNumber b) const { return a == b; }
    bool operator()(const KeyRef& key, SlotNumber number) const;
    bool operator()(SlotNumber number, const KeyRef& key) const { return (*this)(key, number); }
  };
  using Shard = boost::unordered_flat_set<SlotNumber, Hash, Equal>;

  static KeyRef make_ref(std::string_view key);
  static DigestEntry unpack(const Slot& slot);
  static void pack(const DigestEntry& entry, Slot& slot);
  [[nodiscard]] Slot& slot_at(SlotNumber number) const;
  [[nodiscard]] std::string_view key_of(SlotNumber number, std::array<char, 36>& buffer) const;
  [[nodiscard]] std::optional<SlotNumber> locate(const KeyRef& key) const;
  [[nodiscard]] Shard& shard_of(std::uint64_t hash) const;
  SlotNumber take_slot();
  void set_text(SlotNumber number, std::string_view text);
  void drop_text(SlotNumber number);
  void register_entry(SlotNumber number, const DigestEntry& entry);
  void forget_entry(SlotNumber number, const DigestEntry& entry);
  void visit_slots(Cursor& cursor, std::optional<HomeDay> day, std::size_t most, const Visitor& visitor) const;

  Following following_;
  // Behind a pointer, so that the hash functions find it after a move.
  std::unique_ptr<std::vector<std::unique_ptr<Chunk>>> chunks_;
  std::unique_ptr<std::vector<Shard>> shards_;
  SlotNumber used_slots_ = 0;  // slots that were ever taken
  SlotNumber free_;            // first of the list of slots given back
  std::size_t size_ = 0;
  std::size_t table_bytes_ = 0;
  std::size_t text_bytes_ = 0;
  std::set<SlotNumber> followed_;
  OwedByDay owed_;
  std::size_t owed_nodes_ = 0;
  std::uint64_t owed_count_ = 0;
};

}  // namespace connector::core
