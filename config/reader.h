#pragma once

// Typed reads from a document that collect problems instead of stopping: every read names its key once, and from that come the
// value, the default, the origin for `config show`, the unknown keys and the list of all paths. A read that finds nothing or
// something wrong leaves its target alone. Not thread-safe; a Section refers to its Scope and Document, which outlive it.

#include "common/instant.h"
#include "common/json.h"
#include "common/secret.h"
#include "config/config.h"
#include "config/document.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace config {

// What reading one file has found so far.
struct Scope {
  std::string file;
  std::string directory;             // relative paths start here
  const Sources* sources = nullptr;  // null pointer: references (${…}) are plain text
  std::vector<Problem> problems;
  std::vector<Setting> settings;
  std::vector<std::string> warnings;
  std::set<std::string> known;  // paths that were looked for, with * for names the user chooses

  void problem(Mark mark, std::string path, std::string value, std::string message);
  void setting(std::string path, std::string value, std::string origin);
  // "file:line", or the reference's origin with it.
  [[nodiscard]] std::string origin(Mark mark, std::string_view reference = {}) const;
};

// A scalar after interpolation.
struct Scalar {
  std::string text;
  bool literal = true;  // as written: no reference in it
  bool plain = false;   // without quotes
  bool from_file = false;
  std::optional<std::string> whole_file;
  std::string origin;  // for `config show`
  Mark mark;

  [[nodiscard]] std::string shown() const { return from_file ? "***" : text; }
};
// Reports and returns nothing if a reference cannot be resolved. `node` is a scalar.
std::optional<Scalar> resolve(Scope& scope, const Node& node, const std::string& path);
// The JSON a YAML value stands for, references resolved; sets `from_file` if any value came from a file.
common::json::Value to_json(Scope& scope, const Node& node, const std::string& path, bool& from_file);

enum class Need : std::uint8_t { kOptional, kRequired };

// Says what is wrong with a text, with what is allowed; nothing if it is fine.
using TextCheck = std::function<std::optional<std::string>(const std::string&)>;

struct TextRule {
  Need need = Need::kOptional;
  TextCheck check = {};
  std::string_view unset = "(none)";  // how an absent value is shown
};
struct IntegerRule {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  Need need = Need::kOptional;
  std::string_view unset = {};  // how an absent value is shown; empty: the default as a number
};
struct NumberRule {
  double min = 0;
  double max = std::numeric_limits<double>::infinity();
  bool above_min = false;  // min itself is refused
};
struct DurationRule {
  common::Duration min{0};
  common::Duration max = std::chrono::days{366};
};
struct BytesRule {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
};
// A key that a later version will know.
struct LaterKey {
  std::string_view key;
  std::string_view instead = {};  // what to do now
};

// A map of the document, or the place where one could stand.
class Section {
 public:
  // `map` may be null: nothing is given and `mark` is where a missing key is reported.
  Section(Scope& scope, const Node* map, Mark mark, std::string path, std::string pattern);

  [[nodiscard]] Scope& scope() const { return *scope_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path(std::string_view key) const;
  [[nodiscard]] Mark mark() const { return mark_; }
  [[nodiscard]] bool given() const { return map_ != nullptr; }
  [[nodiscard]] bool given(std::string_view key) const;
  // The value of a key, null pointer if absent; the key counts as known from now on.
  const Node* node(std::string_view key);
  // Where the key stands, or the section if it does not.
  [[nodiscard]] Mark mark(std::string_view key) const;

  // A problem at the value of `key`, shown as written unless it is a secret.
  void problem(std::string_view key, std::string message) const;

  Section section(std::string_view key, Need need = Need::kOptional);
  // `key: off` (or false, which is how YAML 1.1 tools write it).
  bool is_off(std::string_view key);
  // The members of a map with names the user chooses; the section itself for the fields of a member is made by entry().
  [[nodiscard]] std::span<const Node::Member> members() const;
  Section entry(const Node::Member& member);
  // Reports every member nobody asked for. Call it last.
  void finish(std::initializer_list<LaterKey> later = {});

  // Each: true if the key is given and its value good.
  bool text(std::string_view key, std::string& out, const TextRule& rule = {});
  bool secret(std::string_view key, common::SecretSource& out, Need need = Need::kOptional);
  bool file(std::string_view key, std::optional<std::filesystem::path>& out, bool must_be_readable);
  bool boolean(std::string_view key, bool& out);
  bool number(std::string_view key, double& out, const NumberRule& rule, std::string_view unset = {});
  bool duration(std::string_view key, common::Duration& out, const DurationRule& rule = {});
  bool bytes(std::string_view key, std::size_t& out, const BytesRule& rule);
  bool text_list(std::string_view key, std::vector<std::string>& out, const TextRule& rule = {});
  bool json_object(std::string_view key, common::json::Object& out);
  // A map of names to scalars of any type, as text.
  bool properties(std::string_view key, std::vector<std::pair<std::string, Scalar>>& out);

  template <class T>
  bool integer(std::string_view key, T& out, const IntegerRule& rule) {
    const auto value = read_integer(key, rule, std::to_string(out));
    if (value) {
      out = static_cast<T>(*value);
    }
    return value.has_value();
  }
  template <class T>
  bool choice(std::string_view key, T& out, std::initializer_list<std::pair<std::string_view, T>> choices) {
    std::vector<std::string_view> names;
    std::string_view current;
    for (const auto& [name, value] : choices) {
      names.push_back(name);
      current = value == out ? name : current;
    }
    const auto index = read_choice(key, names, current);
    if (index) {
      out = (choices.begin() + static_cast<std::ptrdiff_t>(*index))->second;
    }
    return index.has_value();
  }

  // The scalar under `key`, references resolved; `expected` is what a list or a map there is told. Absent: nothing, and a problem
  // if it is required.
  std::optional<Scalar> scalar(std::string_view key, std::string_view expected, Need need = Need::kOptional);
  void set_default(std::string_view key, std::string value) const;
  void set_given(std::string_view key, std::string value, const Scalar& scalar) const;

 private:
  std::optional<std::int64_t> read_integer(std::string_view key, const IntegerRule& rule, std::string unset);
  std::optional<std::size_t> read_choice(std::string_view key, const std::vector<std::string_view>& names,
                                         std::string_view unset);
  std::string know(std::string_view key);  // and returns the path
  void bad(std::string_view key, const Scalar& scalar, std::string message) const;

  Scope* scope_;
  const Node* map_;
  Mark mark_;
  std::string path_;
  std::string pattern_;
  std::set<std::string, std::less<>> asked_;
};

// "a, b, c".
std::string join_names(std::span<const std::string_view> names);
// The known name most like `name`, if any is like it.
std::optional<std::string_view> closest(std::string_view name, std::span<const std::string_view> known);
// `512B`, `64KiB`, `8MiB`, `1GiB`; a number without a unit is refused. kConfigInvalid says what is allowed.
common::Result<std::uint64_t> parse_bytes(std::string_view text);
std::string format_bytes(std::uint64_t bytes);
std::string format_number(double value);

}  // namespace config
