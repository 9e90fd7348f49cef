#pragma once

// Writes a conversation as the service would at an instant: query form or job form, minified, scalars in alphabetical order and
// object arrays last, absent members left out. Pure functions, any thread.

#include "tests/simulator/world.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace tests::simulator {

enum class Form : std::uint8_t { kQuery, kJob };

// Appends to a JSON text; commas come by themselves. Values are trusted to need no escaping unless `text` is used.
class JsonText {
 public:
  explicit JsonText(std::string& out) : out_(out) {}
  JsonText& open(char bracket);
  JsonText& close(char bracket);
  JsonText& key(std::string_view name);
  JsonText& raw(std::string_view value);    // a whole JSON value
  JsonText& plain(std::string_view value);  // a string without anything to escape
  JsonText& text(std::string_view value);   // any string
  JsonText& number(std::int64_t value);
  JsonText& number(double value);  // the shortest spelling that reads back: up to 17 digits
  JsonText& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonText& instant(Instant value);

 private:
  void separate();
  std::string& out_;
};

// Appends the record as known at `now`, which is not before its start.
void append_record(std::string& out, const World& world, const Conversation& conversation, Instant now, Form form);

}  // namespace tests::simulator
