// The simulated service in its other dialects: each asks and answers in its own way, and refuses the others'.

#include "tests/simulator/dialects.h"
#include "tests/simulator/tests/caller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>

namespace tests::simulator {
namespace {

using common::json::Object;
using common::json::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kPath = "/api/v2/analytics/conversations/details/query";

struct Case {
  std::string name;
  std::string form;        // of the token request
  bool basic = true;       // credentials of it
  std::string range;       // members of the body, for an hour
  std::string parameters;  // of the first page, ten records a page
  std::string size;        // the same in the body
  // The next page's parameters and members of the body; nothing at the end.
  std::function<std::optional<std::pair<std::string, std::string>>(const support::Reply&, int page)> next;
  std::string records;
  std::string id;
};

std::optional<std::string> text_of(const support::Reply& reply, std::string_view member) {
  return common::json::find_string(Caller::json(reply), member).transform([](auto text) { return std::string(text); });
}

using Next = std::optional<std::pair<std::string, std::string>>;

const std::vector<Case>& cases() {
  static const std::string kSpan = R"("dateFrom":"2026-05-02T09:00:00Z","dateTo":"2026-05-02T10:00:00Z")";
  static const std::vector<Case> kCases{
      {.name = "000",
       .form = "grant_type=client_credentials",
       .range = kSpan,
       .parameters = "",
       .size = R"(,"size":10)",
       .next = [](const support::Reply& reply, int) -> Next {
         const auto token = text_of(reply, "nextPageToken");
         if (!token) return std::nullopt;
         return std::pair{std::string(), R"(,"size":10,"nextPageToken":")" + *token + "\""};
       },
       .records = "items",
       .id = "/conversationId"},
      {.name = "001",
       .form = "grant_type=refresh_token&refresh_token=simulator-refresh-token",
       .range = kSpan,
       .parameters = "?pageSize=10",
       .size = "",
       .next = [](const support::Reply& reply, int) -> Next {
         EXPECT_TRUE(Caller::json(reply).as_object().contains("nextPage")) << "null, not absent";
         const auto token = text_of(reply, "nextPage");
         if (!token) return std::nullopt;
         return std::pair{std::string("?pageSize=10"), R"(,"after":")" + *token + "\""};
       },
       .records = "records",
       .id = "/interaction/id"},
      {.name = "002",
       .form = "grant_type=client_credentials",
       .range = R"("timeRange":{"from":"2026-05-02T09:00:00Z","to":"2026-05-02T10:00:00Z"})",
       .parameters = "",
       .size = R"(,"size":10)",
       .next = [](const support::Reply& reply, int) -> Next {
         const auto token = text_of(reply, "nextPageToken");
         if (!token) return std::nullopt;
         return std::pair{std::string(), R"(,"size":10,"nextPageToken":")" + *token + "\""};
       },
       .records = "entities",
       .id = "/id"},
      {.name = "003",
       .form = "grant_type=client_credentials",
       .range = kSpan,
       .parameters = "",
       .size = R"(,"pageSize":10)",
       .next = [](const support::Reply& reply, int) -> Next {
         const auto token = reply.headers.find("X-Genesys-Next-Page");
         if (!token) return std::nullopt;
         return std::pair{"?pageToken=" + common::http::percent_encode(*token), std::string(R"(,"pageSize":10)")};
       },
       .records = "entities",
       .id = "/id"},
      {.name = "004",
       .form = "grant_type=client_credentials&client_id=simulator-client&client_secret=simulator-secret",
       .basic = false,
       .range = R"("interval":"2026-05-02T09:00:00Z/2026-05-02T10:00:00Z")",
       .parameters = "",
       .size = R"(,"paging":{"pageSize":10,"pageNumber":1})",
       .next = [](const support::Reply& reply, int page) -> Next {
         if (page >= common::json::find_int(Caller::json(reply), "pageCount").value()) return std::nullopt;
         return std::pair{std::string(), R"(,"paging":{"pageSize":10,"pageNumber":)" + std::to_string(page + 1) + "}"};
       },
       .records = "data",
       .id = "/conversationId"},
  };
  return kCases;
}

std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.name;
}

class InDialect : public testing::TestWithParam<Case> {
 protected:
  InDialect() {
    caller.bearer = "Bearer " + common::json::find_string(Caller::json(log_in(GetParam())), "access_token").value_or("");
  }

  support::Reply log_in(const Case& one) { return log_in(one, one.name); }
  // As `one` does, at the token endpoint of `at`.
  support::Reply log_in(const Case& one, const std::string& at) {
    support::ReceivedRequest request{
        .method = "POST", .target = "/dialects/" + at + "/oauth/token", .headers = {}, .body = one.form};
    if (one.basic) request.headers.add("Authorization", "Basic " + to_base64("simulator-client:simulator-secret"));
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    return caller.simulator.handle(request, caller.now);
  }
  support::Reply ask(const std::string& parameters, const std::string& members) {
    return caller.send("POST", "/dialects/" + GetParam().name + std::string(kPath) + parameters, "{" + members + "}");
  }
  support::Reply ask_first() { return ask(GetParam().parameters, GetParam().range + GetParam().size); }
  std::vector<std::string> ids(const support::Reply& reply) const {
    std::vector<std::string> found;
    for (const Value& record : Caller::json(reply).as_object().at(GetParam().records).as_array())
      found.emplace_back(record.at_pointer(GetParam().id).as_string());
    return found;
  }

  Caller caller{small_world(), at("2026-05-02T12:00:00Z")};
};

TEST_P(InDialect, PagesSumToTheWholeOfTheWindowEachRecordOnce) {
  std::vector<std::string> all;
  int page = 1;
  support::Reply reply = ask_first();
  for (;; ++page) {
    ASSERT_EQ(reply.status, 200) << reply.body;
    const auto some = ids(reply);
    EXPECT_LE(some.size(), 10U);
    all.insert(all.end(), some.begin(), some.end());
    const auto next = GetParam().next(reply, page);
    if (!next) break;
    reply = ask(next->first, GetParam().range + next->second);
  }

  EXPECT_GE(page, 6);
  const auto reference =
      Caller::ids(Caller(small_world(), caller.now).query("2026-05-02T09:00:00Z/2026-05-02T10:00:00Z", 1, 100));
  EXPECT_EQ(all, reference);
}

TEST_P(InDialect, RefusesTheQuestionsOfTheOthers) {
  for (const Case& other : cases()) {
    const bool same =
        other.range == GetParam().range && other.size == GetParam().size && other.parameters == GetParam().parameters;
    if (same) continue;
    EXPECT_EQ(ask(other.parameters, other.range + other.size).status, 400) << other.name;
  }
  EXPECT_EQ(ask("?pages=1", GetParam().range).status, 400);
  EXPECT_EQ(ask("", "").status, 400) << "without a range";
  EXPECT_EQ(ask("", GetParam().range + R"(,"order":"asc")").status, 400);
  EXPECT_EQ(caller.get("/dialects/" + GetParam().name + "/api/v2/analytics/conversations/details/jobs/availability").status, 404);
}

TEST_P(InDialect, TakesNeitherTheLoginsNorTheTokensOfTheOthers) {
  const std::string own = caller.bearer;
  for (const Case& other : cases()) {
    if (other.form != GetParam().form) {
      EXPECT_EQ(log_in(other, GetParam().name).status, 400) << other.name;
    }
    if (other.name == GetParam().name) continue;
    caller.bearer = "Bearer " + common::json::find_string(Caller::json(log_in(other)), "access_token").value_or("");
    EXPECT_EQ(ask_first().status, 401) << other.name;
  }
  caller.bearer = own;
  EXPECT_EQ(ask_first().status, 200);
}

TEST_P(InDialect, RevokedTokensAreItsOwn) {
  caller.make_fault(R"({"match": {"path": "dialects"}, "fault": {"kind": "revoke_tokens"}})");

  EXPECT_EQ(ask_first().status, 401);
  Caller real(small_world(), caller.now);
  EXPECT_EQ(caller.simulator.service().tokens.authenticate({}, caller.now).error().code, "authentication.required");
}

TEST_P(InDialect, APageThatIsNotItsOwnIsRefused) {
  const auto next = GetParam().next(ask_first(), 1).value();
  if (GetParam().name == "004") {
    EXPECT_EQ(ask("", GetParam().range + R"(,"paging":{"pageSize":10,"pageNumber":0})").status, 400);
    return;
  }
  std::string elsewhere = GetParam().range;
  elsewhere.replace(elsewhere.find("T09"), 3, "T08");
  const auto refused = ask(next.first, elsewhere + next.second);
  EXPECT_EQ(refused.status, 400) << refused.body;

  caller.make_fault(R"({"fault": {"kind": "unknown_cursor", "status": 410}})");
  EXPECT_EQ(ask(next.first, GetParam().range + next.second).status, 410);
  EXPECT_EQ(ask_first().status, 200) << "the first page has no token";
}

TEST_P(InDialect, ACutChainEndsEarly) {
  caller.make_fault(R"({"fault": {"kind": "cut_chain"}})");
  const auto reply = ask_first();

  EXPECT_THAT(ids(reply), SizeIs(10));
  if (GetParam().name != "004") {
    EXPECT_FALSE(GetParam().next(reply, 1));
  }
  const bool has_total = GetParam().name == "001" || GetParam().name == "002";
  EXPECT_EQ(common::json::find_int(Caller::json(reply), "total").value_or(0) > 10, has_total);
}

INSTANTIATE_TEST_SUITE_P(All, InDialect, testing::ValuesIn(cases()), [](const auto& info) { return "D" + info.param.name; });

class Dialect003 : public InDialect {};
INSTANTIATE_TEST_SUITE_P(Only, Dialect003, testing::Values(cases().at(3)), [](const auto&) { return "D003"; });

TEST_P(Dialect003, NamesTheNextPageInTheBodyIfTheHeaderIsLost) {
  caller.make_fault(R"({"fault": {"kind": "cursor_in_body"}})");
  const auto reply = ask_first();

  EXPECT_FALSE(reply.headers.find("X-Genesys-Next-Page"));
  EXPECT_TRUE(text_of(reply, "nextPage"));
}

class Dialect001 : public InDialect {};
INSTANTIATE_TEST_SUITE_P(Only, Dialect001, testing::Values(cases().at(1)), [](const auto&) { return "D001"; });

TEST_P(Dialect001, ReplacesTheRefreshTokenWithEveryUse) {
  EXPECT_EQ(log_in(GetParam()).status, 400) << "used when the test began";
}

TEST_P(Dialect001, AsksByGetWithABodyTooAndForItsFilters) {
  const auto reply = caller.send("GET", "/dialects/001" + std::string(kPath) + "?pageSize=2000", "{" + GetParam().range + "}");
  EXPECT_EQ(reply.status, 200) << reply.body;

  const auto voice = ask("?pageSize=2000",
                         GetParam().range + R"(,"viewId":"v","sort":[{"field":"startTime","order":"asc"}],"groupBy":["queue"],)"
                                            R"("filter":{"clauses":[{"dimension":"mediaType","value":"voice"}]})");
  EXPECT_LT(ids(voice).size(), ids(reply).size());
  EXPECT_GT(ids(voice).size(), 0U);
  EXPECT_EQ(ask("", GetParam().range + R"(,"filter":[])").status, 400);
  EXPECT_EQ(ask("", GetParam().range + R"(,"sort":["startTime"])").status, 400);
}

class Dialect000 : public InDialect {};
INSTANTIATE_TEST_SUITE_P(Only, Dialect000, testing::Values(cases().at(0)), [](const auto&) { return "D000"; });

TEST_P(Dialect000, ShowsTheChosenFieldsOfTheWantedRecords) {
  const auto reply = ask("", GetParam().range + R"(,"size":1000,"select":["conversationId","mediaType"],)"
                                                R"("filter":[{"dimension":"mediaType","value":"chat"}])");

  const auto body = Caller::json(reply);
  const auto& items = body.as_object().at("items").as_array();
  ASSERT_FALSE(items.empty());
  for (const Value& item : items) {
    EXPECT_EQ(item.as_object().size(), 2U);
    EXPECT_EQ(item.at("mediaType"), "chat");
  }
  EXPECT_EQ(ask("", GetParam().range + R"(,"select":["participants"])").status, 400);
  EXPECT_EQ(ask("", GetParam().range + R"(,"size":1001)").status, 400);
  EXPECT_EQ(ask("", R"("dateFrom":"2026-05-02T09:00:00Z","dateTo":"2026-05-12T09:00:00Z")").status, 400) << "too long";
}

TEST(Truth, IsToldAsADialectShowsIt) {
  Caller caller(small_world(), at("2026-05-02T12:00:00Z"));
  const auto told = caller.get("/_sim/truth?from=2026-05-02T09:00:00Z&to=2026-05-02T09:03:00Z&dialect=001");

  EXPECT_EQ(std::ranges::count(told.body, '\n'), 3);
  EXPECT_THAT(told.body, HasSubstr(R"("interaction":{"id":")"));
  EXPECT_EQ(caller.get("/_sim/truth?from=2026-05-02T09:00:00Z&to=2026-05-02T09:03:00Z&dialect=005").status, 400);
}

}  // namespace
}  // namespace tests::simulator
