#include "config/checks.h"
#include "config/sections.h"
#include "connector/source/url_members.h"

#include <algorithm>

namespace config {

namespace {

using connector::source::Definition;
using connector::source::StreamOptions;

// The user's object says something at `pointer`, or puts something else where its way leads through.
bool sets(const common::json::Object& query, std::string_view pointer) {
  const common::json::Object* at = &query;
  for (const auto& token : pointer_tokens(pointer)) {
    const auto* member = at == nullptr ? nullptr : at->if_contains(token);
    if (member == nullptr) {
      return at == nullptr;
    }
    at = member->if_object();
  }
  return true;
}

struct OwnedPointer {
  std::string pointer;
  std::string_view owner;
};

// The user's filters are in the body, or in the URL where there is none.
void add_place(const connector::source::Place& place, std::string_view owner, std::vector<OwnedPointer>& owned,
               bool in_url = false) {
  if (const auto* body = std::get_if<connector::source::InBody>(&place)) {
    owned.push_back({body->pointer, owner});
  } else if (const auto* parameter = std::get_if<connector::source::InQuery>(&place); parameter != nullptr && in_url) {
    owned.push_back({"/" + parameter->name, owner});
  }
}

void add_pages(const connector::source::Pages& pages, std::string_view size_key, std::vector<OwnedPointer>& owned,
               bool in_url = false) {
  constexpr std::string_view kPaging = "paging";
  if (const auto* numbered = std::get_if<connector::source::PageNumberPages>(&pages)) {
    add_place(numbered->number, kPaging, owned, in_url);
    if (numbered->size) {
      add_place(*numbered->size, size_key, owned, in_url);
    }
  } else if (const auto* cursor = std::get_if<connector::source::CursorPages>(&pages)) {
    add_place(cursor->next_to, kPaging, owned, in_url);
    if (cursor->size) {
      add_place(*cursor->size, size_key, owned, in_url);
    }
  } else if (const auto* uri = std::get_if<connector::source::NextUriPages>(&pages)) {
    if (uri->size) {
      add_place(*uri->size, size_key, owned, in_url);
    }
  }
}

bool is_parameter(const common::json::Value& value) {
  const auto is_single = [](const common::json::Value& item) { return item.is_string() || item.is_number() || item.is_bool(); };
  return is_single(value) ||
         (value.is_array() && !value.get_array().empty() && std::ranges::all_of(value.get_array(), is_single));
}

// What the engine itself writes into a request must not be overwritten by the user's filters.
void check_query(const Section& stream, const Definition& definition, const common::json::Object& query) {
  const Node::Member* where = nullptr;
  for (const auto& member : stream.members()) {
    where = member.key == "query" ? &member : where;
  }
  const auto report = [&](const std::string& member, const std::string& message) {
    const Node::Member* inner = where == nullptr ? nullptr : where->value->find(member.substr(0, member.find('.')));
    stream.scope().problem(inner == nullptr ? stream.mark("query") : inner->mark, stream.path("query") + "." + member, "",
                           message);
  };

  const bool in_url = definition.query ? !has_body(definition.query->request) : !has_body(definition.job->submit);
  std::vector<OwnedPointer> owned;
  if (const auto* interval = std::get_if<connector::source::IntervalPlace>(&definition.window)) {
    add_place(interval->place, "windows", owned, in_url);
  } else if (const auto* span = std::get_if<connector::source::FromToPlaces>(&definition.window)) {
    add_place(span->from, "windows", owned, in_url);
    add_place(span->to, "windows", owned, in_url);
  }
  if (definition.query) {
    add_pages(definition.query->pages, "page_size", owned, in_url);
  }
  for (const auto& member : query) {
    if (in_url && !is_parameter(member.value())) {
      report(
          std::string(member.key()),
          "does not fit into a URL, and the query of this definition has no body (allowed: a text, a number, true or false, or "
          "a list of them)");
    }
  }
  if (definition.job) {
    add_pages(definition.job->pages, "job_page_size", owned);
  }
  for (const auto& [pointer, owner] : owned) {
    if (sets(query, pointer)) {
      std::string member;
      for (const auto& token : pointer_tokens(pointer)) {
        member += (member.empty() ? "" : ".") + token;
      }
      const bool setting = owner.ends_with("page_size");
      report(member, "belongs to the connector's " + std::string(setting ? "paging" : owner) +
                         " (allowed: " + (setting ? std::string(owner) + " of the stream" : std::string("leave it out")) + ")");
    }
  }
  for (const auto& [member, reason] : definition.refused_members) {
    if (query.contains(member)) {
      report(member, reason + " (allowed: leave it out)");
    }
  }
}

// The places of the query's path are filled.
void check_path(const Section& stream, const Definition& definition, const common::json::Object& query) {
  if (!definition.query) {
    return;
  }
  for (const auto& name : connector::source::places_in(definition.query->request.path)) {
    const auto* value = query.if_contains(name);
    const bool missing = value == nullptr || value->is_null();
    const auto texts = missing ? std::vector<std::string>() : connector::source::url_texts(*value);
    const bool one = !missing && !value->is_array() && !value->is_object();
    if (!one || texts.front().empty() || texts.front() == "." || texts.front() == "..") {
      stream.scope().problem(stream.mark("query"), stream.path("query") + "." + name, "",
                             (missing ? std::string("is missing: ") : std::string("cannot be a part of a path: ")) +
                                 "the definition's path has a place for it, " + definition.query->request.path +
                                 " (allowed: a text)");
    }
  }
}

// What the query's body has at `pointer`: the user's, else what the definition says.
const common::json::Value* find_in_body(const Definition& definition, const common::json::Object& query,
                                        const std::string& pointer) {
  const auto tokens = pointer_tokens(pointer);
  const auto find = [&](const common::json::Object& object) -> const common::json::Value* {
    const common::json::Object* at = &object;
    const common::json::Value* found = nullptr;
    for (const auto& token : tokens) {
      found = at == nullptr ? nullptr : at->if_contains(token);
      if (found == nullptr) {
        return nullptr;
      }
      at = found->if_object();
    }
    return found;
  };
  if (sets(query, pointer)) {
    return find(query);
  }
  return definition.query ? find(definition.query->request.body) : nullptr;
}

std::string member_name(const std::string& pointer) {
  std::string name;
  for (const auto& token : pointer_tokens(pointer)) {
    name += "." + token;
  }
  return name;
}

// The first text of the list that is none of `names`, and which of them may have been meant.
std::optional<std::string> find_stranger(const common::json::Array& list, const std::vector<std::string>& names,
                                         const std::string& which) {
  const std::vector<std::string_view> all(names.begin(), names.end());
  for (const auto& item : list) {
    const std::string text = item.is_string() ? std::string(item.get_string()) : common::json::serialize(item);
    if (names.empty() || std::ranges::find(all, text) != all.end()) {
      continue;
    }
    const auto like = closest(text, all);
    return "holds '" + text + "', which the service " + which +
           (like ? "; did you mean " + std::string(*like) + "?" : std::string());
  }
  return std::nullopt;
}

void check_list(const connector::source::ListRule& rule, const common::json::Value& value, const auto& report, const auto& warn) {
  const auto* list = value.if_array();
  if (list == nullptr) {
    report("is no list");
    return;
  }
  if (rule.max_items > 0 && list->size() > rule.max_items) {
    report("has " + std::to_string(list->size()) + " items, and the service takes " + std::to_string(rule.max_items) +
           " (allowed: fewer; a second stream may ask for the others)");
  }
  if (const auto stranger = find_stranger(*list, rule.allowed, "does not know here")) {
    const std::vector<std::string_view> allowed(rule.allowed.begin(), rule.allowed.end());
    report(*stranger + " (allowed: " + join_names(allowed) + ")");
  }
  if (const auto stranger = find_stranger(*list, rule.known, "did not know here when the definition was written")) {
    warn(*stranger);
  }
}

// The buckets that the body asks for.
connector::core::Buckets read_buckets(const Definition& definition, const StreamOptions& options, common::Duration length,
                                      const auto& report) {
  const connector::core::Buckets of_utc(length);
  const auto* value = definition.time_zone ? find_in_body(definition, options.query, *definition.time_zone) : nullptr;
  if (value == nullptr || value->is_null()) {
    return of_utc;
  }
  const std::string name = value->is_string() ? std::string(value->get_string()) : std::string();
  if (name == "UTC" || name == "Etc/UTC") {  // known without a database
    return of_utc;
  }
  if (name.empty()) {
    report(*definition.time_zone,
           common::json::serialize(*value) + ": is no name of a time zone (allowed: such as UTC or Europe/Berlin)");
    return of_utc;
  }
  const auto zone = common::TimeZone::find(name);
  if (!zone) {
    report(*definition.time_zone, common::json::serialize(*value) + ": " + zone.error().message);
    return of_utc;
  }
  connector::core::Buckets buckets(length, *zone);
  if (buckets.is_local() && definition.max_window > common::Duration{0} && buckets.longest() > definition.max_window) {
    report(*definition.time_zone,
           common::json::serialize(*value) + ": has buckets of " + common::format_duration(buckets.longest()) +
               " where its clock changes, and the service answers for " + common::format_duration(definition.max_window) +
               " at once (allowed: shorter buckets, or UTC)");
  }
  return buckets;
}

// What the definition asks of the user's members of the query's body, and how long a bucket is by them.
void check_body(const Section& stream, const Definition& definition, StreamOptions& options) {
  const auto report = [&](const std::string& pointer, const std::string& message) {
    stream.scope().problem(stream.mark("query"), stream.path("query") + member_name(pointer), "", message);
  };
  for (const auto& [pointer, reason] : definition.required_members) {
    const auto* value = find_in_body(definition, options.query, pointer);
    const bool empty = value == nullptr || value->is_null() || (value->is_array() && value->get_array().empty());
    if (empty) {
      report(pointer, "is missing: " + reason);
    }
  }
  for (const auto& [pointer, rule] : definition.list_rules) {
    if (const auto* value = find_in_body(definition, options.query, pointer); value != nullptr && !value->is_null()) {
      check_list(
          rule, *value, [&](const std::string& message) { report(pointer, message); },
          [&](const std::string& message) {
            stream.scope().warnings.push_back(stream.scope().origin(stream.mark("query")) + ": " + stream.path("query") +
                                              member_name(pointer) + ": " + message);
          });
    }
  }
  if (!definition.bucket) {
    return;
  }
  const auto* value = find_in_body(definition, options.query, *definition.bucket);
  const auto length =
      value != nullptr && value->is_string() ? parse_iso_duration(std::string_view(value->get_string())) : std::nullopt;
  if (!length || std::chrono::days{1} % *length != common::Duration{0}) {
    report(*definition.bucket,
           (value == nullptr ? std::string("is missing") : common::json::serialize(*value)) +
               ": windows are of whole buckets, and those of whole days (allowed: a length that divides a day, "
               "such as PT15M, PT30M, PT1H or P1D)");
    return;
  }
  options.live.buckets = read_buckets(definition, options, *length, report);
  if (auto* start = std::get_if<common::Instant>(&options.start)) {
    *start = options.live.buckets.start_of(*start);
  }
}

}  // namespace

void check_stream_query(const Section& stream, const Definition& definition, StreamOptions& options) {
  check_query(stream, definition, options.query);
  check_path(stream, definition, options.query);
  check_body(stream, definition, options);
}

}  // namespace config
