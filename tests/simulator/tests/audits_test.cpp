#include "tests/simulator/audits.h"

#include "common/http/message.h"
#include "tests/simulator/tests/caller.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tests::simulator {
namespace {

class Audits : public ::testing::Test {
 protected:
  static constexpr std::string_view kDay = "2026-05-02T00:00:00Z/2026-05-03T00:00:00Z";

  support::Reply ask(std::string_view path, std::string_view more = "") {
    return caller.send("POST", path,
                       R"({"interval":")" + std::string(kDay) + R"(","sort":[{"name":"Timestamp","sortOrder":"ascending"}])" +
                           std::string(more) + "}");
  }
  std::string submit() {
    const auto reply = ask("/api/v2/audits/query");
    EXPECT_EQ(reply.status, 202) << reply.body;
    return common::json::find_string(Caller::json(reply), "id").value_or("");
  }
  std::string state(const std::string& id) {
    return common::json::find_string(Caller::json(caller.get("/api/v2/audits/query/" + id)), "state").value_or("");
  }
  std::set<std::string> expected(bool realtime) const {
    std::set<std::string> ids;
    const World& world = caller.simulator.service().world;
    for (std::uint64_t number = 0; audit_time(world, number) < at("2026-05-03T00:00:00Z"); ++number) {
      const bool shown = !realtime || is_in_realtime(world, number);
      if (shown && audit_time(world, number) >= at("2026-05-02T00:00:00Z")) {
        ids.insert(audit_id(world, number));
      }
    }
    return ids;
  }
  static void add_ids(const common::json::Value& body, std::set<std::string>& ids) {
    for (const auto& entity : body.at("entities").as_array()) {
      EXPECT_TRUE(ids.insert(std::string(entity.at("id").as_string())).second);
    }
  }

  mutable Caller caller{small_world(), at("2026-05-03T12:00:00Z")};
};

TEST_F(Audits, TheRealtimeQueryPagesThroughThoseOfSomeServices) {
  std::set<std::string> ids;
  const auto first = Caller::json(ask("/api/v2/audits/query/realtime", R"(,"pageNumber":1,"pageSize":500)"));
  add_ids(first, ids);
  ASSERT_EQ(first.at("pageCount").as_int64(), 2);
  add_ids(Caller::json(ask("/api/v2/audits/query/realtime", R"(,"pageNumber":2,"pageSize":500)")), ids);

  EXPECT_EQ(ids, expected(true));
  EXPECT_EQ(first.at("total").as_int64(), static_cast<std::int64_t>(ids.size()));
  const auto behind = Caller::json(ask("/api/v2/audits/query/realtime", R"(,"pageNumber":3,"pageSize":500)"));
  EXPECT_TRUE(behind.at("entities").as_array().empty());
}

TEST_F(Audits, TheOtherQueryPagesThroughAllOfThemOnceItHasSucceeded) {
  const std::string id = submit();
  EXPECT_EQ(state(id), "Queued");
  EXPECT_EQ(caller.get("/api/v2/audits/query/" + id + "/results").status, 400);
  EXPECT_EQ(ask("/api/v2/audits/query").status, 409) << "one runs at a time";
  caller.now += std::chrono::seconds{10};
  EXPECT_EQ(state(id), "Succeeded");

  std::set<std::string> ids;
  std::string cursor;
  int pages = 0;
  do {
    const auto body = Caller::json(caller.get("/api/v2/audits/query/" + id + "/results?pageSize=400" +
                                              (cursor.empty() ? "" : "&cursor=" + common::http::percent_encode(cursor))));
    EXPECT_EQ(common::json::find_string(body, "id"), id);
    add_ids(body, ids);
    cursor = common::json::find_string(body, "cursor").value_or("");
    ++pages;
  } while (!cursor.empty() && pages < 10);

  EXPECT_EQ(ids, expected(false));
  EXPECT_EQ(pages, 3);
}

TEST_F(Audits, WrongQuestionsAreRefused) {
  EXPECT_EQ(ask("/api/v2/audits/query/realtime", R"(,"pageSize":501)").status, 400);
  EXPECT_EQ(ask("/api/v2/audits/query/realtime", R"(,"paging":{})").status, 400);
  EXPECT_EQ(caller.get("/api/v2/audits/query/unknown").status, 404);
}

}  // namespace
}  // namespace tests::simulator
