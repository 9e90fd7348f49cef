#pragma once

// How the members of a stream's `query` stand in a URL: in places of its path, or as parameters. A header alone: config/ checks
// by it, and does not link this module. Pure.

#include "common/json.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::source {

// The places of a path that it fills: of /a/{b}/{job}, b.
inline std::vector<std::string> places_in(std::string_view path) {
  std::vector<std::string> names;
  for (auto open = path.find('{'); open != std::string_view::npos; open = path.find('{', open + 1)) {
    const auto close = path.find('}', open);
    if (close == std::string_view::npos) break;
    std::string name(path.substr(open + 1, close - open - 1));
    if (name != "job") names.push_back(std::move(name));
  }
  return names;
}

// A member as it stands in a URL: a list has several texts, null none. Objects are refused by config/.
inline std::vector<std::string> url_texts(const common::json::Value& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return {std::string(std::string_view(value.get_string()))};
  if (!value.is_array()) return {common::json::serialize(value)};
  std::vector<std::string> texts;
  for (const auto& item : value.get_array()) std::ranges::move(url_texts(item), std::back_inserter(texts));
  return texts;
}

}  // namespace connector::source
