// What the service has deleted: a tombstone, what comes back after it, and the brake. A day that is over is read whole by jobs,
// again and again by ages that come of age while the test runs.

#include "tests/support/connector_scene.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace tests::integration {
namespace {

using connector::core::Lane;
using support::ConnectorScene;
using support::TopicRecord;
using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

const common::Duration kDay = std::chrono::days{1};

// Forty conversations of yesterday, and no others.
class Deletions : public testing::Test {
 protected:
  // The lane begins a minute before the day, so that the day is whole to it.
  Deletions()
      : midnight(common::start_of_day(ConnectorScene::now())),
        scene({.simulator = {{"--start", common::format_instant(midnight - kDay)},
                             {"--spacing", "30m"},
                             {"--conversations", "40"},
                             {"--duration", "10s"},
                             {"--long-share", "0"},
                             {"--reopen-share", "0"},
                             {"--late-share", "0"}},
               .history = since_midnight() + 24h + 1min}) {
    settle_at({});
  }

  // Passes over yesterday at these ages, beside the first one.
  void settle_at(const std::vector<std::chrono::seconds>& ages) {
    std::string all = "0s";
    for (const auto age : ages) all += fmt::format(", {}s", age.count());
    scene.configuration.settle = fmt::format(
        "{{ages: [{}], poll_initial: 50ms, poll_max: 500ms, availability_every: 500ms, on_delete: {}, "
        "delete: {{confirm: 1s, max_share: {}}}}}",
        all, on_delete, max_share);
  }
  [[nodiscard]] std::chrono::seconds since_midnight() const {
    return std::chrono::floor<std::chrono::seconds>(ConnectorScene::now() - midnight);
  }
  // Another life, in which yesterday is read once more, a few seconds from now; until that has been judged.
  void run_another_pass() {
    const auto age = since_midnight() + 4s;
    settle_at({age});
    auto& connector = scene.start_connector();
    connector.wait_until_ready();
    connector.until("yesterday was read again and judged", [&] {
      const auto ledgers = scene.ledgers();
      const auto settle = ledgers.find(Lane::kSettle);
      if (settle == ledgers.end() || !settle->second.passes().contains(age)) return false;
      const bool was_read = settle->second.passes().at(age).covers({.start = midnight - kDay, .end = midnight});
      return was_read && settle->second.unjudged().intervals().empty();
    });
  }
  void stop() { EXPECT_EQ(scene.stop_connector().code, 0) << scene.log(); }
  void publish_everything() {
    auto& connector = scene.start_connector();
    connector.wait_until_ready();
    connector.until("yesterday is complete", [&] {
      const auto ledgers = scene.ledgers();
      const auto settle = ledgers.find(Lane::kSettle);
      return settle != ledgers.end() && settle->second.complete_until() >= midnight;
    });
    stop();
  }
  [[nodiscard]] double gone(const std::string& outcome) {
    return scene.connector().metric("genesys_kafka_records_gone_total", {fmt::format(R"(outcome="{}")", outcome)});
  }

  struct Key {
    std::vector<TopicRecord> records;
    [[nodiscard]] bool is_deleted() const { return !records.back().value.has_value(); }
  };
  [[nodiscard]] std::map<std::string, Key> keys() const {
    std::map<std::string, Key> found;
    for (TopicRecord& record : scene.records(scene.topic())) found[*record.key].records.push_back(std::move(record));
    return found;
  }
  [[nodiscard]] std::vector<std::string> deleted() const {
    std::vector<std::string> names;
    for (const auto& [name, key] : keys()) {
      if (key.is_deleted()) names.push_back(name);
    }
    return names;
  }
  [[nodiscard]] std::vector<std::string> some(std::size_t count) const {
    std::vector<std::string> names;
    for (const auto& [name, key] : keys()) names.push_back(name);
    names.resize(count);
    return names;
  }

  common::Instant midnight;
  ConnectorScene scene;
  std::string on_delete = "tombstone";
  double max_share = 0.05;
};

TEST_F(Deletions, BecomeTombstonesAndWhatComesBackIsPublishedAgain) {
  publish_everything();
  ASSERT_EQ(keys().size(), 40U);
  const auto two = some(2);
  scene.simulator().delete_conversations(two);

  run_another_pass();
  EXPECT_EQ(gone("tombstoned"), 2);
  stop();

  EXPECT_EQ(deleted(), two);
  const TopicRecord tombstone = keys().at(two[0]).records.back();
  EXPECT_EQ(tombstone.headers.at("gk.deleted"), "true");
  EXPECT_EQ(tombstone.headers.at("gk.form"), "job");
  EXPECT_EQ(tombstone.headers.at("gk.lane"), "settle");
  for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  const auto verified = scene.run_verb(
      {"verify", "conversations", "--from", common::format_instant(midnight - kDay), "--to", common::format_instant(midnight)});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;

  scene.simulator().restore_conversations({two[0]});
  run_another_pass();
  stop();

  EXPECT_THAT(deleted(), ElementsAre(two[1]));
  const std::vector<TopicRecord> back = keys().at(two[0]).records;
  ASSERT_EQ(back.size(), 3U) << "the record, its tombstone, and the record again";
  EXPECT_EQ(back[2].value, back[0].value);
  EXPECT_EQ(keys().at(two[1]).records.size(), 2U) << "deleted once";
}

TEST_F(Deletions, OfTooManyAtOnceNoneIsBelieved) {
  publish_everything();
  scene.simulator().delete_conversations(some(3));

  run_another_pass();
  EXPECT_EQ(gone("withheld"), 3);
  EXPECT_EQ(gone("tombstoned"), 0);
  EXPECT_EQ(scene.connector().metric("genesys_kafka_delete_brakes_total"), 1);
  stop();
  EXPECT_THAT(deleted(), IsEmpty());

  max_share = 0.1;  // the operator has looked at it
  run_another_pass();
  EXPECT_EQ(gone("tombstoned"), 3);
  stop();
  EXPECT_EQ(deleted().size(), 3U);
}

TEST_F(Deletions, AreKeptUnlessTombstonesAreAskedFor) {
  on_delete = "keep";
  settle_at({});
  publish_everything();
  scene.simulator().delete_conversations(some(1));

  run_another_pass();
  EXPECT_EQ(gone("kept"), 1);
  stop();

  EXPECT_THAT(deleted(), IsEmpty());
  EXPECT_EQ(keys().size(), 40U);
}

// Killed between the two looks, after the last pass over the day: the day is owed, read again and judged.
TEST_F(Deletions, AJudgementThatAKillInterruptedIsMadeUpFor) {
  publish_everything();
  const auto one = some(1);
  scene.simulator().delete_conversations(one);
  settle_at({since_midnight() + 3s});
  scene.configuration.settle.replace(scene.configuration.settle.find("confirm: 1s"), 11, "confirm: 1h");
  auto& connector = scene.start_connector();
  connector.wait_until_ready();
  connector.until("yesterday was read again and is not judged", [&] {
    const auto ledgers = scene.ledgers();
    const auto settle = ledgers.find(Lane::kSettle);
    return settle != ledgers.end() && !settle->second.unjudged().intervals().empty();
  });
  connector.process.kill();

  // No age is to come: what makes it read the day again is the ledger alone.
  scene.configuration.settle.replace(scene.configuration.settle.find("confirm: 1h"), 11, "confirm: 1s");
  scene.start_connector().until("it is deleted", [&] { return !deleted().empty(); });
  stop();

  EXPECT_EQ(deleted(), one);
}

}  // namespace
}  // namespace tests::integration
