#include "connector/core/digest/index.h"

#include <xxhash.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace connector::core {

namespace {

constexpr std::size_t kUuidLength = 36;
constexpr std::uint32_t kChunkSlots = 4096;  // 224 KiB
constexpr std::uint32_t kNoSlot = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kShards = 512;
constexpr std::size_t kShares = 8192;
// What an allocation costs beyond its bytes, and a node of a std::set or std::map.
constexpr std::size_t kAllocation = 16;
constexpr std::size_t kSetNode = 48;
constexpr std::size_t kMapNode = 64;

constexpr bool is_hyphen_place(std::size_t at) {
  return at == 8 || at == 13 || at == 18 || at == 23;
}

int hex_value(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  return -1;
}

// Only the spelling that comes out again: small letters.
bool parse_uuid(std::string_view text, std::uint64_t& high, std::uint64_t& low) {
  if (text.size() != kUuidLength) return false;
  std::array<std::uint64_t, 2> halves{};
  std::size_t digits = 0;
  for (std::size_t at = 0; at < kUuidLength; ++at) {
    if (is_hyphen_place(at)) {
      if (text[at] != '-') return false;
      continue;
    }
    const int value = hex_value(text[at]);
    if (value < 0) return false;
    halves[digits / 16] = halves[digits / 16] << 4U | static_cast<std::uint64_t>(value);
    ++digits;
  }
  high = halves[0];
  low = halves[1];
  return true;
}

void write_uuid(std::uint64_t high, std::uint64_t low, std::array<char, kUuidLength>& text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::size_t digits = 0;
  for (std::size_t at = 0; at < kUuidLength; ++at) {
    if (is_hyphen_place(at)) {
      text[at] = '-';
      continue;
    }
    const std::uint64_t half = digits < 16 ? high : low;
    text[at] = kDigits[half >> (60U - 4U * (digits % 16)) & 0xFU];
    ++digits;
  }
}

// Hash tables double. Were the shards alike, all of them would double at the same time; with shares from 1 to 2 there is always
// one that is next, and the memory per key stays the same.
const std::array<std::uint16_t, kShares>& shard_of_share() {
  static const std::array<std::uint16_t, kShares> shards = [] {
    std::array<std::uint16_t, kShares> filled{};
    for (std::size_t i = 0; i < kShares; ++i) {
      const double place = std::log2(1.0 + static_cast<double>(i) / kShares);
      filled[i] = static_cast<std::uint16_t>(std::min(kShards - 1, static_cast<std::size_t>(place * kShards)));
    }
    return filled;
  }();
  return shards;
}

std::uint32_t to_packed(Second second) {
  const auto count = second.time_since_epoch().count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 0, std::numeric_limits<std::uint32_t>::max()));
}
Second from_packed(std::uint32_t seconds) {
  return Second(std::chrono::seconds(seconds));
}
std::uint16_t to_packed(HomeDay day) {
  return static_cast<std::uint16_t>(
      std::clamp<std::int64_t>(day.time_since_epoch().count(), 0, std::numeric_limits<std::uint16_t>::max()));
}

std::size_t text_cost(std::size_t size) {
  return sizeof(std::uint32_t) + size + kAllocation;
}

}  // namespace

struct DigestIndex::KeyId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const KeyId&, const KeyId&) = default;
};

// A key that is looked for. `text` is empty for a UUID.
struct DigestIndex::KeyRef {
  KeyId id;
  std::string_view text;
  bool is_text = false;
};

struct DigestIndex::Slot {
  KeyId id;  // of a free slot: `low` is the next free one
  std::uint64_t common = 0;
  std::uint64_t full = 0;
  std::uint64_t seen = 0;
  std::uint32_t read_at = 0;
  std::uint32_t changed_at = 0;
  std::uint32_t owed_at = 0;
  std::uint16_t home_day = 0;
  std::uint8_t state = 0;
  bool used : 1 = false;
  bool is_text : 1 = false;
  bool open : 1 = false;
  bool doubt : 1 = false;
  bool has_common : 1 = false;
  bool has_full : 1 = false;
  bool has_seen : 1 = false;
  bool is_owed : 1 = false;
};

struct DigestIndex::Chunk {
  // Of a key that is no UUID: its length and its bytes.
  using Text = std::unique_ptr<char[]>;  // NOLINT(modernize-avoid-c-arrays)

  std::array<Slot, kChunkSlots> slots;
  std::unique_ptr<std::array<Text, kChunkSlots>> texts;
  // Of every entry that was ever here, so that iterations pass over chunks without their day.
  std::uint16_t first_day = std::numeric_limits<std::uint16_t>::max();
  std::uint16_t last_day = 0;

  [[nodiscard]] std::string_view text(std::size_t place) const {
    const char* bytes = (*texts)[place].get();
    std::uint32_t size = 0;
    std::memcpy(&size, bytes, sizeof(size));
    return {bytes + sizeof(size), size};
  }
};

std::size_t DigestIndex::Hash::operator()(SlotNumber number) const {
  const KeyId& id = (*chunks)[number / kChunkSlots]->slots[number % kChunkSlots].id;
  return XXH3_64bits(&id, sizeof(id));
}
std::size_t DigestIndex::Hash::operator()(const KeyRef& key) const {
  return XXH3_64bits(&key.id, sizeof(key.id));
}

bool DigestIndex::Equal::operator()(const KeyRef& key, SlotNumber number) const {
  const Chunk& chunk = *(*chunks)[number / kChunkSlots];
  const Slot& slot = chunk.slots[number % kChunkSlots];
  return slot.id == key.id && slot.is_text == key.is_text && (!key.is_text || chunk.text(number % kChunkSlots) == key.text);
}

DigestIndex::DigestIndex(Following following)
    : following_(following),
      chunks_(std::make_unique<std::vector<std::unique_ptr<Chunk>>>()),
      shards_(std::make_unique<std::vector<Shard>>()),
      free_(kNoSlot) {
  static_assert(sizeof(Slot) == 56);
  shards_->reserve(kShards);
  for (std::size_t i = 0; i < kShards; ++i) shards_->emplace_back(0, Hash{chunks_.get()}, Equal{chunks_.get()});
}
DigestIndex::~DigestIndex() = default;
DigestIndex::DigestIndex(DigestIndex&&) noexcept = default;
DigestIndex& DigestIndex::operator=(DigestIndex&&) noexcept = default;

DigestIndex::KeyRef DigestIndex::make_ref(std::string_view key) {
  KeyRef ref;
  if (parse_uuid(key, ref.id.high, ref.id.low)) return ref;
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  return {.id = {.high = hash.high64, .low = hash.low64}, .text = key, .is_text = true};
}

DigestIndex::Slot& DigestIndex::slot_at(SlotNumber number) const {
  return (*chunks_)[number / kChunkSlots]->slots[number % kChunkSlots];
}

// Bits that the shard's own table uses for neither a place nor a tag, unless it is huge.
DigestIndex::Shard& DigestIndex::shard_of(std::uint64_t hash) const {
  return (*shards_)[shard_of_share()[hash >> 16U & (kShares - 1)]];
}

DigestEntry DigestIndex::unpack(const Slot& slot) {
  DigestEntry entry;
  entry.state = static_cast<DigestState>(slot.state);
  entry.open = slot.open;
  entry.doubt = slot.doubt;
  if (slot.has_common) entry.common = slot.common;
  if (slot.has_full) entry.full = slot.full;
  if (slot.has_seen) entry.seen = slot.seen;
  entry.read_at = from_packed(slot.read_at);
  entry.changed_at = from_packed(slot.changed_at);
  if (slot.is_owed) entry.owed_at = from_packed(slot.owed_at);
  entry.home_day = HomeDay(std::chrono::days(slot.home_day));
  return entry;
}

void DigestIndex::pack(const DigestEntry& entry, Slot& slot) {
  slot.state = static_cast<std::uint8_t>(entry.state);
  slot.open = entry.open;
  slot.doubt = entry.doubt;
  slot.has_common = entry.common.has_value();
  slot.common = entry.common.value_or(0);
  slot.has_full = entry.full.has_value();
  slot.full = entry.full.value_or(0);
  slot.has_seen = entry.seen.has_value();
  slot.seen = entry.seen.value_or(0);
  slot.read_at = to_packed(entry.read_at);
  slot.changed_at = to_packed(entry.changed_at);
  slot.is_owed = entry.owed_at.has_value();
  slot.owed_at = entry.owed_at ? to_packed(*entry.owed_at) : 0;
  slot.home_day = to_packed(entry.home_day);
}

std::string_view DigestIndex::key_of(SlotNumber number, std::array<char, 36>& buffer) const {
  const Slot& slot = slot_at(number);
  if (slot.is_text) return (*chunks_)[number / kChunkSlots]->text(number % kChunkSlots);
  write_uuid(slot.id.high, slot.id.low, buffer);
  return {buffer.data(), buffer.size()};
}

std::optional<DigestIndex::SlotNumber> DigestIndex::locate(const KeyRef& key) const {
  const Shard& shard = shard_of(shards_->front().hash_function()(key));
  const auto found = shard.find(key);
  return found == shard.end() ? std::nullopt : std::optional(*found);
}

std::optional<DigestEntry> DigestIndex::find(std::string_view key) const {
  const auto number = locate(make_ref(key));
  return number ? std::optional(unpack(slot_at(*number))) : std::nullopt;
}

DigestIndex::SlotNumber DigestIndex::take_slot() {
  if (free_ != kNoSlot) {
    const SlotNumber number = free_;
    free_ = static_cast<SlotNumber>(slot_at(number).id.low);
    return number;
  }
  if (used_slots_ == chunks_->size() * kChunkSlots) chunks_->push_back(std::make_unique<Chunk>());
  return used_slots_++;
}

void DigestIndex::set_text(SlotNumber number, std::string_view text) {
  Chunk& chunk = *(*chunks_)[number / kChunkSlots];
  if (chunk.texts == nullptr) {
    chunk.texts = std::make_unique<std::array<Chunk::Text, kChunkSlots>>();
    text_bytes_ += sizeof(*chunk.texts) + kAllocation;
  }
  const auto size = static_cast<std::uint32_t>(text.size());
  Chunk::Text& place = (*chunk.texts)[number % kChunkSlots];
  place = std::make_unique_for_overwrite<char[]>(sizeof(size) + text.size());  // NOLINT(modernize-avoid-c-arrays)
  std::memcpy(place.get(), &size, sizeof(size));
  std::memcpy(place.get() + sizeof(size), text.data(), text.size());
  text_bytes_ += text_cost(text.size());
}

void DigestIndex::drop_text(SlotNumber number) {
  Chunk& chunk = *(*chunks_)[number / kChunkSlots];
  text_bytes_ -= text_cost(chunk.text(number % kChunkSlots).size());
  (*chunk.texts)[number % kChunkSlots].reset();
}

void DigestIndex::put(std::string_view key, const DigestEntry& entry) {
  const KeyRef ref = make_ref(key);
  std::optional<SlotNumber> number = locate(ref);
  if (number) {
    forget_entry(*number, unpack(slot_at(*number)));
  } else {
    number = take_slot();
    Slot& slot = slot_at(*number);
    slot = Slot{.id = ref.id, .used = true, .is_text = ref.is_text};
    if (ref.is_text) set_text(*number, key);
    Shard& shard = shard_of(shards_->front().hash_function()(ref));
    const std::size_t before = shard.bucket_count();
    shard.insert(*number);
    // A slot number and a byte of the table's own, in groups of 15.
    if (const std::size_t after = shard.bucket_count(); after != before) {
      table_bytes_ += (after - before) * sizeof(SlotNumber) + (after - before) * 16 / 15;
    }
    ++size_;
  }
  pack(entry, slot_at(*number));
  Chunk& chunk = *(*chunks_)[*number / kChunkSlots];
  chunk.first_day = std::min(chunk.first_day, slot_at(*number).home_day);
  chunk.last_day = std::max(chunk.last_day, slot_at(*number).home_day);
  register_entry(*number, unpack(slot_at(*number)));
}

bool DigestIndex::erase(std::string_view key) {
  const KeyRef ref = make_ref(key);
  const std::optional<SlotNumber> number = locate(ref);
  if (!number) return false;
  forget_entry(*number, unpack(slot_at(*number)));
  shard_of(shards_->front().hash_function()(ref)).erase(*number);
  if (ref.is_text) drop_text(*number);
  slot_at(*number) = Slot{.id = {.high = 0, .low = free_}};
  free_ = *number;
  --size_;
  return true;
}

void DigestIndex::register_entry(SlotNumber number, const DigestEntry& entry) {
  if (entry.is_followed()) followed_.insert(number);
  if (!entry.owed_at) return;
  ++owed_count_;
  OwedRecords& day = owed_[entry.home_day];
  if (following_ == Following::kById && entry.is_followed()) {
    ++day.waiting;
    return;
  }
  if (++day.due[*entry.owed_at] == 1) ++owed_nodes_;
  if (entry.is_followed() && ++day.open[entry.changed_at] == 1) ++owed_nodes_;
}

void DigestIndex::forget_entry(SlotNumber number, const DigestEntry& entry) {
  if (entry.is_followed()) followed_.erase(number);
  if (!entry.owed_at) return;
  --owed_count_;
  const auto day = owed_.find(entry.home_day);
  const auto count_off = [&](std::map<Second, std::uint64_t>& counts, Second at) {
    const auto count = counts.find(at);
    if (--count->second != 0) return;
    counts.erase(count);
    --owed_nodes_;
  };
  if (following_ == Following::kById && entry.is_followed()) {
    --day->second.waiting;
  } else {
    count_off(day->second.due, *entry.owed_at);
    if (entry.is_followed()) count_off(day->second.open, entry.changed_at);
  }
  if (day->second == OwedRecords{}) owed_.erase(day);
}

std::size_t DigestIndex::bytes() const {
  return chunks_->size() * (sizeof(Chunk) + kAllocation) + chunks_->capacity() * sizeof(chunks_->front()) +
         kShards * (sizeof(Shard) + kAllocation) + table_bytes_ + text_bytes_ + followed_.size() * kSetNode +
         (owed_.size() * 2 + owed_nodes_) * kMapNode;
}

void DigestIndex::visit_slots(Cursor& cursor, std::optional<HomeDay> day, std::size_t most, const Visitor& visitor) const {
  if (cursor.at_end()) return;
  const std::uint16_t wanted = day ? to_packed(*day) : 0;
  std::array<char, kUuidLength> buffer{};
  auto number = static_cast<SlotNumber>(cursor.next_);
  std::size_t looked_at = 0;
  while (number < used_slots_ && looked_at < most) {
    const Chunk& chunk = *(*chunks_)[number / kChunkSlots];
    if (day && (wanted < chunk.first_day || wanted > chunk.last_day)) {
      number = (number / kChunkSlots + 1) * kChunkSlots;
      ++looked_at;
      continue;
    }
    const Slot& slot = chunk.slots[number % kChunkSlots];
    if (slot.used && (!day || slot.home_day == wanted)) visitor(key_of(number, buffer), unpack(slot));
    ++number;
    ++looked_at;
  }
  cursor.next_ = number < used_slots_ ? number : Cursor::kEnd;
}

void DigestIndex::visit(Cursor& cursor, std::size_t most, const Visitor& visitor) const {
  visit_slots(cursor, std::nullopt, most, visitor);
}

void DigestIndex::visit_day(Cursor& cursor, HomeDay day, std::size_t most, const Visitor& visitor) const {
  visit_slots(cursor, day, most, visitor);
}

void DigestIndex::visit_followed(Cursor& cursor, std::size_t most, const Visitor& visitor) const {
  if (cursor.at_end()) return;
  std::array<char, kUuidLength> buffer{};
  auto next = followed_.lower_bound(static_cast<SlotNumber>(cursor.next_));
  for (std::size_t visited = 0; next != followed_.end() && visited < most; ++visited, ++next) {
    visitor(key_of(*next, buffer), unpack(slot_at(*next)));
  }
  cursor.next_ = next == followed_.end() ? Cursor::kEnd : *next;
}

}  // namespace connector::core
