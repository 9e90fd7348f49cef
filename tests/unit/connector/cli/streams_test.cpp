// The verbs `streams list`, `streams show` and `sample --against`: definitions, without anybody being asked.

#include "common/json.h"
#include "config/config.h"
#include "connector/cli/verbs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>

namespace connector::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kConfig = R"(name: acme
genesys: {region: eu-central-1, client_id: 3f2c1d40, client_secret: not-used}
kafka: {bootstrap_servers: "kafka-1:9092"}
definitions: [visits.yaml]
streams:
  visits: {definition: example-visits, start: now}
  calls: {definition: conversation-details, start: now}
)";
constexpr std::string_view kVisits = R"(# of the shop
name: example-visits
description: Visits of a shop.
key: /id
start: /at
open_while_absent: /end
window: {from: {query: from}, to: {query: to}}
query:
  request: {method: GET, path: /visits}
  records: /visits
  total: {pointer: /count, trust: exact}
  pages: {kind: cursor, next_from: [{body: /next}], next_to: {query: cursor}}
)";

class Streams : public testing::Test {
 protected:
  Surroundings world() {
    out.str("");
    err.str("");
    return {.environment = {},
            .read_file = [this](const std::string& path) -> common::Result<std::string> {
              if (const auto found = files.find(path); found != files.end()) return found->second;
              return common::fail(common::ErrorCode::kConfigInvalid, "no such file");
            },
            .confirm = {},
            .out = out,
            .err = err};
  }
  int cut(const std::string& name, const std::string& answer, SampleCommand command = {}) {
    command.stream = name;
    command.against = "answer.json";
    files["answer.json"] = answer;
    return sample(command, world());
  }
  common::json::Value json() { return *common::json::parse(out.str()); }

  std::map<std::string, std::string> files{{"acme.yaml", std::string(kConfig)}, {"visits.yaml", std::string(kVisits)}};
  std::ostringstream out;
  std::ostringstream err;
};

TEST_F(Streams, AreListedWithWhatMattersBeforeOneIsUsed) {
  ASSERT_EQ(streams_list({}, world()), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("conversation-details  [query and job; lanes: live, follow, settle, backfill]"));
  EXPECT_THAT(out.str(), HasSubstr("user-details  [query and job; lanes: live, settle]"));
  EXPECT_THAT(out.str(), HasSubstr("conversation-aggregates  [figures; lanes: live]"));
  EXPECT_THAT(out.str(), HasSubstr("queue-observations  [state; lanes: live]"));
  EXPECT_THAT(out.str(), HasSubstr("    shows only a part: the service answers with 50 agents at most"));
  EXPECT_THAT(out.str(), HasSubstr("    preview: the vendor may change it"));
  EXPECT_THAT(out.str(),
              HasSubstr("    permission: analytics:conversationDetail:view or analytics:agentConversationDetail:view"));
  EXPECT_THAT(out.str(), Not(HasSubstr("example-visits")));
}

TEST_F(Streams, OfAConfigurationAreListedBesideTheBuiltInOnes) {
  ASSERT_EQ(streams_list({.config = "acme.yaml", .output = Output::kJson}, world()), 0) << err.str();

  const auto all = json();
  std::size_t own = 0;
  std::set<std::string> marked;
  for (const auto& one : all.as_array()) {
    const auto& object = one.as_object();
    if (!object.at("partial").is_null()) {
      marked.insert(std::string(object.at("name").as_string()));
    }
    if (object.at("file").is_null()) continue;
    ++own;
    EXPECT_EQ(object.at("name"), "example-visits");
    EXPECT_EQ(object.at("read_as"), "query");
    EXPECT_EQ(common::json::serialize(object.at("lanes")), R"(["live"])");
    EXPECT_EQ(common::json::serialize(object.at("streams")), R"(["visits"])");
    EXPECT_EQ(object.at("file"), "visits.yaml");
  }
  EXPECT_EQ(own, 1U);
  EXPECT_THAT(marked, ElementsAre("agent-status", "bot-flow-sessions", "bot-flow-turns"));
  EXPECT_EQ(all.as_array().size(), config::built_in_definition_texts().size() + 1);
}

TEST_F(Streams, AreShownAsTheyStandInTheirFileAndCanBeUsedSo) {
  for (const auto& [name, text] : config::built_in_definition_texts()) {
    ASSERT_EQ(streams_show({.config = {}, .name = name}, world()), 0);
    EXPECT_THAT(out.str(), StartsWith("# " + name + "  ["));
    EXPECT_TRUE(out.str().ends_with(text)) << name;
    const auto again = config::load_definition(out.str(), name);
    EXPECT_THAT(again.problems, IsEmpty()) << name;
    EXPECT_EQ(again.definition.name, name);
  }

  ASSERT_EQ(streams_show({.config = "acme.yaml", .name = "visits"}, world()), 0) << "by the name of a stream, too";
  EXPECT_TRUE(out.str().ends_with(kVisits));
  EXPECT_THAT(out.str(), HasSubstr("#   file: visits.yaml\n"));
  ASSERT_EQ(streams_show({.config = "acme.yaml", .name = "calls", .output = Output::kJson}, world()), 0);
  EXPECT_EQ(std::string_view(json().as_object().at("yaml").as_string()),
            config::built_in_definition_texts().at("conversation-details"));
}

TEST_F(Streams, ThatAreNotKnownAreSaidWithThoseThatAre) {
  EXPECT_EQ(streams_show({.config = {}, .name = "visits"}, world()), 2);
  EXPECT_THAT(err.str(), HasSubstr("there is no definition visits (definitions: action-aggregates, "));
  EXPECT_THAT(out.str(), IsEmpty());
  EXPECT_EQ(streams_list({.config = "missing.yaml"}, world()), 2);
}

TEST_F(Streams, ASavedAnswerIsCutAsItWouldBeOfTheService) {
  const std::string answer = R"({"visits":[{"id":"a","at":"2026-05-04T10:00:00Z","n":1.50},{"at":"2026-05-04T10:00:00Z"},
    {"id":"b","end":"2026-05-04T11:00:00Z"},{"id":"a"}],"count":17,"next":"p2"})";

  ASSERT_EQ(cut("example-visits", answer, {.config = "acme.yaml"}), 0) << err.str();
  EXPECT_THAT(out.str(), StartsWith("{\"id\":\"a\",\"at\":\"2026-05-04T10:00:00Z\",\"n\":1.50}\n"));
  EXPECT_THAT(err.str(), HasSubstr("3 record(s), of 4 element(s) that are paged through, 17 in all"));
  EXPECT_THAT(err.str(), HasSubstr("goes on at p2"));
  EXPECT_THAT(err.str(), HasSubstr("1 record(s) have the key of another one"));
  EXPECT_THAT(err.str(), HasSubstr("dead letter: element 1: no_key"));

  ASSERT_EQ(cut("visits", answer, {.config = "acme.yaml", .max_records = 2, .output = Output::kJson}), 0);
  EXPECT_EQ(out.str(),
            "{\"key\":\"a\",\"start\":\"2026-05-04T10:00:00.000Z\",\"open\":true,"
            "\"value\":{\"id\":\"a\",\"at\":\"2026-05-04T10:00:00Z\",\"n\":1.50}}\n"
            "{\"key\":\"b\",\"open\":false,\"value\":{\"id\":\"b\",\"end\":\"2026-05-04T11:00:00Z\"}}\n");
  EXPECT_THAT(err.str(), HasSubstr("the first 2 shown"));
}

TEST_F(Streams, ASavedAnswerIsRedactedAsItsStreamIs) {
  files["acme.yaml"] += "  shop: {definition: example-visits, start: now, redaction: {drop: [/mail]}}\n";
  const std::string answer = R"({"visits":[{"id":"a","mail":"ann@example.com"},"ann@example.com"],"count":2})";

  ASSERT_EQ(cut("shop", answer, {.config = "acme.yaml"}), 0) << err.str();
  EXPECT_EQ(out.str(), "{\"id\":\"a\"}\n");
  EXPECT_THAT(err.str(), Not(HasSubstr("ann@example.com")));

  ASSERT_EQ(cut("example-visits", answer, {.config = "acme.yaml"}), 0);
  EXPECT_THAT(out.str(), HasSubstr("ann@example.com")) << "nobody's redaction: the definition alone was named";
}

TEST_F(Streams, ASavedAnswerNeedsNoConfigurationAndMayBeAJobsOrOneById) {
  const std::string answer = R"({"conversations":[{"conversationId":"a"}],"totalHits":9,"cursor":"c"})";
  ASSERT_EQ(cut("conversation-details", answer), 0) << err.str();
  EXPECT_THAT(err.str(), HasSubstr("9 in all"));
  ASSERT_EQ(cut("conversation-details", answer, {.config = {}, .form = SavedForm::kJob}), 0);
  EXPECT_THAT(err.str(), HasSubstr("goes on at c"));
  ASSERT_EQ(cut("conversation-details", answer, {.config = {}, .form = SavedForm::kById}), 0);
  EXPECT_EQ(out.str(), "{\"conversationId\":\"a\"}\n");
}

TEST_F(Streams, ASavedAnswerThatIsNoneIsSaid) {
  EXPECT_EQ(cut("queue-observations", "{}", {.config = {}, .form = SavedForm::kJob}), 2);
  EXPECT_THAT(err.str(), HasSubstr("definition queue-observations has no job"));
  EXPECT_NE(cut("queue-observations", "<html>"), 0);
  EXPECT_THAT(err.str(), StartsWith("answer.json: "));
  SampleCommand command;
  command.stream = "queue-observations";
  command.against = "missing.json";
  EXPECT_EQ(sample(command, world()), 2);
  EXPECT_EQ(cut("nothing", "{}"), 2);
}

}  // namespace
}  // namespace connector::cli
