#include "connector/kafka/partitioner.h"

#include <cstddef>

namespace connector::kafka {

std::uint32_t murmur2(std::string_view bytes) {
  constexpr std::uint32_t kSeed = 0x9747b28cU;
  constexpr std::uint32_t kMultiplier = 0x5bd1e995U;
  constexpr unsigned kShift = 24;
  const auto at = [bytes](std::size_t place) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[place])); };

  std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(bytes.size());
  const std::size_t whole = bytes.size() / 4 * 4;
  for (std::size_t place = 0; place < whole; place += 4) {
    std::uint32_t word = at(place) | at(place + 1) << 8U | at(place + 2) << 16U | at(place + 3) << 24U;
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash *= kMultiplier;
    hash ^= word;
  }
  const std::size_t rest = bytes.size() - whole;
  if (rest >= 3) hash ^= at(whole + 2) << 16U;
  if (rest >= 2) hash ^= at(whole + 1) << 8U;
  if (rest >= 1) {
    hash ^= at(whole);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13U;
  hash *= kMultiplier;
  hash ^= hash >> 15U;
  return hash;
}

std::int32_t state_partition(std::string_view stream, std::int32_t partitions) {
  return static_cast<std::int32_t>((murmur2(stream) & 0x7fffffffU) % static_cast<std::uint32_t>(partitions));
}

}  // namespace connector::kafka
