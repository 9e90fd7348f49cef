#include "tests/simulator/fault_script.h"

#include "tests/simulator/tests/caller.h"

#include <algorithm>

namespace tests::simulator {
namespace {

constexpr std::string_view kHour = "2026-05-02T10:00:00.000Z/2026-05-02T11:00:00.000Z";
constexpr std::string_view kDay = "2026-05-02T00:00:00.000Z/2026-05-03T00:00:00.000Z";

common::Result<void> add(FaultScript& script, std::string_view text) {
  return script.add(common::json::parse(text).value());
}

std::string strikes(FaultScript& script, int requests) {
  std::string pattern;
  for (int request = 0; request < requests; ++request) {
    pattern += script.next("GET", "/api/v2/x?a=b") ? 'x' : '.';
  }
  return pattern;
}

struct Matching {
  std::string name;
  std::string match;
  std::string pattern;
};
void PrintTo(const Matching& matching, std::ostream* out) {
  *out << matching.name;
}

class FaultMatch : public testing::TestWithParam<Matching> {};

TEST_P(FaultMatch, StrikesWhenItShould) {
  FaultScript script(1);
  ASSERT_TRUE(add(script, R"({"rules":[{"match":)" + GetParam().match + R"(,"fault":{"kind":"status","status":503}}]})"));

  EXPECT_EQ(strikes(script, 8), GetParam().pattern);
}

INSTANTIATE_TEST_SUITE_P(Of, FaultMatch,
                         testing::Values(Matching{"always", "{}", "xxxxxxxx"}, Matching{"nth", R"({"nth":3})", "..x....."},
                                         Matching{"first", R"({"first":2})", "xx......"},
                                         Matching{"every", R"({"every":3})", "..x..x.."},
                                         Matching{"limit", R"({"every":2,"limit":2})", ".x.x...."},
                                         Matching{"method", R"({"method":"POST"})", "........"},
                                         Matching{"path", R"({"path":"/api/v2/x\\?a"})", "xxxxxxxx"},
                                         Matching{"other_path", R"({"path":"^/oauth"})", "........"},
                                         Matching{"never", R"({"probability":0})", "........"}),
                         testing::PrintToStringParamName());

TEST(FaultScript, ChanceIsSeeded) {
  constexpr std::string_view kHalf = R"({"rules":[{"match":{"probability":0.5},"fault":{"kind":"reset_after"}}]})";
  FaultScript one(1);
  FaultScript same(1);
  FaultScript other(2);
  ASSERT_TRUE(add(one, kHalf) && add(same, kHalf) && add(other, kHalf));

  const std::string pattern = strikes(one, 200);

  EXPECT_EQ(pattern, strikes(same, 200));
  EXPECT_NE(pattern, strikes(other, 200));
  EXPECT_NEAR(static_cast<double>(std::ranges::count(pattern, 'x')), 100, 35);
}

TEST(FaultScript, TheFirstRuleThatStrikesWins) {
  FaultScript script(1);
  ASSERT_TRUE(
      add(script,
          R"({"rules":[{"match":{"nth":2},"fault":{"kind":"status","status":500}},{"fault":{"kind":"status","status":503}}]})"));

  EXPECT_EQ(script.next("GET", "/")->status, 503);
  EXPECT_EQ(script.next("GET", "/")->status, 500);
}

TEST(FaultScript, ABadRuleIsNamedAndNothingIsAdded) {
  for (const std::string_view bad :
       {R"({"rules":[{"fault":{"kind":"status"}},{"fault":{"kind":"earthquake"}}]})", R"({"rules":[{"match":{"nth":1}}]})",
        R"({"rules":[{"fault":{"kind":"delay","by":"5"}}]})", R"({"rules":[{"match":{"path":"("},"fault":{"kind":"html"}}]})",
        R"({"rules":[{"match":{"nht":1},"fault":{"kind":"html"}}]})",
        R"({"rules":[{"fault":{"kind":"job_state","state":"LOST"}}]})",
        R"({"rules":[{"fault":{"kind":"bad_record","record":"worst"}}]})", R"({"rules":7})"}) {
    FaultScript script(1);

    const auto added = add(script, bad);

    ASSERT_FALSE(added) << bad;
    EXPECT_EQ(added.error().code, common::ErrorCode::kConfigInvalid);
    EXPECT_FALSE(script.next("GET", "/")) << bad;
  }
}

class Faults : public testing::Test {
 protected:
  Faults() : caller(small_world(), at("2026-05-04T00:00:00Z")) {}

  support::Reply query_with(std::string_view fault, int page = 1) {
    caller.send("POST", "/_sim/reset-faults");
    caller.make_fault(R"({"match":{"path":"details/query"},"fault":)" + std::string(fault) + "}");
    return caller.query(kHour, page, 10);
  }
  std::string finished_job() {
    const std::string job = caller.submit(kDay, R"(,"startOfDayIntervalMatching":true)");
    caller.now += std::chrono::seconds{5};
    return job;
  }
  support::Reply results_with(const std::string& job, std::string_view fault, std::string_view cursor = "") {
    caller.send("POST", "/_sim/reset-faults");
    caller.make_fault(R"({"match":{"path":"results"},"fault":)" + std::string(fault) + "}");
    return caller.get(std::string(Caller::kJobs) + "/" + job + "/results?pageSize=10" +
                      (cursor.empty() ? "" : "&cursor=" + std::string(cursor)));
  }

  Caller caller;
};

TEST_F(Faults, StatusesHaveTheServicesBodies) {
  const auto limited = query_with(R"({"kind":"status","status":429,"retry_after":7})");
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(Caller::header(limited, "Retry-After"), "7");
  EXPECT_EQ(Caller::code(limited), "too.many.requests.retry.after");
  const auto bare = query_with(R"({"kind":"status","status":429})");
  EXPECT_EQ(Caller::header(bare, "Retry-After"), "<absent>");
  EXPECT_EQ(Caller::code(bare), "too.many.requests");
  EXPECT_EQ(Caller::code(query_with(R"({"kind":"status","status":401})")), "bad.credentials");
  EXPECT_EQ(Caller::code(query_with(R"({"kind":"status","status":403})")), "missing.any.permissions");
  EXPECT_EQ(Caller::code(query_with(R"({"kind":"status","status":408})")), "client.timeout");
  EXPECT_EQ(Caller::code(query_with(R"({"kind":"status","status":500})")), "internal.server.error");
  EXPECT_EQ(Caller::code(query_with(R"({"kind":"status","status":504})")), "request.timeout");
  EXPECT_EQ(Caller::code(query_with(R"({"kind":"status","status":400,"code":"too.complex","message":"Query too complex"})")),
            "too.complex");
}

TEST_F(Faults, TransportOnesKeepTheAnswer) {
  struct Kind {
    std::string_view fault;
    support::Fault expected;
  };
  for (const Kind& kind : {Kind{R"({"kind":"reset_after"})", support::Fault::kResetBeforeAnswer},
                           Kind{R"({"kind":"close_after"})", support::Fault::kCloseBeforeAnswer},
                           Kind{R"({"kind":"truncate","after":10})", support::Fault::kTruncateBody},
                           Kind{R"({"kind":"reset_in_body","after":10})", support::Fault::kResetInBody},
                           Kind{R"({"kind":"wrong_length"})", support::Fault::kLongerThanLength},
                           Kind{R"({"kind":"never_answer"})", support::Fault::kNeverAnswer},
                           Kind{R"({"kind":"stall","after":10})", support::Fault::kStallInBody},
                           Kind{R"({"kind":"drip","by":"5ms"})", support::Fault::kDripBody},
                           Kind{R"({"kind":"garbage"})", support::Fault::kGarbage}}) {
    const auto reply = query_with(kind.fault);

    EXPECT_EQ(reply.fault, kind.expected) << kind.fault;
    EXPECT_EQ(Caller::ids(reply).size(), 10U) << kind.fault;
  }
  EXPECT_EQ(query_with(R"({"kind":"truncate","after":10})").fault_after, 10U);
  EXPECT_EQ(query_with(R"({"kind":"delay","by":"2s"})").delay, std::chrono::seconds{2});
}

TEST_F(Faults, AResetBeforeLeavesTheRequestUndoneAndAResetAfterDoesNot) {
  const auto jobs = [&] { return caller.simulator.service().jobs.running(caller.now); };
  caller.make_fault(R"({"match":{"method":"POST","nth":1},"fault":{"kind":"reset_before"}})");
  const std::string body = R"({"interval":"2026-05-02T00:00:00Z/2026-05-03T00:00:00Z"})";

  EXPECT_EQ(caller.send("POST", Caller::kJobs, body).fault, support::Fault::kResetBeforeAnswer);
  EXPECT_EQ(jobs(), 0U);
  caller.send("POST", "/_sim/reset-faults");
  caller.make_fault(R"({"match":{"method":"POST","nth":1},"fault":{"kind":"reset_after"}})");
  EXPECT_EQ(caller.send("POST", Caller::kJobs, body).fault, support::Fault::kResetBeforeAnswer);
  EXPECT_EQ(jobs(), 1U);
}

TEST_F(Faults, BodiesThatAreNotTheAnswer) {
  EXPECT_EQ(Caller::header(query_with(R"({"kind":"html"})"), "Content-Type"), "text/html; charset=utf-8");
  EXPECT_FALSE(common::json::parse(query_with(R"({"kind":"not_json"})").body));
  EXPECT_FALSE(common::json::parse(query_with(R"({"kind":"cut_json"})").body));
  EXPECT_TRUE(query_with(R"({"kind":"empty_body"})").body.empty());
}

TEST_F(Faults, QueryPagesDriftRepeatAndFallShort) {
  caller.send("POST", "/_sim/reset-faults");
  const auto first = Caller::ids(caller.query(kHour, 1, 10));
  const auto second = Caller::ids(caller.query(kHour, 2, 10));

  EXPECT_EQ(Caller::ids(query_with(R"({"kind":"duplicate_page"})", 2)), first);
  const auto drifted = Caller::ids(query_with(R"({"kind":"drift","count":3})", 2));
  EXPECT_EQ(drifted.front(), first[7]);
  EXPECT_EQ(drifted[3], second[0]);
  EXPECT_EQ(Caller::ids(query_with(R"({"kind":"duplicate_rows","count":2})")).size(), 12U);
  EXPECT_EQ(Caller::ids(query_with(R"({"kind":"short_page","count":4})")).size(), 6U);
  const auto empty = query_with(R"({"kind":"empty_page"})");
  EXPECT_TRUE(Caller::json(empty).at("conversations").as_array().empty());
  const auto total = common::json::find_int(Caller::json(caller.query(kHour, 1, 10)), "totalHits");
  EXPECT_NE(common::json::find_int(Caller::json(query_with(R"({"kind":"wrong_total","factor":3})")), "totalHits"), total);
}

TEST_F(Faults, ShortAndEmptyJobPagesLoseNothing) {
  const std::string job = finished_job();
  const auto whole = Caller::ids(results_with(job, R"({"kind":"no_rate_headers"})"));

  const auto part = results_with(job, R"({"kind":"short_page","count":4})");
  const std::string cursor = common::json::find_string(Caller::json(part), "cursor").value();
  const auto rest = Caller::ids(results_with(job, R"({"kind":"no_rate_headers"})", cursor));
  auto joined = Caller::ids(part);
  joined.insert(joined.end(), rest.begin(), rest.begin() + 4);
  EXPECT_EQ(joined, whole);

  const auto empty = results_with(job, R"({"kind":"empty_page"})");
  EXPECT_TRUE(Caller::json(empty).at("conversations").as_array().empty());
  const std::string again = common::json::find_string(Caller::json(empty), "cursor").value();
  EXPECT_EQ(Caller::ids(results_with(job, R"({"kind":"no_rate_headers"})", again)), whole);
}

TEST_F(Faults, JobsFailExpireAndNeverFinish) {
  for (const std::string state : {"FAILED", "CANCELLED", "EXPIRED", "PENDING"}) {
    const std::string job = finished_job();
    caller.make_fault(R"({"match":{"path":")" + job + R"(","nth":1},"fault":{"kind":"job_state","state":")" + state + R"("}})");
    const std::string path = std::string(Caller::kJobs) + "/" + job;

    EXPECT_EQ(common::json::find_string(Caller::json(caller.get(path)), "state"), state);
    caller.now += std::chrono::minutes{10};
    EXPECT_EQ(common::json::find_string(Caller::json(caller.get(path)), "state"), state);
    EXPECT_GE(caller.get(path + "/results").status, 400);
  }
}

TEST_F(Faults, CursorAndReadinessAreDeniedWithTheStatusChosen) {
  const std::string job = finished_job();

  EXPECT_EQ(results_with(job, R"({"kind":"unknown_cursor"})").status, 400);
  EXPECT_EQ(results_with(job, R"({"kind":"unknown_cursor","status":404})").status, 404);
  EXPECT_EQ(results_with(job, R"({"kind":"not_ready"})").status, 400);
  EXPECT_EQ(results_with(job, R"({"kind":"not_ready","status":404})").status, 404);
}

TEST_F(Faults, BadRecordsStandAmongGoodOnes) {
  EXPECT_NE(query_with(R"({"kind":"bad_record","record":"not_object"})").body.find("[42]"), std::string::npos);
  EXPECT_EQ(std::ranges::count(Caller::ids(query_with(R"({"kind":"bad_record","record":"no_id"})")), "<none>"), 1);
  EXPECT_EQ(std::ranges::count(Caller::ids(query_with(R"({"kind":"bad_record","record":"id_not_text"})")), "<none>"), 1);
  EXPECT_GT(query_with(R"({"kind":"bad_record","record":"oversize","bytes":3000000})").body.size(), 3'000'000U);
  EXPECT_NE(query_with(R"({"kind":"bad_record","record":"deep","depth":5000})").body.find(std::string(5'000, '[')),
            std::string::npos);
  EXPECT_FALSE(common::json::parse(query_with(R"({"kind":"bad_record","record":"broken"})").body));
}

TEST_F(Faults, TokensAreRevoked) {
  caller.make_fault(R"({"match":{"path":"organizations","nth":1},"fault":{"kind":"revoke_tokens"}})");

  EXPECT_EQ(caller.get("/api/v2/organizations/me").status, 401);
  caller.log_in();
  EXPECT_EQ(caller.get("/api/v2/organizations/me").status, 200);
}

TEST_F(Faults, AreCountedAndNeverStrikeTheHooks) {
  caller.make_fault(R"({"name":"everything","fault":{"kind":"status","status":500}})");

  EXPECT_EQ(caller.get("/api/v2/organizations/me").status, 500);
  const auto stats = Caller::json(caller.get("/_sim/stats"));
  EXPECT_EQ(common::json::find_int(stats.at("faults"), "everything"), 1);
}

}  // namespace
}  // namespace tests::simulator
