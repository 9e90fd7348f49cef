#include "connector/source/raw_json.h"

#include <simdjson.h>
#include <algorithm>
#include <charconv>
#include <utility>

namespace connector::source {

namespace ondemand = simdjson::ondemand;

namespace {

using Error = simdjson::error_code;

simdjson::padded_string_view padded(std::string_view text) {
  return simdjson::padded_string_view(text.data(), text.size(), text.size() + simdjson::SIMDJSON_PADDING);
}

std::string_view trimmed(std::string_view token) {
  return token.substr(0, token.find_last_not_of(" \n\r\t") + 1);
}

// The bytes of a value inside an object or array.
Error text_of(ondemand::value& value, std::string_view& text) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return error;
  if (type == ondemand::json_type::array || type == ondemand::json_type::object) {
    return simdjson::to_json_string(value).get(text);
  }
  text = trimmed(value.raw_json_token());
  return simdjson::SUCCESS;
}

bool is_index(std::string_view token, std::size_t& index) {
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  return error == std::errc() && end == token.data() + token.size();
}

Error append(ondemand::value value, std::string& out);

Error append(ondemand::object object, std::string& out) {
  std::vector<std::pair<std::string, std::string>> members;
  for (auto item : object) {
    ondemand::field field;
    if (const auto error = std::move(item).get(field)) return error;
    std::string_view name;
    if (const auto error = field.unescaped_key().get(name)) return error;
    members.emplace_back(name, std::string());
    if (const auto error = append(field.value(), members.back().second)) return error;
  }
  std::ranges::sort(members);
  out += '{';
  bool first = true;
  for (const auto& [name, value] : members) {
    if (!std::exchange(first, false)) out += ',';
    append_quoted(name, out);
    out.append(":").append(value);
  }
  out += '}';
  return simdjson::SUCCESS;
}

Error append(ondemand::array array, std::string& out) {
  out += '[';
  bool first = true;
  for (auto item : array) {
    ondemand::value element;
    if (const auto error = std::move(item).get(element)) return error;
    if (!std::exchange(first, false)) out += ',';
    if (const auto error = append(element, out)) return error;
  }
  out += ']';
  return simdjson::SUCCESS;
}

Error append(ondemand::value value, std::string& out) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return error;
  switch (type) {
    case ondemand::json_type::object: {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return error;
      return append(object, out);
    }
    case ondemand::json_type::array: {
      ondemand::array array;
      if (const auto error = value.get_array().get(array)) return error;
      return append(array, out);
    }
    case ondemand::json_type::string: {
      std::string_view text;
      if (const auto error = value.get_string().get(text)) return error;
      append_quoted(text, out);
      return simdjson::SUCCESS;
    }
    default:
      out += trimmed(value.raw_json_token());
      return simdjson::SUCCESS;
  }
}

}  // namespace

struct RawJson::Impl {
  ondemand::parser parser;

  // One token further; after an error the document is given up, like everywhere (page_slicer.cpp).
  std::optional<std::string_view> step(std::string_view text, std::string_view token) {
    ondemand::document document;
    std::string_view found;
    if (text.starts_with('{')) {
      ondemand::object object;
      if (parser.iterate(padded(text)).get(document) || document.get_object().get(object)) return std::nullopt;
      for (auto item : object) {
        ondemand::field field;
        std::string_view name;
        if (std::move(item).get(field) || field.unescaped_key().get(name)) return std::nullopt;
        if (name != token) continue;
        if (text_of(field.value(), found)) return std::nullopt;
        return found;
      }
    } else if (std::size_t left = 0; text.starts_with('[') && is_index(token, left)) {
      ondemand::array array;
      if (parser.iterate(padded(text)).get(document) || document.get_array().get(array)) return std::nullopt;
      for (auto item : array) {
        ondemand::value element;
        if (std::move(item).get(element)) return std::nullopt;
        if (left-- > 0) continue;
        if (text_of(element, found)) return std::nullopt;
        return found;
      }
    }
    return std::nullopt;
  }
};

RawJson::RawJson() : impl_(std::make_unique<Impl>()) {}
RawJson::~RawJson() = default;

std::optional<std::string_view> RawJson::find(std::string_view text, std::span<const std::string> tokens) {
  std::optional<std::string_view> found = text;
  for (const std::string& token : tokens) {
    found = impl_->step(*found, token);
    if (!found) return std::nullopt;
  }
  return found;
}

bool RawJson::split(std::string_view text, std::vector<std::string_view>& elements) {
  elements.clear();
  if (!text.starts_with('[')) return false;
  ondemand::document document;
  ondemand::array array;
  if (impl_->parser.iterate(padded(text)).get(document) || document.get_array().get(array)) return false;
  for (auto item : array) {
    ondemand::value element;
    std::string_view found;
    if (std::move(item).get(element) || text_of(element, found)) return false;
    elements.push_back(found);
  }
  return true;
}

bool RawJson::append_canonical(std::string_view text, std::string& out) {
  ondemand::document document;
  if (text.starts_with('{')) {
    ondemand::object object;
    return !impl_->parser.iterate(padded(text)).get(document) && !document.get_object().get(object) && !append(object, out);
  }
  if (text.starts_with('[')) {
    ondemand::array array;
    return !impl_->parser.iterate(padded(text)).get(document) && !document.get_array().get(array) && !append(array, out);
  }
  if (text.starts_with('"')) {
    std::string_view plain;
    if (impl_->parser.iterate(padded(text)).get(document) || document.get_string().get(plain)) return false;
    append_quoted(plain, out);
    return true;
  }
  out += text;
  return !text.empty();
}

void append_quoted(std::string_view text, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (const char character : text) {
    switch (character) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (const auto code = static_cast<unsigned char>(character); code < 0x20) {
          out.append("\\u00").append(1, kDigits[code >> 4U]).append(1, kDigits[code & 0xFU]);
        } else {
          out += character;
        }
    }
  }
  out += '"';
}

}  // namespace connector::source
