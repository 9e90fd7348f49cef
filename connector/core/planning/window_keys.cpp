#include "connector/core/planning/window_keys.h"

#include <xxhash.h>
#include <utility>

namespace connector::core {

WindowKeys::Slot& WindowKeys::find(std::uint64_t low, std::uint64_t high) {
  // Open addressing over a power of two, never more than three quarters full.
  std::size_t index = low & (slots_.size() - 1);
  while (slots_[index].used && (slots_[index].low != low || slots_[index].high != high))
    index = (index + 1) & (slots_.size() - 1);
  return slots_[index];
}

void WindowKeys::grow() {
  std::vector<Slot> before = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 256 : slots_.size() * 2));
  for (const Slot& slot : before) {
    if (slot.used) find(slot.low, slot.high) = slot;
  }
}

RowSeen WindowKeys::see(std::string_view key, std::string_view content, bool is_open, RowPlace place) {
  if (slots_.empty() || (used_ + 1) * 4 > slots_.size() * 3) grow();
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  const std::uint64_t digest = XXH3_64bits(content.data(), content.size());
  Slot& slot = find(hash.low64, hash.high64);
  if (!slot.used) {
    ++distinct_;
    if (used_ >= max_keys_) return {};
    ++used_;
    slot = {.low = hash.low64, .high = hash.high64, .content = digest, .place = place, .used = true, .open = is_open};
    return {};
  }
  if (slot.content == digest && slot.open == is_open) return {.verdict = RowVerdict::kSame, .earlier = slot.place};
  if (is_open && !slot.open) return {.verdict = RowVerdict::kPoorer, .earlier = slot.place};
  const RowPlace earlier = std::exchange(slot.place, place);
  slot.content = digest;
  slot.open = is_open;
  return {.verdict = RowVerdict::kReplaces, .earlier = earlier};
}

void WindowKeys::clear() {
  slots_.clear();
  used_ = 0;
  distinct_ = 0;
}

}  // namespace connector::core
