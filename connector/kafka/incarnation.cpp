#include "connector/kafka/incarnation.h"

#include <unistd.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace connector::kafka {

std::string make_incarnation(std::mt19937_64& random) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  for (int word = 0; word < 2; ++word) {
    std::uint64_t bits = random();
    for (int digit = 0; digit < 16; ++digit, bits >>= 4U) id += kDigits[bits & 15U];
  }
  return id;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace connector::kafka
