// Definitions of other services: the files of config/streams/dialects, the example of docs/stream-definitions.md, and what
// requests without a body may be told.

#include "tests/unit/config/support.h"

#include "config/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace config::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
namespace source = connector::source;

// --- the dialects -------------------------------------------------------------------------------------------------------------

const std::filesystem::path& dialects() {
  static const std::filesystem::path folder = source_directory() / "config/streams/dialects";
  return folder;
}

source::Definition dialect(const std::string& name) {
  const LoadedDefinition loaded = load_definition(read_text(dialects() / (name + ".yaml")), name + ".yaml");
  EXPECT_EQ(problems_text(loaded.problems), "");
  return loaded.definition;
}

TEST(Dialects, AreFilesNamedAsTheirDefinitionsAndNotBuiltIn) {
  std::set<std::string> names;
  for (const auto& file : yaml_files(dialects())) {
    const LoadedDefinition loaded = load_definition(read_text(file), file.filename());
    EXPECT_EQ(problems_text(loaded.problems), "");
    EXPECT_EQ(loaded.definition.name, file.stem());
    EXPECT_NE(loaded.definition.description, "");
    EXPECT_FALSE(built_in_definitions().contains(loaded.definition.name));
    names.insert(loaded.definition.name);
  }
  EXPECT_THAT(names, UnorderedElementsAre("dialect-000-body-token", "dialect-001-after-cursor", "dialect-002-time-range",
                                          "dialect-003-header-cursor", "dialect-004-page-count"));
}

std::string show(const source::Place& place) {
  if (const auto* body = std::get_if<source::InBody>(&place)) return "body " + body->pointer;
  if (const auto* query = std::get_if<source::InQuery>(&place)) return "query " + query->name;
  return "header " + std::get<source::InHeader>(place).name;
}

struct Row {
  std::string name;
  std::string range;
  std::string size;
  int max_size;
  std::string next;
  std::string records;
  std::string total;
  std::string key;
};
class DialectFile : public ::testing::TestWithParam<Row> {};

// The table of docs/seed-systems.md.
TEST_P(DialectFile, SaysWhatTheTableSays) {
  const Row& row = GetParam();
  const source::Definition definition = dialect(row.name);
  const source::QuerySource& query = definition.query.value();

  EXPECT_EQ(query.request.method, common::http::Method::kPost);
  EXPECT_EQ(query.request.path, "/api/v2/analytics/conversations/details/query");
  if (const auto* two = std::get_if<source::FromToPlaces>(&definition.window)) {
    EXPECT_EQ(show(two->from) + ", " + show(two->to), row.range);
  } else {
    EXPECT_EQ(show(std::get<source::IntervalPlace>(definition.window).place), row.range);
  }
  if (const auto* cursor = std::get_if<source::CursorPages>(&query.pages)) {
    std::string next;
    for (const auto& place : cursor->next_from) next += (next.empty() ? "" : ", else ") + show(place);
    EXPECT_EQ(next + " -> " + show(cursor->next_to), row.next);
    EXPECT_EQ(show(cursor->size.value()), row.size);
    EXPECT_EQ(cursor->max_size, row.max_size);
  } else {
    const auto& numbered = std::get<source::PageNumberPages>(query.pages);
    EXPECT_EQ(numbered.page_count.value_or("") + " -> " + show(numbered.number), row.next);
    EXPECT_EQ(numbered.first, 1);
    EXPECT_EQ(show(numbered.size.value()), row.size);
    EXPECT_EQ(numbered.max_size, row.max_size);
  }
  EXPECT_EQ(std::get<std::string>(query.records), row.records);
  EXPECT_EQ(query.total ? query.total->pointer : "", row.total);
  if (query.total) {
    EXPECT_EQ(query.total->trust, source::TotalTrust::kExact);
  }
  EXPECT_EQ(definition.key, source::KeyRule(row.key));
}

INSTANTIATE_TEST_SUITE_P(All, DialectFile,
                         ::testing::Values(Row{"dialect-000-body-token", "body /dateFrom, body /dateTo", "body /size", 1000,
                                               "body /nextPageToken -> body /nextPageToken", "/items", "", "/conversationId"},
                                           Row{"dialect-001-after-cursor", "body /dateFrom, body /dateTo", "query pageSize", 2000,
                                               "body /nextPage -> body /after", "/records", "/total", "/interaction/id"},
                                           Row{"dialect-002-time-range", "body /timeRange/from, body /timeRange/to", "body /size",
                                               200, "body /nextPageToken -> body /nextPageToken", "/entities", "/total", "/id"},
                                           Row{"dialect-003-header-cursor", "body /dateFrom, body /dateTo", "body /pageSize", 200,
                                               "header X-Genesys-Next-Page, else body /nextPage -> query pageToken", "/entities",
                                               "", "/id"},
                                           Row{"dialect-004-page-count", "body /interval", "body /paging/pageSize", 1000,
                                               "/pageCount -> body /paging/pageNumber", "/data", "", "/conversationId"}),
                         [](const auto& info) { return "D" + info.param.name.substr(8, 3); });

// --- the example of the documentation -----------------------------------------------------------------------------------------

TEST(AnotherService, OfTheDocumentationLoadsAsItStandsThere) {
  std::vector<std::string> blocks;
  const std::string page = read_text(source_directory() / "docs/stream-definitions.md");
  constexpr std::string_view kFence = "```yaml\n";
  for (auto at = page.find(kFence); at != std::string::npos; at = page.find(kFence, at + 1)) {
    const auto begin = at + kFence.size();
    blocks.push_back(page.substr(begin, page.find("```", begin) - begin));
  }
  const auto holding = [&](std::string_view text) {
    const auto found = std::ranges::find_if(blocks, [&](const std::string& block) { return block.contains(text); });
    return found == blocks.end() ? std::string() : *found;
  };
  const Sources sources{.environment = {}, .read_file = [&](const std::string& path) -> common::Result<std::string> {
                          return path.ends_with("desk-tickets.yaml") ? holding("name: desk-tickets") : "secret";
                        }};

  const Loaded loaded = load(holding("name: desk\n"), "desk.yaml", sources, built_in_definitions());

  EXPECT_EQ(problems_text(loaded.problems), "");
  EXPECT_EQ(loaded.config.genesys.organization_id, "desk-example");
  EXPECT_THAT(loaded.definitions.at("desk-tickets").query->request.parameters, ElementsAre(Pair("expand", "all")));
}

// --- requests without a body --------------------------------------------------------------------------------------------------

std::string listing(const std::string& request) {
  return "name: listing\nkey: /id\nwindow: {from: {query: since}, to: {query: until}}\n"
         "query:\n  request: " +
         request +
         "\n  records: /r\n"
         "  pages: {kind: cursor, next_from: [{body: /next}], next_to: {query: page}, size: {query: limit}}\n";
}

Loaded with_query(const std::string& query) {
  LoadedDefinition definition = load_definition(listing("{method: GET, path: /list}"), "d.yaml");
  EXPECT_EQ(problems_text(definition.problems), "");
  return load(
      "name: x\ngenesys: {region: eu-central-1, client_id: c, client_secret: s}\nkafka: {bootstrap_servers: \"k:9092\"}\n"
      "streams:\n  s:\n    definition: listing\n    start: now\n    query: " +
          query + "\n",
      "test.yaml", {}, {{"listing", std::move(definition.definition)}});
}

TEST(Listing, HasFixedParameters) {
  const LoadedDefinition loaded =
      load_definition(listing("{method: GET, path: /list, parameters: {expand: all, depth: 2}}"), "d.yaml");

  EXPECT_EQ(problems_text(loaded.problems), "");
  EXPECT_THAT(loaded.definition.query->request.parameters, ElementsAre(Pair("expand", "all"), Pair("depth", "2")));
}

TEST(Listing, TakesAUsersFiltersAsParameters) {
  EXPECT_EQ(problems_text(with_query("{status: [open, closed], minimum: 3, vip: true}").problems), "");
}

TEST(Listing, TakesNoFilterThatDoesNotFitIntoAUrl) {
  for (const std::string query : {"{filter: {a: b}}", "{filter: [{a: b}]}", "{filter: []}", "{filter: null}"}) {
    const Loaded loaded = with_query(query);
    ASSERT_THAT(loaded.problems, SizeIs(1)) << query;
    EXPECT_THAT(loaded.problems[0].to_string(), HasSubstr("streams.s.query.filter: does not fit into a URL"));
  }
}

TEST(Listing, KeepsItsOwnParametersFromTheUser) {
  for (const std::string name : {"since", "until", "page", "limit"}) {
    const Loaded loaded = with_query("{" + name + ": x}");
    ASSERT_THAT(loaded.problems, SizeIs(1)) << name;
    EXPECT_THAT(loaded.problems[0].to_string(), HasSubstr("streams.s.query." + name + ": belongs to the connector's"));
  }
}

TEST(Listing, HasABodyOnlyIfItSaysSo) {
  const std::string places = "name: listing\nkey: /id\nwindow: {interval: {body: /interval}}\nquery:\n  request: ";
  const std::string rest = "\n  records: /r\n  pages: {kind: none}\n";

  const LoadedDefinition refused = load_definition(places + "{method: GET, path: /list}" + rest, "d.yaml");
  const LoadedDefinition wanted =
      load_definition(places + "{method: GET, path: /list, send_body: true, body: {a: b}}" + rest, "d.yaml");

  ASSERT_THAT(refused.problems, SizeIs(1));
  EXPECT_THAT(refused.problems[0].message, HasSubstr("a request by GET has no body"));
  EXPECT_EQ(problems_text(wanted.problems), "");
  EXPECT_TRUE(has_body(wanted.definition.query->request));
}

}  // namespace
}  // namespace config::test
