#include "config/checks.h"
#include "config/definition_sections.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace config {

namespace source = connector::source;
using common::http::Method;

namespace {

constexpr std::string_view kPlace = "(allowed: {body: /pointer}, {query: name} or {header: name})";

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

}  // namespace

std::optional<std::string> check_plain_pointer(const std::string& pointer) {
  return check_pointer(pointer);
}

void read_pointer(Section& section, std::string_view key, std::optional<std::string>& pointer) {
  std::string text;
  if (section.text(key, text, {.check = check_plain_pointer})) {
    pointer = std::move(text);
  }
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

}  // namespace config
