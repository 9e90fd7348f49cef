#pragma once

// JSON for small documents (state values, errors, logs, token answers): Boost.JSON behind our name. Pages of records never pass
// here: connector/source slices them with simdjson.

#include "common/result.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace common::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

// Depth at most 32 and nothing after the value, else kMalformedResponse with the place.
Result<Value> parse(std::string_view text);
std::string serialize(const Value& value);

// Looks `key` up in an object; null pointer if `value` is no object or has no such member.
const Value* find(const Value& value, std::string_view key);
// The member as text / integer, or nothing if absent or of another type.
std::optional<std::string> find_string(const Value& value, std::string_view key);
std::optional<std::int64_t> find_int(const Value& value, std::string_view key);
// The member as a number to three decimals, 1e12 if beyond it, or nothing if absent or of another type: what is read here,
// written and read again is the same, which the digits of any double are not (Boost.JSON's reader may be off in the last one).
std::optional<double> find_thousandths(const Value& value, std::string_view key);

}  // namespace common::json
