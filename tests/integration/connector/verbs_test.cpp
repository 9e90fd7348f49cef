// The verbs that end by themselves, and what makes `run` refuse to start: bad configuration, credentials, permissions, topics and
// state that are not ours.

#include "tests/integration/kafka/harness.h"
#include "tests/support/connector_scene.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

namespace tests::integration {
namespace {

using support::ConnectorScene;
using support::Process;
using support::SimulatorProcess;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using namespace std::chrono_literals;

// Where nothing listens.
constexpr const char* kNoBroker = "127.0.0.1:1";

common::json::Value json_of(const std::string& text) {
  auto parsed = common::json::parse(text);
  if (!parsed) throw std::runtime_error("not JSON: " + text.substr(0, 200));
  return std::move(*parsed);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

// No scene here has to do with Kafka.
class Configuration : public testing::Test {
 protected:
  Configuration() { scene.configuration.bootstrap = kNoBroker; }
  ConnectorScene scene;
};

TEST_F(Configuration, EveryProblemIsListedByEveryVerbAndNothingIsStarted) {
  scene.configuration.retry = "{initial: 20, max: 500ms, deadline: 10s}";
  scene.configuration.kafka = {"deliverys: exactly_once"};
  std::filesystem::remove(scene.folder() / "secret");

  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{
           {"run"}, {"check"}, {"check", "--offline"}, {"sample", "conversations"}, {"config", "show"}}) {
    const auto result = scene.run_verb(verb);

    EXPECT_EQ(result.code, 2) << verb.front();
    EXPECT_THAT(result.out, IsEmpty()) << verb.front();
    EXPECT_THAT(result.err, ContainsRegex(R"(connector\.yaml:[0-9]+:[0-9]+: genesys\.retry\.initial: 20: )"));
    EXPECT_THAT(result.err,
                ContainsRegex(R"(connector\.yaml:[0-9]+:[0-9]+: kafka\.deliverys: unknown key; did you mean delivery)"));
    EXPECT_THAT(result.err, ContainsRegex(R"(connector\.yaml:[0-9]+:[0-9]+: genesys\.client_secret: .*No such file)"));
    EXPECT_THAT(result.err, HasSubstr("3 problem(s); nothing was started"));
    EXPECT_EQ(count(result.err, "connector.yaml:"), 3U) << result.err;
  }
  EXPECT_EQ(scene.simulator().requests(), 0U);
}

TEST_F(Configuration, YamlThatCannotBeReadIsShownWithItsPlace) {
  scene.configuration.top = {"log: [unclosed"};

  const auto result = scene.run_verb({"run"});

  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, ContainsRegex(R"(connector\.yaml:[0-9]+:[0-9]+: )"));
}

TEST_F(Configuration, CheckOfflineConnectsToNobody) {
  const auto result = scene.run_verb({"check", "--offline"});

  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("ok: configuration"));
  EXPECT_EQ(scene.simulator().requests(), 0U);
}

TEST_F(Configuration, ShowMasksSecretsAndTellsOrigins) {
  scene.write_secret("a-secret-nobody-may-see");

  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"config", "show"}, {"config", "show", "--output", "json"}}) {
    const auto result = scene.run_verb(verb);

    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_THAT(result.out + result.err, Not(HasSubstr("nobody-may-see")));
    EXPECT_THAT(result.out, HasSubstr("***"));
    EXPECT_THAT(result.out, AllOf(HasSubstr("genesys.client_secret"), HasSubstr("default"), HasSubstr("connector.yaml:")));
  }
  EXPECT_THAT(json_of(scene.run_verb({"config", "show", "--output", "json"}).out).as_array(), SizeIs(testing::Gt(40U)));
}

TEST_F(Configuration, ATakenPortOfTheListenerIsSaidAtOnce) {
  auto& first = scene.start_connector();
  first.wait_for_log("\"metrics_port\":");
  const auto log = first.log();
  const auto at = log.find("\"metrics_port\":") + std::string_view("\"metrics_port\":").size();
  scene.configuration.metrics_listen = "127.0.0.1:" + log.substr(at, log.find_first_not_of("0123456789", at) - at);

  const auto result = scene.run_verb({"run"});

  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("metrics.listen"), HasSubstr("in use")));
}

TEST_F(Configuration, SampleNeedsNoKafka) {
  const auto result = scene.run_verb({"sample", "conversations", "--max-records", "3"});

  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(count(result.out, "\n"), 3U);
  EXPECT_EQ(count(result.out, "\"conversationId\""), 3U);
  EXPECT_TRUE(json_of(result.out.substr(0, result.out.find('\n'))).is_object());
  EXPECT_THAT(result.err, HasSubstr("3 record(s)"));
}

TEST_F(Configuration, SampleOfAStreamThatIsNotConfiguredListsThoseThatAre) {
  const auto result = scene.run_verb({"sample", "users"});

  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("streams: conversations"));
}

// Without a configuration file at all.
struct Bare {
  int code;
  std::string out;
  std::string err;
};
Bare run_bare(const std::vector<std::string>& arguments) {
  const support::TemporaryFolder folder;
  std::vector<std::string> all{support::connector_binary()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  Process process({.arguments = all, .output = folder.path() / "out", .error_output = folder.path() / "err"});
  const auto status = process.wait(support::kPatience);
  if (!status || !status->code) throw std::runtime_error("it does not end");
  return {
      .code = *status->code, .out = support::read_file(folder.path() / "out"), .err = support::read_file(folder.path() / "err")};
}

TEST(CommandLine, VersionHelpAndSchemaGoToStandardOutput) {
  const auto version = run_bare({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, ContainsRegex(R"(^genesys-kafka [0-9]+\.[0-9]+\.[0-9]+ )"));

  const auto help = run_bare({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* verb : {"run", "check", "sample", "config", "Exit codes"}) EXPECT_THAT(help.out, HasSubstr(verb));

  const auto schema = run_bare({"config", "schema"});
  EXPECT_EQ(schema.code, 0);
  EXPECT_NE(common::json::find(json_of(schema.out), "properties"), nullptr);
}

TEST(CommandLine, AnUnknownVerbOptionOrFileIsAConfigurationError) {
  EXPECT_EQ(run_bare({"fly"}).code, 2);
  EXPECT_EQ(run_bare({"run"}).code, 2);
  EXPECT_EQ(run_bare({"check", "--offline", "--config", "x", "--fast"}).code, 2);
  const auto missing = run_bare({"run", "--config", "/nowhere/at/all.yaml"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("/nowhere/at/all.yaml"), HasSubstr("No such file")));
}

// What `check` says about each thing it looks at.
std::string verdict_of(const support::VerbResult& result, const std::string& subject) {
  for (const auto& finding : json_of(result.out).as_array()) {
    if (common::json::find_string(finding, "subject").value().starts_with(subject))
      return common::json::find_string(finding, "verdict").value();
  }
  return "not looked at";
}

TEST(Check, APerfectSceneIsAllRightBeforeAnyTopicExistsAndAfter) {
  ConnectorScene scene;

  const auto before = scene.run_verb({"check", "--output", "json"});
  EXPECT_EQ(before.code, 0) << before.out << before.err;
  EXPECT_EQ(verdict_of(before, "token"), "ok");
  EXPECT_EQ(verdict_of(before, "organi"), "ok");
  EXPECT_EQ(verdict_of(before, "stream conversations"), "ok");
  EXPECT_EQ(verdict_of(before, "divisions"), "unproven");
  EXPECT_EQ(verdict_of(before, "Kafka"), "ok");
  EXPECT_THROW(static_cast<void>(scene.records(scene.offsets_topic())), std::runtime_error) << "check must not create topics";

  scene.start_connector();
  scene.wait_until_committed();
  EXPECT_EQ(scene.stop_connector().code, 0);
  const auto after = scene.run_verb({"check", "--output", "json"});
  EXPECT_EQ(after.code, 0) << after.out << after.err;
  EXPECT_EQ(verdict_of(after, "topic " + scene.topic()), "ok");
  EXPECT_THAT(scene.run_verb({"check"}).out, Not(HasSubstr("failed")));
}

TEST(Check, AWrongSecretIsOneMessageWithTheClientId) {
  ConnectorScene scene;
  scene.write_secret("not-the-secret");

  const auto result = scene.run_verb({"check"});

  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(count(result.out, "failed: "), 1U) << result.out;
  EXPECT_THAT(result.out, AllOf(HasSubstr("simulator-client"), Not(HasSubstr("not-the-secret"))));
}

TEST(Check, AMissingPermissionIsNamed) {
  ConnectorScene scene({.faults = R"({"match": {"path": "details/query"}, "fault": {"kind": "status", "status": 403}})"});

  const auto result = scene.run_verb({"check"});

  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.out, ContainsRegex("failed: .*analytics:conversationDetail:view"));
}

TEST(Check, NoBrokerIsToldWithTheSettingToLookAt) {
  ConnectorScene scene;
  scene.configuration.bootstrap = kNoBroker;

  const auto result = scene.run_verb({"check"});

  EXPECT_EQ(result.code, 5) << result.out;
  EXPECT_THAT(result.out, AllOf(HasSubstr("failed: Kafka"), HasSubstr("kafka.bootstrap_servers")));
}

TEST(State, AnOffsetsTopicThatIsNotCompactedIsRefusedWithTheRemedy) {
  ConnectorScene scene;
  make_topic(support::shared_broker().bootstrap(), scene.offsets_topic(), 1, {{"cleanup.policy", "delete"}});

  const auto checked = scene.run_verb({"check"});
  EXPECT_EQ(checked.code, 2) << checked.out;
  EXPECT_THAT(checked.out, AllOf(HasSubstr("failed: topic " + scene.offsets_topic()), HasSubstr("cleanup.policy=compact")));

  const auto run = scene.run_verb({"run"});
  EXPECT_EQ(run.code, 2) << run.err;
  EXPECT_THAT(run.err, AllOf(HasSubstr(scene.offsets_topic()), HasSubstr("cleanup.policy=compact")));
}

// A topic with records of which no ledger tells.
void put_foreign_records(const ConnectorScene& scene) {
  ConnectorScene other({.name = support::unique_name("foreign")});
  other.configuration.stream = {"topic: {name: " + scene.topic() + "}"};
  other.start_connector();
  other.wait_until_committed();  // of ledgers only, perhaps
  other.connector().until("a record is there", [&] { return !scene.records(scene.topic()).empty(); });
  other.connector().process.terminate(30s);
}

TEST(State, RecordsWithoutALedgerAreRefusedUnlessAppendingIsWanted) {
  ConnectorScene scene;
  put_foreign_records(scene);
  ASSERT_GT(scene.records(scene.topic()).size(), 0U);

  const auto refused = scene.run_verb({"run"});
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_THAT(refused.err, AllOf(HasSubstr(scene.topic()), HasSubstr("existing_topic: append")));

  scene.configuration.stream = {"existing_topic: append"};
  scene.start_connector();
  scene.wait_until_committed();
  EXPECT_EQ(scene.stop_connector().code, 0);
}

TEST(State, AnotherOrganisationIsRefused) {
  ConnectorScene first;
  first.start_connector();
  first.wait_until_committed();
  EXPECT_EQ(first.stop_connector().code, 0);
  const auto before = first.records(first.topic()).size();
  ConnectorScene second({.name = first.name(), .simulator = {{"--seed", "77"}}});

  const auto result = second.run_verb({"run"});

  EXPECT_EQ(result.code, 2) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("organisation"), HasSubstr("use another connector `name`")));
  EXPECT_EQ(first.records(first.topic()).size(), before);
}

TEST(State, AStartBehindWhatTheServiceKeepsIsRefusedWhereAStreamBeginsAndNotWhereItHasRun) {
  const std::string long_ago = "2020-01-01T00:00:00Z";
  ConnectorScene scene;
  scene.configuration.stream = {"retention: 2d"};
  scene.configuration.start = long_ago;

  const auto offline = scene.run_verb({"check", "--offline"});
  EXPECT_EQ(offline.code, 0) << "nobody was asked whether it has run";
  EXPECT_THAT(offline.out, HasSubstr("warning: start of stream conversations: streams.conversations.start (" + long_ago + ")"));
  const auto checked = scene.run_verb({"check"});
  EXPECT_EQ(checked.code, 2) << checked.out;
  EXPECT_THAT(checked.out, HasSubstr("failed: start of stream conversations"));
  const auto refused = scene.run_verb({"run"});
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("lies behind what the service keeps, which is 2d"));
  const auto sampled = scene.run_verb({"sample", "conversations", "--from", long_ago});
  EXPECT_EQ(sampled.code, 2) << sampled.err;
  EXPECT_THAT(sampled.err, HasSubstr("which can be read for another 1h at least"));

  scene.configuration.start.clear();
  scene.start_connector();
  scene.wait_until_committed();
  ASSERT_EQ(scene.stop_connector().code, 0);
  scene.configuration.start = long_ago;
  EXPECT_EQ(scene.run_verb({"check"}).code, 0) << "it keeps the start it first ran with";
  const auto backfill = scene.run_verb({"backfill", "conversations", "--from", long_ago, "--to", "2020-02-01T00:00:00Z"});
  EXPECT_EQ(backfill.code, 2) << backfill.err;
  EXPECT_THAT(backfill.err, HasSubstr("which can be read for another 1h at least"));
  const auto verified =
      scene.run_verb({"verify", "conversations", "--from", long_ago, "--to", "2020-02-01T00:00:00Z", "--form", "query"});
  EXPECT_EQ(verified.code, 2) << verified.err;
  EXPECT_THAT(verified.err, HasSubstr("which can be read for another 1h at least"));
  scene.start_connector();
  scene.connector().wait_until_ready();
  EXPECT_EQ(scene.stop_connector().code, 0);
}

TEST(State, ChangedFiltersAreRefusedUntilSomebodySaysWhatToDoWithTheState) {
  const std::string filter =
      "query: {conversationFilters: [{type: and, predicates: [{dimension: conversationEnd, operator: exists}]}]}";
  ConnectorScene scene;
  scene.configuration.kafka = {"topics: {progress: {every: 1s}}"};
  const auto progress = [&] { return scene.records(scene.name() + "-progress"); };
  const auto complete_until = [](const support::TopicRecord& record) {
    const auto value = common::json::parse(record.value.value());
    const auto instant = common::parse_instant(common::json::find_string(*value, "complete_until").value_or(""));
    return instant ? *instant : common::Instant::min();
  };
  scene.start_connector();
  scene.wait_until_committed();
  scene.wait_until_complete();
  scene.connector().until("completeness is told", [&] {
    const auto told = progress();
    return !told.empty() && complete_until(told.back()) > scene.ledgers().at(connector::core::Lane::kSettle).start();
  });
  EXPECT_EQ(scene.stop_connector().code, 0);
  const auto told = progress();

  scene.configuration.stream = {filter};
  const auto refused = scene.run_verb({"run"});
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("on_changed_membership"), HasSubstr("another name and topic")));

  scene.configuration.stream = {filter, "on_changed_membership: re_read"};
  auto& again = scene.start_connector();
  again.wait_for_log("everything is read again");
  again.until("progress is told", [&] { return progress().size() > told.size(); });
  EXPECT_EQ(scene.stop_connector().code, 0);
  EXPECT_LT(complete_until(progress().at(told.size())), complete_until(told.back()))
      << "no watermark claims what has not been read with the new filters";
}

}  // namespace
}  // namespace tests::integration
