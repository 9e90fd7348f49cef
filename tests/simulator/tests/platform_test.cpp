#include "tests/simulator/aggregates.h"
#include "tests/simulator/tests/caller.h"

#include <algorithm>

namespace tests::simulator {
namespace {

class Platform : public testing::Test {
 protected:
  Platform() : caller(small_world(), at("2026-05-03T12:00:00Z")) {}
  Caller caller;
};

TEST_F(Platform, NamesTheOrganizationTheTokenAndTheLimits) {
  const auto organization = Caller::json(caller.get("/api/v2/organizations/me"));
  const auto token = Caller::json(caller.get("/api/v2/tokens/me"));
  const auto limits = Caller::json(caller.get("/api/v2/organizations/limits/namespaces/platform.api"));
  const auto subject = Caller::json(caller.get("/api/v2/authorization/subjects/me"));

  EXPECT_EQ(common::json::find_string(token.at("organization"), "id"), common::json::find_string(organization, "id"));
  EXPECT_EQ(common::json::find_string(token.at("OAuthClient"), "id"), "simulator-client");
  EXPECT_EQ(common::json::find_string(limits.at("entities").at(0), "key"), "client.credentials.token.rate.per.minute");
  EXPECT_EQ(common::json::find_string(subject.at("grants").at(0).at("role").at("policies").at(0), "entityName"),
            "conversationDetail");
  EXPECT_EQ(caller.get("/api/v2/organizations/limits/namespaces/nonsense").status, 404);
  EXPECT_EQ(caller.send("HEAD", "/api/v2/tokens/me").status, 200);
}

TEST_F(Platform, ListsItsRoutesByTheNamesThatItCountsThemBy) {
  caller.get("/api/v2/organizations/limits/namespaces/analytics");
  caller.query("2026-05-02T10:00:00Z/2026-05-02T10:20:00Z", 1, 10);
  caller.get("/nowhere");
  const auto routes = Caller::json(caller.get("/_sim/routes")).as_array();
  const auto stats = Caller::json(caller.get("/_sim/stats"));
  const auto listed = [&](std::string_view name) { return std::ranges::count(routes, common::json::Value(name)); };

  EXPECT_EQ(listed("POST /oauth/token"), 1);
  EXPECT_EQ(listed("GET /api/v2/organizations/limits/namespaces/{ns}"), 1);
  for (const auto& endpoint : stats.at("endpoints").as_object()) {
    EXPECT_EQ(listed(endpoint.key()), endpoint.key() == "unknown" ? 0 : 1) << endpoint.key();
  }
}

TEST_F(Platform, EveryAnswerHasDateAndCorrelation) {
  SimulatorOptions options = small_world();
  options.clock_skew = std::chrono::seconds{90};
  Caller skewed(options, at("2026-05-03T12:00:00Z"));

  const auto reply = skewed.get("/nowhere");

  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(Caller::header(reply, "Date"), "Sun, 03 May 2026 12:01:30 GMT");
  EXPECT_EQ(Caller::header(reply, "ININ-Correlation-Id"), common::json::find_string(Caller::json(reply), "contextId"));
}

TEST_F(Platform, RefusesWhatIsNoProperRequest) {
  constexpr std::string_view kQuery = "/api/v2/analytics/conversations/details/query";

  EXPECT_EQ(caller.send("PUT", kQuery, "{}").status, 405);
  EXPECT_EQ(caller.send("POST", kQuery, "not json").status, 400);
  EXPECT_EQ(caller.send("POST", kQuery, std::string(512'001, ' ')).status, 413);
  EXPECT_EQ(caller.send("POST", kQuery).status, 415);
}

TEST_F(Platform, ServedTellsWindowsAndCompletion) {
  caller.query("2026-05-02T10:00:00Z/2026-05-02T10:20:00Z", 1, 10);
  caller.query("2026-05-02T10:00:00Z/2026-05-02T10:20:00Z", 1, 10);
  const auto before = Caller::json(caller.get("/_sim/served?form=query"));
  for (int page = 2; page < 5; ++page) {
    caller.query("2026-05-02T10:00:00Z/2026-05-02T10:20:00Z", page, 10);
  }
  const auto after = Caller::json(caller.get("/_sim/served?form=query&ids=true"));

  EXPECT_EQ(before.at("windows").at(0).at("completions"), 0);
  EXPECT_EQ(before.at("windows").at(0).at("records"), 20);
  EXPECT_EQ(before.at("windows").at(0).at("distinct"), 10);
  EXPECT_GE(after.at("windows").at(0).at("completions").as_int64(), 1);
  EXPECT_GE(after.at("windows").at(0).at("ids").as_array().size(), 20U);
}

TEST_F(Platform, TruthComesAsLinesToo) {
  const auto lines = caller.get("/_sim/truth?format=ndjson&from=2026-05-02T10:00:00Z&to=2026-05-02T10:05:00Z");

  EXPECT_EQ(std::ranges::count(lines.body, '\n'), 5);
  EXPECT_TRUE(lines.body.starts_with("{\"id\":\""));
  EXPECT_EQ(caller.get("/_sim/truth?from=x").status, 400);
}

TEST_F(Platform, TruthComesAsTheRecordsThemselvesToo) {
  const auto lines = caller.get("/_sim/truth?form=job&from=2026-05-02T10:00:00Z&to=2026-05-02T10:05:00Z");

  EXPECT_EQ(std::ranges::count(lines.body, '\n'), 5);
  const auto first = common::json::parse(lines.body.substr(0, lines.body.find('\n'))).value();
  const std::string id(first.at("conversationId").as_string());
  EXPECT_EQ(lines.body.substr(0, lines.body.find('\n')),
            caller.get("/_sim/record?form=job&at=" + common::format_instant(caller.now) + "&id=" + id).body);
  EXPECT_EQ(caller.get("/_sim/truth?form=x&from=2026-05-02T10:00:00Z&to=2026-05-02T10:05:00Z").status, 400);
}

support::Reply aggregate(Caller& caller, std::string_view body) {
  return caller.send("POST", "/api/v2/analytics/conversations/aggregates/query", body);
}

TEST_F(Platform, AggregatesAddUpToTheDetails) {
  const auto reply = aggregate(
      caller,
      R"({"interval":"2026-05-02T10:00:00Z/2026-05-02T12:00:00Z","granularity":"PT30M","groupBy":["mediaType"],"metrics":["nConnected","tHandle"]})");

  ASSERT_EQ(reply.status, 200) << reply.body;
  std::int64_t connected = 0;
  const auto body = Caller::json(reply);
  for (const auto& group : body.at("results").as_array()) {
    for (const auto& bucket : group.at("data").as_array()) {
      for (const auto& metric : bucket.at("metrics").as_array()) {
        connected += metric.at("metric") == "nConnected" ? metric.at("stats").at("count").as_int64() : 0;
      }
    }
  }
  EXPECT_EQ(connected, 120);
}

// "The interval offset is used even when timeZone is specified", and without a granularity there is one bucket.
TEST_F(Platform, AggregatesWithoutAGranularityAreOneBucketWhateverTheZone) {
  const auto ask = [&](const std::string& more) {
    return aggregate(caller, R"({"interval":"2026-05-01T22:00:00Z/2026-05-02T22:00:00Z","metrics":["nConnected"])" + more + "}");
  };

  const auto reply = ask(R"(,"timeZone":"Europe/Berlin")");

  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto body = Caller::json(reply);
  const auto& data = body.at("results").at(0).at("data").as_array();
  ASSERT_EQ(data.size(), 1U);
  EXPECT_EQ(data[0].at("interval").as_string(), "2026-05-01T22:00:00.000Z/2026-05-02T22:00:00.000Z");
  EXPECT_EQ(Caller::json(ask("")), body);
}

TEST_F(Platform, AggregatesRefuseWhatTheyCannot) {
  EXPECT_EQ(aggregate(caller, R"({"interval":"2026-05-02T10:00:00Z/2026-05-02T12:00:00Z"})").status, 400);
  EXPECT_EQ(aggregate(caller, R"({"interval":"2026-05-02T10:00:00Z/2026-05-02T12:00:00Z","metrics":["speed"]})").status, 400);
  EXPECT_EQ(
      aggregate(caller, R"({"interval":"2026-05-02T10:00:00Z/2026-05-02T12:00:00Z","metrics":["nOffered"],"granularity":"30m"})")
          .status,
      400);
  const auto users = caller.send("POST", "/api/v2/analytics/users/aggregates/query",
                                 R"({"interval":"2026-05-02T10:00:00Z/2026-05-02T12:00:00Z","metrics":["tHandle"]})");
  EXPECT_EQ(users.status, 400);
}

TEST_F(Platform, UserAggregatesFillTheInterval) {
  const auto reply = caller.send(
      "POST", "/api/v2/analytics/users/aggregates/query",
      R"({"interval":"2026-05-02T10:00:00Z/2026-05-02T12:00:00Z","metrics":["tSystemPresence"],"groupBy":["userId"]})");

  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto body = Caller::json(reply);
  ASSERT_EQ(body.at("results").as_array().size(), 20U);
  for (const auto& user : body.at("results").as_array()) {
    std::int64_t sum = 0;
    for (const auto& metric : user.at("data").at(0).at("metrics").as_array()) {
      sum += metric.at("stats").at("sum").as_int64();
    }
    EXPECT_EQ(sum, 2 * 3'600'000);
  }
}

TEST_F(Platform, UserDetailsPageAndTheirStatesJoin) {
  std::size_t users = 0;
  for (int page = 1; page <= 3; ++page) {
    const auto reply =
        caller.send("POST", "/api/v2/analytics/users/details/query",
                    R"({"interval":"2026-05-02T10:00:00Z/2026-05-02T12:00:00Z","paging":{"pageSize":8,"pageNumber":)" +
                        std::to_string(page) + "}}");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const auto body = Caller::json(reply);
    for (const auto& user : body.at("userDetails").as_array()) {
      ++users;
      const auto& presences = user.at("primaryPresence").as_array();
      for (std::size_t entry = 1; entry < presences.size(); ++entry) {
        EXPECT_EQ(presences[entry].at("startTime"), presences[entry - 1].at("endTime"));
      }
    }
  }
  EXPECT_EQ(users, 20U);
}

TEST_F(Platform, ObservationsNeedAQueue) {
  constexpr std::string_view kPath = "/api/v2/analytics/queues/observations/query";
  const std::string queue = caller.simulator.service().world.queue(0);

  const auto reply =
      caller.send("POST", kPath,
                  R"({"filter":{"type":"or","predicates":[{"dimension":"queueId","value":")" + queue +
                      R"("}]},"metrics":["oInteracting","oUserRoutingStatuses"],"detailMetrics":["oInteracting"]})");

  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_FALSE(Caller::json(reply).at("results").as_array().empty());
  EXPECT_EQ(caller.send("POST", kPath, R"({"filter":{"type":"or","predicates":[]},"metrics":["oWaiting"]})").status, 400);
  EXPECT_EQ(caller.send("POST", kPath, R"({"metrics":["oWaiting"]})").status, 400);
}

TEST(Period, IsoPeriodsOnly) {
  EXPECT_EQ(parse_period("PT15M"), std::chrono::minutes{15});
  EXPECT_EQ(parse_period("P1D"), std::chrono::hours{24});
  EXPECT_EQ(parse_period("P1DT1H30M5S"), std::chrono::seconds{86'400 + 3'600 + 1'800 + 5});
  for (const std::string_view bad : {"", "P", "PT", "15M", "PT15", "P1H", "PT1D", "PT0S", "P-1D"}) {
    EXPECT_FALSE(parse_period(bad)) << bad;
  }
}

}  // namespace
}  // namespace tests::simulator
