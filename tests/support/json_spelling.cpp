#include "tests/support/json_spelling.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

namespace tests::support {
namespace {

class Respeller {
 public:
  Respeller(std::string_view json, const Choose& choose) : rest_(json), choose_(choose) {}

  std::string value() {
    skip_space();
    if (rest_.starts_with('{')) return object();
    if (rest_.starts_with('[')) return array();
    if (rest_.starts_with('"')) return text();
    const std::size_t end = rest_.find_first_of(" \n\r\t,]}");
    return std::string(take(end == std::string_view::npos ? rest_.size() : end));
  }

 private:
  std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  void skip_space() { take(std::min(rest_.find_first_not_of(" \n\r\t"), rest_.size())); }
  bool take_if(char character) {
    skip_space();
    if (!rest_.starts_with(character)) return false;
    take(1);
    return true;
  }
  std::string space() {
    constexpr std::array<std::string_view, 6> kSpaces{"", "", "", " ", "\n\t", "  \r\n"};
    return std::string(kSpaces[choose_(kSpaces.size())]);
  }

  std::string object() {
    take(1);
    std::vector<std::string> members;
    while (!rest_.empty() && !take_if('}')) {
      skip_space();
      const std::size_t before = rest_.size();
      std::string member = space() + text() + space();
      take_if(':');
      member += ":" + space() + value() + space();
      members.push_back(std::move(member));
      take_if(',');
      if (rest_.size() == before) break;
    }
    for (std::size_t i = members.size(); i > 1; --i) std::swap(members[i - 1], members[choose_(i)]);
    return "{" + joined(members) + "}";
  }

  std::string array() {
    take(1);
    std::vector<std::string> elements;
    while (!rest_.empty() && !take_if(']')) {
      const std::size_t before = rest_.size();
      elements.push_back(space() + value() + space());
      take_if(',');
      if (rest_.size() == before) break;
    }
    return "[" + joined(elements) + "]";
  }

  std::string joined(const std::vector<std::string>& parts) {
    std::string all = parts.empty() ? space() : std::string();
    for (std::size_t i = 0; i < parts.size(); ++i) all.append(i == 0 ? "" : ",").append(parts[i]);
    return all;
  }

  // Characters one by one: as they are, or escaped.
  std::string text() {
    take(1);
    std::string written = "\"";
    while (!rest_.empty() && !rest_.starts_with('"')) written += character();
    take(1);
    return written + "\"";
  }

  std::string character() {
    if (!rest_.starts_with('\\')) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      if (byte >= 0x80) return std::string(take(1));  // part of a longer one
      take(1);
      return spelt(byte);
    }
    take(1);
    const std::string_view kind = take(1);
    if (kind != "u") {
      constexpr std::string_view kShort = "\"\\/bfnrt";
      constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
      const std::size_t at = kind.empty() ? std::string_view::npos : kShort.find(kind.front());
      return at == std::string_view::npos ? std::string() : spelt(static_cast<unsigned char>(kMeant[at]));
    }
    const std::string_view digits = take(4);
    const std::uint32_t code = hex(digits);
    if (code < 0x80) return spelt(code);
    if (code < 0xD800 || code > 0xDBFF) return choose_(2) == 0 ? "\\u" + std::string(digits) : utf8(code);
    take(2);
    const std::string_view low = take(4);
    if (choose_(2) == 0) return "\\u" + std::string(digits) + "\\u" + std::string(low);
    return utf8(0x10000U + ((code - 0xD800U) << 10U) + (hex(low) - 0xDC00U));
  }

  std::string spelt(std::uint32_t code) {
    std::array<char, 8> escaped{};
    std::snprintf(escaped.data(), escaped.size(), choose_(2) == 0 ? "\\u%04x" : "\\u%04X", code);
    if (code < 0x20 || choose_(4) == 0) return escaped.data();
    const char plain = static_cast<char>(code);
    if (plain == '"' || plain == '\\') return std::string("\\") + plain;
    if (plain == '/' && choose_(2) == 0) return "\\/";
    return std::string(1, plain);
  }

  static std::uint32_t hex(std::string_view digits) {
    std::uint32_t code = 0;
    for (const char digit : digits) {
      const int value = digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
      code = code * 16 + static_cast<std::uint32_t>(value);
    }
    return code;
  }

  static std::string utf8(std::uint32_t code) {
    const auto byte = [](std::uint32_t value) { return static_cast<char>(static_cast<unsigned char>(value)); };
    const auto tail = [&](unsigned shift) { return byte(0x80U | (code >> shift & 0x3FU)); };
    if (code < 0x800) return {byte(0xC0U | code >> 6U), tail(0)};
    if (code < 0x10000) return {byte(0xE0U | code >> 12U), tail(6), tail(0)};
    return {byte(0xF0U | code >> 18U), tail(12), tail(6), tail(0)};
  }

  std::string_view rest_;
  const Choose& choose_;
};

}  // namespace

std::string respell(std::string_view json, const Choose& choose) {
  return Respeller(json, choose).value();
}

}  // namespace tests::support
