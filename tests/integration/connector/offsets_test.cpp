// `offsets …` as an operator uses it: beside a running connector, on a stopped one, and as the way back from lost state.

#include "tests/integration/kafka/harness.h"
#include "tests/support/connector_scene.h"
#include "tests/support/topic_writer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>

namespace tests::integration {
namespace {

using connector::core::Lane;
using support::ConnectorScene;
using support::VerbResult;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace std::chrono_literals;

// A connector that has worked and was stopped.
class Offsets : public testing::Test {
 protected:
  void work_and_stop() {
    scene.start_connector();
    scene.wait_until_committed();
    scene.wait_until_complete();
    ASSERT_EQ(scene.stop_connector().code, 0);
  }
  [[nodiscard]] std::string exported() const {
    const auto result = scene.run_verb({"offsets", "export"});
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  }
  [[nodiscard]] std::filesystem::path save(const std::string& text) const {
    const auto file = scene.folder() / "offsets.json";
    std::ofstream(file) << text;
    return file;
  }
  void expect_no_violation() {
    for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  }

  ConnectorScene scene;
};

TEST_F(Offsets, AreShownBesideARunningConnectorWhichGoesOn) {
  scene.start_connector();
  scene.wait_until_committed();

  const auto text = scene.run_verb({"offsets", "get"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("owner: "), HasSubstr("conversations live"), HasSubstr("conversations settle"),
                              HasSubstr("complete until")));
  const auto one = scene.run_verb({"offsets", "get", "--lane", "settle", "--output", "json"});
  EXPECT_THAT(one.out, AllOf(HasSubstr(R"({"offsets":[{"partition":{"stream":"conversations","lane":"settle"},"offset":{"v":)"),
                             Not(HasSubstr(R"("lane":"live")"))));
  const auto asked = scene.run_verb({"offsets", "reset", "conversations"});
  EXPECT_EQ(asked.code, 2) << "without a terminal nothing is written unless --yes says so";
  EXPECT_THAT(asked.err, HasSubstr("--yes"));

  scene.wait_until_complete();
  EXPECT_EQ(scene.stop_connector().code, 0);
}

TEST_F(Offsets, OfAConnectorThatNeverRanAreNotThere) {
  const auto result = scene.run_verb({"offsets", "get"});

  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr(scene.offsets_topic() + " does not exist"));
}

TEST_F(Offsets, ALaneMovedBackIsReadAgainAndPublishesNothingTwice) {
  work_and_stop();
  const auto before = scene.ledgers();
  const auto records = scene.records(scene.topic()).size();
  const auto back = before.at(Lane::kSettle).start() + 1s;

  const std::vector<std::string> set{"offsets", "set",   "conversations",    "--lane",
                                     "settle",  "--yes", "--complete-until", common::format_instant(back)};
  auto dry = set;
  dry.emplace_back("--dry-run");
  EXPECT_THAT(scene.run_verb(dry).out, AllOf(HasSubstr("becomes"), HasSubstr(common::format_instant(back))));
  EXPECT_EQ(scene.ledgers().at(Lane::kSettle), before.at(Lane::kSettle)) << "a dry run writes nothing";
  const auto written = scene.run_verb(set);

  EXPECT_EQ(written.code, 0) << written.err;
  EXPECT_THAT(written.err, HasSubstr("last owned by host"));
  EXPECT_EQ(scene.ledgers().at(Lane::kSettle).complete_until(), back);
  EXPECT_EQ(scene.ledgers().at(Lane::kLive), before.at(Lane::kLive));
  work_and_stop();
  EXPECT_GE(scene.records(scene.topic()).size(), records);
  expect_no_violation();
}

TEST_F(Offsets, AResetLaneBeginsAsConfiguredAndTheRestOfTheStreamGoesOn) {
  work_and_stop();

  const auto reset = scene.run_verb({"offsets", "reset", "conversations", "--lane", "settle", "--yes", "--output", "json"});
  EXPECT_EQ(reset.code, 0) << reset.err;
  EXPECT_THAT(reset.out, AllOf(HasSubstr(R"("after":null)"), HasSubstr(R"("written":true)")));
  EXPECT_FALSE(scene.ledgers().contains(Lane::kSettle));

  work_and_stop();
  EXPECT_TRUE(scene.ledgers().contains(Lane::kSettle));
  expect_no_violation();
}

TEST_F(Offsets, AnImportBringsBackALostOffsetsTopic) {
  work_and_stop();
  const auto before = scene.ledgers();
  const auto file = save(exported());
  delete_topic(support::shared_broker().bootstrap(), scene.offsets_topic());
  EXPECT_EQ(scene.run_verb({"run"}).code, 2) << "there are records, and no ledger says that they are ours";
  delete_topic(support::shared_broker().bootstrap(), scene.offsets_topic());

  const auto imported = scene.run_verb({"offsets", "import", file.string(), "--yes"});
  EXPECT_EQ(imported.code, 0) << imported.err;
  for (const auto& [lane, ledger] : scene.ledgers()) {
    EXPECT_TRUE(ledger.has_same_progress(before.at(lane))) << to_string(lane);
  }
  EXPECT_EQ(scene.ledgers().size(), before.size());

  work_and_stop();
  expect_no_violation();
}

TEST_F(Offsets, ADamagedLedgerIsShownAndMended) {
  work_and_stop();
  const std::string key = fmt::format(R"(["{}",{{"stream":"conversations","lane":"settle"}}])", scene.name());
  support::write_record(scene.reader(), scene.offsets_topic(), {.key = key, .value = "{damaged"});
  EXPECT_EQ(scene.run_verb({"run"}).code, 2);

  EXPECT_THAT(scene.run_verb({"offsets", "get"}).out, AllOf(HasSubstr("damaged"), HasSubstr("conversations live")));
  EXPECT_THAT(exported(), HasSubstr(R"("offset":"{damaged")"));
  const auto reset = scene.run_verb({"offsets", "reset", "conversations", "--lane", "settle", "--yes"});
  EXPECT_EQ(reset.code, 0) << reset.err;

  work_and_stop();
  expect_no_violation();
}

TEST_F(Offsets, AnImportOfAnotherOrganisationIsRefusedWithEveryProblem) {
  work_and_stop();
  std::string text = exported();
  const std::string own = scene.ledgers().at(Lane::kLive).identity().organization_id;
  for (auto at = text.find(own); at != std::string::npos; at = text.find(own, at + 3)) text.replace(at, own.size(), "foreign");

  const auto refused = scene.run_verb({"offsets", "import", save(text).string(), "--yes"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("organisation foreign"), HasSubstr("lane live"), HasSubstr("lane settle"),
                                 HasSubstr("nothing was changed")));
  EXPECT_THAT(refused.out, IsEmpty());
}

// The connector learns with its next transaction that it is not the owner any more.
TEST_F(Offsets, AConnectorThatRunsIsFenced) {
  work_and_stop();
  scene.start_connector();
  scene.wait_until_committed();
  // A lane that does not move of itself, so that the state is still as it was shown.
  scene.simulator().add_faults(R"({"match": {"path": "details"}, "fault": {"kind": "status", "status": 503}})");
  VerbResult written;
  for (int attempt = 0; attempt < 20; ++attempt) {
    written = scene.run_verb({"offsets", "reset", "conversations", "--lane", "follow", "--yes"});
    if (written.code == 0) break;
    EXPECT_THAT(written.err, HasSubstr("is running")) << "the only reason to refuse it";
  }
  EXPECT_EQ(written.code, 0) << written.err;
  scene.simulator().reset_faults();

  EXPECT_EQ(scene.connector().ended().code, 4) << scene.log();
}

// A restarted container must not get by what stopped it.
TEST_F(Offsets, LostDigestsAreRefusedAgainAndAgainUntilTheLossIsAccepted) {
  work_and_stop();
  delete_topic(support::shared_broker().bootstrap(), scene.name() + "-digests");

  for (int start = 0; start < 2; ++start) {
    const auto refused = scene.run_verb({"run"});
    EXPECT_EQ(refused.code, 2) << refused.err;
    EXPECT_THAT(refused.err, AllOf(HasSubstr(scene.name() + "-digests"), HasSubstr("emptied or made again"),
                                   HasSubstr("offsets accept-lost-digests")));
  }
  // Another change of the state does not accept it in passing.
  const auto back = scene.ledgers().at(Lane::kSettle).start() + 1s;
  EXPECT_EQ(scene
                .run_verb({"offsets", "set", "conversations", "--lane", "settle", "--complete-until",
                           common::format_instant(back), "--yes"})
                .code,
            0);
  EXPECT_EQ(scene.run_verb({"run"}).code, 2);

  const auto accepted = scene.run_verb({"offsets", "accept-lost-digests", "--yes"});
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  work_and_stop();
  work_and_stop();
}

// As a restored backup is: the mark of an earlier start.
TEST_F(Offsets, DigestsOfBeforeTheLastStartAreRefusedUntilTheTopicIsAsItWas) {
  const std::string mark = fmt::format(R"(["{}",{{"task":0}}])", scene.name());
  const std::string digests = scene.name() + "-digests";
  work_and_stop();
  const auto old = read_compacted(scene.reader(), digests).at(mark);
  work_and_stop();
  const auto last = read_compacted(scene.reader(), digests).at(mark);
  ASSERT_NE(old, last);
  support::write_record(scene.reader(), digests, {.key = mark, .value = old});

  for (int start = 0; start < 2; ++start) {
    const auto refused = scene.run_verb({"run"});
    EXPECT_EQ(refused.code, 2) << refused.err;
    EXPECT_THAT(refused.err, AllOf(HasSubstr(digests), HasSubstr("older"), HasSubstr("offsets accept-lost-digests")));
  }

  support::write_record(scene.reader(), digests, {.key = mark, .value = last});
  work_and_stop();
  expect_no_violation();
}

TEST_F(Offsets, LostOffsetsWithoutAnExportAreReadAgainAndWhatIsKnownIsNotPublishedTwice) {
  work_and_stop();
  delete_topic(support::shared_broker().bootstrap(), scene.offsets_topic());
  EXPECT_EQ(scene.run_verb({"run"}).code, 2);

  scene.configuration.stream = {"existing_topic: append"};
  work_and_stop();
  expect_no_violation();
  EXPECT_GT(scene.delivered(), 0U);
}

// A topic made again under the old name is refused for good; under another name everything comes again.
TEST_F(Offsets, AStreamWhoseTopicWasMadeAgainGoesOnUnderAnotherName) {
  work_and_stop();
  std::set<std::string> keys;
  for (const auto& record : scene.records(scene.topic())) keys.insert(*record.key);
  ASSERT_FALSE(keys.empty());
  delete_topic(support::shared_broker().bootstrap(), scene.topic());
  scene.start_connector();
  scene.connector().wait_for_log("deleted and made again");
  ASSERT_EQ(scene.stop_connector().code, 0);

  std::string text = support::read_file(scene.configuration_file());
  text.replace(text.find("  conversations:\n"), std::string("  conversations:\n").size(), "  calls:\n");
  const auto renamed = scene.folder() / "renamed.yaml";
  std::ofstream(renamed) << text;
  support::ConnectorProcess connector(support::connector_binary(), renamed, scene.folder() / "renamed.log");
  connector.wait_for_log("stream started");  // its topic is there
  connector.until("everything is there again", [&] {
    std::set<std::string> missing = keys;
    for (const auto& record : scene.records(scene.name() + ".calls")) missing.erase(*record.key);
    return missing.empty();
  });
  EXPECT_EQ(connector.process.terminate(30s).code, 0);
  EXPECT_THAT(scene.records(scene.topic()), IsEmpty());
}

// Its topics were mirrored; other ids, the same records.
TEST_F(Offsets, AnExportIsImportedInAnotherClusterAndNothingIsPublishedTwice) {
  work_and_stop();
  const auto file = save(exported());
  support::KafkaBroker other;
  const support::TopicReaderOptions there{.bootstrap = other.bootstrap()};
  make_topic(other.bootstrap(), scene.topic(), 3);
  make_topic(other.bootstrap(), scene.name() + "-digests", 1, {{"cleanup.policy", "compact"}});
  const auto mirror = [&](const std::string& topic) {
    auto records = scene.records(topic);
    for (auto& record : records) record.partition = topic == scene.topic() ? -1 : 0;
    support::write_records(there, topic, records);
    return records;
  };
  const auto before = mirror(scene.topic());
  mirror(scene.name() + "-digests");
  const auto ledgers = scene.ledgers();
  scene.configuration.bootstrap = other.bootstrap();

  EXPECT_EQ(scene.run_verb({"offsets", "import", file.string(), "--yes"}).code, 2) << "another cluster";
  const auto imported = scene.run_verb({"offsets", "import", file.string(), "--yes", "--force-identity"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  scene.start_connector();
  scene.wait_until_committed();
  ASSERT_EQ(scene.stop_connector().code, 0);

  std::map<std::string, std::string> last;
  std::size_t records = 0;
  for (const auto& record : support::read_topic(there, scene.topic())) {
    ++records;
    const std::string content = record.headers.at("gk.form") + *record.value;
    EXPECT_NE(last[*record.key], content) << *record.key << " twice";
    last[*record.key] = content;
  }
  EXPECT_GT(records, before.size()) << "it went on";
  for (const auto& [key, value] : support::read_compacted(there, scene.offsets_topic())) {
    const auto ledger = connector::core::Ledger::parse(value);
    if (ledger && key.find(R"("lane":"settle")") != std::string::npos) {
      EXPECT_GE(ledger->complete_until(), ledgers.at(Lane::kSettle).complete_until());
    }
  }
}

// It has read, and has no digests: they begin now.
TEST_F(Offsets, AConnectorOfAVersionWithoutDigestsGoesOn) {
  work_and_stop();
  support::write_record(scene.reader(), scene.offsets_topic(),
                        {.key = fmt::format(R"(["{}",{{"task":0}}])", scene.name()),
                         .value = R"({"v":1,"incarnation":"before","host":"h","claimed_at":"2026-05-04T10:00:00.000Z"})"});
  delete_topic(support::shared_broker().bootstrap(), scene.name() + "-digests");

  work_and_stop();
}

TEST_F(Offsets, AreWrittenWithoutTransactionsToo) {
  scene.configuration.kafka = {"delivery: at_least_once"};
  work_and_stop();
  const auto back = scene.ledgers().at(Lane::kSettle).start() + 1s;

  const auto written = scene.run_verb(
      {"offsets", "set", "conversations", "--lane", "settle", "--complete-until", common::format_instant(back), "--yes"});

  EXPECT_EQ(written.code, 0) << written.err;
  EXPECT_THAT(written.err, HasSubstr("is not fenced"));
  EXPECT_EQ(scene.ledgers().at(Lane::kSettle).complete_until(), back);

  const auto accepted = scene.run_verb({"offsets", "accept-lost-digests", "--yes"});
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  EXPECT_THAT(accepted.err, AllOf(HasSubstr("is not fenced"), Not(HasSubstr("exit code 4"))));
}

}  // namespace
}  // namespace tests::integration
