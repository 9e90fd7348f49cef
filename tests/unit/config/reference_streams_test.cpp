// The built-in definitions that name ids, and audits. That the vendor's models know what they ask and answer is in
// built_in_streams_test.cpp; the table here says what the models do not: permissions, page sizes and how pages go
// (docs/genesys-api.md, "Names for ids").

#include "config/config.h"
#include "connector/source/page_slicer.h"
#include "connector/source/pagination.h"
#include "connector/source/request_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace config::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;
namespace core = connector::core;
namespace source = connector::source;

// Read once: each case is a process of its own, and none needs them twice.
const std::map<std::string, source::Definition>& definitions() {
  static const std::map<std::string, source::Definition> all = built_in_definitions();
  return all;
}

enum class Paged { kByNumber, kByAddress, kNot };

struct Reference {
  std::string name;
  std::string path;  // below /api/v2
  Paged paged = Paged::kByNumber;
  int page_size = 100;
  std::vector<std::string> permissions;
  std::vector<std::pair<std::string, std::string>> parameters = {};
  std::vector<std::string> ignored = {};
};
void PrintTo(const Reference& reference, std::ostream* out) {
  *out << reference.name;
}

const std::vector<Reference> kReferences{
    {"queues",
     "/routing/queues",
     Paged::kByNumber,
     500,
     {"routing:queue:view"},
     {},
     {"/memberCount", "/userMemberCount", "/joinedMemberCount"}},
    {"wrap-up-codes", "/routing/wrapupcodes", Paged::kByNumber, 100, {"routing:wrapupCode:view"}},
    {"skills", "/routing/skills", Paged::kByNumber, 500, {"routing:skill:view"}},
    {"languages", "/routing/languages", Paged::kByNumber, 100, {}},
    {"skill-groups", "/routing/skillgroups", Paged::kByAddress, 100, {"routing:skillGroup:view"}, {}, {"/memberCount"}},
    {"utilization-labels", "/routing/utilization/labels", Paged::kByNumber, 100, {"routing:utilization:view"}},
    {"users", "/users", Paged::kByNumber, 500, {}},
    {"divisions", "/authorization/divisions", Paged::kByNumber, 100, {}},
    {"teams", "/teams", Paged::kByAddress, 100, {"groups:team:view"}, {{"expand", "entities.division"}}, {"/memberCount"}},
    {"groups", "/groups", Paged::kByNumber, 500, {}, {}, {"/memberCount"}},
    {"presence-definitions", "/presence/definitions", Paged::kNot, 0, {"presence:presenceDefinition:view"}},
    {"flows", "/flows", Paged::kByNumber, 500, {"architect:flow:view"}, {{"deleted", "true"}}},
    {"flow-outcomes", "/flows/outcomes", Paged::kByNumber, 100, {"architect:flowOutcome:view"}},
    {"flow-milestones", "/flows/milestones", Paged::kByNumber, 100, {"architect:flowMilestone:view"}},
    {"campaigns",
     "/outbound/campaigns/all",
     Paged::kByNumber,
     100,
     {"outbound:campaign:view", "outbound:messagingCampaign:view", "outbound:emailCampaign:view",
      "outbound:whatsAppCampaign:view"}},
    {"contact-lists",
     "/outbound/contactlists",
     Paged::kByNumber,
     100,
     {"outbound:contactList:view"},
     {{"allowEmptyResult", "true"}}},
    {"evaluation-forms", "/quality/publishedforms/evaluations", Paged::kByNumber, 100, {"quality:evaluationForm:view"}},
    {"survey-forms", "/quality/publishedforms/surveys", Paged::kByNumber, 100, {"quality:surveyForm:view"}},
    {"scripts", "/scripts", Paged::kByNumber, 100, {"scripter:script:view"}},
    {"knowledge-bases", "/knowledge/knowledgebases", Paged::kByAddress, 100, {"knowledge:knowledgebase:view"}},
};

class ReferenceStream : public ::testing::TestWithParam<Reference> {
 protected:
  const source::Definition definition = definitions().at(GetParam().name);
  const source::QuerySource& query = *definition.query;

  [[nodiscard]] core::ApiRequest request(const core::Position& at) const {
    source::RequestBuilder builder(query.request, {});
    builder.window(definition.window, {});
    source::put_position(builder, query.pages, at, source::page_size_of(query.pages, 0));
    return std::move(builder).build({});
  }
};

TEST_P(ReferenceStream, IsAskedForAsTheServiceWantsIt) {
  const Reference& reference = GetParam();
  EXPECT_EQ(query.request.path, "/api/v2" + reference.path);
  EXPECT_THAT(definition.permissions, ElementsAreArray(reference.permissions));
  EXPECT_THAT(definition.digest_ignore, ElementsAreArray(reference.ignored));

  const core::ApiRequest first = request(core::AtStart{});
  EXPECT_EQ(first.method, common::http::Method::kGet);
  EXPECT_EQ(first.body, "");
  std::vector<std::pair<std::string, std::string>> asked = reference.parameters;
  if (reference.paged == Paged::kByNumber) {
    asked.emplace_back("pageNumber", "1");
  }
  if (reference.paged != Paged::kNot) {
    asked.emplace_back("pageSize", std::to_string(reference.page_size));
  }
  EXPECT_THAT(first.query, UnorderedElementsAreArray(asked));
  if (reference.paged == Paged::kByAddress) {
    EXPECT_EQ(request(core::AtCursor{"/api/v2/x?after=c"}).path, "/api/v2/x?after=c");
    EXPECT_THAT(request(core::AtCursor{"/api/v2/x?after=c"}).query, IsEmpty());
  }
}

TEST_P(ReferenceStream, IsAStateThatIsReadOnceAnHourIntoACompactedTopic) {
  ASSERT_TRUE(is_snapshot(definition));
  const auto& snapshot = std::get<source::Snapshot>(definition.window);
  EXPECT_EQ(snapshot.every, 1h);
  EXPECT_TRUE(snapshot.compact);
  EXPECT_EQ(definition.key, source::KeyRule("/id"));
}

TEST_P(ReferenceStream, CutsAnAnswerAndKnowsWhetherItIsTheLastPage) {
  source::SliceSpec spec{.records = query.records, .key = definition.key};
  const source::PageScalars scalars(query.pages, query.total, "", spec);
  const auto cut = [&](std::string body, const auto& check) {
    source::PageSlicer slicer;
    source::SlicedPage page;
    ASSERT_TRUE(slicer.slice(spec, body, page)) << body;
    check(page);
  };
  const std::string entities = R"({"entities":[{"id":"a","name":"A"},{"id":"b","name":"B"}])";

  switch (GetParam().paged) {
    case Paged::kByNumber:
      cut(entities + R"(,"pageSize":2,"pageNumber":1,"total":5,"pageCount":3,"nextUri":"/api/v2/x?pageNumber=2"})",
          [&](const source::SlicedPage& page) {
            EXPECT_EQ(page.records.size(), 2U);
            EXPECT_EQ(scalars.total(page), 5);
            EXPECT_EQ(scalars.page_count(page), 3);
          });
      break;
    case Paged::kByAddress:
      cut(entities + R"(,"nextUri":"/api/v2/x?pageSize=2&after=YQ"})", [&](const source::SlicedPage& page) {
        EXPECT_EQ(page.records.size(), 2U);
        EXPECT_EQ(scalars.next(page, {}), "/api/v2/x?pageSize=2&after=YQ");
      });
      for (const char* end :
           {"}", R"(,"nextUri":null})", R"(,"nextUri":"/api/v2/x?pageSize=2"})", R"(,"nextUri":"/api/v2/x?after=&pageSize=2"})",
            R"(,"nextUri":"/api/v2/x?before=a&hereafter=2"})"}) {
        cut(entities + end, [&](const source::SlicedPage& page) { EXPECT_EQ(scalars.next(page, {}), std::nullopt) << end; });
      }
      break;
    case Paged::kNot:
      cut(entities + R"(,"total":2,"selfUri":"/api/v2/x"})", [&](const source::SlicedPage& page) {
        EXPECT_EQ(page.records.size(), 2U);
        EXPECT_EQ(scalars.total(page), 2);
      });
      break;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ReferenceStream, ::testing::ValuesIn(kReferences), [](const auto& info) {
  std::string name = info.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
});

// A definition that is not of an analytics endpoint stands in the table.
TEST(ReferenceStreams, AreAllInTheTable) {
  std::set<std::string> others;
  for (const auto& [name, definition] : definitions()) {
    if (!definition.query->request.path.starts_with("/api/v2/analytics/")) {
      others.insert(name);
    }
  }
  std::set<std::string> listed;
  for (const auto& reference : kReferences) {
    listed.insert(reference.name);
  }
  listed.insert("audits");  // below
  EXPECT_EQ(others, listed);
}

// --- the audit log: events, by a query of certain services and by a query that is a job
// -----------------------------------------

class AuditStream : public ::testing::Test {
 protected:
  const source::Definition definition = definitions().at("audits");
  const common::Interval window = common::parse_interval("2026-05-04T00:00:00Z/2026-05-05T00:00:00Z").value();
  const std::string record =
      R"({"id":"7f0c","serviceName":"Routing","eventDate":"2026-05-04T09:12:03Z","user":{"id":"u"},"client":{"id":""},)"
      R"("remoteIp":[],"level":"USER","action":"Update","entityType":"Queue","entity":{"id":"q"},"status":"SUCCESS",)"
      R"("application":"","initiatingAction":{},"transactionInitiator":true,"propertyChanges":[]})";

  static core::ApiRequest for_job(const source::RequestTemplate& request) {
    return std::move(source::RequestBuilder(request).job(core::JobId("a/1"))).build({});
  }
};

TEST_F(AuditStream, AsksTheRealtimeQueryPageByPageOldestFirst) {
  const source::QuerySource& query = *definition.query;
  source::RequestBuilder builder(query.request, common::json::Object{{"serviceName", "Routing"}});
  builder.window(definition.window, window);
  source::put_position(builder, query.pages, core::AtPage{3}, source::page_size_of(query.pages, 0));
  const core::ApiRequest request = std::move(builder).build({});

  EXPECT_EQ(request.method, common::http::Method::kPost);
  EXPECT_EQ(request.path, "/api/v2/audits/query/realtime");
  EXPECT_THAT(request.query, IsEmpty());
  EXPECT_EQ(
      common::json::parse(request.body).value(),
      common::json::parse(R"({"sort":[{"name":"Timestamp","sortOrder":"ascending"}],"serviceName":"Routing",)"
                          R"("interval":"2026-05-04T00:00:00.000Z/2026-05-05T00:00:00.000Z","pageNumber":3,"pageSize":500})")
          .value());
  EXPECT_THAT(definition.permissions, ElementsAreArray({"audits:audit:view"}));
  EXPECT_TRUE(definition.refused_members.contains("sort")) << "the paging needs it";
}

TEST_F(AuditStream, CutsThePagesOfBothFormsAlike) {
  EXPECT_EQ(definition.key, source::KeyRule("/id"));
  EXPECT_EQ(definition.start_pointer, "/eventDate");
  source::PageSlicer slicer;
  source::SlicedPage page;

  source::SliceSpec of_query{.records = definition.query->records, .key = definition.key, .start = *definition.start_pointer};
  const source::PageScalars scalars(definition.query->pages, definition.query->total, "", of_query);
  std::string body = R"({"entities":[)" + record + R"(],"pageSize":500,"pageNumber":1,"total":501,"pageCount":2})";
  ASSERT_TRUE(slicer.slice(of_query, body, page));
  ASSERT_EQ(page.records.size(), 1U);
  EXPECT_EQ(page.records[0].key, "7f0c");
  EXPECT_EQ(page.records[0].value, record);
  EXPECT_EQ(page.facts[0].start, common::parse_instant("2026-05-04T09:12:03Z").value());
  EXPECT_EQ(scalars.total(page), 501);
  EXPECT_EQ(scalars.page_count(page), 2);

  source::SliceSpec of_job{.records = definition.job->records, .key = definition.key, .start = *definition.start_pointer};
  const source::PageScalars results(*definition.job, of_job);
  body = R"({"id":"a/1","pageSize":500,"cursor":"YQ","entities":[)" + record + "]}";
  ASSERT_TRUE(slicer.slice(of_job, body, page));
  ASSERT_EQ(page.records.size(), 1U);
  EXPECT_EQ(page.records[0].value, record);
  EXPECT_EQ(results.next(page, {}), "YQ");
  for (const char* last : {R"({"id":"a/1","pageSize":500,"entities":[]})", R"({"id":"a/1","pageSize":500,"cursor":null})"}) {
    body = last;
    ASSERT_TRUE(slicer.slice(of_job, body, page)) << last;
    EXPECT_EQ(results.next(page, {}), std::nullopt) << last;
    EXPECT_TRUE(results.is_of_a_job(page)) << last;
  }
  body = "{}";
  ASSERT_TRUE(slicer.slice(of_job, body, page));
  EXPECT_FALSE(results.is_of_a_job(page));
}

TEST_F(AuditStream, RunsTheOtherQueryAsAJobThatHasNoDateAndNoCancellation) {
  const source::JobSource& job = *definition.job;
  source::RequestBuilder builder(job.submit, {});
  builder.window(definition.window, window);
  const core::ApiRequest submit = std::move(builder).build({});
  EXPECT_EQ(submit.path, "/api/v2/audits/query");
  EXPECT_EQ(common::json::parse(submit.body).value(),
            common::json::parse(R"({"sort":[{"name":"Timestamp","sortOrder":"ascending"}],)"
                                R"("interval":"2026-05-04T00:00:00.000Z/2026-05-05T00:00:00.000Z"})")
                .value());
  EXPECT_EQ(for_job(job.status).path, "/api/v2/audits/query/a%2F1");
  EXPECT_EQ(for_job(job.results).path, "/api/v2/audits/query/a%2F1/results");
  EXPECT_EQ(job.cancel.path, "");
  EXPECT_EQ(job.id, "/id");
  EXPECT_EQ(job.lag, 1h);
  EXPECT_EQ(definition.retention, 365 * 24h);
  EXPECT_EQ(definition.query->retention, 14 * 24h);
  EXPECT_EQ(job.max_open, 1U);
  EXPECT_EQ(source::page_size_of(job.pages, 0), 500);
  for (const auto& [told, state] : std::vector<std::pair<std::string, std::string>>{
           {"Succeeded", "FULFILLED"}, {"Failed", "FAILED"}, {"Cancelled", "CANCELLED"}, {"Queued", "Queued"}}) {
    EXPECT_EQ(source::state_of_job(job, told), state);
  }
}

}  // namespace
}  // namespace config::test
