#pragma once

// Values of a JSON text as they are spelled in it, without a copy; and one spelling for all that are equal. For text that was
// validated before: it looks at structure only. Reused; not thread-safe.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace connector::source {

// Of all of them: `text` is one value without white space around it, with ContentDigester::padding() readable bytes behind it.
// The views are into `text`.
class RawJson {
 public:
  RawJson();
  ~RawJson();
  RawJson(const RawJson&) = delete;
  RawJson& operator=(const RawJson&) = delete;

  // The value at the tokens of a pointer, however the names on the way are spelled; of members with one name the first.
  std::optional<std::string_view> find(std::string_view text, std::span<const std::string> tokens);
  // The elements of an array; false if it is none.
  bool split(std::string_view text, std::vector<std::string_view>& elements);
  // The value without white space, an object's members in the order of their names' bytes (of equal names in that of their
  // values), only those characters escaped that must be; numbers as they are spelled. False: not JSON after all.
  bool append_canonical(std::string_view text, std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A text as JSON spells it, in that same spelling.
void append_quoted(std::string_view text, std::string& out);

}  // namespace connector::source
