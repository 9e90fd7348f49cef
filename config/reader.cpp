#include "config/reader.h"

#include "config/interpolation.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numeric>
#include <system_error>

namespace config {

namespace {

std::string lower(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c != '_' && c != '-' && c != '.') {
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return result;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

// Digits and letters of a value are shown, a wall of text is not.
std::string shorten(std::string value) {
  constexpr std::size_t kShown = 120;
  if (value.size() > kShown) {
    std::size_t cut = kShown;
    while (cut > 0 && (static_cast<unsigned char>(value[cut]) & 0xC0U) == 0x80U) {
      --cut;
    }
    value.resize(cut);
    value += "…";
  }
  return value;
}

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::string allowed_range(const IntegerRule& rule) {
  if (rule.max == std::numeric_limits<std::int64_t>::max()) {
    return "(allowed: a whole number, at least " + std::to_string(rule.min) + ")";
  }
  return rule.min == rule.max
             ? "(allowed: " + std::to_string(rule.min) + ")"
             : "(allowed: a whole number from " + std::to_string(rule.min) + " to " + std::to_string(rule.max) + ")";
}

std::string allowed_range(const NumberRule& rule) {
  const std::string from = (rule.above_min ? "above " : "at least ") + format_number(rule.min);
  return std::isinf(rule.max) ? "(allowed: a number, " + from + ")"
                              : "(allowed: a number, " + from + " and at most " + format_number(rule.max) + ")";
}

}  // namespace

void Scope::problem(Mark mark, std::string path, std::string value, std::string message) {
  if (problems.size() > kMaxProblems) {
    return;
  }
  if (problems.size() == kMaxProblems) {
    mark = {};
    path.clear();
    value.clear();
    message = "has more problems than the " + std::to_string(kMaxProblems) + " listed";
  }
  problems.push_back({.file = file,
                      .line = mark.line,
                      .column = mark.column,
                      .path = std::move(path),
                      .value = shorten(std::move(value)),
                      .message = std::move(message)});
}

void Scope::setting(std::string path, std::string value, std::string origin) {
  settings.push_back({.path = std::move(path), .value = std::move(value), .origin = std::move(origin)});
}

std::string Scope::origin(Mark mark, std::string_view reference) const {
  const std::string place = file + ":" + std::to_string(mark.line);
  return reference.empty() ? place : std::string(reference) + " (" + place + ")";
}

std::optional<Scalar> resolve(Scope& scope, const Node& node, const std::string& path) {
  Scalar scalar{.text = node.text,
                .literal = true,
                .plain = node.plain,
                .from_file = false,
                .whole_file = {},
                .origin = scope.origin(node.mark),
                .mark = node.mark};
  if (scope.sources == nullptr) {
    return scalar;
  }
  auto interpolated = interpolate(node.text, scope.sources->environment, scope.sources->read_file, scope.directory);
  if (!interpolated) {
    // The reference itself is shown, never what it stands for; a text with other things around it may hold half a secret.
    const bool only_reference = node.text.starts_with("${") && node.text.find('}') == node.text.size() - 1;
    const bool has_default = node.text.contains(":-");
    scope.problem(node.mark, path, only_reference && !has_default ? node.text : "", interpolated.error().message);
    return std::nullopt;
  }
  scalar.text = std::move(interpolated->text);
  if (interpolated->changed) {
    scalar.literal = false;
    scalar.from_file = interpolated->from_file;
    scalar.whole_file = std::move(interpolated->whole_file);
    scalar.origin = scope.origin(node.mark, interpolated->origin);
  }
  return scalar;
}

common::json::Value to_json(Scope& scope, const Node& node, const std::string& path, bool& from_file) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return nullptr;
    case Node::Kind::kList: {
      common::json::Array array;
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        array.push_back(to_json(scope, *node.items[i], path + "[" + std::to_string(i) + "]", from_file));
      }
      return array;
    }
    case Node::Kind::kMap: {
      common::json::Object object;
      for (const auto& member : node.members) {
        object[member.key] = to_json(scope, *member.value, path + "." + member.key, from_file);
      }
      return object;
    }
    case Node::Kind::kScalar:
      break;
  }
  const auto scalar = resolve(scope, node, path);
  if (!scalar) {
    return nullptr;  // reported
  }
  from_file = from_file || scalar->from_file;
  // What a reference brings in is text, unless it stands for a number: quotes decide, as everywhere.
  switch (scalar->plain ? plain_type(scalar->text) : PlainType::kText) {
    case PlainType::kNull:
      return nullptr;
    case PlainType::kBool:
      return scalar->text.front() == 't' || scalar->text.front() == 'T';
    case PlainType::kInteger:
      if (const auto whole = parse_whole<std::int64_t>(scalar->text)) {
        return *whole;
      }
      [[fallthrough]];
    case PlainType::kNumber: {
      const auto number = parse_whole<double>(scalar->text);
      if (!number || !std::isfinite(*number)) {
        scope.problem(node.mark, path, scalar->shown(), "this number is too large (allowed: what a double holds; or quote it)");
        return nullptr;
      }
      return *number;
    }
    case PlainType::kText:
      break;
  }
  return common::json::Value(scalar->text);
}

Section::Section(Scope& scope, const Node* map, Mark mark, std::string path, std::string pattern)
    : scope_(&scope), map_(map), mark_(mark), path_(std::move(path)), pattern_(std::move(pattern)) {}

std::string Section::path(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

bool Section::given(std::string_view key) const {
  return map_ != nullptr && map_->find(key) != nullptr;
}

Mark Section::mark(std::string_view key) const {
  const Node::Member* member = map_ == nullptr ? nullptr : map_->find(key);
  return member == nullptr ? mark_ : member->mark;
}

std::string Section::know(std::string_view key) {
  asked_.emplace(key);
  scope_->known.insert(pattern_.empty() ? std::string(key) : pattern_ + "." + std::string(key));
  return path(key);
}

const Node* Section::node(std::string_view key) {
  know(key);
  const Node::Member* member = map_ == nullptr ? nullptr : map_->find(key);
  return member == nullptr ? nullptr : member->value;
}

void Section::problem(std::string_view key, std::string message) const {
  const Node::Member* member = map_ == nullptr ? nullptr : map_->find(key);
  if (member == nullptr) {
    scope_->problem(mark_, path(key), "", std::move(message));
    return;
  }
  const bool scalar = member->value->kind == Node::Kind::kScalar;
  scope_->problem(scalar ? member->value->mark : member->mark, path(key), scalar ? member->value->text : "", std::move(message));
}

void Section::bad(std::string_view key, const Scalar& scalar, std::string message) const {
  scope_->problem(scalar.mark, path(key), scalar.shown(), std::move(message));
}

void Section::set_default(std::string_view key, std::string value) const {
  scope_->setting(path(key), std::move(value), "default");
}

void Section::set_given(std::string_view key, std::string value, const Scalar& scalar) const {
  scope_->setting(path(key), scalar.from_file ? "***" : std::move(value), scalar.origin);
}

Section Section::section(std::string_view key, Need need) {
  const Node* value = node(key);
  const std::string pattern = pattern_.empty() ? std::string(key) : pattern_ + "." + std::string(key);
  const Mark where = mark(key);
  if (value == nullptr && need == Need::kRequired) {
    scope_->problem(mark_, path(key), "", "is missing (allowed: a map; it is required)");
  }
  if (value != nullptr && value->kind != Node::Kind::kMap) {
    const bool scalar = value->kind == Node::Kind::kScalar;
    scope_->problem(scalar ? value->mark : where, path(key), "",
                    "a map is expected, not " + std::string(describe(*value)) + " (allowed: keys with their values, indented)");
    value = nullptr;
  }
  return {*scope_, value, where, path(key), pattern};
}

bool Section::is_off(std::string_view key) {
  const Node* value = node(key);
  return value != nullptr && value->kind == Node::Kind::kScalar &&
         (value->text == "off" || (value->plain && (value->text == "false" || value->text == "False" || value->text == "FALSE")));
}

std::span<const Node::Member> Section::members() const {
  return map_ == nullptr ? std::span<const Node::Member>{} : std::span<const Node::Member>(map_->members);
}

Section Section::entry(const Node::Member& member) {
  asked_.insert(member.key);
  const std::string entry_path = path(member.key);
  const Node* value = member.value;
  if (value->kind != Node::Kind::kMap) {
    scope_->problem(member.mark, entry_path, "",
                    "a map is expected, not " + std::string(describe(*value)) + " (allowed: keys with their values, indented)");
    value = nullptr;
  }
  return {*scope_, value, member.mark, entry_path, pattern_ + ".*"};
}

void Section::finish(std::initializer_list<LaterKey> later) {
  const std::vector<std::string_view> known(asked_.begin(), asked_.end());
  for (const auto& member : members()) {
    if (asked_.contains(member.key)) {
      continue;
    }
    if (scope_->problems.size() > kMaxProblems) {
      return;  // a suggestion for each of ten thousand keys would take its time
    }
    const auto found = std::ranges::find(later, std::string_view(member.key), &LaterKey::key);
    if (found != later.end()) {
      scope_->problem(member.mark, path(member.key), "",
                      "is not in this version" + (found->instead.empty() ? std::string(" (allowed: leave it out)")
                                                                         : " (allowed: " + std::string(found->instead) + ")"));
      continue;
    }
    const auto like = closest(member.key, known);
    scope_->problem(member.mark, path(member.key), "",
                    "unknown key" + (like ? "; did you mean " + std::string(*like) + "?" : std::string()) +
                        " (allowed: " + join_names(known) + ")");
  }
}

std::optional<Scalar> Section::scalar(std::string_view key, std::string_view expected, Need need) {
  const Node* value = node(key);
  if (value == nullptr) {
    if (need == Need::kRequired) {
      scope_->problem(mark_, path(key), "", "is missing (allowed: " + std::string(expected) + "; it is required)");
    }
    return std::nullopt;
  }
  if (value->kind != Node::Kind::kScalar) {
    scope_->problem(mark(key), path(key), "", std::string(expected) + " is expected, not " + std::string(describe(*value)));
    return std::nullopt;
  }
  return resolve(*scope_, *value, path(key));
}

namespace {

// A plain 5, true or null where a text stands is more often a slip than a wish.
std::optional<std::string> not_text(const Scalar& scalar) {
  if (scalar.literal && scalar.plain && plain_type(scalar.text) != PlainType::kText) {
    return "a text is expected (allowed: the same in quotes: \"" + scalar.text + "\")";
  }
  return std::nullopt;
}

}  // namespace

bool Section::text(std::string_view key, std::string& out, const TextRule& rule) {
  const bool absent = !given(key);
  const auto value = scalar(key, "a text", rule.need);
  if (!value) {
    if (absent) {
      set_default(key, out.empty() ? std::string(rule.unset) : out);
    }
    return false;
  }
  std::optional<std::string> wrong = not_text(*value);
  if (!wrong && value->text.empty()) {
    wrong = "is empty (allowed: a text)";
  }
  if (!wrong && has_control_character(value->text)) {
    scope_->problem(value->mark, path(key), "", "holds a line break or another control character (allowed: printable text)");
    return false;
  }
  if (!wrong && rule.check) {
    wrong = rule.check(value->text);
  }
  if (wrong) {
    bad(key, *value, std::move(*wrong));
    return false;
  }
  out = value->text;
  set_given(key, out, *value);
  return true;
}

bool Section::secret(std::string_view key, common::SecretSource& out, Need need) {
  const bool absent = !given(key);
  const auto value = scalar(key, "a text, best as ${file:/path} or ${env:NAME}", need);
  if (!value) {
    if (absent) {
      set_default(key, "(none)");
    }
    return false;
  }
  if (value->text.empty()) {
    scope_->problem(value->mark, path(key), "", "is empty (allowed: ${file:/path}, ${env:NAME}, or a text)");
    return false;
  }
  if (not_text(*value)) {
    scope_->problem(value->mark, path(key), "***", "a text is expected (allowed: the same in quotes)");
    return false;
  }
  if (value->literal) {
    scope_->warnings.push_back(scope_->origin(value->mark) + ": " + path(key) +
                               ": a secret stands in plain text in the configuration; ${file:/path} or ${env:NAME} keeps it out");
  }
  out = value->whole_file ? common::SecretSource::of_file(*value->whole_file, common::Secret(value->text))
                          : common::SecretSource::of_value(common::Secret(value->text));
  scope_->setting(path(key), "***", value->origin);
  return true;
}

bool Section::file(std::string_view key, std::optional<std::filesystem::path>& out, bool must_be_readable) {
  std::string name;
  if (!text(key, name)) {
    return false;
  }
  name = resolve_path(scope_->directory, name);
  if (must_be_readable && scope_->sources != nullptr && scope_->sources->read_file) {
    const auto content = scope_->sources->read_file(name);
    if (!content || content->empty()) {
      problem(key, content ? "file " + name + " is empty (allowed: a PEM file)"
                           : "file " + name + " cannot be read: " + content.error().message + " (allowed: a readable file)");
      return false;
    }
  }
  out = name;
  return true;
}

bool Section::boolean(std::string_view key, bool& out) {
  const bool absent = !given(key);
  const auto value = scalar(key, "true or false");
  if (!value) {
    if (absent) {
      set_default(key, out ? "true" : "false");
    }
    return false;
  }
  if (plain_type(value->text) != PlainType::kBool || (value->literal && !value->plain)) {
    bad(key, *value, "true or false is expected (allowed: true, false)");
    return false;
  }
  out = value->text.front() == 't' || value->text.front() == 'T';
  set_given(key, out ? "true" : "false", *value);
  return true;
}

std::optional<std::int64_t> Section::read_integer(std::string_view key, const IntegerRule& rule, std::string unset) {
  const bool absent = !given(key);
  const auto value = scalar(key, "a whole number", rule.need);
  if (!value) {
    if (absent) {
      set_default(key, rule.unset.empty() ? std::move(unset) : std::string(rule.unset));
    }
    return std::nullopt;
  }
  if (value->literal && !value->plain) {
    bad(key, *value, "a number without quotes is expected " + allowed_range(rule));
    return std::nullopt;
  }
  const auto number = parse_whole<std::int64_t>(value->text);
  if (!number) {
    bad(key, *value, "a whole number is expected " + allowed_range(rule));
    return std::nullopt;
  }
  if (*number < rule.min || *number > rule.max) {
    bad(key, *value, "is out of range " + allowed_range(rule));
    return std::nullopt;
  }
  set_given(key, std::to_string(*number), *value);
  return number;
}

bool Section::number(std::string_view key, double& out, const NumberRule& rule, std::string_view unset) {
  const bool absent = !given(key);
  const auto value = scalar(key, "a number");
  if (!value) {
    if (absent) {
      set_default(key, unset.empty() ? format_number(out) : std::string(unset));
    }
    return false;
  }
  if (value->literal && !value->plain) {
    bad(key, *value, "a number without quotes is expected " + allowed_range(rule));
    return false;
  }
  const PlainType type = plain_type(value->text);
  const auto number = type == PlainType::kInteger || type == PlainType::kNumber ? parse_whole<double>(value->text) : std::nullopt;
  if (!number) {
    bad(key, *value, "a number is expected " + allowed_range(rule));
    return false;
  }
  if (!(*number >= rule.min && *number <= rule.max) || (rule.above_min && *number <= rule.min)) {
    bad(key, *value, "is out of range " + allowed_range(rule));
    return false;
  }
  out = *number;
  set_given(key, format_number(out), *value);
  return true;
}

bool Section::duration(std::string_view key, common::Duration& out, const DurationRule& rule) {
  const std::string allowed = "(allowed: " + common::format_duration(rule.min) + " to " + common::format_duration(rule.max) +
                              ", with a unit: ms, s, m, h or d)";
  const bool absent = !given(key);
  const auto value = scalar(key, "a duration such as 60s");
  if (!value) {
    if (absent) {
      set_default(key, common::format_duration(out));
    }
    return false;
  }
  if (plain_type(value->text) == PlainType::kInteger || plain_type(value->text) == PlainType::kNumber) {
    bad(key, *value, "a duration needs a unit, such as " + value->shown() + "s " + allowed);
    return false;
  }
  const auto parsed = common::parse_duration(value->text);
  if (!parsed) {
    bad(key, *value, "a whole number with a unit is expected, such as 90s " + allowed);
    return false;
  }
  if (*parsed < rule.min || *parsed > rule.max) {
    bad(key, *value, "is out of range " + allowed);
    return false;
  }
  out = *parsed;
  set_given(key, common::format_duration(out), *value);
  return true;
}

bool Section::bytes(std::string_view key, std::size_t& out, const BytesRule& rule) {
  const std::string allowed =
      "(allowed: " + format_bytes(rule.min) + " to " + format_bytes(rule.max) + ", with a unit: B, KiB, MiB or GiB)";
  const bool absent = !given(key);
  const auto value = scalar(key, "a size such as 8MiB");
  if (!value) {
    if (absent) {
      set_default(key, format_bytes(out));
    }
    return false;
  }
  const auto parsed = parse_bytes(value->text);
  if (!parsed) {
    const bool bare = plain_type(value->text) == PlainType::kInteger || plain_type(value->text) == PlainType::kNumber;
    bad(key, *value,
        (bare ? "a size needs a unit, such as " + value->shown() + "MiB "
              : "a whole number with a unit is expected, such as 8MiB ") +
            allowed);
    return false;
  }
  if (*parsed < rule.min || *parsed > rule.max) {
    bad(key, *value, "is out of range " + allowed);
    return false;
  }
  out = *parsed;
  set_given(key, format_bytes(out), *value);
  return true;
}

std::optional<std::size_t> Section::read_choice(std::string_view key, const std::vector<std::string_view>& names,
                                                std::string_view unset) {
  const bool absent = !given(key);
  const auto value = scalar(key, "one of " + join_names(names));
  if (!value) {
    if (absent) {
      set_default(key, std::string(unset));
    }
    return std::nullopt;
  }
  const auto found = std::ranges::find(names, std::string_view(value->text));
  if (found == names.end()) {
    const auto like = closest(value->text, names);
    bad(key, *value,
        "is not one of the choices" + (like ? "; did you mean " + std::string(*like) + "?" : std::string()) +
            " (allowed: " + join_names(names) + ")");
    return std::nullopt;
  }
  set_given(key, value->text, *value);
  return static_cast<std::size_t>(found - names.begin());
}

bool Section::text_list(std::string_view key, std::vector<std::string>& out, const TextRule& rule) {
  const Node* value = node(key);
  if (value == nullptr) {
    if (rule.need == Need::kRequired) {
      scope_->problem(mark_, path(key), "", "is missing (allowed: a list of texts; it is required)");
    }
    set_default(key, "[]");
    return false;
  }
  if (value->kind != Node::Kind::kList) {
    scope_->problem(mark(key), path(key), "", "a list of texts is expected, not " + std::string(describe(*value)));
    return false;
  }
  std::vector<std::string> read;
  bool good = true;
  bool from_file = false;
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    const Node& item = *value->items[i];
    const std::string item_path = path(key) + "[" + std::to_string(i) + "]";
    if (item.kind != Node::Kind::kScalar) {
      scope_->problem(item.mark, item_path, "", "a text is expected, not " + std::string(describe(item)));
      good = false;
      continue;
    }
    const auto scalar = resolve(*scope_, item, item_path);
    std::optional<std::string> wrong;
    if (scalar) {
      wrong = not_text(*scalar);
      if (!wrong && (scalar->text.empty() || has_control_character(scalar->text))) {
        wrong = "is empty or holds a control character (allowed: printable text)";
      }
      if (!wrong && rule.check) {
        wrong = rule.check(scalar->text);
      }
    }
    if (!scalar || wrong) {
      if (wrong) {
        scope_->problem(item.mark, item_path, scalar->shown(), std::move(*wrong));
      }
      good = false;
      continue;
    }
    from_file = from_file || scalar->from_file;
    read.push_back(scalar->text);
  }
  if (!good) {
    return false;
  }
  std::string shown;
  for (const auto& item : read) {
    shown += (shown.empty() ? "" : ", ") + item;
  }
  scope_->setting(path(key), from_file ? "***" : "[" + shown + "]", scope_->origin(value->mark));
  out = std::move(read);
  return true;
}

bool Section::json_object(std::string_view key, common::json::Object& out) {
  const Node* value = node(key);
  if (value == nullptr) {
    set_default(key, "{}");
    return false;
  }
  if (value->kind != Node::Kind::kMap) {
    scope_->problem(mark(key), path(key), "", "a map is expected, not " + std::string(describe(*value)));
    return false;
  }
  const std::size_t problems = scope_->problems.size();
  bool from_file = false;
  common::json::Value json = to_json(*scope_, *value, path(key), from_file);
  if (scope_->problems.size() != problems) {
    return false;
  }
  scope_->setting(path(key), from_file ? "***" : common::json::serialize(json), scope_->origin(value->mark));
  out = std::move(json.as_object());
  return true;
}

bool Section::properties(std::string_view key, std::vector<std::pair<std::string, Scalar>>& out) {
  const Node* value = node(key);
  scope_->known.insert((pattern_.empty() ? std::string(key) : pattern_ + "." + std::string(key)) + ".*");
  if (value == nullptr) {
    set_default(key, "{}");
    return false;
  }
  if (value->kind != Node::Kind::kMap) {
    scope_->problem(mark(key), path(key), "", "a map of properties is expected, not " + std::string(describe(*value)));
    return false;
  }
  for (const auto& member : value->members) {
    const std::string member_path = path(key) + "." + member.key;
    if (member.value->kind != Node::Kind::kScalar) {
      const bool nested = member.value->kind == Node::Kind::kMap && !member.value->members.empty();
      scope_->problem(member.mark, member_path, "",
                      "a single value is expected, not " + std::string(describe(*member.value)) +
                          (nested ? " (allowed: the property's whole name as one key: " + member.key + "." +
                                        member.value->members.front().key + ")"
                                  : " (allowed: a text, a number, true or false)"));
      continue;
    }
    if (auto scalar = resolve(*scope_, *member.value, member_path)) {
      out.emplace_back(member.key, std::move(*scalar));
    }
  }
  return true;
}

std::string join_names(std::span<const std::string_view> names) {
  std::string joined;
  for (const auto name : names) {
    joined += (joined.empty() ? "" : ", ") + std::string(name);
  }
  return joined;
}

std::optional<std::string_view> closest(std::string_view name, std::span<const std::string_view> known) {
  constexpr std::size_t kLongestName = 64;  // beyond that nothing of ours is meant
  if (name.size() > kLongestName) {
    return std::nullopt;
  }
  std::optional<std::string_view> best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const auto candidate : known) {
    const std::size_t distance = edit_distance(lower(name), lower(candidate));
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

common::Result<std::uint64_t> parse_bytes(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 4> kUnits{{{"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}}};
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [name, shift] : kUnits) {
    if (error == std::errc{} && unit == name && count <= (std::numeric_limits<std::uint64_t>::max() >> shift)) {
      return count << shift;
    }
  }
  return common::fail(common::ErrorCode::kConfigInvalid,
                      "'" + std::string(text) + "' is not a size: a whole number and one of B, KiB, MiB, GiB, such as 8MiB");
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 3> kUnits{{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};
  for (const auto& [name, shift] : kUnits) {
    if (bytes != 0 && (bytes & ((std::uint64_t{1} << shift) - 1)) == 0) {
      return std::to_string(bytes >> shift) + std::string(name);
    }
  }
  return std::to_string(bytes) + "B";
}

std::string format_number(double value) {
  std::array<char, 64> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return error == std::errc{} ? std::string(buffer.data(), end) : std::string("?");
}

}  // namespace config
