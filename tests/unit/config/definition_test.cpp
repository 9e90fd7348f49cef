// load_definition: what a stream definition says, and what is wrong with one.

#include "tests/unit/config/support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include <map>
#include <set>
#include <string>

namespace config::test {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
namespace source = connector::source;

TEST(BuiltInDefinition, AreAllWithoutProblems) {
  EXPECT_THAT(built_in_definition_texts(), SizeIs(55));
  for (const auto& [name, text] : built_in_definition_texts()) {
    const LoadedDefinition loaded = load_definition(text, name);
    EXPECT_EQ(problems_text(loaded.problems), "");
    EXPECT_EQ(loaded.definition.name, name);
  }
}

TEST(BuiltInDefinition, ConversationDetailsDescribesTheQuery) {
  const auto definition = built_in_definitions().at("conversation-details");

  EXPECT_EQ(definition.key, source::KeyRule("/conversationId"));
  EXPECT_EQ(definition.open_while_absent, "/conversationEnd");
  EXPECT_EQ(definition.start_pointer, "/conversationStart");
  EXPECT_EQ(definition.end_pointer, "/conversationEnd");
  EXPECT_THAT(definition.job_only, ElementsAre("/participants/*/attributes"));
  EXPECT_THAT(definition.permissions, ElementsAre("analytics:conversationDetail:view", "analytics:agentConversationDetail:view"));
  EXPECT_EQ(std::get<source::InBody>(std::get<source::IntervalPlace>(definition.window).place).pointer, "/interval");
  EXPECT_EQ(definition.max_window, 7 * 24h);
  ASSERT_TRUE(definition.query);
  const auto& query = *definition.query;
  EXPECT_EQ(query.request.method, common::http::Method::kPost);
  EXPECT_EQ(query.request.path, "/api/v2/analytics/conversations/details/query");
  EXPECT_EQ(common::json::serialize(query.request.body), R"({"order":"asc","orderBy":"conversationStart"})");
  EXPECT_EQ(std::get<std::string>(query.records), "/conversations");
  EXPECT_EQ(query.total->pointer, "/totalHits");
  EXPECT_EQ(query.total->trust, source::TotalTrust::kApproximate);
  const auto& pages = std::get<source::PageNumberPages>(query.pages);
  EXPECT_EQ(std::get<source::InBody>(pages.number).pointer, "/paging/pageNumber");
  EXPECT_EQ(std::get<source::InBody>(*pages.size).pointer, "/paging/pageSize");
  EXPECT_EQ(pages.first, 1);
  EXPECT_EQ(pages.max_size, 100);
  EXPECT_EQ(pages.max_depth, 100'000);
}

TEST(BuiltInDefinition, ConversationDetailsDescribesTheJob) {
  const auto definition = built_in_definitions().at("conversation-details");

  ASSERT_TRUE(definition.job);
  const auto& job = *definition.job;
  EXPECT_EQ(job.submit.path, "/api/v2/analytics/conversations/details/jobs");
  EXPECT_EQ(common::json::serialize(job.submit.body), R"({"startOfDayIntervalMatching":true})");
  EXPECT_EQ(job.status.method, common::http::Method::kGet);
  EXPECT_EQ(job.status.path, "/api/v2/analytics/conversations/details/jobs/{job}");
  EXPECT_EQ(job.results.path, "/api/v2/analytics/conversations/details/jobs/{job}/results");
  EXPECT_EQ(job.cancel.method, common::http::Method::kDelete);
  EXPECT_EQ(job.cancel.path, "/api/v2/analytics/conversations/details/jobs/{job}");
  EXPECT_EQ(job.availability.path, "/api/v2/analytics/conversations/details/jobs/availability");
  EXPECT_EQ(job.availability_date, "/dataAvailabilityDate");
  const auto& pages = std::get<source::CursorPages>(job.pages);
  ASSERT_THAT(pages.next_from, SizeIs(1));
  EXPECT_EQ(std::get<source::InBody>(pages.next_from[0]).pointer, "/cursor");
  EXPECT_EQ(std::get<source::InQuery>(pages.next_to).name, "cursor");
  EXPECT_EQ(std::get<source::InQuery>(*pages.size).name, "pageSize");
  EXPECT_EQ(pages.max_size, 1000);
}

// Place → names, as far as the service's own models say.
void collect_model(const common::json::Object& models, const common::json::Object& schema, const std::string& place,
                   std::map<std::string, std::set<std::string>>& found) {
  if (const auto* reference = schema.if_contains("$ref")) {
    const std::string name(reference->as_string().subview(std::string_view("#/definitions/").size()));
    return collect_model(models, models.at(name).as_object(), place, found);
  }
  if (const auto* parts = schema.if_contains("allOf")) {
    for (const auto& part : parts->as_array()) {
      collect_model(models, part.as_object(), place, found);
    }
  }
  if (const auto* items = schema.if_contains("items")) {
    collect_model(models, items->as_object(), place + "/*", found);
  }
  if (const auto* properties = schema.if_contains("properties")) {
    for (const auto& [name, inner] : properties->as_object()) {
      found[place].emplace(name);
      collect_model(models, inner.as_object(), place + "/" + std::string(name), found);
    }
  }
}

TEST(BuiltInDefinition, TheModelOfConversationDetailsIsTheServicesOwn) {
  const auto document =
      boost::json::parse(read_text(source_directory() / "tests/data/swagger/genesys_analytics_swagger_subset.json"));
  const auto& models = document.at("definitions").as_object();
  std::map<std::string, std::set<std::string>> expected;
  collect_model(models, models.at("AnalyticsConversation").as_object(), "", expected);

  std::map<std::string, std::set<std::string>> model;
  const auto definitions = built_in_definitions();
  for (const auto& [place, names] : definitions.at("conversation-details").model) {
    model[place] = {names.begin(), names.end()};
  }

  EXPECT_EQ(model, expected);
  EXPECT_GT(model.size(), 10U);
}

TEST(Definition, AModelNamesMembersByTheirPlace) {
  const auto loaded = load_definition(
      "name: x\nkey: /id\nwindow: {interval: {body: /interval}}\n"
      "query: {request: {path: /q}, records: /r, pages: {kind: none}}\n"
      "model: {/: [id, parts], /parts/*: [size]}\n",
      "x.yaml");
  ASSERT_EQ(problems_text(loaded.problems), "");
  EXPECT_EQ(loaded.definition.model, (source::Model{{"", {"id", "parts"}}, {"/parts/*", {"size"}}}));

  const auto wrong = load_definition(
      "name: x\nkey: /id\nwindow: {interval: {body: /interval}}\n"
      "query: {request: {path: /q}, records: /r, pages: {kind: none}}\n"
      "model: {parts: [size], /parts/*: [], /id: size}\n",
      "x.yaml");
  EXPECT_THAT(problems_text(wrong.problems),
              AllOf(HasSubstr("model.parts: is not a JSON pointer"), HasSubstr("model./parts/*: names no member"),
                    HasSubstr("model./id: a list of texts is expected")));
}

std::string definition_with(const std::string& window, const std::string& query, const std::string& rest = "") {
  return "name: x\nkey: /id\nwindow: " + window + "\nquery: " + query + "\n" + rest;
}
const std::string kInterval = "{interval: {body: /interval}}";
std::string query_with(const std::string& pages, const std::string& request = "{method: POST, path: /q}") {
  return "{request: " + request + ", records: /r, pages: " + pages + "}";
}

TEST(Definition, ReadsFromAndToPlacesAndHeaders) {
  const auto loaded = load_definition(
      definition_with("{from: {query: from}, to: {query: to}, max: 1d}",
                      query_with("{kind: cursor, next_from: [{body: /next}, {header: X-Next}], next_to: {header: X-Cursor}}",
                                 "{method: GET, path: /q}")),
      "d.yaml");

  ASSERT_EQ(problems_text(loaded.problems), "");
  const auto& window = std::get<source::FromToPlaces>(loaded.definition.window);
  EXPECT_EQ(std::get<source::InQuery>(window.from).name, "from");
  EXPECT_EQ(std::get<source::InQuery>(window.to).name, "to");
  EXPECT_EQ(loaded.definition.max_window, 24h);
  const auto& pages = std::get<source::CursorPages>(loaded.definition.query->pages);
  ASSERT_THAT(pages.next_from, SizeIs(2));
  EXPECT_EQ(std::get<source::InHeader>(pages.next_from[1]).name, "X-Next");
  EXPECT_EQ(std::get<source::InHeader>(pages.next_to).name, "X-Cursor");
  EXPECT_FALSE(pages.size);
}

TEST(Definition, ReadsPagesByUriAndNoPages) {
  const auto uri =
      load_definition(definition_with(kInterval, query_with("{kind: next-uri, next_from: /nextUri, max_size: 5}")), "d.yaml");
  const auto none = load_definition(definition_with(kInterval, query_with("{kind: none}")), "d.yaml");

  ASSERT_EQ(problems_text(uri.problems), "");
  EXPECT_EQ(std::get<source::NextUriPages>(uri.definition.query->pages).next_from, "/nextUri");
  ASSERT_EQ(problems_text(none.problems), "");
  EXPECT_TRUE(std::holds_alternative<source::NoPages>(none.definition.query->pages));
}

TEST(Definition, ReadsParametersAndPlacesOfTheUrlAndHowPagesEnd) {
  const auto loaded = load_definition(
      definition_with("{interval: {query: interval}}",
                      query_with("{kind: page-number, number: {query: pageNumber}, end: nothing_new}",
                                 "{method: GET, path: \"/flows/{flowId}/turns\", parameters: {state: any, deleted: true}}")),
      "d.yaml");

  ASSERT_EQ(problems_text(loaded.problems), "");
  const auto& query = *loaded.definition.query;
  EXPECT_EQ(query.request.path, "/flows/{flowId}/turns");
  EXPECT_THAT(query.request.parameters, ElementsAre(::testing::Pair("state", "any"), ::testing::Pair("deleted", "true")));
  EXPECT_EQ(std::get<source::PageNumberPages>(query.pages).end, source::PagesEnd::kNothingNew);
}

TEST(Definition, ReadsRemarksForPeople) {
  const auto loaded = load_definition(
      definition_with(kInterval, query_with("{kind: none}"), "preview: true\npartial: the newest ten\n"), "d.yaml");

  ASSERT_EQ(problems_text(loaded.problems), "");
  EXPECT_TRUE(loaded.definition.preview);
  EXPECT_EQ(loaded.definition.partial, "the newest ten");
}

TEST(Definition, RecordsMayBeTheAnswerItself) {
  const auto loaded = load_definition(
      definition_with(kInterval, "{request: {method: POST, path: /q}, records: \"\", pages: {kind: none}}"), "d.yaml");

  ASSERT_EQ(problems_text(loaded.problems), "");
  EXPECT_EQ(std::get<std::string>(loaded.definition.query->records), "");
}

TEST(Definition, ReadsCompositeRecordsAndAKeyOfSeveralValues) {
  const auto loaded = load_definition(
      "name: x\n"
      "key: [/userId, /list, {optional: /entry/kind}]\n"
      "start: /entry/startTime\n"
      "window: {interval: {body: /interval}}\n"
      "query:\n"
      "  request: {path: /q}\n"
      "  records:\n"
      "    each: [/users/*/presence/*, /users/*/routing/*]\n"
      "    with: [/users/*/userId, /zone]\n"
      "    as: entry\n"
      "    list: list\n"
      "  total: {pointer: /totalHits, trust: none}\n"
      "  pages: {kind: none}\n",
      "d.yaml");

  ASSERT_EQ(problems_text(loaded.problems), "");
  EXPECT_EQ(loaded.definition.key, source::KeyRule(std::vector<source::KeyPart>{{"/userId"}, {"/list"}, {"/entry/kind", true}}));
  const auto& records = std::get<source::CompositeRecords>(loaded.definition.query->records);
  EXPECT_THAT(records.each, ElementsAre("/users/*/presence/*", "/users/*/routing/*"));
  EXPECT_THAT(records.with, ElementsAre("/users/*/userId", "/zone"));
  EXPECT_EQ(records.as, "entry");
  EXPECT_EQ(records.list, "list");
}

TEST(Definition, CompositeRecordsNeedNoMoreThanTheirElements) {
  const auto loaded = load_definition(
      "name: x\nkey: /data/id\nwindow: {interval: {body: /interval}}\n"
      "query: {request: {path: /q}, records: {each: /results/*/data/*}, pages: {kind: none}}\n",
      "d.yaml");

  ASSERT_EQ(problems_text(loaded.problems), "");
  const auto& records = std::get<source::CompositeRecords>(loaded.definition.query->records);
  EXPECT_THAT(records.each, ElementsAre("/results/*/data/*"));
  EXPECT_THAT(records.with, IsEmpty());
}

std::string composite(const std::string& records, const std::string& key = "/data/id", const std::string& rest = "") {
  return "name: x\nkey: " + key + "\nwindow: {interval: {body: /interval}}\n" +
         "query: {request: {path: /q}, records: " + records + ", pages: {kind: none}}\n" + rest;
}

struct Wrong {
  std::string name;
  std::string text;
  std::string said;  // the only problem, whole
};
class WrongDefinition : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongDefinition, IsRefusedPrecisely) {
  const auto loaded = load_definition(GetParam().text, "d.yaml");

  ASSERT_THAT(loaded.problems, SizeIs(1)) << problems_text(loaded.problems);
  EXPECT_THAT(loaded.problems[0].to_string(), HasSubstr(GetParam().said));
}

const std::string kNone = "{kind: none}";

TEST(Definition, SaysWhatIsIgnoredWhenContentsAreCompared) {
  const auto loaded = load_definition(
      definition_with(kInterval, query_with(kNone), "digest_ignore: [/exportedAt, /participants/*/seen]\n"), "d.yaml");

  EXPECT_EQ(problems_text(loaded.problems), "");
  EXPECT_THAT(loaded.definition.digest_ignore, ElementsAre("/exportedAt", "/participants/*/seen"));
}

const std::string kJob = "{request: {method: POST, path: /jobs}, records: /r, pages: {kind: none}}";

// A service that tells no date, knows other words, and takes nothing back.
const std::string kUndatedJob =
    "{request: {path: /j}, id: /id, states: {fulfilled: Succeeded, failed: Failed}, cancel: off, lag: 1h, page_mark: /id, "
    "max_jobs: 1, records: /r, pages: {kind: none}}";

TEST(Definition, AJobWithoutADateGoesByTheAgeOfItsData) {
  const auto loaded = load_definition(definition_with(kInterval, query_with(kNone), "job: " + kUndatedJob + "\n"), "d.yaml");

  EXPECT_EQ(problems_text(loaded.problems), "");
  ASSERT_TRUE(loaded.definition.job);
  const source::JobSource& job = *loaded.definition.job;
  EXPECT_EQ(job.lag, 1h);
  EXPECT_EQ(job.availability_date, "") << "or a page without one would be none";
  EXPECT_EQ(job.availability.path, "");
  EXPECT_EQ(job.page_mark, "/id");
  EXPECT_EQ(job.cancel.path, "");
  EXPECT_EQ(job.max_open, 1U);
  EXPECT_EQ(state_of_job(job, "Succeeded"), "FULFILLED");
  EXPECT_EQ(state_of_job(job, "Failed"), "FAILED");
  EXPECT_EQ(state_of_job(job, "Running"), "Running");
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongDefinition,
    ::testing::Values(
        Wrong{"Empty", "", "d.yaml:1:1: a stream definition is expected, not nothing"},
        Wrong{"NotYaml", "a: [", "this is not YAML"},
        Wrong{"Version", definition_with(kInterval, query_with(kNone), "version: 2\n"),
              "d.yaml:5:10: version: 2: is out of range (allowed: 1)"},
        Wrong{"KeyPointer", "name: x\nkey: id\nwindow: " + kInterval + "\nquery: " + query_with(kNone) + "\n",
              "d.yaml:2:6: key: id: is not a JSON pointer: it must start with /"},
        Wrong{"PointerEscape", definition_with(kInterval, query_with(kNone), "start: /a~2\n"),
              "start: /a~2: is not a JSON pointer: ~ stands only in"},
        Wrong{"PointerWildcard", definition_with(kInterval, query_with(kNone), "end: /a/*/b\n"), "end: /a/*/b: names one place"},
        Wrong{"Name", "name: a b\nkey: /id\nwindow: " + kInterval + "\nquery: " + query_with(kNone) + "\n",
              "name: a b: cannot be used in topic names"},
        Wrong{"NothingToRead", "name: x\nkey: /id\nwindow: " + kInterval + "\n",
              "query: is missing (allowed: query, job or both)"},
        Wrong{"PagesKind", definition_with(kInterval, query_with("{kind: page-numbers}")),
              "query.pages.kind: page-numbers: is not one of the choices; did you mean page-number? (allowed: none, page-number, "
              "cursor, next-uri)"},
        Wrong{"PagesKindMissing", definition_with(kInterval, query_with("{}")),
              "query.pages.kind: is missing (allowed: none, page-number"},
        Wrong{"UnknownPlace", definition_with(kInterval, query_with("{kind: page-number, number: {bodi: /n}}")),
              "query.pages.number.bodi: there is no such place; did you mean body? (allowed: {body: /pointer}, {query: name} or "
              "{header: name})"},
        Wrong{"TwoPlaces", definition_with(kInterval, query_with("{kind: page-number, number: {body: /n, query: n}}")),
              "query.pages.number: one place is expected"},
        Wrong{"PlacePointer", definition_with(kInterval, query_with("{kind: page-number, number: {body: n}}")),
              "query.pages.number.body: n: is not a JSON pointer"},
        Wrong{"PlaceName", definition_with(kInterval, query_with("{kind: page-number, number: {query: a b}}")),
              "query.pages.number.query: a b: is not a name"},
        Wrong{"PlaceEmpty", definition_with(kInterval, query_with("{kind: page-number, number: {query: }}")),
              "query.pages.number.query: a text is expected, not nothing"},
        Wrong{"NumberMissing", definition_with(kInterval, query_with("{kind: page-number}")), "query.pages.number: is missing"},
        Wrong{"AnswerQuery",
              definition_with(kInterval, query_with("{kind: cursor, next_from: [{query: a}], next_to: {query: a}}")),
              "query.pages.next_from[0].query: a: an answer has no query string"},
        Wrong{"NextFromOne", definition_with(kInterval, query_with("{kind: cursor, next_from: {body: /a}, next_to: {query: a}}")),
              "query.pages.next_from: a list of places"},
        Wrong{"KeyOfAnotherKind", definition_with(kInterval, query_with("{kind: none, max_size: 5}")),
              "query.pages.max_size: unknown key"},
        Wrong{"Depth", definition_with(kInterval, query_with("{kind: page-number, number: {body: /n}, max_depth: 10}")),
              "query.pages.max_depth: 10: is less than one page"},
        Wrong{"BodyOfGet",
              definition_with("{interval: {query: i}}",
                              query_with("{kind: page-number, number: {body: /n}}", "{method: GET, path: /q}")),
              "query.pages.number.body: /n: a request by GET has no body"},
        Wrong{"WindowInBodyOfGet", definition_with(kInterval, query_with(kNone, "{method: GET, path: /q}")),
              "window.interval.body: /interval: a request by GET has no body"},
        Wrong{"FixedBodyOfGet",
              definition_with("{interval: {query: i}}", query_with(kNone, "{method: GET, path: /q, body: {a: 1}}")),
              "query.request.body: a request by GET has no body"},
        Wrong{"IntervalAndFrom", definition_with("{interval: {body: /i}, from: {body: /f}, to: {body: /t}}", query_with(kNone)),
              "window.interval: interval and from/to stand side by side"},
        Wrong{"FromWithoutTo", definition_with("{from: {body: /f}}", query_with(kNone)), "window.to: is missing"},
        Wrong{"NoWindow", definition_with("{max: 1d}", query_with(kNone)),
              "window.interval: is missing (allowed: interval, or from and to"},
        Wrong{"Path", definition_with(kInterval, query_with(kNone, "{method: POST, path: q}")),
              "query.request.path: q: is no path"},
        Wrong{"PathQuery", definition_with(kInterval, query_with(kNone, "{method: POST, path: \"/q?a=b\"}")), "is no path"},
        Wrong{"PathJob", definition_with(kInterval, query_with(kNone, "{method: POST, path: \"/q/{job}\"}")),
              "{job} has no meaning here"},
        Wrong{"PathPlaceOfAJob",
              "name: x\nkey: /id\nwindow: " + kInterval +
                  "\njob: {request: {path: \"/j/{id}\"}, status: {path: \"/s/{job}\"}, results: {path: \"/r/{job}\"}, cancel: "
                  "{path: \"/c/{job}\"}, availability: {path: /a}, records: /r, pages: {kind: none}}\n",
              "holds a placeholder that does not exist"},
        Wrong{"PathPlaceBesideAJob", definition_with(kInterval, query_with(kNone, "{path: \"/q/{id}\"}"), "job: " + kJob + "\n"),
              "query: its path has places for members of the stream's query, which job and by_id do not know"},
        Wrong{"PathPlaceTwice", definition_with(kInterval, query_with(kNone, "{path: \"/q/{id}/{id}\"}")),
              "has a placeholder that is no name, or twice the same"},
        Wrong{"PathPlaceOpen", definition_with(kInterval, query_with(kNone, "{path: \"/q/{id\"}")),
              "has a placeholder that is no name"},
        Wrong{"PathPlaceClosed", definition_with(kInterval, query_with(kNone, "{path: \"/q/id}/{a}\"}")),
              "has a placeholder that is no name"},
        Wrong{"ParameterName", definition_with(kInterval, query_with(kNone, "{path: /q, parameters: {\"a b\": 1}}")),
              "query.request.parameters: its name a b is no parameter of a URL"},
        Wrong{"ParameterOfThePaging",
              definition_with(kInterval,
                              query_with("{kind: page-number, number: {query: page}}", "{path: /q, parameters: {page: 1}}")),
              "query: its request has the parameter page, which belongs to the connector's paging"},
        Wrong{"PagesEndWithATotal",
              definition_with(kInterval,
                              "{request: {path: /q}, records: /r, total: {pointer: /t, trust: exact}, pages: {kind: page-number, "
                              "number: {query: n}, end: nothing_new}}"),
              "query.total: says when pages are missing"},
        Wrong{"PagesRefusedOfAWindow",
              definition_with(kInterval, query_with("{kind: page-number, number: {query: n}, refused_behind: 100}")),
              "query.pages.refused_behind: 100: ends what can be read, and a window is read whole or in parts (allowed: with "
              "window: none; or max_depth)"},
        Wrong{"PagesRefusedOfAJob",
              definition_with(kInterval, query_with(kNone),
                              "job: {request: {path: /j}, records: /r, pages: {kind: page-number, number: {query: n}, "
                              "refused_behind: 100}}\n"),
              "job.pages.refused_behind: 100: ends what can be read"},
        Wrong{"StatusWithoutJob",
              definition_with(kInterval, query_with(kNone),
                              "job: {request: {method: POST, path: /j}, status: {path: /j}, records: /r, pages: {kind: none}}\n"),
              "job.status.path: /j: does not say where the job's id goes"},
        Wrong{"LagWithoutMark",
              definition_with(kInterval, query_with(kNone),
                              "job: {request: {path: /j}, lag: 1h, records: /r, pages: {kind: none}}\n"),
              "job.page_mark: is missing, and there is no date by which an empty page of results could be told"},
        Wrong{"LagBesideADate",
              definition_with(kInterval, query_with(kNone),
                              "job: {request: {path: /j}, lag: 1h, page_mark: /id, availability_date: /d, records: /r, pages: "
                              "{kind: none}}\n"),
              "job.availability_date: /d: is where a date stands, and lag says that there is none"},
        Wrong{"StatesWithoutAnEnd",
              definition_with(kInterval, query_with(kNone),
                              "job: {request: {path: /j}, states: {failed: Failed}, records: /r, pages: {kind: none}}\n"),
              "job.states.fulfilled: is missing: without it no job would ever be done"},
        Wrong{"UnknownState",
              definition_with(kInterval, query_with(kNone),
                              "job: {request: {path: /j}, states: {fulfilled: Done, running: R}, records: /r, pages: {kind: "
                              "none}}\n"),
              "job.states.running: unknown key"},
        Wrong{"Method", definition_with(kInterval, query_with(kNone, "{method: FETCH, path: /q}")),
              "query.request.method: FETCH: is not one of the choices"},
        Wrong{"Trust",
              definition_with(kInterval,
                              "{request: {method: POST, path: /q}, records: /r, total: {pointer: /t}, pages: {kind: none}}"),
              "query.total.trust: is missing"},
        Wrong{"EachMissing", composite("{with: [/results/*/group]}"), "query.records.each: is missing"},
        Wrong{"EachEmpty", composite("{each: []}"), "query.records.each: is empty (allowed: /results/*/data/*, or a list"},
        Wrong{"EachOfNoArray", composite("{each: /results/*/data}"),
              "query.records.each: /results/*/data: does not lead to the elements of an array: its last segment is no *"},
        Wrong{"EachPointer", composite("{each: [results/*]}"), "query.records.each[0]: results/*: is not a JSON pointer"},
        Wrong{"EachAlike", composite("{each: [/a/*/data/*, /b/*/data/*], as: e, list: l}", "/e/id"),
              "query.records.each: has two pointers with the last name 'data'"},
        Wrong{"EachWithoutName", composite("{each: /*}"), "query.records.as: is missing: /* has no name to call the element by"},
        Wrong{"SeveralListsWithoutAs", composite("{each: [/a/*, /b/*]}"),
              "query.records.as: is missing: records of several lists"},
        Wrong{"SeveralListsWithoutList", composite("{each: [/a/*, /b/*], as: data}"),
              "query.records.list: is missing: records of several lists"},
        Wrong{"WithOfAnotherArray", composite("{each: /results/*/data/*, with: [/other/*/group]}"),
              "query.records.with: /other/*/group does not name one value beside the records of /results/*/data/*"},
        Wrong{"WithOfManyValues", composite("{each: /results/*/data/*, with: [/results/*]}"),
              "query.records.with: /results/* does not name one value"},
        Wrong{"WithInTheElement", composite("{each: /results/*/data/*, with: [/results/*/data/*/id]}"),
              "query.records.with: /results/*/data/*/id does not name one value"},
        Wrong{"WithAroundTheElements", composite("{each: /results/*/data/*, with: [/results/*/data]}"),
              "query.records.with: /results/*/data does not name one value"},
        Wrong{"WithOfOneListOnly", composite("{each: [/a/*/d/*, /b/*/e/*], with: [/a/*/id], as: data, list: l}"),
              "query.records.with: /a/*/id does not name one value beside the records of /b/*/e/*"},
        Wrong{"WithTwice", composite("{each: /results/*/data/*, with: [/results/*/group, /group]}"),
              "query.records.with: the record would have two members 'group'"},
        Wrong{"WithLikeTheElement", composite("{each: /results/*/data/*, with: [/data]}"),
              "query.records.with: the record would have two members 'data'"},
        Wrong{"ListLikeTheElement", composite("{each: /results/*/data/*, list: data}"),
              "query.records.list: data: is the name of the element too"},
        Wrong{"UnknownKeyOfRecords", composite("{each: /results/*/data/*, wiht: []}"),
              "query.records.wiht: unknown key (allowed: as, each, list, with)"},
        Wrong{"KeyOutsideTheRecord", composite("{each: /results/*/data/*, with: [/results/*/group]}", "/id"),
              "key: /id: is in no record: its members are data, group"},
        Wrong{"KeyPartOutsideTheRecord", composite("{each: /results/*/data/*}", "[/data/id, /group]"),
              "key[1]: /group: is in no record: its members are data"},
        Wrong{"StartOutsideTheRecord", composite("{each: /results/*/data/*}", "/data/id", "start: /interval\n"),
              "start: /interval: is in no record: its members are data"},
        Wrong{"IgnoredOutsideTheRecord", composite("{each: /results/*/data/*}", "/data/id", "digest_ignore: [/group/x]\n"),
              "digest_ignore[0]: /group/x: is in no record: its members are data"},
        Wrong{"TotalOfSomethingElse",
              "name: x\nkey: /data/id\nwindow: {interval: {body: /i}}\nquery: {request: {path: /q}, records: {each: "
              "/results/*/data/*}, total: {pointer: /t, trust: exact}, pages: {kind: none}}\n",
              "query: its total counts something else than the records that are put together (allowed: trust: none"},
        Wrong{"JobOfOtherRecords",
              composite("{each: /results/*/data/*}", "/data/id",
                        "job: {request: {path: /j}, records: /results, pages: {kind: none}}\n"),
              "job: its records have what the service sends, those of query have the members data"},
        Wrong{"KeyOfNothing", "name: x\nkey: []\nwindow: " + kInterval + "\nquery: " + query_with(kNone) + "\n",
              "key: names no value that must be there"},
        Wrong{"KeyAllOptional", "name: x\nkey: [{optional: /a}]\nwindow: " + kInterval + "\nquery: " + query_with(kNone) + "\n",
              "key: names no value that must be there"},
        Wrong{"KeyPart", "name: x\nkey: [/a, {optinal: /b}]\nwindow: " + kInterval + "\nquery: " + query_with(kNone) + "\n",
              "key[1]: is no value of a record (allowed: /pointer, or a list of /pointer and {optional: /pointer})"},
        Wrong{"KeyPartPointer", "name: x\nkey: [/a, b]\nwindow: " + kInterval + "\nquery: " + query_with(kNone) + "\n",
              "key[1]: b: is not a JSON pointer"},
        Wrong{"ByIdOfSeveralValues",
              "name: x\nkey: [/a, /b]\nopen_while_absent: /end\nstart: /start\nwindow: " + kInterval + "\nquery: " +
                  query_with(kNone) + "\nby_id: {request: {method: GET, path: /x}, records: /r, ids: {query: id}}\n",
              "by_id: asks by keys, and a key of several values is none that the service knows"},
        Wrong{"RecordsMissing", definition_with(kInterval, "{request: {method: POST, path: /q}, pages: {kind: none}}"),
              "query.records: is missing"},
        Wrong{"PagesMissing", definition_with(kInterval, "{request: {method: POST, path: /q}, records: /r, pages: none}"),
              "query.pages: a map is expected"},
        Wrong{"JobOnlyWithoutJob", definition_with(kInterval, query_with(kNone), "job_only: [/a]\n"),
              "job_only: has no meaning without a job"},
        Wrong{"DigestIgnorePointer", definition_with(kInterval, query_with(kNone), "digest_ignore: [a/b]\n"),
              "digest_ignore[0]: a/b: is not a JSON pointer"},
        Wrong{"ById",
              definition_with(kInterval, query_with(kNone),
                              "open_while_absent: /end\nstart: /start\n"
                              "by_id: {request: {method: GET, path: /x}, records: /r, ids: {query: id}, path: /y}\n"),
              "by_id.path: unknown key"},
        Wrong{"ByIdOfWhatIsNeverOpen",
              definition_with(kInterval, query_with(kNone),
                              "by_id: {request: {method: GET, path: /x}, records: /r, ids: {query: id}}\n"),
              "by_id: needs to know which records are open and when they began"},
        Wrong{"UnknownKey", definition_with(kInterval, query_with(kNone), "jobb: {}\n"), "jobb: unknown key; did you mean job?"}),
    [](const auto& info) { return info.param.name; });

TEST(WrongDefinition, HasAllItsProblemsReportedInOrder) {
  const auto loaded = load_definition("key: id\nwindow: {}\nquery: {records: r}\nfoo: 1\n", "d.yaml");

  std::vector<std::string> paths;
  for (const auto& problem : loaded.problems) {
    paths.push_back(problem.path);
  }
  EXPECT_THAT(paths, ::testing::UnorderedElementsAre("name", "key", "window.interval", "query.request", "query.records",
                                                     "query.pages", "foo"));
  EXPECT_TRUE(std::ranges::is_sorted(loaded.problems, {}, &Problem::line));
}

}  // namespace
}  // namespace config::test
