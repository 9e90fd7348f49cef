#include "connector/source/fingerprint.h"

#include <xxhash.h>
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace connector::source {

using common::json::Array;
using common::json::Object;
using common::json::Value;

namespace {

// The same value with members in order of their names, so that spelling does not count.
Value sorted(const Value& value) {
  if (value.is_array()) {
    Array array;
    for (const Value& element : value.get_array()) array.push_back(sorted(element));
    return array;
  }
  if (!value.is_object()) return value;
  std::vector<std::string> keys;
  for (const auto& member : value.get_object()) keys.emplace_back(member.key());
  std::ranges::sort(keys);
  Object object;
  for (const std::string& key : keys) object[key] = sorted(value.get_object().at(key));
  return object;
}

std::string hexadecimal(std::uint64_t number) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = text.size(); i > 0; --i, number >>= 4U) text[i - 1] = kDigits[number & 0xFU];
  return text;
}

}  // namespace

std::string fingerprint(const Value& settings) {
  const std::string text = common::json::serialize(sorted(settings));
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return "1:" + hexadecimal(hash.high64) + hexadecimal(hash.low64);
}

}  // namespace connector::source
