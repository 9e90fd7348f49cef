// The built-in definitions that name ids. The vendor's models in tests/data do not have these endpoints, so the table here says
// what they are and how their pages go (docs/genesys-api.md, "Names for ids").

#include "config/config.h"
#include "connector/source/page_slicer.h"
#include "connector/source/pagination.h"
#include "connector/source/request_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
  const source::Definition definition = built_in_definitions().at(GetParam().name);
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
  for (const auto& [name, definition] : built_in_definitions()) {
    if (!definition.query->request.path.starts_with("/api/v2/analytics/")) {
      others.insert(name);
    }
  }
  std::set<std::string> listed;
  for (const auto& reference : kReferences) {
    listed.insert(reference.name);
  }
  EXPECT_EQ(others, listed);
}

}  // namespace
}  // namespace config::test
