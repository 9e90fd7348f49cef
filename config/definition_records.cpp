#include "config/checks.h"
#include "config/config.h"
#include "config/definition_sections.h"
#include "config/sections.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace config {

namespace {

namespace source = connector::source;
using source::Definition;

constexpr std::string_view kEvery = "*";

std::size_t arrays_in(const std::vector<std::string>& tokens) {
  return static_cast<std::size_t>(std::ranges::count(tokens, kEvery));
}

// The last segment that is a name.
std::string last_name(const std::string& pointer) {
  const auto tokens = pointer_tokens(pointer);
  const auto name = std::ranges::find_if(tokens.rbegin(), tokens.rend(), [](const auto& token) { return token != kEvery; });
  return name == tokens.rend() ? std::string() : *name;
}

std::optional<std::string> check_any_pointer(const std::string& pointer) {
  return check_pointer(pointer, Wildcards::kAllowed);
}

std::optional<std::string> check_each(const std::string& pointer) {
  if (auto wrong = check_any_pointer(pointer)) {
    return wrong;
  }
  return pointer.ends_with("/*") ? std::nullopt
                                 : std::optional<std::string>(
                                       "does not lead to the elements of an array: its last segment is "
                                       "no * (allowed: a pointer such as /results/*/data/*)");
}

// Up to the last array that `beside` lies in it must go the way of `each`, and from there another one, to one value.
bool lies_beside(const std::vector<std::string>& each, const std::vector<std::string>& beside) {
  const auto shared = beside.rend() - std::ranges::find(beside.rbegin(), beside.rend(), kEvery);
  return std::cmp_less(shared, each.size()) && std::cmp_less(shared, beside.size()) &&
         std::equal(beside.begin(), beside.begin() + shared, each.begin()) &&
         !std::equal(beside.begin() + shared, beside.end(), each.begin() + shared,
                     each.begin() + std::min(std::ssize(each), std::ssize(beside)));
}

// A name of the record is taken once.
class MemberNames {
 public:
  bool take(const std::string& name) { return !name.empty() && names_.insert(name).second; }

 private:
  std::set<std::string> names_;
};

constexpr std::string_view kEachAllowed = "(allowed: /results/*/data/*, or a list of such pointers)";

void read_each(Section& records, std::vector<std::string>& each) {
  const Node* node = records.node("each");
  if (node != nullptr && node->kind == Node::Kind::kList) {
    records.text_list("each", each, {.check = check_each});
    if (node->items.empty()) {
      records.problem("each", "is empty " + std::string(kEachAllowed));
    }
    return;
  }
  std::string one;
  if (records.text("each", one, {.need = Need::kRequired, .check = check_each})) {
    each.push_back(std::move(one));
  }
}

// Without elements if something is wrong with it: then nothing else is judged by it.
source::CompositeRecords read_composite(Section records) {
  source::CompositeRecords composite;
  read_each(records, composite.each);
  records.text_list("with", composite.with, {.check = check_any_pointer});
  records.text("as", composite.as, {.unset = "(the last name in each)"});
  records.text("list", composite.list);
  records.finish();
  if (composite.each.empty()) {
    return composite;  // said already
  }

  for (const std::string& pointer : composite.with) {
    const auto tokens = pointer_tokens(pointer);
    const auto apart =
        std::ranges::find_if(composite.each, [&](const auto& each) { return !lies_beside(pointer_tokens(each), tokens); });
    if (apart != composite.each.end()) {
      records.problem("with", pointer + " does not name one value beside the records of " + *apart +
                                  ": up to its last * it must be spelled alike (allowed: such as /results/*/group beside "
                                  "/results/*/data/*)");
      return {};
    }
  }
  MemberNames lists;
  for (const std::string& pointer : composite.each) {
    if (composite.each.size() > 1 && !lists.take(last_name(pointer))) {
      records.problem("each", "has two pointers with the last name '" + last_name(pointer) +
                                  "', so that records do not tell their lists apart (allowed: different last names)");
      return {};
    }
  }
  if (composite.each.size() > 1 && (composite.as.empty() || composite.list.empty())) {
    records.problem(composite.as.empty() ? "as" : "list",
                    "is missing: records of several lists have one member for the element and one that names its list (allowed: "
                    "the name of a member)");
    return {};
  }
  const std::string element = composite.as.empty() ? last_name(composite.each.front()) : composite.as;
  MemberNames members;
  if (!members.take(element)) {
    records.problem(
        "as", "is missing: " + composite.each.front() + " has no name to call the element by (allowed: the name of a member)");
    return {};
  }
  if (!composite.list.empty() && !members.take(composite.list)) {
    records.problem("list", "is the name of the element too (allowed: another name)");
  }
  for (const std::string& pointer : composite.with) {
    if (!members.take(last_name(pointer))) {
      records.problem("with", "the record would have two members '" + last_name(pointer) +
                                  "' (allowed: pointers with different last names; as and list name the others)");
      break;
    }
  }
  return composite;
}

std::string join_members(const std::set<std::string>& members) {
  const std::vector<std::string_view> names(members.begin(), members.end());
  return join_names(names);
}

}  // namespace

std::optional<std::set<std::string>> members_of(const source::RecordsRule& records) {
  const auto* composite = std::get_if<source::CompositeRecords>(&records);
  if (composite == nullptr || composite->each.empty()) {
    return std::nullopt;
  }
  std::set<std::string> members{composite->as.empty() ? last_name(composite->each.front()) : composite->as};
  if (!composite->list.empty()) {
    members.insert(composite->list);
  }
  for (const std::string& pointer : composite->with) {
    members.insert(last_name(pointer));
  }
  return members;
}

// A records pointer may be empty: the answer itself is the array.
void read_records(Section& section, source::RecordsRule& records) {
  const Node* value = section.node("records");
  if (value != nullptr && value->kind == Node::Kind::kMap) {
    records = read_composite(section.section("records"));
    return;
  }
  if (value != nullptr && value->kind == Node::Kind::kScalar && value->text.empty() && !value->plain) {
    records = std::string();
    return;
  }
  std::string pointer;
  section.text("records", pointer, {.need = Need::kRequired, .check = check_plain_pointer});
  records = std::move(pointer);
}

constexpr std::string_view kKeyAllowed = "(allowed: /pointer, or a list of /pointer and {optional: /pointer})";

void read_key(Section& root, source::KeyRule& key) {
  const Node* node = root.node("key");
  if (node == nullptr || node->kind != Node::Kind::kList) {
    std::string pointer;
    if (root.text("key", pointer, {.need = Need::kRequired, .check = check_plain_pointer})) {
      key = std::move(pointer);
    }
    return;
  }
  std::vector<source::KeyPart> parts;
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    const Node& item = *node->items[i];
    const std::string path = root.path("key") + "[" + std::to_string(i) + "]";
    const bool optional = item.kind == Node::Kind::kMap && item.members.size() == 1 && item.members.front().key == "optional";
    const Node& value = optional ? *item.members.front().value : item;
    if (value.kind != Node::Kind::kScalar || value.text.empty()) {
      root.scope().problem(item.mark, path, "", "is no value of a record " + std::string(kKeyAllowed));
      return;
    }
    if (const auto wrong = check_pointer(value.text)) {
      root.scope().problem(value.mark, path, value.text, *wrong);
      return;
    }
    parts.push_back({.pointer = value.text, .optional = optional});
  }
  if (std::ranges::all_of(parts, &source::KeyPart::optional)) {
    root.problem("key",
                 "names no value that must be there, so that different records could have one key " + std::string(kKeyAllowed));
    return;
  }
  key = std::move(parts);
}

void check_records(Section& root, const Definition& definition) {
  if (definition.by_id && std::holds_alternative<std::vector<source::KeyPart>>(definition.key)) {
    root.problem(
        "by_id",
        "asks by keys, and a key of several values is none that the service knows (allowed: leave it out, or key: /pointer)");
  }
  std::vector<std::pair<std::string_view, std::optional<std::set<std::string>>>> requests;
  if (definition.query) {
    requests.emplace_back("query", members_of(definition.query->records));
  }
  if (definition.job) {
    requests.emplace_back("job", members_of(definition.job->records));
  }
  if (definition.by_id) {
    requests.emplace_back("by_id", members_of(definition.by_id->records));
  }
  if (requests.empty()) {
    return;  // said already
  }
  const std::string_view first = requests.front().first;
  const std::optional<std::set<std::string>>& members = requests.front().second;
  for (const auto& [other, others] : requests) {
    if (others != members) {
      const auto shape = [](const std::optional<std::set<std::string>>& of) {
        return of ? "the members " + join_members(*of) : std::string("what the service sends");
      };
      root.problem(other, "its records have " + shape(others) + ", those of " + std::string(first) + " have " + shape(members) +
                              " (allowed: the same)");
      return;
    }
  }
  if (definition.query && definition.query->total && members && definition.query->total->trust != source::TotalTrust::kNone) {
    const auto& composite = std::get<source::CompositeRecords>(definition.query->records);
    if (composite.each.size() > 1 || arrays_in(pointer_tokens(composite.each.front())) > 1) {
      root.problem("query",
                   "its total counts something else than the records that are put together (allowed: trust: none, or no total)");
    }
  }
  if (!members) {
    return;
  }
  const auto is_inside = [&](const std::string& pointer) {
    const auto tokens = pointer_tokens(pointer);
    return tokens.empty() || tokens.front() == kEvery || members->contains(tokens.front());
  };
  const std::string wrong =
      "is in no record: its members are " + join_members(*members) + " (allowed: a pointer that begins with one of them)";
  const auto check_one = [&](std::string_view key, const std::string& pointer) {
    if (!is_inside(pointer)) {
      root.problem(key, wrong);
    }
  };
  const auto check_item = [&](std::string_view key, std::size_t index, const std::string& pointer) {
    if (!is_inside(pointer)) {
      root.scope().problem(root.mark(key), root.path(key) + "[" + std::to_string(index) + "]", pointer, wrong);
    }
  };
  if (const auto* pointer = std::get_if<std::string>(&definition.key)) {
    check_one("key", *pointer);
  } else {
    const auto& parts = std::get<std::vector<source::KeyPart>>(definition.key);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      check_item("key", i, parts[i].pointer);
    }
  }
  for (const auto& [key, pointer] : {std::pair{std::string_view("open_while_absent"), &definition.open_while_absent},
                                     std::pair{std::string_view("start"), &definition.start_pointer},
                                     std::pair{std::string_view("end"), &definition.end_pointer}}) {
    check_one(key, pointer->value_or(""));
  }
  for (const auto& [key, pointers] : {std::pair{std::string_view("job_only"), &definition.job_only},
                                      std::pair{std::string_view("digest_ignore"), &definition.digest_ignore}}) {
    for (std::size_t i = 0; i < pointers->size(); ++i) {
      check_item(key, i, (*pointers)[i]);
    }
  }
  for (const auto& [pointer, names] : definition.model) {
    if (!is_inside(pointer)) {
      root.scope().problem(root.mark("model"), root.path("model"), pointer, wrong);
    }
  }
}

}  // namespace config
