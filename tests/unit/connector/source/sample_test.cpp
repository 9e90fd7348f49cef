#include "connector/source/sample.h"

#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

using testing::SizeIs;
using tests::support::answer;
using tests::support::FakeApi;
using tests::support::refuse;

const common::Interval kDay = common::parse_interval("2026-05-04T00:00:00Z/2026-05-05T00:00:00Z").value();

common::Result<Sample> take(FakeApi& api, std::size_t max_records, Definition definition = conversation_details()) {
  const StreamOptions options = conversations(false);
  boost::asio::io_context io;
  std::optional<common::Result<Sample>> result;
  boost::asio::co_spawn(io, sample(definition, options, api, kDay, max_records),
                        [&](std::exception_ptr thrown, common::Result<Sample> sampled) {
                          EXPECT_FALSE(thrown);
                          result = std::move(sampled);
                        });
  io.run();
  return result.value();
}

TEST(Sample, ReadsPagesUntilThereAreEnough) {
  FakeApi api([](const core::ApiRequest& request) {
    return answer(query_page({conversation("a" + request.position), conversation("b" + request.position), "17"}, 900));
  });

  const auto sampled = take(api, 3);

  ASSERT_TRUE(sampled) << sampled.error().message;
  EXPECT_THAT(sampled->records, SizeIs(3));
  EXPECT_EQ(sampled->records[2].key, "apage 2");
  EXPECT_EQ(sampled->records[0].value, conversation("apage 1"));
  EXPECT_EQ(sampled->total, 900);
  EXPECT_EQ(sampled->without_key, 2U);
  EXPECT_EQ(sampled->pages, 2U);
}

TEST(Sample, AsksForNoMoreThanItShows) {
  FakeApi api([](const core::ApiRequest&) { return answer(query_page({conversation("a")}, 1)); });
  ASSERT_TRUE(take(api, 1));
  ASSERT_THAT(api.requests, SizeIs(1));
  EXPECT_NE(api.requests[0].body.find(R"("pageSize":1)"), std::string::npos);
}

TEST(Sample, EndsWithTheInterval) {
  FakeApi api([](const core::ApiRequest& request) {
    return request.position == "page 1" ? answer(query_page({conversation("a")}, 1)) : answer("{}");
  });
  EXPECT_THAT(take(api, 10)->records, SizeIs(1));
}

TEST(Sample, OfBucketsIsOfWholeOnes) {
  FakeApi api([](const core::ApiRequest&) { return answer("{}"); });
  StreamOptions options = conversations(false);
  options.live.buckets = core::Buckets(std::chrono::minutes{30});
  const Definition definition = conversation_details();
  boost::asio::io_context io;
  for (const char* interval : {"2026-05-04T10:07:00Z/2026-05-04T11:29:59Z", "2026-05-04T10:07:00Z/2026-05-04T10:09:00Z"}) {
    boost::asio::co_spawn(io, sample(definition, options, api, common::parse_interval(interval).value(), 1),
                          [](std::exception_ptr thrown, common::Result<Sample> sampled) {
                            EXPECT_FALSE(thrown);
                            EXPECT_TRUE(sampled);
                          });
  }
  io.run();

  ASSERT_THAT(api.requests, SizeIs(2));
  EXPECT_NE(api.requests[0].body.find("2026-05-04T10:00:00.000Z/2026-05-04T11:00:00.000Z"), std::string::npos)
      << api.requests[0].body;
  EXPECT_NE(api.requests[1].body.find("2026-05-04T10:00:00.000Z/2026-05-04T10:30:00.000Z"), std::string::npos)
      << api.requests[1].body;
}

TEST(Sample, OfLocalBucketsIsTheFirst) {
  FakeApi api([](const core::ApiRequest&) { return answer("{}"); });
  StreamOptions options = conversations(false);
  options.live.buckets = core::Buckets(std::chrono::days{1}, common::TimeZone::find("Europe/Berlin").value());
  Definition definition = conversation_details();
  definition.bucket = "/granularity";
  definition.query->request.body["granularity"] = "P1D";
  boost::asio::io_context io;
  boost::asio::co_spawn(
      io, sample(definition, options, api, common::parse_interval("2026-03-29T10:00:00Z/2026-04-02T10:00:00Z").value(), 1),
      [](std::exception_ptr thrown, common::Result<Sample> sampled) {
        EXPECT_FALSE(thrown);
        EXPECT_TRUE(sampled);
      });
  io.run();

  ASSERT_THAT(api.requests, SizeIs(1));
  EXPECT_NE(api.requests[0].body.find("2026-03-28T23:00:00.000Z/2026-03-29T22:00:00.000Z"), std::string::npos)
      << api.requests[0].body;
  EXPECT_EQ(api.requests[0].body.find("granularity"), std::string::npos);
}

TEST(Sample, TellsWhatTheServiceSays) {
  FakeApi api([](const core::ApiRequest&) { return refuse(common::ErrorCode::kPermissionDenied); });
  EXPECT_EQ(take(api, 10).error().code, common::ErrorCode::kPermissionDenied);
}

TEST(Sample, NeedsAQuery) {
  FakeApi api([](const core::ApiRequest&) { return answer("{}"); });
  Definition definition = conversation_details();
  definition.query.reset();
  EXPECT_EQ(take(api, 10, definition).error().code, common::ErrorCode::kConfigInvalid);
}

}  // namespace
}  // namespace connector::source
