#include "config/checks.h"
#include "config/config.h"
#include "config/reader.h"
#include "config/sections.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <tuple>
#include <utility>

namespace config {

namespace {

namespace source = connector::source;
using common::http::Method;
using source::Definition;
using namespace std::chrono_literals;

constexpr std::string_view kPlace = "(allowed: {body: /pointer}, {query: name} or {header: name})";

enum class Direction : std::uint8_t { kRequest, kAnswer };

std::optional<std::string> check_plain_pointer(const std::string& pointer) {
  return check_pointer(pointer);
}

// --- records ------------------------------------------------------------------------------------------------------------------

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

namespace {

std::string join_members(const std::set<std::string>& members) {
  const std::vector<std::string_view> names(members.begin(), members.end());
  return join_names(names);
}

// --- key ----------------------------------------------------------------------------------------------------------------------

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

void read_pointer(Section& section, std::string_view key, std::optional<std::string>& pointer) {
  std::string text;
  if (section.text(key, text, {.check = check_plain_pointer})) {
    pointer = std::move(text);
  }
}

// Of a URL's parameter or a header.
bool is_parameter_name(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F && c != ':' && c != '&' && c != '='; });
}

// `request`: that carries it, or null if either will do.
std::optional<source::Place> read_place(Scope& scope, const Node& node, Mark mark, const std::string& path, Direction direction,
                                        const source::RequestTemplate* request) {
  if (node.kind != Node::Kind::kMap || node.members.size() != 1) {
    scope.problem(mark, path, "", "one place is expected " + std::string(kPlace));
    return std::nullopt;
  }
  const auto& [kind, kind_mark, value] = node.members.front();
  constexpr std::array<std::string_view, 3> kKinds{"body", "query", "header"};
  if (std::ranges::find(kKinds, std::string_view(kind)) == kKinds.end()) {
    const auto like = closest(kind, kKinds);
    scope.problem(kind_mark, path + "." + kind, "",
                  "there is no such place" + (like ? "; did you mean " + std::string(*like) + "?" : std::string()) + " " +
                      std::string(kPlace));
    return std::nullopt;
  }
  if (value->kind != Node::Kind::kScalar || value->text.empty()) {
    scope.problem(kind_mark, path + "." + kind, "",
                  "a text is expected, not " + std::string(describe(*value)) + " " + std::string(kPlace));
    return std::nullopt;
  }
  if (kind == "body") {
    if (const auto wrong = check_pointer(value->text)) {
      scope.problem(value->mark, path + ".body", value->text, *wrong);
      return std::nullopt;
    }
    if (direction == Direction::kRequest && request != nullptr && !has_body(*request)) {
      scope.problem(
          value->mark, path + ".body", value->text,
          "a request by " + std::string(to_string(request->method)) + " has no body (allowed: {query: name} or {header: name})");
      return std::nullopt;
    }
    return source::InBody{value->text};
  }
  if (!is_parameter_name(value->text)) {
    scope.problem(value->mark, path + "." + kind, value->text,
                  "is not a name (allowed: printable characters without space, : & =)");
    return std::nullopt;
  }
  if (kind == "query") {
    if (direction == Direction::kAnswer) {
      scope.problem(kind_mark, path + ".query", value->text,
                    "an answer has no query string (allowed: {body: /pointer} or {header: name})");
      return std::nullopt;
    }
    return source::InQuery{value->text};
  }
  return source::InHeader{value->text};
}

std::optional<source::Place> read_place(Section& section, std::string_view key, Need need, Direction direction,
                                        const source::RequestTemplate* request) {
  const Node* node = section.node(key);
  if (node == nullptr) {
    if (need == Need::kRequired) {
      section.problem(key, "is missing " + std::string(kPlace));
    }
    return std::nullopt;
  }
  return read_place(section.scope(), *node, section.mark(key), section.path(key), direction, request);
}

struct RequestRule {
  bool wants_job = false;    // {job} must stand in the path, else must not
  bool takes_query = false;  // other places of the path are filled from the stream's `query`
};

// What is wrong with the places of a path beside {job}.
std::optional<std::string> check_places(std::string_view path, bool takes_query) {
  constexpr std::string_view kNone =
      "holds a placeholder that does not exist (allowed: {job} once, in requests about a job; others in the request of query)";
  constexpr std::string_view kUnusable =
      "has a placeholder that is no name, or twice the same (allowed: such as /flows/{flowId}/turns)";
  std::set<std::string_view> names;
  for (auto at = path.find_first_of("{}"); at != std::string_view::npos; at = path.find_first_of("{}", at)) {
    if (!takes_query) {
      return std::string(kNone);
    }
    const auto close = path.find_first_of("{}", at + 1);
    const auto name = close == std::string_view::npos ? std::string_view() : path.substr(at + 1, close - at - 1);
    const bool good = path[at] == '{' && !name.empty() && path[close] == '}' && names.insert(name).second &&
                      std::ranges::all_of(name, [](char c) {
                        return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c == '_';
                      });
    if (!good) {
      return std::string(kUnusable);
    }
    at = close + 1;
  }
  return std::nullopt;
}

void read_request(Section request, source::RequestTemplate& out, Need need, const RequestRule& rule) {
  request.choice<Method>("method", out.method,
                         {{"GET", Method::kGet},
                          {"POST", Method::kPost},
                          {"PUT", Method::kPut},
                          {"PATCH", Method::kPatch},
                          {"DELETE", Method::kDelete}});
  const TextCheck path = [&](const std::string& text) -> std::optional<std::string> {
    if (!text.starts_with('/') || text.find_first_of(" ?#\\") != std::string::npos) {
      return "is no path below the API's URL (allowed: such as /api/v2/…, without query and fragment)";
    }
    if (text.contains("{job}") != rule.wants_job) {
      return rule.wants_job ? "does not say where the job's id goes (allowed: a path with {job})"
                            : "{job} has no meaning here (allowed: a path without it)";
    }
    std::string rest = text;
    if (const std::size_t at = rest.find("{job}"); at != std::string::npos) {
      rest.erase(at, 5);
    }
    return check_places(rest, rule.takes_query);
  };
  request.text("path", out.path, {.need = need, .check = path});
  std::vector<std::pair<std::string, Scalar>> parameters;
  request.properties("parameters", parameters);
  for (auto& [name, value] : parameters) {
    if (name.empty() || !is_parameter_name(name)) {
      request.problem("parameters", "its name " + name +
                                        " is no parameter of a URL (allowed: printable characters without "
                                        "space, : & =)");
    }
    out.parameters.emplace_back(name, std::move(value.text));
  }
  request.json_object("body", out.body);
  request.boolean("send_body", out.send_body);
  if (request.given("body") && !has_body(out)) {
    request.problem("body",
                    "a request by " + std::string(to_string(out.method)) +
                        " has no body (allowed: leave it out, or method: POST; send_body: true for a service that wants one "
                        "all the same)");
  }
  request.finish();
}

source::Pages read_pages(Section pages, const source::RequestTemplate& request) {
  enum class Kind : std::uint8_t { kNone, kPageNumber, kCursor, kNextUri };
  if (!pages.given()) {
    return source::NoPages{};  // said already
  }
  Kind kind = Kind::kNone;
  if (!pages.given("kind")) {
    pages.problem("kind", "is missing (allowed: none, page-number, cursor, next-uri; it is required)");
  }
  const bool good = pages.choice<Kind>(
      "kind", kind,
      {{"none", Kind::kNone}, {"page-number", Kind::kPageNumber}, {"cursor", Kind::kCursor}, {"next-uri", Kind::kNextUri}});
  if (!good) {
    return source::NoPages{};  // what else stands there cannot be judged
  }
  constexpr int kLargestPage = 1'000'000;
  source::Pages result = source::NoPages{};
  switch (kind) {
    case Kind::kNone:
      break;
    case Kind::kPageNumber: {
      source::PageNumberPages numbered;
      numbered.number = read_place(pages, "number", Need::kRequired, Direction::kRequest, &request).value_or(source::InBody{});
      numbered.size = read_place(pages, "size", Need::kOptional, Direction::kRequest, &request);
      pages.integer("first", numbered.first, {.min = 0, .max = 1});
      pages.integer("max_size", numbered.max_size, {.min = 1, .max = kLargestPage});
      pages.integer("max_depth", numbered.max_depth, {.min = 1, .unset = "(none known)"});
      pages.integer("refused_behind", numbered.refused_behind, {.min = 1, .unset = "(none known)"});
      read_pointer(pages, "page_count", numbered.page_count);
      pages.choice<source::PagesEnd>("end", numbered.end,
                                     {{"empty", source::PagesEnd::kEmpty}, {"nothing_new", source::PagesEnd::kNothingNew}});
      if (numbered.max_depth != 0 && numbered.max_depth < numbered.max_size) {
        pages.problem("max_depth", "is less than one page of max_size (allowed: at least max_size)");
      }
      result = std::move(numbered);
      break;
    }
    case Kind::kCursor: {
      source::CursorPages cursor;
      const Node* from = pages.node("next_from");
      if (from == nullptr || from->kind != Node::Kind::kList || from->items.empty()) {
        pages.problem("next_from",
                      "a list of places is expected, the preferred one first (allowed: [{body: /pointer}, {header: name}])");
      } else {
        for (std::size_t i = 0; i < from->items.size(); ++i) {
          if (auto place = read_place(pages.scope(), *from->items[i], from->items[i]->mark,
                                      pages.path("next_from") + "[" + std::to_string(i) + "]", Direction::kAnswer, nullptr)) {
            cursor.next_from.push_back(std::move(*place));
          }
        }
      }
      cursor.next_to = read_place(pages, "next_to", Need::kRequired, Direction::kRequest, &request).value_or(source::InQuery{});
      cursor.size = read_place(pages, "size", Need::kOptional, Direction::kRequest, &request);
      pages.integer("max_size", cursor.max_size, {.min = 1, .max = kLargestPage});
      result = std::move(cursor);
      break;
    }
    case Kind::kNextUri: {
      source::NextUriPages uri;
      pages.text("next_from", uri.next_from, {.need = Need::kRequired, .check = check_plain_pointer});
      pages.text("next_parameter", uri.parameter, {.check = [](const std::string& name) {
                   return is_parameter_name(name)
                              ? std::nullopt
                              : std::optional<std::string>("is no parameter of a URL (allowed: such as after)");
                 }});
      uri.size = read_place(pages, "size", Need::kOptional, Direction::kRequest, &request);
      pages.integer("max_size", uri.max_size, {.min = 1, .max = kLargestPage});
      result = std::move(uri);
      break;
    }
  }
  pages.finish();
  return result;
}

void check_window(const Section& window, const Definition& definition) {
  if (window.given("retention") && definition.max_window > definition.retention) {
    window.problem("retention", "is shorter than max, so that the longest window could not be read (allowed: at least max)");
  }
  if (definition.bucket && (definition.job || !definition.query || !has_body(definition.query->request))) {
    window.problem("bucket", "is looked for in the body of the query, and is offered without a job only (allowed: leave it out)");
  }
  if (definition.spans_days && definition.by_id) {
    window.problem("spans_days", "is not offered beside by_id (allowed: leave one of them out)");
  }
  if (definition.spans_days && definition.bucket) {
    window.problem("spans_days", "contradicts bucket: a bucket lies within one day (allowed: leave one of them out)");
  }
}

// `window: none`: what the service tells is the state as it is now.
bool read_snapshot(Section& root, Definition& definition) {
  const Node* window = root.node("window");
  if (window == nullptr || window->kind != Node::Kind::kScalar || window->text != "none") {
    if (root.given("snapshot")) {
      root.problem("snapshot", "is for what has no window (allowed: leave it out, or window: none)");
    }
    root.node("snapshot");
    return false;
  }
  source::Snapshot defaults;
  Section snapshot = root.section("snapshot");
  common::Duration every = 60s;
  if (snapshot.duration("every", every, {.min = 1s, .max = 31 * std::chrono::days{1}})) {
    defaults.every = every;
  }
  snapshot.boolean("compact", defaults.compact);
  snapshot.finish();
  definition.window = defaults;
  if (!definition.query || definition.job || definition.by_id) {
    root.problem("window", "is for what a query alone tells (allowed: with query, without job and by_id; or a map)");
  }
  return true;
}

void read_window(Section window, const source::RequestTemplate* request, Definition& definition) {
  if (!window.given()) {
    return;  // said already
  }
  const bool interval = window.given("interval");
  const bool span = window.given("from") || window.given("to");
  if (interval && span) {
    window.problem("interval", "interval and from/to stand side by side (allowed: interval, or from and to)");
  } else if (!interval && !span) {
    window.problem("interval", "is missing (allowed: interval, or from and to; each a place)");
  }
  auto whole = read_place(window, "interval", Need::kOptional, Direction::kRequest, request);
  const Need both = span ? Need::kRequired : Need::kOptional;
  auto from = read_place(window, "from", both, Direction::kRequest, request);
  auto to = read_place(window, "to", both, Direction::kRequest, request);
  if (whole) {
    definition.window = source::IntervalPlace{std::move(*whole)};
  } else if (from && to) {
    definition.window = source::FromToPlaces{std::move(*from), std::move(*to)};
  }
  window.duration("max", definition.max_window, {.min = 0ms, .max = std::chrono::days{366}});
  window.duration("retention", definition.retention, {.min = 1s, .max = kLongestRetention});
  read_pointer(window, "bucket", definition.bucket);
  window.boolean("spans_days", definition.spans_days);
  if (window.given("ages")) {
    read_ages(window, definition.ages.emplace(), false);
  }
  window.node("ages");
  check_window(window, definition);
  window.finish();
}

void read_list_rules(Section lists, Definition& definition) {
  for (const auto& member : lists.members()) {
    if (const auto wrong = check_pointer(member.key)) {
      lists.scope().problem(member.mark, lists.path(member.key), "", "its name " + *wrong);
      continue;
    }
    Section list = lists.entry(member);
    source::ListRule rule;
    list.integer("max", rule.max_items, {.min = 1, .max = 1'000'000, .unset = "(none known)"});
    list.text_list("allowed", rule.allowed);
    list.text_list("known", rule.known);
    if (!list.given("max") && !list.given("allowed") && !list.given("known")) {
      list.problem("max", "is missing, and so are allowed and known (allowed: at least one of them)");
    }
    list.finish();
    definition.list_rules[member.key] = std::move(rule);
  }
}

void read_query(Section query, source::QuerySource& out) {
  if (!query.given()) {
    return;  // said already
  }
  read_request(query.section("request", Need::kRequired), out.request, query.given("request") ? Need::kRequired : Need::kOptional,
               {.takes_query = true});
  read_records(query, out.records);
  if (query.given("total")) {
    Section total = query.section("total");
    out.total.emplace();
    total.text("pointer", out.total->pointer, {.need = Need::kRequired, .check = check_plain_pointer});
    if (!total.given("trust")) {
      total.problem("trust", "is missing (allowed: exact, approximate, none; it is required)");
    }
    total.choice<source::TotalTrust>("trust", out.total->trust,
                                     {{"exact", source::TotalTrust::kExact},
                                      {"approximate", source::TotalTrust::kApproximate},
                                      {"none", source::TotalTrust::kNone}});
    total.finish();
  }
  out.pages = read_pages(query.section("pages", Need::kRequired), out.request);
  const auto* numbered = std::get_if<source::PageNumberPages>(&out.pages);
  if (numbered != nullptr && numbered->end == source::PagesEnd::kNothingNew && out.total &&
      out.total->trust != source::TotalTrust::kNone) {
    query.problem("total",
                  "says when pages are missing, and pages.end: nothing_new is for those of which nothing says so "
                  "(allowed: leave one of them out, or trust: none)");
  }
  query.finish();
}

void read_job(Section job, source::JobSource& out) {
  if (!job.given()) {
    return;  // said already
  }
  read_request(job.section("request", Need::kRequired), out.submit, job.given("request") ? Need::kRequired : Need::kOptional, {});
  // The usual addresses, unless the definition says others.
  out.status = {.method = Method::kGet, .path = out.submit.path + "/{job}", .body = {}};
  out.results = {.method = Method::kGet, .path = out.submit.path + "/{job}/results", .body = {}};
  out.cancel = {.method = Method::kDelete, .path = out.submit.path + "/{job}", .body = {}};
  out.availability = {.method = Method::kGet, .path = out.submit.path + "/availability", .body = {}};
  read_request(job.section("status"), out.status, Need::kOptional, {.wants_job = true});
  read_request(job.section("results"), out.results, Need::kOptional, {.wants_job = true});
  read_request(job.section("cancel"), out.cancel, Need::kOptional, {.wants_job = true});
  read_request(job.section("availability"), out.availability, Need::kOptional, {});
  for (auto [key, pointer] : {std::pair{std::string_view("id"), &out.id}, std::pair{std::string_view("state"), &out.state},
                              std::pair{std::string_view("error_message"), &out.error_message},
                              std::pair{std::string_view("availability_date"), &out.availability_date}}) {
    job.text(key, *pointer, {.check = check_plain_pointer});
  }
  read_records(job, out.records);
  out.pages = read_pages(job.section("pages", Need::kRequired), out.results);
  job.finish();
}

void read_by_id(Section by_id, source::ByIdSource& out) {
  read_request(by_id.section("request", Need::kRequired), out.request, by_id.given("request") ? Need::kRequired : Need::kOptional,
               {});
  out.ids = read_place(by_id, "ids", Need::kRequired, Direction::kRequest, &out.request).value_or(source::InQuery{"id"});
  by_id.integer("max_ids", out.max_ids, {.min = 1, .max = 1'000});
  read_records(by_id, out.records);
  by_id.finish();
}

void add_parameter(const source::Place& place, std::string_view owner, std::vector<OwnedParameter>& owned) {
  if (const auto* parameter = std::get_if<source::InQuery>(&place)) {
    owned.push_back({parameter->name, owner});
  }
}

// Nobody else may set what the connector sets; and a place in the path is filled from what the query alone knows.
void check_url(Section& root, const Definition& definition) {
  if (!definition.query) {
    return;
  }
  for (const auto& [name, owner] : parameters_of_the_connector(definition)) {
    if (std::ranges::find(definition.query->request.parameters, name, &std::pair<std::string, std::string>::first) !=
        definition.query->request.parameters.end()) {
      root.problem("query", "its request has the parameter " + name + ", which belongs to the connector's " + std::string(owner) +
                                " (allowed: leave it out of parameters)");
    }
  }
  if (definition.query->request.path.contains('{') && (definition.job || definition.by_id)) {
    root.problem("query",
                 "its path has places for members of the stream's query, which job and by_id do not know (allowed: a "
                 "query alone)");
  }
}

// What points into a record must find something in the envelopes that composite records are; and all requests yield the same.
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

void read_model(Section model, source::Model& out) {
  constexpr std::string_view kRecord = "/";  // its top, which has no pointer that could be a key
  for (const auto& member : model.members()) {
    if (const auto wrong = check_pointer(member.key, Wildcards::kAllowed)) {
      model.scope().problem(member.mark, model.path(member.key), "", *wrong);
    }
    std::vector<std::string> names;
    if (model.text_list(member.key, names) && names.empty()) {
      model.problem(member.key, "names no member (allowed: the names of the members there; leave out what may be anything)");
    }
    out[member.key == kRecord ? std::string() : member.key] = std::move(names);
  }
  model.finish();
}

void read_definition(Section root, Definition& definition) {
  constexpr int kNewestVersion = 1;
  root.integer("version", definition.version, {.min = 1, .max = kNewestVersion});
  constexpr std::size_t kLongestName = 200;
  root.text("name", definition.name,
            {.need = Need::kRequired, .check = [](const std::string& name) { return check_name(name, kLongestName); }});
  root.text("description", definition.description);
  root.boolean("preview", definition.preview);
  root.text("partial", definition.partial);
  read_key(root, definition.key);
  read_pointer(root, "open_while_absent", definition.open_while_absent);
  read_pointer(root, "start", definition.start_pointer);
  read_pointer(root, "end", definition.end_pointer);
  root.text_list("job_only", definition.job_only,
                 {.check = [](const std::string& pointer) { return check_pointer(pointer, Wildcards::kAllowed); }});
  root.text_list("digest_ignore", definition.digest_ignore,
                 {.check = [](const std::string& pointer) { return check_pointer(pointer, Wildcards::kAllowed); }});
  read_model(root.section("model"), definition.model);
  root.text_list("permissions", definition.permissions);

  std::vector<std::pair<std::string, Scalar>> refused;
  root.node("refuse");
  root.properties("refuse", refused);
  for (auto& [member, reason] : refused) {
    definition.refused_members[member] = reason.text;
  }

  std::vector<std::pair<std::string, Scalar>> required;
  root.node("require");
  root.properties("require", required);
  for (auto& [pointer, reason] : required) {
    if (const auto wrong = check_pointer(pointer)) {
      root.problem("require", "its name " + pointer + " " + *wrong);
    }
    definition.required_members[pointer] = reason.text;
  }
  read_list_rules(root.section("lists"), definition);

  if (root.given("query")) {
    read_query(root.section("query"), definition.query.emplace());
  }
  if (root.given("job")) {
    read_job(root.section("job"), definition.job.emplace());
  }
  if (root.given("by_id")) {
    read_by_id(root.section("by_id"), definition.by_id.emplace());
  }
  root.node("query");
  root.node("job");
  root.node("by_id");
  if (!definition.query && !definition.job) {
    root.problem("query", "is missing (allowed: query, job or both)");
  }
  if (definition.by_id && (!definition.open_while_absent || !definition.start_pointer)) {
    root.problem("by_id", "needs to know which records are open and when they began (allowed: with open_while_absent and start)");
  }
  if (!definition.job && !definition.job_only.empty()) {
    root.problem("job_only", "has no meaning without a job (allowed: leave it out)");
  }
  check_records(root, definition);
  // The window stands in the request that searches: where either has no body, it cannot be in the body.
  const source::RequestTemplate* request = definition.query ? &definition.query->request : nullptr;
  if (definition.job && (request == nullptr || has_body(*request))) {
    request = &definition.job->submit;
  }
  if (!read_snapshot(root, definition)) {
    read_window(root.section("window", Need::kRequired), request, definition);
  }
  check_url(root, definition);
  root.finish();
}

}  // namespace

std::vector<OwnedParameter> parameters_of_the_connector(const Definition& definition) {
  std::vector<OwnedParameter> owned;
  if (const auto* interval = std::get_if<source::IntervalPlace>(&definition.window)) {
    add_parameter(interval->place, "windows", owned);
  } else if (const auto* span = std::get_if<source::FromToPlaces>(&definition.window)) {
    add_parameter(span->from, "windows", owned);
    add_parameter(span->to, "windows", owned);
  }
  if (!definition.query) {
    return owned;
  }
  std::visit(
      [&](const auto& pages) {
        if constexpr (requires { pages.number; }) {
          add_parameter(pages.number, "paging", owned);
        }
        if constexpr (requires { pages.next_to; }) {
          add_parameter(pages.next_to, "paging", owned);
        }
        if constexpr (requires { pages.size; }) {
          if (pages.size) {
            add_parameter(*pages.size, "page_size", owned);
          }
        }
      },
      definition.query->pages);
  return owned;
}

LoadedDefinition load_definition(std::string_view yaml, const std::string& file_name) {
  LoadedDefinition loaded;
  Scope scope;
  scope.file = file_name;
  const Document document = parse_document(yaml);
  for (const auto& fault : document.faults) {
    scope.problem(fault.mark, fault.path, fault.value, fault.message);
  }
  if (document.root != nullptr) {
    if (document.root->kind != Node::Kind::kMap) {
      scope.problem(document.root->mark, "", "",
                    "a stream definition is expected, not " + std::string(describe(*document.root)) +
                        " (allowed: a map with name, key, window, query or job)");
    } else {
      read_definition(Section(scope, document.root, document.root->mark, "", ""), loaded.definition);
    }
  }
  std::ranges::sort(scope.problems, {}, [](const Problem& problem) {
    return std::tuple(problem.line, problem.column, problem.path, problem.message);
  });
  loaded.problems = std::move(scope.problems);
  return loaded;
}

}  // namespace config
