#include "connector/source/json_pointer.h"

#include "connector/source/pointer_pattern.h"

#include <charconv>
#include <utility>

namespace connector::source {

using common::json::Object;
using common::json::Value;

std::vector<std::string> pointer_tokens(std::string_view pointer) {
  return PointerPattern(pointer).tokens();
}

void set_at(Object& body, std::string_view pointer, Value value) {
  const std::vector<std::string> tokens = pointer_tokens(pointer);
  if (tokens.empty()) return;
  Object* parent = &body;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    Value& child = (*parent)[tokens[i]];
    if (!child.is_object()) child = Object();
    parent = &child.get_object();
  }
  (*parent)[tokens.back()] = std::move(value);
}

void erase_at(Object& body, std::string_view pointer) {
  const std::vector<std::string> tokens = pointer_tokens(pointer);
  if (tokens.empty()) return;
  Object* parent = &body;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    Value* child = parent->if_contains(tokens[i]);
    if (child == nullptr || !child->is_object()) return;
    parent = &child->get_object();
  }
  parent->erase(tokens.back());
}

const Value* find_at(const Value& value, std::string_view pointer) {
  const Value* found = &value;
  for (const std::string& token : pointer_tokens(pointer)) {
    if (found->is_object()) {
      found = found->get_object().if_contains(token);
    } else if (found->is_array()) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
      const bool is_index = error == std::errc() && end == token.data() + token.size() && index < found->get_array().size();
      found = is_index ? &found->get_array()[index] : nullptr;
    } else {
      found = nullptr;
    }
    if (found == nullptr) return nullptr;
  }
  return found;
}

void merge_over(Object& into, const Object& from) {
  for (const auto& member : from) {
    Value& target = into[member.key()];
    if (target.is_object() && member.value().is_object()) {
      merge_over(target.get_object(), member.value().get_object());
    } else {
      target = member.value();
    }
  }
}

}  // namespace connector::source
