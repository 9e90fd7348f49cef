// What the service does wrong, and what becomes of it: nothing is lost, nothing is doubled, nothing crashes, and what cannot be
// published is found in the dead-letter topic with its place.

#include "tests/support/connector_scene.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace tests::integration {
namespace {

using support::ConnectorScene;
using support::SimulatorProcess;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::Not;
using namespace std::chrono_literals;

// Nothing lost, nothing twice: the end of every scene here.
void stop_and_judge(ConnectorScene& scene) {
  EXPECT_EQ(scene.stop_connector().code, 0);
  for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  EXPECT_GT(scene.delivered(), 100U);
}

void expect_complete(ConnectorScene& scene) {
  scene.wait_until_complete();
  stop_and_judge(scene);
}

// Until this fault has struck as often as it may.
void wait_for_strikes(ConnectorScene& scene, const std::string& name, std::uint64_t times = 1) {
  scene.connector().until(name + " has struck", [&] { return scene.simulator().strikes(name) == times; });
}

std::string fault(const std::string& name, const std::string& path, const std::string& what, const std::string& match = "") {
  return fmt::format(R"({{"name": "{}", "match": {{"path": "{}"{}}}, "fault": {{{}}}}})", name, path, match, what);
}

// Conversations that have ended before a job can see them and stay as they are. A new job of a window that was published in part
// finds them as they were, so nothing of it may be published again.
SimulatorProcess::Options unchanging() {
  return {{"--duration", "100ms"}, {"--wrap-up", "50ms"},   {"--lake-lag", "3s"},
          {"--long-share", "0"},   {"--reopen-share", "0"}, {"--late-share", "0"}};
}

constexpr const char* kQuery = "details/query";
constexpr const char* kStatus = "details/jobs/[0-9a-f-]+$";
constexpr const char* kResults = "/results";
constexpr const char* kManyJobs =
    "{window: 2s, max_jobs: 8, poll_initial: 50ms, poll_max: 500ms, availability_every: 500ms, job_deadline: 2s}";

TEST(BadRecords, GoToTheDeadLetterTopicWithTheirPlaceAndThePageGoesOn) {
  std::string faults;
  for (const char* record : {"not_object", "no_id", "id_not_text"}) {
    for (const auto& [form, path] : std::map<std::string, std::string>{{"query", kQuery}, {"job", kResults}}) {
      faults +=
          (faults.empty() ? "" : ", ") + fault(fmt::format("{}-{}", record, form), path,
                                               fmt::format(R"("kind": "bad_record", "record": "{}")", record), R"(, "limit": 2)");
    }
  }
  ConnectorScene scene({.faults = faults});
  scene.start_connector();

  for (const char* record : {"not_object", "no_id", "id_not_text"}) {
    for (const char* form : {"query", "job"}) wait_for_strikes(scene, fmt::format("{}-{}", record, form), 2);
  }
  scene.wait_until_complete();
  const auto& connector = scene.connector();
  std::map<std::string, int> reasons;
  const auto letters = scene.records(scene.dead_letter_topic());
  for (const auto& letter : letters) {
    ++reasons[letter.headers.at("gk.lane") + " " + letter.headers.at("gk.reason")];
    EXPECT_EQ(letter.headers.at("gk.stream"), "conversations");
    EXPECT_THAT(letter.headers.at("gk.window"), HasSubstr("Z/"));
    EXPECT_THAT(letter.headers.at("gk.position"), Not(IsEmpty()));
    EXPECT_GE(std::stoi(letter.headers.at("gk.index")), 0);
    EXPECT_EQ(std::stoul(letter.headers.at("gk.size")), letter.value.value().size());
    EXPECT_THAT(letter.headers.at("gk.correlation-id"), Not(IsEmpty()));
  }
  // A window that is read again, because its total was wrong, is published once: its letters too.
  for (const char* lane : {"live", "settle"}) {
    EXPECT_THAT(reasons[fmt::format("{} not_an_object", lane)], AllOf(Ge(1), Le(2)));
    EXPECT_THAT(reasons[fmt::format("{} no_key", lane)], AllOf(Ge(1), Le(4)));
  }
  EXPECT_EQ(scene.connector().metric("genesys_kafka_dead_letters_total"), static_cast<double>(letters.size()));
  EXPECT_THAT(connector.log(), HasSubstr("records of a page cannot be published as such"));
  stop_and_judge(scene);
}

TEST(BadRecords, ARecordTooLargeForItsTopicIsADeadLetterAndTheStreamGoesOn) {
  ConnectorScene scene(
      {.faults = fault("query", kQuery, R"("kind": "bad_record", "record": "oversize", "bytes": 3000000)", R"(, "limit": 1)") +
                 ", " +
                 fault("job", kResults, R"("kind": "bad_record", "record": "oversize", "bytes": 3000000)", R"(, "limit": 1)")});
  scene.start_connector();

  for (const char* form : {"query", "job"}) wait_for_strikes(scene, form);
  scene.wait_until_complete();
  std::map<std::string, int> lanes;
  for (const auto& letter : scene.records(scene.dead_letter_topic())) {
    ++lanes[letter.headers.at("gk.lane")];
    EXPECT_EQ(letter.headers.at("gk.reason"), "oversize");
    EXPECT_GT(std::stoul(letter.headers.at("gk.size")), 3'000'000U);
    EXPECT_LT(letter.value.value().size(), 1'048'576U) << "no more than the topic takes";
  }
  EXPECT_EQ(lanes, (std::map<std::string, int>{{"live", 1}, {"settle", 1}}));
  stop_and_judge(scene);
}

struct BrokenPage {
  const char* name;
  const char* fault;
  bool in_both_lanes = true;  // false: only in a job's, whose windows wait beside each other when they fail
};

// Each strikes pages of both lanes a few times, so that what a wrong answer leaves half done would show.
TEST(BrokenPages, AreReadAgainAndNeverHalfCommitted) {
  constexpr BrokenPage kPages[] = {
      {"truncated", R"("kind": "truncate", "after": 3000)"},
      {"cut-json", R"("kind": "cut_json", "after": 3000)"},
      {"empty", R"("kind": "empty_body")", false},
      {"garbage", R"("kind": "garbage")"},
      {"html", R"("kind": "html")"},
      {"html-502", R"("kind": "html", "status": 502)"},
      {"text", R"("kind": "not_json")", false},
      {"long", R"("kind": "wrong_length")"},
      {"reset-before", R"("kind": "reset_before")"},
      {"reset-after", R"("kind": "reset_after")"},
      {"reset-inside", R"("kind": "reset_in_body", "after": 3000)"},
      {"closed", R"("kind": "close_after")"},
  };
  std::string faults;
  std::vector<std::string> names;
  int nth = 0;  // good answers in between: a lane whose windows fail in a row waits longer each time
  const auto add = [&](const BrokenPage& page, const std::string& form, const std::string& path) {
    names.push_back(fmt::format("{}-{}", page.name, form));
    faults += (faults.empty() ? "" : ", ") + fault(names.back(), path, page.fault, fmt::format(R"(, "nth": {})", nth));
  };
  for (const auto& page : kPages) {
    nth += 2;
    add(page, "job", kResults);
    if (page.in_both_lanes) add(page, "query", kQuery);
  }
  ConnectorScene scene({.faults = faults});
  scene.configuration.settle = kManyJobs;
  scene.start_connector();

  for (const auto& name : names) wait_for_strikes(scene, name);
  scene.wait_until_complete();
  EXPECT_THAT(scene.records(scene.dead_letter_topic()), IsEmpty());
  EXPECT_GT(scene.connector().metric("genesys_kafka_requests_total", {R"(outcome="malformed_response")"}), 0);
  stop_and_judge(scene);
}

TEST(HostileJson, NeitherCrashesNorBlocks) {
  std::string faults;
  const std::map<std::string, std::string> records{{"deep", R"("record": "deep", "depth": 100000)"},
                                                   {"broken", R"("record": "broken")"},
                                                   {"long", R"("record": "long_string", "bytes": 8000000)"}};
  for (const auto& [name, what] : records) {
    for (const auto& [form, path] : std::map<std::string, std::string>{{"query", kQuery}, {"job", kResults}}) {
      faults +=
          (faults.empty() ? "" : ", ") + fault(name + "-" + form, path, R"("kind": "bad_record", )" + what, R"(, "limit": 1)");
    }
  }
  ConnectorScene scene({.faults = faults});
  scene.start_connector();

  for (const auto& [name, what] : records) {
    for (const char* form : {"query", "job"}) wait_for_strikes(scene, name + "-" + form);
  }
  scene.wait_until_complete();
  EXPECT_EQ(scene.connector().get("/health/live").status, 200);
  stop_and_judge(scene);
}

// A page that stays unreadable holds up its own window, and no other lane.
TEST(HostileJson, APageThatStaysBrokenHoldsUpItsOwnLaneOnly) {
  ConnectorScene scene({.faults = fault("broken", kQuery, R"("kind": "bad_record", "record": "broken")")});
  auto& connector = scene.start_connector();
  const auto until = ConnectorScene::now();
  connector.wait_until_ready();

  connector.until("the other lane goes on", [&] {
    const auto ledgers = scene.ledgers();
    return ledgers.contains(connector::core::Lane::kSettle) &&
           ledgers.at(connector::core::Lane::kSettle).complete_until() >= until;
  });
  EXPECT_EQ(connector.metric("genesys_kafka_lane_failing", {R"(lane="live")"}), 1);
  EXPECT_EQ(connector.metric("genesys_kafka_lane_failing", {R"(lane="settle")"}), 0);
  for (const auto& record : scene.records(scene.topic())) EXPECT_NE(record.headers.at("gk.lane"), "live");

  scene.simulator().reset_faults();
  expect_complete(scene);
}

struct JobFault {
  const char* name;
  const char* path;
  int nth;  // good answers in between
  const char* what;
  const char* reason;  // of the restarted window
};

TEST(Jobs, ThatFailExpireNeverEndOrAreForgottenAreStartedAgainAndCompleted) {
  constexpr JobFault kFaults[] = {
      {"failed", kStatus, 1, R"("kind": "job_state", "state": "FAILED")", "job_failed"},
      {"cancelled", kStatus, 4, R"("kind": "job_state", "state": "CANCELLED")", "job_cancelled"},
      {"expired", kStatus, 7, R"("kind": "job_state", "state": "EXPIRED")", "job_expired"},
      {"forgotten", kStatus, 10, R"("kind": "status", "status": 404)", "job_unknown"},
      {"never-done", kStatus, 13, R"("kind": "job_state", "state": "PENDING")", "job_never_finished"},
      {"cursor-unknown", "cursor=", 1, R"("kind": "unknown_cursor", "status": 400)", "job_unknown"},
      {"cursor-not-found", "cursor=", 3, R"("kind": "unknown_cursor", "status": 404)", "job_unknown"},
      {"cursor-refused", "cursor=", 5, R"("kind": "status", "status": 400)", "position_rejected"},
  };
  std::string faults;
  std::map<std::string, int> restarts;
  for (const auto& one : kFaults) {
    faults += (faults.empty() ? "" : ", ") + fault(one.name, one.path, one.what, fmt::format(R"(, "nth": {})", one.nth));
    ++restarts[one.reason];
  }
  ConnectorScene scene({.simulator = unchanging(), .faults = faults});
  scene.configuration.job_page_size = 30;
  scene.configuration.settle = kManyJobs;
  auto& connector = scene.start_connector();

  for (const auto& [reason, times] : restarts) {
    connector.until(reason + " starts windows again", [&] {
      return connector.metric("genesys_kafka_windows_restarted_total", {fmt::format(R"(reason="{}")", reason)}) >= times;
    });
  }
  for (const auto& one : kFaults) wait_for_strikes(scene, one.name);
  expect_complete(scene);
}

TEST(Service, DownForLongOpensTheBreakerAndLeavesNoGap) {
  ConnectorScene scene({.simulator = unchanging()});  // its second life has forgotten every job
  scene.configuration.retry = "{initial: 20ms, max: 500ms, deadline: 2s}";
  scene.configuration.breaker = "{failures: 3, open: 300ms, max_open: 1s}";
  auto& connector = scene.start_connector();
  scene.wait_until_committed();
  const auto breaker = [&connector](const char* state) {
    return connector.metric("genesys_kafka_breaker_state", {fmt::format(R"(state="{}")", state)}) == 1;
  };

  scene.simulator().add_faults(fault("503", "/api/v2", R"("kind": "status", "status": 503)"));
  connector.until("the breaker opens", [&] { return breaker("open"); });
  const auto down_since = ConnectorScene::now();
  connector.until("it has been down for a while", [&] { return scene.simulator().strikes("503") >= 6; });
  scene.simulator().reset_faults();
  connector.until("the breaker closes", [&] { return breaker("closed"); });
  scene.wait_until_complete(down_since);

  scene.simulator().stop();
  connector.until("the breaker opens again", [&] { return breaker("open"); });
  EXPECT_EQ(connector.get("/health/live").status, 200);
  EXPECT_EQ(connector.get("/health/ready").status, 200) << "an outage is a metric";
  scene.simulator().start();
  connector.until("the breaker closes again", [&] { return breaker("closed"); });

  expect_complete(scene);
}

TEST(Service, AwayAtTheStartIsWaitedFor) {
  ConnectorScene scene;
  scene.configuration.retry = "{initial: 20ms, max: 200ms, deadline: 1s}";
  scene.simulator().stop();
  auto& connector = scene.start_connector();

  connector.wait_for_log("the service does not tell the organisation; trying again");
  EXPECT_EQ(connector.get("/health/live").status, 200);
  EXPECT_EQ(connector.get("/health/ready").status, 503);
  scene.simulator().start();

  expect_complete(scene);
}

TEST(Credentials, AWrongSecretIsSaidAndAReplacedOneIsTakenWithoutARestart) {
  ConnectorScene scene;
  scene.write_secret("not-the-secret");
  auto& connector = scene.start_connector();
  connector.wait_for_log("credentials_invalid");
  EXPECT_THAT(connector.log(), AllOf(HasSubstr("simulator-client"), Not(HasSubstr("not-the-secret"))));
  EXPECT_EQ(connector.get("/health/ready").status, 503);
  // Slowly: a service may lock a client that keeps asking.
  EXPECT_EQ(connector.metric("genesys_kafka_token_renewals_total", {R"(result="failed")"}), 1);

  scene.write_secret("simulator-secret");

  connector.wait_until_ready(20s);
  expect_complete(scene);
}

TEST(Credentials, AnExpiredOrRevokedTokenIsRenewed) {
  ConnectorScene scene({.simulator = {{"--token-life", "2s"}},
                        .faults = fault("revoked", kQuery, R"("kind": "revoke_tokens")", R"(, "every": 5)")});
  auto& connector = scene.start_connector();

  connector.until("several tokens were used",
                  [&] { return connector.metric("genesys_kafka_token_renewals_total", {R"(result="ok")"}) >= 4; });
  EXPECT_GT(scene.simulator().strikes("revoked"), 0U);
  expect_complete(scene);
}

// G8 by measurement: a backlog is worked off at the permitted pace, without a single 429.
TEST(Quota, ABacklogIsWorkedOffWithinTheShareAndWithoutA429) {
  constexpr double kShare = 0.8;
  constexpr double kAllowedPerSecond = 600.0 / 60;
  ConnectorScene scene({.simulator = {{"--rate", "600"}, {"--rate-window", "60s"}, {"--spacing", "50ms"}}});
  scene.configuration.budget = fmt::format("{{share: {}}}", kShare);
  scene.configuration.live = "{every: 1s, delay: 300ms}";
  const auto began = std::chrono::steady_clock::now();
  scene.start_connector();

  scene.wait_until_complete();

  const auto sent = static_cast<double>(scene.simulator().requests());
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began;
  EXPECT_EQ(scene.simulator().rate_limited(), 0U);
  // Late timers are made up for: the slots of a second may come at once. One more request is the token's.
  EXPECT_LE(sent, kShare * kAllowedPerSecond * (elapsed.count() + 1) + 1);
  EXPECT_GT(scene.connector().metric("genesys_kafka_budget_waits_total"), 0) << "there was no backlog to pace";
  stop_and_judge(scene);
}

TEST(Quota, A429IsObeyed) {
  ConnectorScene scene({.faults = fault("throttled", "details/", R"("kind": "status", "status": 429, "retry_after": 1)",
                                        R"(, "every": 7, "limit": 3)")});
  scene.start_connector();

  wait_for_strikes(scene, "throttled", 3);
  scene.wait_until_complete();
  EXPECT_EQ(scene.connector().metric("genesys_kafka_token_renewals_total"), 1) << "a new token is no way around a 429";
  stop_and_judge(scene);
}

}  // namespace
}  // namespace tests::integration
