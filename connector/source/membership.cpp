#include "connector/source/membership.h"

#include "connector/source/json_pointer.h"

#include <xxhash.h>
#include <algorithm>
#include <array>
#include <cstdint>
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

Value call(const RequestTemplate& request, const Object& user_query) {
  Object body = request.body;
  merge_over(body, user_query);
  // The order of rows decides nothing about which they are.
  body.erase("order");
  body.erase("orderBy");
  Object object;
  object["method"] = common::http::to_string(request.method);
  object["path"] = request.path;
  object["body"] = std::move(body);
  return object;
}

std::string hexadecimal(std::uint64_t number) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = text.size(); i > 0; --i, number >>= 4U) text[i - 1] = kDigits[number & 0xFU];
  return text;
}

}  // namespace

std::string membership_fingerprint(const Definition& definition, const StreamOptions& options) {
  Object object;
  object["key"] = definition.key;
  if (definition.query) {
    object["query"] = call(definition.query->request, options.query);
    object["query_records"] = definition.query->records;
  }
  if (definition.job) {
    object["job"] = call(definition.job->submit, options.query);
    object["job_records"] = definition.job->records;
  }
  const std::string text = common::json::serialize(sorted(object));
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return "1:" + hexadecimal(hash.high64) + hexadecimal(hash.low64);
}

}  // namespace connector::source
