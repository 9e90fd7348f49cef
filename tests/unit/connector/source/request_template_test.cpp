#include "connector/source/request_template.h"

#include "connector/source/pagination.h"
#include "connector/source/row_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::source {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const common::Interval kWindow = common::parse_interval("2026-05-04T00:00:00Z/2026-05-04T01:00:00Z").value();
const core::SourcePartition kSource{.stream = core::StreamName("s"), .lane = core::Lane::kLive};

common::json::Object json(std::string_view text) {
  return common::json::parse(text).value().as_object();
}

TEST(RequestBuilder, PutsWindowAndPageOverTheUsersFiltersOverTheDefinition) {
  const RequestTemplate request{.path = "/query", .body = json(R"({"order":"asc","interval":"mine"})")};
  RequestBuilder builder(request, json(R"({"interval":"yours","segmentFilters":[{"type":"and"}]})"));
  builder.window(IntervalPlace{InBody{"/interval"}}, kWindow);

  const core::ApiRequest built = std::move(builder).build(kSource);

  EXPECT_EQ(
      common::json::parse(built.body).value(),
      common::json::parse(
          R"({"order":"asc","interval":"2026-05-04T00:00:00.000Z/2026-05-04T01:00:00.000Z","segmentFilters":[{"type":"and"}]})")
          .value());
  EXPECT_EQ(built.method, common::http::Method::kPost);
}

TEST(RequestBuilder, LeavesOutWhatIsThere) {
  RequestBuilder builder(RequestTemplate{.path = "/query", .body = json(R"({"a":{"b":1,"c":2},"d":3})")},
                         json(R"({"a":{"b":4}})"));
  builder.leave_out("/a/b").leave_out("/d").leave_out("/e/f").leave_out("/a/c/g");

  EXPECT_EQ(std::move(builder).build(kSource).body, R"({"a":{"c":2}})");
}

// Where a zone's buckets are UTC's it is asked as if there were none; else for one bucket, the whole interval.
TEST(QueryRequest, NeverNamesTheZone) {
  Definition definition;
  definition.bucket = "/granularity";
  definition.time_zone = "/timeZone";
  definition.query = QuerySource{.request = {.path = "/query", .body = json(R"({"granularity":"PT30M"})")}};
  StreamOptions options;
  options.query = json(R"({"granularity":"PT1H","timeZone":"Asia/Kolkata"})");
  const auto body = [&] { return std::move(query_request(definition, options, kWindow)).build(kSource).body; };

  options.live.buckets = core::Buckets(std::chrono::hours{1});
  EXPECT_EQ(body(), R"({"granularity":"PT1H","interval":"2026-05-04T00:00:00.000Z/2026-05-04T01:00:00.000Z"})");

  options.live.buckets = core::Buckets(std::chrono::hours{1}, common::TimeZone::find("Asia/Kolkata").value());
  EXPECT_EQ(body(), R"({"interval":"2026-05-04T00:00:00.000Z/2026-05-04T01:00:00.000Z"})");
}

TEST(RowOrder, IsTurnedWhereItStands) {
  const RequestTemplate posted{.path = "/query", .body = json(R"({"order":"asc"})")};
  const RequestTemplate got{.method = common::http::Method::kGet, .path = "/list", .body = {}, .parameters = {{"order", "asc"}}};
  const RequestTemplate silent{.method = common::http::Method::kGet, .path = "/list", .body = {}};
  const common::json::Object own = json(R"({"order":"desc"})");
  EXPECT_TRUE(can_turn_rows(posted, {}));
  EXPECT_TRUE(can_turn_rows(got, {}));
  EXPECT_TRUE(can_turn_rows(silent, own));

  EXPECT_EQ(std::move(RequestBuilder(posted, {}).newest_first()).build(kSource).body, R"({"order":"desc"})");
  EXPECT_THAT(std::move(RequestBuilder(got, {}).newest_first()).build(kSource).query, ElementsAre(Pair("order", "desc")));
  EXPECT_THAT(std::move(RequestBuilder(silent, own).newest_first()).build(kSource).query, ElementsAre(Pair("order", "desc")));
}

TEST(RowOrder, IsTurnedInKnownWordsOnly) {
  const RequestTemplate posted{.path = "/query", .body = json(R"({"order":"up"})")};
  EXPECT_FALSE(can_turn_rows(posted, {}));
  EXPECT_TRUE(can_turn_rows(posted, json(R"({"order":"asc"})")));
  for (const char* own : {R"({"order":"ascending"})", R"({"order":1})", R"({"order":null})"}) {
    EXPECT_FALSE(can_turn_rows(posted, json(own))) << own;
  }
  const RequestTemplate unordered{.path = "/query", .body = json(R"({"interval":""})"), .parameters = {{"order", "asc"}}};
  EXPECT_FALSE(can_turn_rows(unordered, {}));
  const RequestTemplate got{.method = common::http::Method::kGet, .path = "/list", .body = {}, .parameters = {{"order", "down"}}};
  EXPECT_FALSE(can_turn_rows(got, {}));
}

TEST(RequestBuilder, PutsTwoPlacesInQueryAndHeader) {
  RequestBuilder builder(RequestTemplate{.method = common::http::Method::kGet, .path = "/list", .body = {}});
  builder.window(FromToPlaces{.from = InQuery{"from"}, .to = InHeader{"X-To"}}, kWindow);

  const core::ApiRequest built = std::move(builder).build(kSource);

  EXPECT_THAT(built.query, ElementsAre(Pair("from", "2026-05-04T00:00:00.000Z")));
  EXPECT_EQ(built.headers.find("x-to"), "2026-05-04T01:00:00.000Z");
  EXPECT_EQ(built.body, "");
}

TEST(RequestBuilder, WithoutABodyFiltersAreParametersOverTheDefinitions) {
  const RequestTemplate request{
      .method = common::http::Method::kGet, .path = "/list", .body = {}, .parameters = {{"expand", "all"}, {"status", "open"}}};
  RequestBuilder builder(request, json(R"({"status":["new","closed"],"minimum":3,"vip":true})"));
  builder.put(InQuery{"limit"}, 50);

  const core::ApiRequest built = std::move(builder).build(kSource);

  EXPECT_THAT(built.query, ElementsAre(Pair("expand", "all"), Pair("status", "new"), Pair("status", "closed"),
                                       Pair("minimum", "3"), Pair("vip", "true"), Pair("limit", "50")));
  EXPECT_EQ(built.body, "");
}

TEST(RequestBuilder, SendsABodyWithAGetIfTold) {
  const RequestTemplate request{
      .method = common::http::Method::kGet, .path = "/list", .body = json(R"({"a":1})"), .send_body = true};
  RequestBuilder builder(request, json(R"({"b":2})"));
  builder.window(FromToPlaces{.from = InBody{"/from"}, .to = InQuery{"to"}}, kWindow);

  const core::ApiRequest built = std::move(builder).build(kSource);

  EXPECT_EQ(built.method, common::http::Method::kGet);
  EXPECT_EQ(built.body, R"({"a":1,"b":2,"from":"2026-05-04T00:00:00.000Z"})");
  EXPECT_THAT(built.query, ElementsAre(Pair("to", "2026-05-04T01:00:00.000Z")));
}

TEST(RequestBuilder, AFixedParameterGoesWithEveryRequest) {
  RequestBuilder builder(RequestTemplate{.path = "/q", .body = {}, .parameters = {{"view", "x"}}});
  EXPECT_THAT(std::move(builder).build(kSource).query, ElementsAre(Pair("view", "x")));
}

TEST(RequestBuilder, WhatTheConnectorPutsIsThereOnce) {
  const RequestTemplate request{.method = common::http::Method::kGet, .path = "/q", .body = {}, .parameters = {{"page", "1"}}};
  RequestBuilder builder(request);
  builder.put(InQuery{"page"}, std::int64_t{2}).put(InQuery{"page"}, std::int64_t{3});
  EXPECT_THAT(std::move(builder).build(kSource).query, ElementsAre(Pair("page", "3")));
}

TEST(RequestBuilder, EncodesTheJobIntoThePath) {
  RequestBuilder builder(RequestTemplate{.method = common::http::Method::kGet, .path = "/jobs/{job}/results", .body = {}});
  EXPECT_EQ(std::move(builder.job(core::JobId("a/b c"))).build(kSource).path, "/jobs/a%2Fb%20c/results");
}

TEST(RequestBuilder, WithoutABodyTheUsersMembersAreParametersOfTheUrl) {
  const RequestTemplate request{.method = common::http::Method::kGet,
                                .path = "/flows/{flowId}/turns",
                                .body = {},
                                .parameters = {{"state", "any"}, {"expand", "names"}}};
  RequestBuilder builder(request, json(R"({"flowId":"a/b ?","state":"active","id":["x","y"],"deep":true,"none":null,"max":5})"));
  builder.window(IntervalPlace{InQuery{"interval"}}, kWindow);

  const core::ApiRequest built = std::move(builder).build(kSource);

  EXPECT_EQ(built.path, "/flows/a%2Fb%20%3F/turns");
  EXPECT_THAT(built.query, ElementsAre(Pair("expand", "names"), Pair("state", "active"), Pair("id", "x"), Pair("id", "y"),
                                       Pair("deep", "true"), Pair("max", "5"),
                                       Pair("interval", "2026-05-04T00:00:00.000Z/2026-05-04T01:00:00.000Z")));
  EXPECT_EQ(built.body, "");
}

TEST(RequestBuilder, APlaceInThePathIsFilledBesideABodyToo) {
  const RequestTemplate request{.path = "/teams/{teamId}/query", .body = {}, .parameters = {{"a", "1"}}};
  const core::ApiRequest built = RequestBuilder(request, json(R"({"teamId":7,"metrics":["m"]})")).build(kSource);

  EXPECT_EQ(built.path, "/teams/7/query");
  EXPECT_THAT(built.query, ElementsAre(Pair("a", "1")));
  EXPECT_EQ(built.body, R"({"metrics":["m"]})");
}

TEST(RequestBuilder, TheNextPagesAddressHasEverythingInIt) {
  const RequestTemplate request{.method = common::http::Method::kGet, .path = "/list", .body = {}, .parameters = {{"a", "1"}}};
  RequestBuilder builder(request, json(R"({"b":"2"})"));
  put_position(builder, NextUriPages{.next_from = "/nextUri", .size = InQuery{"pageSize"}}, core::AtCursor{"/list?after=x"}, 25);
  const core::ApiRequest built = std::move(builder).build(kSource);

  EXPECT_EQ(built.path, "/list?after=x");
  EXPECT_THAT(built.query, IsEmpty());
}

TEST(PutPosition, NumbersPagesFromTheFirst) {
  const PageNumberPages pages{
      .number = InBody{"/paging/pageNumber"}, .size = InBody{"/paging/pageSize"}, .page_count = std::nullopt};
  RequestBuilder first(RequestTemplate{.path = "/q", .body = {}});
  put_position(first, pages, core::AtStart{}, 100);
  EXPECT_EQ(std::move(first).build(kSource).body, R"({"paging":{"pageNumber":1,"pageSize":100}})");
  RequestBuilder third(RequestTemplate{.path = "/q", .body = {}});
  put_position(third, pages, core::AtPage{3}, 50);
  EXPECT_EQ(std::move(third).build(kSource).body, R"({"paging":{"pageNumber":3,"pageSize":50}})");
}

TEST(PutPosition, SendsACursorOnlyOnceThereIsOne) {
  const CursorPages pages{.next_from = {InBody{"/cursor"}}, .next_to = InQuery{"cursor"}, .size = InQuery{"pageSize"}};
  RequestBuilder first(RequestTemplate{.path = "/r", .body = {}});
  put_position(first, pages, core::AtJob{.job = core::JobId("j"), .cursor = std::nullopt, .submitted = {}}, 1000);
  EXPECT_THAT(std::move(first).build(kSource).query, ElementsAre(Pair("pageSize", "1000")));
  RequestBuilder next(RequestTemplate{.path = "/r", .body = {}});
  put_position(next, pages, core::AtJob{.job = core::JobId("j"), .cursor = "c", .submitted = {}}, 1000);
  EXPECT_THAT(std::move(next).build(kSource).query, ElementsAre(Pair("cursor", "c"), Pair("pageSize", "1000")));
}

TEST(PutPosition, FollowsAUriAsItIs) {
  const NextUriPages pages{.next_from = "/nextUri", .size = InQuery{"pageSize"}};
  RequestBuilder next(RequestTemplate{.method = common::http::Method::kGet, .path = "/r", .body = {}});
  put_position(next, pages, core::AtCursor{"/r?page=2&pageSize=7"}, 100);
  const auto built = std::move(next).build(kSource);
  EXPECT_EQ(built.path, "/r?page=2&pageSize=7");
  EXPECT_THAT(built.query, IsEmpty());
}

TEST(PageScalars, PrefersTheFirstPlaceThatHoldsACursor) {
  SliceSpec spec{.records = "/items", .key = "/id"};
  const PageScalars scalars(
      CursorPages{.next_from = {InBody{"/a"}, InHeader{"X-Next"}, InBody{"/b"}}, .next_to = InQuery{"c"}, .size = std::nullopt},
      std::nullopt, "", spec);
  SlicedPage page;
  page.wanted = {std::nullopt, "from b"};
  EXPECT_EQ(scalars.next(page, {{"x-next", "from header"}}), "from header");
  EXPECT_EQ(scalars.next(page, {}), "from b");
  page.wanted = {"from a", "from b"};
  EXPECT_EQ(scalars.next(page, {{"x-next", "from header"}}), "from a");
  page.wanted = {std::nullopt, std::nullopt};
  EXPECT_EQ(scalars.next(page, {}), std::nullopt);
}

TEST(PageScalars, AnAddressWithoutItsParameterIsNoNextPage) {
  SliceSpec spec;
  const PageScalars scalars(NextUriPages{.next_from = "/nextUri", .parameter = "after", .size = std::nullopt}, std::nullopt, "",
                            spec);
  SlicedPage page;
  const auto next = [&](const std::string& uri) {
    page.wanted = {uri};
    return scalars.next(page, {});
  };
  EXPECT_EQ(next("/list?pageSize=2&after=x"), "/list?pageSize=2&after=x");
  EXPECT_EQ(next("/list?after=x"), "/list?after=x");
  for (const char* none : {"/list", "/list?pageSize=2", "/list?after=", "/list?after=&a=b", "/list?hereafter=x", "/after=x"}) {
    EXPECT_EQ(next(none), std::nullopt) << none;
  }
}

TEST(PageScalars, ATotalThatIsNoCountIsNone) {
  SliceSpec spec;
  const PageScalars scalars(NoPages{}, Total{.pointer = "/total", .trust = TotalTrust::kExact}, "", spec);
  SlicedPage page;
  for (const char* text : {"-1", "1.5", "many", ""}) {
    page.wanted = {text};
    EXPECT_EQ(scalars.total(page), std::nullopt) << text;
  }
  page.wanted = {"17"};
  EXPECT_EQ(scalars.total(page), 17);
}

}  // namespace
}  // namespace connector::source
