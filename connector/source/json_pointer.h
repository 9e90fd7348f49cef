#pragma once

// RFC 6901 pointers on small JSON documents: request bodies and answers that hold no records. Pure.

#include "common/json.h"

#include <string>
#include <string_view>
#include <vector>

namespace connector::source {

// Reference tokens, unescaped; `""` has none. A pointer must be empty or begin with `/` (config/ checks).
std::vector<std::string> pointer_tokens(std::string_view pointer);

// Sets the value at `pointer`; objects on the way are made, anything else that stands in the way is replaced by one.
void set_at(common::json::Object& body, std::string_view pointer, common::json::Value value);
// Without what is at `pointer`, if there is something.
void erase_at(common::json::Object& body, std::string_view pointer);
// Null if there is nothing; array elements by index.
const common::json::Value* find_at(const common::json::Value& value, std::string_view pointer);

// Members of `from` over those of `into`: objects are merged, everything else (arrays too) is replaced.
void merge_over(common::json::Object& into, const common::json::Object& from);

}  // namespace connector::source
