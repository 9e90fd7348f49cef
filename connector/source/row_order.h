#pragma once

// In which order rows come, where a query says so: `order`, in its body or, without one, in its URL. A header alone: config/
// checks by it, and does not link this module. Pure.

#include "common/json.h"
#include "connector/source/definition.h"

#include <string>
#include <string_view>

namespace connector::source {

inline constexpr std::string_view kRowOrder = "order";
inline constexpr std::string_view kNewestFirst = "desc";

// Whether rows can be asked for newest first. `user_query`: the stream's own, over the definition's. A word that the service does
// not know it may ignore, and rows stay as they were: only known ones are turned.
inline bool can_turn_rows(const RequestTemplate& request, const common::json::Object& user_query) {
  const auto is_known = [](std::string_view word) { return word == "asc" || word == kNewestFirst; };
  const common::json::Value* order = user_query.if_contains(kRowOrder);
  if (order == nullptr) order = request.body.if_contains(kRowOrder);
  if (order != nullptr) return order->is_string() && is_known(std::string_view(order->get_string()));
  if (has_body(request)) return false;
  for (const auto& [name, value] : request.parameters) {
    if (name == kRowOrder) return is_known(value);
  }
  return false;
}

}  // namespace connector::source
