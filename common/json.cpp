#include "common/json.h"

#include <algorithm>
#include <boost/json/parse_options.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

namespace common::json {
namespace {

// The stored state goes at most twelve levels deep; a hostile document must not cost a stack frame a byte.
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxBytes = 64UL << 20U;
constexpr double kMaxThousandths = 1e12;  // above it a thousandth is lost among the 53 bits

}  // namespace

Result<Value> parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return fail(ErrorCode::kOversize, "JSON document of " + std::to_string(text.size()) + " bytes: at most 64 MiB are read");
  }
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::json::parser parser(boost::json::storage_ptr{}, options);
  boost::system::error_code error;
  const std::size_t consumed = parser.write_some(text.data(), text.size(), error);
  if (error) {
    return fail(ErrorCode::kMalformedResponse, "not valid JSON at byte " + std::to_string(consumed) + ": " + error.message());
  }
  if (consumed != text.size()) {
    return fail(ErrorCode::kMalformedResponse, "not valid JSON at byte " + std::to_string(consumed) + ": text after the value");
  }
  return parser.release();
}

std::string serialize(const Value& value) {
  return boost::json::serialize(value);
}

const Value* find(const Value& value, std::string_view key) {
  const auto* object = value.if_object();
  return object == nullptr ? nullptr : object->if_contains(key);
}

std::optional<std::string> find_string(const Value& value, std::string_view key) {
  const Value* member = find(value, key);
  if (member == nullptr || !member->is_string()) {
    return std::nullopt;
  }
  const auto& text = member->get_string();
  return std::string(text.data(), text.size());
}

std::optional<std::int64_t> find_int(const Value& value, std::string_view key) {
  const Value* member = find(value, key);
  if (member == nullptr || !member->is_int64()) {
    return std::nullopt;  // the parser makes int64 of everything that fits
  }
  return member->get_int64();
}

std::optional<double> find_thousandths(const Value& value, std::string_view key) {
  const Value* member = find(value, key);
  if (member == nullptr || !member->is_number()) return std::nullopt;
  const auto number = member->to_number<double>();
  return std::round(std::clamp(number, -kMaxThousandths, kMaxThousandths) * 1'000) / 1'000;
}

}  // namespace common::json
