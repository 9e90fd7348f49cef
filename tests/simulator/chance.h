#pragma once

// Deterministic chance: every "random" choice of the simulator is a hash of the seed and what it is about, so that any fact can
// be computed at any time without state. Pure functions, any thread.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace tests::simulator {

// The finaliser of splitmix64: every output bit depends on every input bit.
constexpr std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

template <std::convertible_to<std::uint64_t>... Parts>
constexpr std::uint64_t chance(std::uint64_t seed, Parts... parts) {
  std::uint64_t state = mix(seed);
  ((state = mix(state ^ static_cast<std::uint64_t>(parts))), ...);
  return state;
}

// In [0, 1).
constexpr double to_unit(std::uint64_t bits) {
  return static_cast<double>(bits >> 11U) * 0x1.0p-53;
}

// A version 4 UUID of 122 of the bits.
std::string to_uuid(std::uint64_t high, std::uint64_t low);
inline std::string uuid_of(std::uint64_t bits) {
  return to_uuid(bits, mix(bits));
}

std::string to_base64(std::string_view bytes);
// Empty text for what is not base64.
std::string from_base64(std::string_view text);

}  // namespace tests::simulator
