// `backfill …` and `run --until-complete` as people use them: history older than the stream's start comes complete and nothing
// twice, asked of a running connector or done by the verb, through kills and cancellations.

#include "tests/integration/kafka/harness.h"
#include "tests/support/connector_scene.h"
#include "tests/support/topic_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace tests::integration {
namespace {

using connector::core::BackfillState;
using connector::core::Lane;
using connector::core::Ledger;
using support::ConnectorScene;
using support::VerbResult;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace std::chrono_literals;

constexpr std::chrono::seconds kHistory{40};
constexpr std::chrono::seconds kBeforeStart{28};  // of it

// A stream that begins in the middle of the service's history.
class Backfill : public testing::Test {
 protected:
  explicit Backfill(support::SimulatorProcess::Options simulator = {}, std::chrono::seconds history = kHistory)
      : scene({.simulator = std::move(simulator), .history = history}) {
    scene.configuration.start = common::format_instant(range().end);
  }

  [[nodiscard]] common::Interval range() {
    const auto begin = std::chrono::time_point_cast<common::Duration>(scene.simulator().begin());
    return {.start = begin, .end = begin + kBeforeStart};
  }
  VerbResult backfill(const std::vector<std::string>& more = {}, std::optional<common::Interval> of = std::nullopt) {
    const common::Interval asked = of.value_or(range());
    std::vector<std::string> arguments{
        "backfill", "conversations", "--from", common::format_instant(asked.start), "--to", common::format_instant(asked.end)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return scene.run_verb(arguments);
  }
  [[nodiscard]] std::optional<Ledger> ledger() {
    auto all = scene.ledgers();
    const auto found = all.find(Lane::kBackfill);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] bool is_in(BackfillState state) {
    const auto now = ledger();
    return now && now->backfill() && now->backfill()->state == state;
  }
  void start_and_work() {
    scene.start_connector();
    scene.wait_until_committed();
    scene.wait_until_complete();
  }
  void expect_whole_range() {
    std::set<std::string> delivered;
    for (const auto& record : scene.records(scene.topic())) delivered.insert(record.key.value());
    const auto wanted = scene.wanted();
    std::size_t there = 0;
    for (const auto& conversation : scene.simulator().truth()) {
      if (!range().contains(conversation.start)) continue;
      ++there;
      EXPECT_TRUE(delivered.contains(conversation.key) || wanted.contains(conversation.key))
          << conversation.key << " of " << common::format_instant(conversation.start);
    }
    EXPECT_GT(there, 500U);
    for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  }
  [[nodiscard]] std::map<std::string, std::string> requests() const {
    return support::read_compacted(scene.reader(), scene.control_topic());
  }

  ConnectorScene scene;
};

TEST_F(Backfill, OfHistoryBeforeTheStartComesCompleteAndNothingTwiceWhileLiveGoesOn) {
  start_and_work();
  const auto before = ConnectorScene::now();

  const auto done = backfill({"--parallel", "3", "--weight", "5", "--output", "json"});

  EXPECT_EQ(done.code, 0) << done.err << scene.log();
  EXPECT_THAT(done.out, AllOf(HasSubstr(R"("state":"done")"), HasSubstr(R"("done":1)")));
  EXPECT_THAT(done.err, HasSubstr("windows")) << "plain lines where there is no terminal";
  EXPECT_THAT(requests(), IsEmpty()) << "what is done is asked for no longer";
  scene.wait_until_complete(before + 1s);
  std::size_t published = 0;
  for (const auto& record : scene.records(scene.topic())) {
    if (record.headers.at("gk.lane") != "backfill") continue;
    ++published;
    EXPECT_EQ(record.headers.at("gk.form"), "job");
  }
  EXPECT_GT(published, 500U);
  const auto now = ledger().value();
  EXPECT_GE(now.backfill()->records, published);
  EXPECT_EQ(now.backfill()->windows, 14U + (range().start.time_since_epoch() % 2s == 0s ? 0U : 1U));
  EXPECT_GT(now.backfill()->requests, 2 * now.backfill()->windows);

  const auto again = backfill();
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(ledger()->backfill()->order.id, now.backfill()->order.id);
  const auto listed = scene.run_verb({"backfill", "list"});
  EXPECT_THAT(listed.out, AllOf(HasSubstr("conversations: the backfill of"), HasSubstr("is done")));
  EXPECT_EQ(scene.stop_connector().code, 0);
  expect_whole_range();  // what is known was not published again
}

// Of days before the stream's start nobody knows what was published.
class OldHistory : public Backfill {
 protected:
  OldHistory() : Backfill({{"--spacing", "5s"}}, std::chrono::hours(30)) {
    scene.configuration.start = common::format_instant(ConnectorScene::now() - 12s);
    scene.configuration.settle = "{window: 6h, ages: [0s], poll_initial: 50ms, poll_max: 500ms, availability_every: 500ms}";
  }
};

TEST_F(OldHistory, SaysOfEachRecordThatItMayBeARepeat) {
  scene.start_connector();
  scene.wait_until_committed();
  scene.connector().until("the settle lane has begun", [&] { return scene.ledgers().contains(Lane::kSettle); });

  const auto done = backfill({}, common::Interval{.start = range().start, .end = range().start + 1h});

  EXPECT_EQ(done.code, 0) << done.err << scene.log();
  EXPECT_EQ(scene.stop_connector().code, 0);
  std::size_t beyond = 0;
  for (const auto& record : scene.records(scene.topic())) {
    EXPECT_EQ(record.headers.contains("gk.beyond-horizon"), record.headers.at("gk.lane") == "backfill");
    if (record.headers.contains("gk.beyond-horizon")) ++beyond;
  }
  EXPECT_GT(beyond, 600U);
}

class SlowBackfill : public Backfill {
 protected:
  SlowBackfill() : Backfill({{"--job-time", "400ms"}}) {}
};

TEST_F(SlowBackfill, AConnectorThatIsKilledGoesOnWithItAtItsNextStart) {
  start_and_work();
  const auto taken = backfill({"--parallel", "1", "--detach"});
  EXPECT_EQ(taken.code, 0) << taken.err;
  EXPECT_THAT(taken.err, HasSubstr("backfill cancel conversations"));
  for (int kill = 0; kill < 2; ++kill) {
    const std::size_t before = ledger()->backfill()->windows;
    scene.connector().until("another window of it is read", [&] { return ledger()->backfill()->windows > before; });
    ASSERT_TRUE(is_in(BackfillState::kRunning)) << "it was over before it could be killed";
    scene.connector().process.kill();
    scene.start_connector();
  }

  const auto watched = backfill();  // the same range: it is watched, not asked for again

  EXPECT_EQ(watched.code, 0) << watched.err << scene.log();
  EXPECT_THAT(watched.err, HasSubstr("under way already"));
  EXPECT_EQ(scene.stop_connector().code, 0);
  expect_whole_range();
}

// That its request leaves the topic is for tidiness: no stream stops for it.
TEST_F(SlowBackfill, EndsThoughTheControlTopicIsGone) {
  start_and_work();
  EXPECT_EQ(backfill({"--detach"}).code, 0);

  delete_topic(support::shared_broker().bootstrap(), scene.control_topic());

  scene.connector().until("it has ended", [&] { return is_in(BackfillState::kDone); }, 300s);
  EXPECT_THAT(scene.log(), HasSubstr("may not leave the control topic"));
  EXPECT_EQ(scene.connector().metric("genesys_kafka_stream_stopped"), 0);
  scene.wait_until_complete();
  EXPECT_EQ(scene.stop_connector().code, 0);
  expect_whole_range();
}

// The settle lane has nothing to read before its start, so that its jobs do not stand in the way.
class EndlessBackfill : public Backfill {
 protected:
  EndlessBackfill() : Backfill({{"--job-time", "10m"}}) { scene.configuration.start = "2099-01-01T00:00:00Z"; }
};

TEST_F(EndlessBackfill, IsOneAtATimeAndCancelledWithItsJobs) {
  scene.start_connector();
  scene.connector().wait_until_ready();
  scene.connector().until("the settle lane has begun", [&] { return scene.ledgers().contains(Lane::kSettle); });
  EXPECT_EQ(backfill({"--detach"}).code, 0);
  scene.connector().until("its job is there", [&] { return ledger()->open().size() == 1; });

  const auto other = backfill({}, common::Interval{.start = range().start, .end = range().start + 2s});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("one at a time"));
  EXPECT_THAT(scene.run_verb({"backfill", "list", "--output", "json"}).out, HasSubstr(R"("state":"running")"));

  const auto cancelled = scene.run_verb({"backfill", "cancel", "conversations"});

  EXPECT_EQ(cancelled.code, 0) << cancelled.err << scene.log();
  EXPECT_THAT(cancelled.out, HasSubstr("is cancelled"));
  EXPECT_TRUE(is_in(BackfillState::kCancelled));
  EXPECT_THAT(ledger()->open(), IsEmpty());
  EXPECT_THAT(requests(), IsEmpty());
  std::size_t deleted = 0;
  const std::string log = scene.log();
  for (auto at = log.find(R"("method":"DELETE")"); at != std::string::npos; at = log.find(R"("method":"DELETE")", at + 1))
    ++deleted;
  EXPECT_EQ(deleted, 1U) << log;
  EXPECT_THAT(scene.run_verb({"backfill", "cancel", "conversations"}).out, HasSubstr("no backfill"));
  EXPECT_EQ(scene.stop_connector().code, 0);
}

TEST_F(EndlessBackfill, ThatIsResetIsNotBegunAgain) {
  scene.start_connector();
  scene.connector().wait_until_ready();
  scene.connector().until("the settle lane has begun", [&] { return scene.ledgers().contains(Lane::kSettle); });
  EXPECT_EQ(backfill({"--detach"}).code, 0);
  ASSERT_EQ(scene.stop_connector().code, 0);
  ASSERT_THAT(requests(), Not(IsEmpty()));

  const auto reset = scene.run_verb({"offsets", "reset", "conversations", "--lane", "backfill", "--yes"});

  EXPECT_EQ(reset.code, 0) << reset.err;
  EXPECT_FALSE(ledger().has_value());
  EXPECT_THAT(requests(), IsEmpty()) << "the next start would begin it anew";
}

// An answer that nobody waits for any more must not come one day.
TEST_F(Backfill, ThatNobodyHasTakenIsWithdrawnByWhoeverAskedAndNotReplacedByAnother) {
  start_and_work();
  ASSERT_EQ(scene.stop_connector().code, 0);
  const auto verb = [&] {
    return std::vector<std::string>{support::connector_binary(),
                                    "backfill",
                                    "conversations",
                                    "--from",
                                    common::format_instant(range().start),
                                    "--to",
                                    common::format_instant(range().end),
                                    "--wait",
                                    "5m",
                                    "--config",
                                    scene.configuration_file().string()};
  };
  support::Process asking({.arguments = verb(), .output = scene.folder() / "asking.log"});
  while (requests().empty()) ASSERT_FALSE(asking.wait(100ms).has_value()) << asking.output();

  const auto other = backfill({}, common::Interval{.start = range().start, .end = range().start + 2s});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("nobody has taken that request yet"));

  asking.signal(SIGINT);
  const auto ended = asking.wait(30s);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code, 7) << asking.output();
  EXPECT_THAT(asking.output(), HasSubstr("withdrawn"));
  EXPECT_THAT(requests().begin()->second, HasSubstr(R"("wanted":"cancel")"));
}

// Asked for while nobody is there, and done by the verb itself then.
TEST_F(Backfill, IsDoneByTheVerbWhenNoConnectorRuns) {
  start_and_work();
  ASSERT_EQ(scene.stop_connector().code, 0);
  const auto before = scene.ledgers();

  const auto nobody = backfill({"--wait", "2s"});
  EXPECT_EQ(nobody.code, 2);
  EXPECT_THAT(nobody.err, AllOf(HasSubstr("nobody took"), HasSubstr("--here")));
  EXPECT_EQ(backfill({"--here"}).code, 2) << "without a terminal it must be said that the task may be taken over";

  const auto done = backfill({"--here", "--yes", "--parallel", "4"});

  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("is done"));
  EXPECT_TRUE(scene.ledgers().at(Lane::kLive).has_same_progress(before.at(Lane::kLive))) << "nothing else was read";
  EXPECT_TRUE(scene.ledgers().at(Lane::kSettle).has_same_progress(before.at(Lane::kSettle)));
  EXPECT_THAT(requests(), IsEmpty());
  start_and_work();
  EXPECT_EQ(scene.stop_connector().code, 0);
  expect_whole_range();
}

TEST_F(Backfill, OfAStreamThatHasNeverRunIsRefused) {
  const auto refused = backfill();

  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("has never run"));
}

class UntilComplete : public testing::Test {
 protected:
  VerbResult run() { return scene.run_verb({"run", "--until-complete"}); }
  ConnectorScene scene{{.history = 15s}};
};

TEST_F(UntilComplete, EndsByItselfWithEverythingThereThatWasDue) {
  for (int life = 0; life < 3; ++life) {
    const auto due = ConnectorScene::now();

    const auto ended = run();

    ASSERT_EQ(ended.code, 0) << ended.err;
    const auto ledgers = scene.ledgers();
    EXPECT_GE(ledgers.at(Lane::kLive).complete_until(), due - 300ms);
    EXPECT_GE(ledgers.at(Lane::kSettle).complete_until(), due - 1s - 500ms - 2s) << "lag and step of the lake, and a window";
    EXPECT_THAT(ended.err, HasSubstr("what was due at the start is done"));
  }
  for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  EXPECT_GT(scene.delivered(), 500U);
}

TEST_F(UntilComplete, StoppedBeforeItHasNotSucceeded) {
  scene.simulator().add_faults(R"({"match": {"path": "details/jobs"}, "fault": {"kind": "status", "status": 503}})");
  scene.run_verb({"check", "--offline"});  // writes the configuration
  support::Process run(
      {.arguments = {support::connector_binary(), "run", "--until-complete", "--config", scene.configuration_file().string()},
       .output = scene.folder() / "until-complete.log"});
  ASSERT_TRUE(run.wait_for_output("stream started", 30s));

  run.signal(SIGTERM);
  const auto ended = run.wait(30s);

  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code, 7) << run.output();
}

}  // namespace
}  // namespace tests::integration
