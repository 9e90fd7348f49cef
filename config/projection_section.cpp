#include "config/checks.h"
#include "config/sections.h"
#include "connector/source/pointer_pattern.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace config {

namespace {

using connector::source::Definition;
using connector::source::PointerPattern;
using connector::source::ProjectedField;
using connector::source::ProjectionOptions;
using connector::source::RedactionOptions;
using connector::source::StreamOptions;
using connector::source::TakeValues;

constexpr std::size_t kMostPointers = 200;
constexpr std::size_t kLeastKeyBytes = 16;

std::optional<std::string> check_wide_pointer(const std::string& pointer) {
  return check_pointer(pointer, Wildcards::kAllowed);
}

// One field: `name: /pointer`, `name: {from: /pointer, take: first}`, or `name: {from: /pointer, until: /pointer}`.
std::optional<ProjectedField> read_field(Section& fields, const Node::Member& member) {
  Scope& scope = fields.scope();
  const std::string path = fields.path(member.key);
  ProjectedField field{.name = member.key, .from = {}};
  if (member.value->kind == Node::Kind::kScalar) {
    const auto pointer = resolve(scope, *member.value, path);
    if (!pointer) {
      return std::nullopt;  // reported
    }
    if (const auto wrong = check_wide_pointer(pointer->text)) {
      scope.problem(member.value->mark, path, pointer->shown(), *wrong);
      return std::nullopt;
    }
    field.from = pointer->text;
    scope.setting(path, pointer->shown(), pointer->origin);
    return field;
  }
  if (member.value->kind != Node::Kind::kMap) {
    scope.problem(member.mark, path, "",
                  "a JSON pointer is expected, not " + std::string(describe(*member.value)) +
                      " (allowed: such as /conversationId, or {from: /participants/*/purpose, take: first})");
    return std::nullopt;
  }
  Section entry = fields.entry(member);
  const bool from = entry.text("from", field.from, {.need = Need::kRequired, .check = check_wide_pointer});
  entry.choice<TakeValues>("take", field.take,
                           {{"all", TakeValues::kAll}, {"first", TakeValues::kFirst}, {"last", TakeValues::kLast}});
  if (from && entry.given("take") && !PointerPattern(field.from).is_list()) {
    entry.problem("take", "has no meaning for " + field.from + ", which leads to one value (allowed: leave it out)");
  }
  const bool until = entry.text("until", field.until, {.check = check_wide_pointer});
  for (const auto& [key, pointer] : {std::pair{"from", &field.from}, std::pair{"until", &field.until}}) {
    if (from && until && PointerPattern(*pointer).is_list()) {
      entry.problem(key, "leads to several values, and a time is measured between two (allowed: pointers without *)");
    }
  }
  entry.finish();
  return from ? std::optional(std::move(field)) : std::nullopt;
}

void read_projection(Section projection, ProjectionOptions& options) {
  const Node* node = projection.node("fields");
  Scope& scope = projection.scope();
  scope.known.insert("streams.*.projection.fields.*");
  if (node == nullptr) {
    if (projection.given()) {
      projection.problem("fields", "is missing (allowed: a map of names to JSON pointers; it is required)");
    } else {
      projection.set_default("fields", "{}");
    }
    projection.finish();
    return;
  }
  Section fields = projection.section("fields");
  if (fields.given() && (fields.members().empty() || fields.members().size() > kMostPointers)) {
    scope.problem(fields.mark(), fields.path(), "",
                  (fields.members().empty() ? "has no field (allowed: 1 to " : "has too many fields (allowed: 1 to ") +
                      std::to_string(kMostPointers) + "; without projection the whole record)");
  }
  for (const auto& member : fields.members()) {
    if (auto field = read_field(fields, member)) {
      options.fields.push_back(std::move(*field));
    }
  }
  projection.finish();
}

void read_redaction(Section redaction, RedactionOptions& options) {
  for (auto [key, pointers] :
       {std::pair{std::string_view("drop"), &options.drop}, std::pair{std::string_view("hash"), &options.hash}}) {
    redaction.text_list(key, *pointers, {.check = check_wide_pointer});
    if (pointers->size() > kMostPointers) {
      redaction.problem(key, "has too many pointers (allowed: up to " + std::to_string(kMostPointers) + ")");
    }
  }
  const bool has_key = redaction.secret("key", options.key);
  if (has_key && options.key.value().reveal().size() < kLeastKeyBytes) {
    redaction.scope().problem(redaction.mark("key"), redaction.path("key"), "***",
                              "is too short to keep a value from being guessed (allowed: at least " +
                                  std::to_string(kLeastKeyBytes) + " bytes, such as what `openssl rand -hex 32` writes)");
  }
  const auto names_nothing = [&redaction](std::string_view key) {
    const Node* list = redaction.node(key);
    return list == nullptr || (list->kind == Node::Kind::kList && list->items.empty());
  };
  if (redaction.given() && names_nothing("drop") && names_nothing("hash")) {
    redaction.scope().problem(redaction.mark(), redaction.path(), "", "removes nothing (allowed: with drop, hash or both)");
  } else if (redaction.given("hash") && !redaction.given("key")) {
    redaction.problem("key", "is missing (allowed: ${file:/path} or ${env:NAME}; hash needs it)");
  } else if (redaction.given("key") && !redaction.given("hash")) {
    redaction.scope().problem(redaction.mark("key"), redaction.path("key"), "***",
                              "has no meaning without hash (allowed: leave it out, or say what to hash)");
  }
  redaction.finish();
}

// Whether the service is known to send what the pointer leads to. Of places that the model does not list anything may be so.
bool is_known(const connector::source::Model& model, const PointerPattern& pointer) {
  std::string prefix;
  for (const std::string& token : pointer.tokens()) {
    bool listed = false;
    bool named = token == "*";
    for (const auto& [at, names] : model) {
      const PointerPattern place(at);
      const PointerPattern here(prefix);
      if (place.tokens().size() != here.tokens().size() || !place.may_cover(here)) {
        continue;
      }
      listed = true;
      named = named || std::ranges::find(names, token) != names.end();
    }
    if (listed && !named) {
      return false;
    }
    prefix += "/" + connector::source::escape_token(token);
  }
  return true;
}

// A pointer of the configuration with its place.
struct Placed {
  PointerPattern pattern;
  std::string pointer;  // as written
  std::string path;
  Mark mark;
  bool is_time = false;  // of which a length is computed
};

std::vector<Placed> placed(Section& section, std::string_view key, const std::vector<std::string>& pointers) {
  std::vector<Placed> found;
  const Node* list = section.node(key);
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    found.push_back({.pattern = PointerPattern(pointers[i]),
                     .pointer = list->items[i]->text,
                     .path = section.path(key) + "[" + std::to_string(i) + "]",
                     .mark = list->items[i]->mark});
  }
  return found;
}

std::vector<Placed> placed(const Section& fields, const std::vector<ProjectedField>& projected) {
  std::vector<Placed> found;
  found.reserve(projected.size());
  for (const ProjectedField& field : projected) {
    const Node& value = *std::ranges::find(fields.members(), field.name, &Node::Member::key)->value;  // it was read from there
    const auto add = [&](const std::string& pointer, const Node& node) {
      found.push_back({.pattern = PointerPattern(pointer),
                       .pointer = node.text,
                       .path = fields.path(field.name),
                       .mark = node.mark,
                       .is_time = !field.until.empty()});
    };
    add(field.from, value.kind == Node::Kind::kScalar ? value : *value.find("from")->value);
    if (!field.until.empty()) {
      add(field.until, *value.find("until")->value);
    }
  }
  return found;
}

class Together {
 public:
  Together(Section& stream, const StreamOptions& options) : scope_(stream.scope()) {
    Section redaction = stream.section("redaction");
    drop_ = placed(redaction, "drop", options.redaction.drop);
    hash_ = placed(redaction, "hash", options.redaction.hash);
    if (!options.projection.fields.empty()) {
      fields_ = placed(stream.section("projection").section("fields"), options.projection.fields);
    }
  }

  void check(const Definition* definition) const {
    if (definition != nullptr) {
      for (const std::string& key : key_pointers(*definition)) {
        check_key(*definition, key);
      }
      check_members(*definition);
      check_forms(*definition);
      warn_of_unknown(definition->model);
    }
    for (const Placed& hash : hash_) {
      is_left(hash, "nothing is left to hash");
    }
    for (const Placed& field : fields_) {
      is_left(field, "nothing is left to take");
    }
    for (const auto* list : {&drop_, &hash_}) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        check_repeated(*list, i);
      }
    }
    for (const auto* list : {&drop_, &hash_, &fields_}) {
      for (const Placed& inner : *list) {
        is_open(inner);
      }
    }
  }

 private:
  // No problem: the service may have learned to send it since the model was written.
  void warn_of_unknown(const connector::source::Model& model) const {
    for (const auto* list : {&drop_, &hash_, &fields_}) {
      for (const Placed& pointer : *list) {
        if (!is_known(model, pointer.pattern)) {
          scope_.warnings.push_back(
              scope_.origin(pointer.mark) + ": " + pointer.path + ": " + pointer.pointer +
              ": the stream's definition knows no such place in a record; check its spelling with `sample`");
        }
      }
    }
  }

  void problem(const Placed& at, std::string message) const { scope_.problem(at.mark, at.path, at.pointer, std::move(message)); }

  // Two records must not get one key, and whoever is asked for a record by its key must know that one.
  void check_key(const Definition& definition, const std::string& key) const {
    const PointerPattern identifies(key);
    const auto concerns = [&](const Placed& removed) {
      return removed.pattern.may_cover(identifies) || identifies.may_cover(removed.pattern);
    };
    for (const Placed& drop : drop_) {
      if (concerns(drop)) {
        problem(drop, "would take away what identifies a record, " + key + " (allowed: pointers to what does not hold it)");
      }
    }
    for (const Placed& hash : hash_) {
      if (!concerns(hash)) {
        continue;
      }
      if (definition.by_id) {
        problem(hash, "would hide what identifies a record, " + key +
                          ", and the service is asked for records by it (allowed: pointers to what does not hold it, or a "
                          "definition without by_id)");
      } else if (hash.pattern.is_shorter_than(identifies)) {
        problem(hash, "would take away what identifies a record, " + key + " (allowed: pointers to it, or to what is in it)");
      }
    }
  }

  // What records are put together of is known: another member is a slip, and leaves in what was to go.
  void check_members(const Definition& definition) const {
    const auto members = definition.query ? members_of(definition.query->records)
                         : definition.job ? members_of(definition.job->records)
                                          : std::nullopt;
    if (!members) {
      return;
    }
    const std::vector<std::string_view> names(members->begin(), members->end());
    for (const auto* list : {&drop_, &hash_, &fields_}) {
      for (const Placed& pointer : *list) {
        const std::string& first = pointer.pattern.tokens().front();
        if (first != "*" && !members->contains(first)) {
          problem(pointer,
                  "is in no record: its members are " + join_names(names) + " (allowed: a pointer that begins with one of them)");
        }
      }
    }
  }

  // A hash over what one form of a record lacks, or what counts as no change, would make every record look changed.
  void check_forms(const Definition& definition) const {
    for (const Placed& hash : hash_) {
      const auto inside = [&](const std::string& rule) {
        const PointerPattern pattern(rule);
        return hash.pattern.is_shorter_than(pattern) && hash.pattern.may_cover(pattern);
      };
      const auto job_only = std::ranges::find_if(definition.job_only, inside);
      const auto ignored = std::ranges::find_if(definition.digest_ignore, inside);
      if (job_only != definition.job_only.end()) {
        problem(hash, "holds what only the job's form of a record has, " + *job_only +
                          ", so that the two forms would have two hashes (allowed: drop it, or hash what is inside it)");
      } else if (ignored != definition.digest_ignore.end()) {
        problem(hash, "holds what changes without being a change of the record, " + *ignored +
                          " (allowed: drop it, or hash what is inside it)");
      }
    }
  }

  void is_left(const Placed& wanted, std::string_view what) const {
    const auto dropped = std::ranges::find_if(drop_, [&](const Placed& drop) { return drop.pattern.covers(wanted.pattern); });
    if (dropped != drop_.end()) {
      problem(wanted, std::string(what) + " there, " + dropped->pointer + " is dropped (allowed: one of the two)");
    }
  }

  void check_repeated(const std::vector<Placed>& list, std::size_t index) const {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const bool same = list[i].pattern == list[index].pattern;
      if (i != index && list[i].pattern.covers(list[index].pattern) && list[i].pattern.is_shorter_than(list[index].pattern) &&
          &list == &drop_) {
        return problem(list[index], "lies in " + list[i].pointer + ", which is dropped (allowed: one of the two)");
      }
      if (same && i < index) {
        return problem(list[index], "stands twice (allowed: once)");
      }
    }
  }

  // What is hashed is one text: nothing of it is there to be looked at.
  void is_open(const Placed& inner) const {
    const auto whole = std::ranges::find_if(hash_, [&](const Placed& hash) {
      return hash.pattern.covers(inner.pattern) && (inner.is_time || hash.pattern.is_shorter_than(inner.pattern));
    });
    if (whole != hash_.end()) {
      problem(inner, whole->pattern.is_shorter_than(inner.pattern)
                         ? "lies in " + whole->pointer + ", which is hashed as a whole (allowed: one of the two)"
                         : "is hashed by " + whole->pointer + " and no time then (allowed: one of the two)");
    }
  }

  Scope& scope_;
  std::vector<Placed> drop_;
  std::vector<Placed> hash_;
  std::vector<Placed> fields_;
};

}  // namespace

void read_rewriting(Section& stream, const Definition* definition, StreamOptions& options) {
  const std::size_t problems = stream.scope().problems.size();
  read_projection(stream.section("projection"), options.projection);
  read_redaction(stream.section("redaction"), options.redaction);
  // Of what is wrong by itself the rest would only be noise.
  if (stream.scope().problems.size() == problems) {
    Together(stream, options).check(definition);
  }
}

}  // namespace config
