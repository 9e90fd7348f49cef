#include "tests/simulator/tests/caller.h"

#include <algorithm>

namespace tests::simulator {
namespace {

constexpr std::string_view kDay = "2026-05-02T00:00:00.000Z/2026-05-03T00:00:00.000Z";
constexpr std::string_view kByStartDay = R"(,"startOfDayIntervalMatching":true)";

std::string path(const std::string& job, std::string_view rest = "") {
  return std::string(Caller::kJobs) + "/" + job + std::string(rest);
}

struct Read {
  std::vector<std::string> ids;
  int pages = 0;
  std::string available;
};

Read read_results(Caller& caller, const std::string& job, int size) {
  Read read;
  std::string cursor;
  do {
    const auto reply =
        caller.get(path(job, "/results?pageSize=" + std::to_string(size) + (cursor.empty() ? "" : "&cursor=" + cursor)));
    EXPECT_EQ(reply.status, 200) << reply.body;
    const auto ids = Caller::ids(reply);
    read.ids.insert(read.ids.end(), ids.begin(), ids.end());
    read.available = common::json::find_string(Caller::json(reply), "dataAvailabilityDate").value_or("");
    cursor = common::json::find_string(Caller::json(reply), "cursor").value_or("");
    ++read.pages;
  } while (!cursor.empty() && read.pages < 1'000);
  return read;
}

TEST(Jobs, GoThroughTheirStates) {
  Caller caller(small_world(), at("2026-05-04T00:00:00Z"));
  const std::string job = caller.submit(kDay);
  const auto state = [&] { return common::json::find_string(Caller::json(caller.get(path(job))), "state").value(); };

  EXPECT_EQ(caller.get(path(job)).status, 202);
  EXPECT_EQ(state(), "QUEUED");
  EXPECT_EQ(caller.get(path(job, "/results")).status, 400);
  caller.now += std::chrono::seconds{1};
  EXPECT_EQ(state(), "PENDING");
  caller.now += std::chrono::seconds{2};
  EXPECT_EQ(caller.get(path(job)).status, 200);
  EXPECT_EQ(state(), "FULFILLED");
  EXPECT_EQ(caller.get(path(job, "/results")).status, 200);
  caller.now += std::chrono::hours{23};
  caller.log_in();
  EXPECT_EQ(state(), "FULFILLED");
  caller.now += std::chrono::hours{1};
  caller.log_in();
  EXPECT_EQ(state(), "EXPIRED");
  EXPECT_EQ(caller.get(path(job, "/results")).status, 404);
  caller.now += std::chrono::hours{24};
  caller.log_in();
  EXPECT_EQ(caller.get(path(job)).status, 404);
}

TEST(Jobs, CursorsGiveEverythingOnceInAnyPageSize) {
  Caller caller(small_world(), at("2026-05-05T00:00:00Z"));
  const std::string job = caller.submit(kDay, kByStartDay);
  caller.now += std::chrono::seconds{5};

  const Read small = read_results(caller, job, 100);
  const Read large = read_results(caller, job, 1'000);

  EXPECT_EQ(small.pages, 15);
  EXPECT_EQ(large.pages, 2);
  EXPECT_EQ(small.ids, large.ids);
  EXPECT_EQ(std::set<std::string>(small.ids.begin(), small.ids.end()).size(), 1'440U);
}

TEST(Jobs, StartOfDayMatchingGivesEveryConversationOneHomeDay) {
  SimulatorOptions options = small_world();
  options.world.long_share = 0.2;
  Caller caller(options, at("2026-05-06T00:00:00Z"));
  const std::string next_day = "2026-05-03T00:00:00.000Z/2026-05-04T00:00:00.000Z";
  const std::string first = caller.submit(kDay, kByStartDay);
  const std::string second = caller.submit(next_day, kByStartDay);
  const std::string overlapping = caller.submit(next_day);
  caller.now += std::chrono::seconds{5};

  const auto a = read_results(caller, first, 1'000).ids;
  const auto b = read_results(caller, second, 1'000).ids;
  const auto c = read_results(caller, overlapping, 1'000).ids;

  EXPECT_EQ(a.size(), 1'440U);
  EXPECT_EQ(b.size(), 1'440U);
  EXPECT_TRUE(std::ranges::none_of(a, [&](const auto& id) { return std::ranges::find(b, id) != b.end(); }));
  EXPECT_GT(c.size(), 1'440U + 200U);  // the long ones of the days before overlap
}

TEST(Jobs, ShowTheLakeAsOfItsAvailabilityDate) {
  Caller caller(small_world(), at("2026-05-02T12:34:56Z"));
  const World& world = caller.simulator.service().world;
  const std::string job = caller.submit(kDay, kByStartDay);
  caller.now += std::chrono::seconds{5};

  const Read read = read_results(caller, job, 1'000);

  EXPECT_EQ(read.available, "2026-05-02T11:30:00Z");
  for (const auto& id : read.ids) {
    EXPECT_LT(world.start_of(world.index_of(id).value()), at("2026-05-02T11:30:00Z"));
  }
  const auto last = caller.get("/_sim/record?form=job&at=2026-05-02T11:30:00Z&id=" + read.ids.back());
  EXPECT_EQ(last.body.find("conversationEnd"), std::string::npos);  // began at most a minute before
}

TEST(Deletion, TakesAConversationOutOfQueriesReadsByIdAndInTimeJobs) {
  Caller caller(small_world(), at("2026-05-04T00:00:00Z"));
  const World& world = caller.simulator.service().world;
  const std::string gone = world.id_of(world.first_from(at("2026-05-02T12:00:00Z")));
  const std::string stays = world.id_of(world.first_from(at("2026-05-02T12:01:00Z")));
  const std::string ids = R"({"ids":[")" + gone + "\"]}";
  const auto by_id = [&] { return Caller::ids(caller.get("/api/v2/analytics/conversations/details?id=" + gone + "," + stays)); };
  const auto in_query = [&] {
    const auto found = Caller::ids(caller.query("2026-05-02T12:00:00.000Z/2026-05-02T12:01:00.000Z", 1, 100));
    return std::ranges::find(found, gone) != found.end();
  };
  const auto in_job = [&] {
    const std::string job = caller.submit(kDay, kByStartDay);
    caller.now += std::chrono::seconds{5};
    const Read read = read_results(caller, job, 1'000);
    return std::ranges::find(read.ids, gone) != read.ids.end();
  };
  ASSERT_TRUE(in_query() && in_job());
  ASSERT_EQ(by_id().size(), 2U);

  EXPECT_EQ(caller.send("POST", "/_sim/delete", R"({"ids":[")" + stays + R"(","unknown"]})").status, 404);
  EXPECT_EQ(by_id().size(), 2U) << "all or none";
  ASSERT_EQ(caller.send("POST", "/_sim/delete", ids).status, 200);

  EXPECT_FALSE(in_query());
  EXPECT_EQ(by_id(), std::vector<std::string>{stays});
  EXPECT_EQ(caller.get("/api/v2/analytics/conversations/" + gone + "/details").status, 404);
  EXPECT_TRUE(in_job()) << "the lake is an hour behind";
  caller.now += std::chrono::hours{2};
  EXPECT_FALSE(in_job());

  ASSERT_EQ(caller.send("POST", "/_sim/restore", ids).status, 200);
  EXPECT_TRUE(in_query() && in_job());
}

TEST(Jobs, CarryAttributesAndQueriesDoNot) {
  Caller caller(small_world(), at("2026-05-05T00:00:00Z"));
  const std::string job = caller.submit(kDay);
  caller.now += std::chrono::seconds{5};

  const auto results = caller.get(path(job, "/results?pageSize=1"));
  const auto query = caller.query(kDay, 1, 1);

  EXPECT_NE(results.body.find("\"attributes\":{"), std::string::npos);
  EXPECT_EQ(query.body.find("attributes"), std::string::npos);
}

TEST(Jobs, UnknownDeletedAndForeignOnesAre404) {
  Caller caller(small_world(), at("2026-05-05T00:00:00Z"));
  const std::string job = caller.submit(kDay);

  EXPECT_EQ(caller.send("DELETE", path(job)).status, 204);
  EXPECT_EQ(caller.get(path(job)).status, 404);
  EXPECT_EQ(caller.send("DELETE", path(job)).status, 404);
  EXPECT_EQ(caller.get(path("nonsense", "/results")).status, 404);
  const std::string mine = caller.submit(kDay);
  EXPECT_EQ(caller.get("/api/v2/analytics/users/details/jobs/" + mine).status, 404);
}

TEST(Jobs, AForeignCursorAndATooLargePageAreRefused) {
  Caller caller(small_world(), at("2026-05-05T00:00:00Z"));
  const std::string job = caller.submit(kDay);
  const std::string other = caller.submit(kDay);
  caller.now += std::chrono::seconds{5};
  const auto page = caller.get(path(other, "/results?pageSize=10"));
  const std::string foreign = common::json::find_string(Caller::json(page), "cursor").value();

  EXPECT_EQ(caller.get(path(job, "/results?cursor=" + foreign)).status, 400);
  EXPECT_EQ(caller.get(path(job, "/results?cursor=rubbish")).status, 400);
  EXPECT_EQ(caller.get(path(job, "/results?pageSize=1001")).status, 400);
  EXPECT_EQ(caller.get(path(job, "/results?pageSize=10x")).status, 400);
}

TEST(Jobs, LimitCutsTheResult) {
  Caller caller(small_world(), at("2026-05-05T00:00:00Z"));
  const std::string job = caller.submit(kDay, R"(,"limit":17)");
  caller.now += std::chrono::seconds{5};

  EXPECT_EQ(read_results(caller, job, 10).ids.size(), 17U);
}

TEST(Jobs, MoreThanAllowedAtOnceAre429) {
  SimulatorOptions options = small_world();
  options.api.max_jobs = 1;
  Caller caller(options, at("2026-05-05T00:00:00Z"));
  caller.submit(kDay);

  const auto refused = caller.send("POST", Caller::kJobs, R"({"interval":"2026-05-02T00:00:00Z/2026-05-03T00:00:00Z"})");

  EXPECT_EQ(refused.status, 429);
  EXPECT_NE(refused.body.find("details.jobs.concurrent.access.max"), std::string::npos);
}

TEST(Jobs, UsersHaveTheirOwn) {
  Caller caller(small_world(), at("2026-05-05T00:00:00Z"));
  const auto submitted =
      caller.send("POST", "/api/v2/analytics/users/details/jobs", R"({"interval":"2026-05-02T00:00:00Z/2026-05-03T00:00:00Z"})");
  const std::string job =
      "/api/v2/analytics/users/details/jobs/" + common::json::find_string(Caller::json(submitted), "jobId").value_or("");
  caller.now += std::chrono::seconds{5};

  const auto results = Caller::json(caller.get(job + "/results?pageSize=12"));

  EXPECT_EQ(results.at("userDetails").as_array().size(), 12U);
  EXPECT_TRUE(results.as_object().contains("cursor"));
}

TEST(Availability, LagsAndMovesInSteps) {
  Caller caller(small_world(), at("2026-05-02T12:05:00Z"));
  const auto date = [&] {
    return common::json::find_string(Caller::json(caller.get(std::string(Caller::kJobs) + "/availability")),
                                     "dataAvailabilityDate")
        .value();
  };

  EXPECT_EQ(date(), "2026-05-02T11:00:00Z");
  caller.now += std::chrono::minutes{4};
  EXPECT_EQ(date(), "2026-05-02T11:00:00Z");
  caller.now += std::chrono::minutes{1};
  EXPECT_EQ(date(), "2026-05-02T11:10:00Z");
}

TEST(Availability, StandsStillAndGoesBackWhenTold) {
  Caller caller(small_world(), at("2026-05-02T12:10:00Z"));
  const auto date = [&] {
    return common::json::find_string(Caller::json(caller.get(std::string(Caller::kJobs) + "/availability")),
                                     "dataAvailabilityDate")
        .value();
  };

  caller.make_fault(R"({"match":{"path":"availability","nth":1},"fault":{"kind":"availability_frozen"}})");
  EXPECT_EQ(date(), "2026-05-02T11:10:00Z");
  caller.now += std::chrono::hours{3};
  EXPECT_EQ(date(), "2026-05-02T11:10:00Z");
  caller.make_fault(R"({"match":{"path":"availability","nth":1},"fault":{"kind":"availability_back","by":"1h"}})");
  EXPECT_EQ(date(), "2026-05-02T10:10:00Z");
  caller.send("POST", "/_sim/reset-faults");
  EXPECT_EQ(date(), "2026-05-02T14:10:00Z");
}

}  // namespace
}  // namespace tests::simulator
