#pragma once

// Random version 4 UUIDs by number, made again instead of kept.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tests::bench {

class Uuids {
 public:
  // Valid until the next call.
  std::string_view at(std::uint64_t number) {
    std::uint64_t high = mixed(number * 2 + 1);
    std::uint64_t low = mixed(number * 2 + 2);
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (i == 8 || i == 13 || i == 18 || i == 23) {
        text_[i] = '-';
        continue;
      }
      std::uint64_t& half = i < 18 ? high : low;
      text_[i] = kDigits[half & 0xFU];
      half >>= 4U;
    }
    text_[14] = '4';
    return {text_.data(), text_.size()};
  }

 private:
  static std::uint64_t mixed(std::uint64_t z) {  // splitmix64
    z *= 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  std::array<char, 36> text_{};
};

}  // namespace tests::bench
