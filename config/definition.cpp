#include "config/checks.h"
#include "config/config.h"
#include "config/definition_sections.h"
#include "config/reader.h"
#include "config/sections.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace config {

namespace {

namespace source = connector::source;
using common::http::Method;
using source::Definition;
using namespace std::chrono_literals;

void check_window(const Section& window, const Definition& definition) {
  if (window.given("retention") && definition.max_window > definition.retention) {
    window.problem("retention", "is shorter than max, so that the longest window could not be read (allowed: at least max)");
  }
  if (definition.query && definition.query->retention > 0s && definition.max_window > definition.query->retention) {
    window.problem("max", "is longer than query.retention, so that the longest window could not be read (allowed: at most that)");
  }
  if (definition.bucket && (definition.job || !definition.query || !has_body(definition.query->request))) {
    window.problem("bucket", "is looked for in the body of the query, and is offered without a job only (allowed: leave it out)");
  }
  if (definition.time_zone && !definition.bucket) {
    window.problem("time_zone", "says where buckets begin, and there are none (allowed: beside bucket, or leave it out)");
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
  if (definition.query && definition.query->retention > 0s) {
    root.problem("query", "its retention is for what has windows (allowed: leave it out)");
  }
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
  read_pointer(window, "time_zone", definition.time_zone);
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
  query.duration("retention", out.retention, {.min = 1s, .max = kLongestRetention});
  const auto* numbered = std::get_if<source::PageNumberPages>(&out.pages);
  if (numbered != nullptr && numbered->end == source::PagesEnd::kNothingNew && out.total &&
      out.total->trust != source::TotalTrust::kNone) {
    query.problem("total",
                  "says when pages are missing, and pages.end: nothing_new is for those of which nothing says so "
                  "(allowed: leave one of them out, or trust: none)");
  }
  query.finish();
}

// A service that tells how far its jobs' data goes, or one of which that is known by its age.
void read_lag(Section& job, source::JobSource& out) {
  job.text("page_mark", out.page_mark, {.check = check_plain_pointer});
  common::Duration lag{0};
  if (!job.given("lag")) {
    return;
  }
  if (job.duration("lag", lag, {.min = 0ms, .max = 31 * std::chrono::days{1}})) {
    out.lag = lag;
  }
  for (const std::string_view key : {std::string_view("availability"), std::string_view("availability_date")}) {
    if (job.given(key)) {
      job.problem(key, "is where a date stands, and lag says that there is none (allowed: leave one of them out)");
    }
  }
  if (out.page_mark.empty() && !job.given("page_mark")) {
    job.problem("page_mark",
                "is missing, and there is no date by which an empty page of results could be told from what others answer in the "
                "service's place (allowed: a pointer to what every page has)");
  }
  out.availability = {.method = Method::kGet, .path = {}, .body = {}};
  out.availability_date.clear();
}

// The service's words for what ends a job.
void read_states(Section states, source::JobSource& out) {
  for (const auto& [key, state] :
       {std::pair{std::string_view("fulfilled"), "FULFILLED"}, std::pair{std::string_view("failed"), "FAILED"},
        std::pair{std::string_view("cancelled"), "CANCELLED"}, std::pair{std::string_view("expired"), "EXPIRED"}}) {
    std::string told;
    if (states.text(key, told)) {
      out.states[told] = state;
    }
  }
  if (states.given() && !states.given("fulfilled")) {
    states.problem("fulfilled", "is missing: without it no job would ever be done (allowed: the service's word for it)");
  }
  states.finish();
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
  if (job.is_off("cancel")) {
    out.cancel = {.method = Method::kDelete, .path = {}, .body = {}};
  } else {
    read_request(job.section("cancel"), out.cancel, Need::kOptional, {.wants_job = true});
  }
  read_request(job.section("availability"), out.availability, Need::kOptional, {});
  for (auto [key, pointer] : {std::pair{std::string_view("id"), &out.id}, std::pair{std::string_view("state"), &out.state},
                              std::pair{std::string_view("error_message"), &out.error_message},
                              std::pair{std::string_view("availability_date"), &out.availability_date}}) {
    job.text(key, *pointer, {.check = check_plain_pointer});
  }
  read_lag(job, out);
  read_states(job.section("states"), out);
  job.integer("max_jobs", out.max_open, {.min = 1, .max = 1'000, .unset = "(none known)"});
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

// A window that ends at the first page refused would count as read, without what lies behind it.
void check_not_refused(Section& root, std::string_view owner, const source::Pages& pages) {
  const auto* numbered = std::get_if<source::PageNumberPages>(&pages);
  if (numbered != nullptr && numbered->refused_behind != 0) {
    root.section(owner).section("pages").problem(
        "refused_behind",
        "ends what can be read, and a window is read whole or in parts (allowed: with window: none; or max_depth)");
  }
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
    if (definition.query) {
      check_not_refused(root, "query", definition.query->pages);
    }
    if (definition.job) {
      check_not_refused(root, "job", definition.job->pages);
    }
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
