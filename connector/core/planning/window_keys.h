#pragma once

// The keys seen inside one window, so that a row that a drifting page shows again is not published again: 128-bit hashes with a
// hash of the content and where the row is held, 40 bytes a key, bounded. Plain value.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace connector::core {

// Where a row is held, if it still is: page of the group and record of the page.
struct RowPlace {
  std::uint32_t page = 0;
  std::uint32_t record = 0;
};

enum class RowVerdict : std::uint8_t {
  kNew,
  kSame,     // equal content was seen: drop this row
  kPoorer,   // this row is open and a closed one was seen: drop this row
  kReplaces  // another content, not poorer: this row counts, the earlier one does not
};

struct RowSeen {
  RowVerdict verdict = RowVerdict::kNew;
  RowPlace earlier;  // of the replaced row
};

class WindowKeys {
 public:
  // `max_keys` bounds the memory: keys beyond are taken for new and not remembered.
  explicit WindowKeys(std::size_t max_keys) : max_keys_(max_keys) {}

  RowSeen see(std::string_view key, std::string_view content, bool is_open, RowPlace place);
  void clear();
  [[nodiscard]] std::uint64_t distinct() const { return distinct_; }  // counts keys beyond the bound each time they are seen
  [[nodiscard]] bool is_full() const { return used_ >= max_keys_; }
  static constexpr std::size_t kBytesPerKey = 40 * 2;  // slots are at most half used after growing

 private:
  struct Slot {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::uint64_t content = 0;
    RowPlace place;
    bool used = false;
    bool open = false;
  };
  Slot& find(std::uint64_t low, std::uint64_t high);
  void grow();

  std::size_t max_keys_;
  std::size_t used_ = 0;
  std::uint64_t distinct_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace connector::core
