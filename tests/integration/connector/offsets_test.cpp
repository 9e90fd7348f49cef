// `offsets …` as an operator uses it: beside a running connector, on a stopped one, and as the way back from lost state.

#include "tests/integration/kafka/harness.h"
#include "tests/support/connector_scene.h"
#include "tests/support/topic_writer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
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
}

}  // namespace
}  // namespace tests::integration
