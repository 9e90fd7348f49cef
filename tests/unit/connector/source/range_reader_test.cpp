#include "connector/source/range_reader.h"

#include "connector/source/record_reader.h"
#include "tests/unit/connector/source/reader_fixture.h"

#include <algorithm>
#include <map>
#include <set>

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using common::ErrorCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tests::support::answer;
using tests::support::FakeAnswer;
using tests::support::refuse;

class RangeReaderTest : public testing::Test {
 protected:
  using Read = common::Result<void>;

  RangeReaderTest() { options.settle.enabled = true; }

  // Keys in the order in which they came, with the day of their page.
  Read read(core::RecordForm form, const std::string& from, const std::string& to) {
    const common::Logger logger({.level = common::LogLevel::kError}, [](common::LogLevel, std::string_view) {});
    RangeReader reader(definition, options, api, clock, logger, 1);
    if (keeps_earlier) reader.keep_what_began_before();
    const auto take = [this](core::Page page) { return keep(std::move(page)); };
    const common::Interval range{.start = at(from), .end = at(to)};
    std::optional<Read> done;
    boost::asio::co_spawn(io,
                          form == core::RecordForm::kJob ? reader.read_by_job(range, take) : reader.read_by_query(range, take),
                          [&](const std::exception_ptr& thrown, Read result) {
                            if (thrown) std::rethrow_exception(thrown);
                            done = std::move(result);
                          });
    clock.run_for(io, 24h);
    figures = reader.figures();
    return done ? *done : common::fail(ErrorCode::kInternal, "it does not end");
  }
  boost::asio::awaitable<Read> keep(core::Page page) {
    for (const auto& record : page.records) keys.emplace_back(record.key);
    pages.push_back(std::move(page));
    co_return refuses_pages ? common::fail(ErrorCode::kFenced, "fenced") : Read{};
  }
  // The intervals that jobs or queries were asked for.
  [[nodiscard]] std::vector<std::string> asked(const std::string& path) const {
    std::vector<std::string> intervals;
    for (const auto& request : api.requests) {
      if (request.path == path) intervals.push_back(request.window);
    }
    return intervals;
  }

  boost::asio::io_context io;
  tests::support::ManualClock clock{at("2026-05-10T10:00:00")};
  tests::support::FakeApi::Handler service = [](const core::ApiRequest&) { return answer("{}"); };
  tests::support::FakeApi api{[this](const core::ApiRequest& request) { return service(request); }};
  Definition definition = conversation_details();
  StreamOptions options = conversations(true);
  bool refuses_pages = false;
  bool keeps_earlier = false;
  std::vector<std::string> keys;
  std::vector<core::Page> pages;
  RangeFigures figures;
};

// Jobs of two pages; each job is named after the number of its submission.
struct FakeJobs {
  int submitted = 0;
  int failing = 0;  // that many first jobs fail
  std::string availability = "2026-05-09T00:00:00Z";
  std::vector<std::string> first{conversation("in", "2026-05-04T23:30:00"), conversation("before", "2026-05-04T21:00:00")};

  FakeAnswer operator()(const core::ApiRequest& request) {
    const std::string& path = request.path;
    if (path == "/details/jobs/availability") return answer(R"({"dataAvailabilityDate":")" + availability + "\"}");
    if (path == "/details/jobs") return answer(R"({"jobId":"j)" + std::to_string(++submitted) + "\"}", 202);
    if (!path.ends_with("/results")) return answer(submitted <= failing ? R"({"state":"FAILED"})" : R"({"state":"FULFILLED"})");
    const bool is_second =
        std::ranges::find(request.query, std::pair<std::string, std::string>("cursor", "2")) != request.query.end();
    const std::string rest = R"(,"dataAvailabilityDate":")" + availability + "\"";
    if (!is_second) return answer(page_of(first, rest + R"(,"cursor":"2")"));
    return answer(page_of({conversation("last" + std::to_string(submitted), "2026-05-05T00:30:00")}, rest));
  }
};

TEST_F(RangeReaderTest, AJobLiesInsideADayAndRowsThatBeganOutsideTheRangeAreLeftOut) {
  FakeJobs jobs;
  service = [&](const core::ApiRequest& request) { return jobs(request); };

  const auto done = read(core::RecordForm::kJob, "2026-05-04T22:00:00", "2026-05-05T01:00:00");

  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(asked("/details/jobs"), ElementsAre("2026-05-04T22:00:00.000Z/2026-05-05T00:00:00.000Z",
                                                  "2026-05-05T00:00:00.000Z/2026-05-05T01:00:00.000Z"));
  EXPECT_THAT(keys, ElementsAre("in", "last1", "in", "last2"));
  ASSERT_THAT(pages, SizeIs(4));
  EXPECT_EQ(pages[0].form, core::RecordForm::kJob);
  EXPECT_EQ(pages[0].availability, at("2026-05-09T00:00:00"));
  EXPECT_THAT(pages[0].contents, SizeIs(1));
  EXPECT_EQ(pages[0].contents[0].home_day, std::chrono::sys_days(std::chrono::May / 4 / 2026));
}

TEST_F(RangeReaderTest, AJobThatFailsIsAskedForAgainAndOneThatKeepsFailingIsHalved) {
  FakeJobs jobs{.failing = 3};
  service = [&](const core::ApiRequest& request) { return jobs(request); };

  const auto done = read(core::RecordForm::kJob, "2026-05-04T22:00:00", "2026-05-05T00:00:00");

  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(asked("/details/jobs").back(), "2026-05-04T23:00:00.000Z/2026-05-05T00:00:00.000Z");
  EXPECT_EQ(jobs.submitted, 5);
}

TEST_F(RangeReaderTest, ResultsThatAreNotCompleteToTheEndOfTheirWindowDoNotCount) {
  FakeJobs jobs{.availability = "2026-05-04T23:00:00Z"};
  service = [&](const core::ApiRequest& request) { return jobs(request); };

  const auto done = read(core::RecordForm::kJob, "2026-05-04T22:00:00", "2026-05-05T00:00:00");

  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("complete up to 2026-05-04T23:00:00"));
  EXPECT_THAT(keys, IsEmpty());
}

TEST_F(RangeReaderTest, WhatOnlyAnOperatorCanMendEndsItAtOnce) {
  service = [](const core::ApiRequest&) { return refuse(ErrorCode::kPermissionDenied, "no"); };

  for (const auto form : {core::RecordForm::kJob, core::RecordForm::kQuery}) {
    api.requests.clear();
    const auto done = read(form, "2026-05-04T00:00:00", "2026-05-05T00:00:00");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::kPermissionDenied);
    EXPECT_THAT(api.requests, SizeIs(1));
  }
}

TEST_F(RangeReaderTest, AnErrorOfWhoeverTakesThePagesEndsIt) {
  FakeJobs jobs;
  service = [&](const core::ApiRequest& request) { return jobs(request); };
  refuses_pages = true;

  const auto done = read(core::RecordForm::kJob, "2026-05-04T22:00:00", "2026-05-05T00:00:00");

  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kFenced);
  EXPECT_THAT(pages, SizeIs(1));
}

TEST_F(RangeReaderTest, TheQueryIsReadToItsEmptyPageDayByDay) {
  service = [](const core::ApiRequest& request) {
    const bool is_first = request.body.find(R"("pageNumber":1)") != std::string::npos;
    if (!is_first) return answer(query_page({}, 2));
    return answer(
        query_page({conversation("a" + request.window.substr(8, 2), "2026-05-0" + request.window.substr(9, 1) + "T10:00:00"),
                    conversation("early", "2026-05-03T10:00:00")},
                   2));
  };

  const auto done = read(core::RecordForm::kQuery, "2026-05-04T00:00:00", "2026-05-06T00:00:00");

  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(keys, ElementsAre("a04", "a05"));
  EXPECT_EQ(pages.front().form, core::RecordForm::kQuery);
  EXPECT_FALSE(figures.is_short);
}

TEST_F(RangeReaderTest, AWindowTooDeepForTheQueryIsReadInParts) {
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    if (request.window.ends_with("/2026-05-05T00:00:00.000Z") && request.window.starts_with("2026-05-04T00")) {
      return refuse(ErrorCode::kTooComplex, "too deep");
    }
    return answer(query_page({}, 0));
  };

  const auto done = read(core::RecordForm::kQuery, "2026-05-04T00:00:00", "2026-05-05T00:00:00");

  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(asked("/details/query"), ElementsAre("2026-05-04T00:00:00.000Z/2026-05-05T00:00:00.000Z",
                                                   "2026-05-04T00:00:00.000Z/2026-05-04T12:00:00.000Z",
                                                   "2026-05-04T12:00:00.000Z/2026-05-05T00:00:00.000Z"));
}

// A part of a bucket would have other figures, and its interval would be another key.
TEST_F(RangeReaderTest, OfBucketsWholeOnesAreAskedForHoweverTheRangeIsCut) {
  options.live.buckets = core::Buckets(15min);
  options.live.min_window = 15min;
  definition.query->pages = NoPages{};
  definition.query->total.reset();
  service = [&](const core::ApiRequest& request) {
    return request.window == "2026-05-04T22:30:00.000Z/2026-05-04T23:15:00.000Z" ? refuse(ErrorCode::kTooComplex) : answer("{}");
  };

  ASSERT_TRUE(read(core::RecordForm::kQuery, "2026-05-04T22:37:00", "2026-05-04T23:29:59"));

  EXPECT_THAT(
      asked("/details/query"),
      ElementsAre("2026-05-04T22:30:00.000Z/2026-05-04T23:15:00.000Z", "2026-05-04T22:30:00.000Z/2026-05-04T22:45:00.000Z",
                  "2026-05-04T22:45:00.000Z/2026-05-04T23:00:00.000Z", "2026-05-04T23:00:00.000Z/2026-05-04T23:15:00.000Z"));
}

// As the lane asks for them, or what is verified would be other figures.
TEST_F(RangeReaderTest, LocalBucketsAreAskedForOneByOneAndNeverCut) {
  options.live.buckets = core::Buckets(24h, common::TimeZone::find("Europe/Berlin").value());
  options.live.min_window = 24h;
  options.query = common::json::Object{{"granularity", "P1D"}, {"timeZone", "Europe/Berlin"}};
  definition.bucket = "/granularity";
  definition.time_zone = "/timeZone";
  definition.query->pages = NoPages{};
  definition.query->total.reset();

  ASSERT_TRUE(read(core::RecordForm::kQuery, "2026-03-28T12:00:00", "2026-03-30T21:59:59"));

  EXPECT_THAT(asked("/details/query"), ElementsAre("2026-03-27T23:00:00.000Z/2026-03-28T23:00:00.000Z",
                                                   "2026-03-28T23:00:00.000Z/2026-03-29T22:00:00.000Z"));
  EXPECT_EQ(api.requests[0].body.find("granularity"), std::string::npos);
  EXPECT_EQ(api.requests[0].body.find("timeZone"), std::string::npos);

  // Longer than two others, where half an hour is shown twice.
  api.requests.clear();
  options.live.buckets = core::Buckets(20min, common::TimeZone::find("Australia/Lord_Howe").value());
  options.live.min_window = 20min;
  service = [](const core::ApiRequest&) { return refuse(ErrorCode::kTooComplex); };
  EXPECT_FALSE(read(core::RecordForm::kQuery, "2024-04-06T14:50:00", "2024-04-06T15:30:00"));
  EXPECT_THAT(asked("/details/query"), ElementsAre("2024-04-06T14:40:00.000Z/2024-04-06T15:30:00.000Z"));
}

TEST_F(RangeReaderTest, WhatLastsBelongsToTheDayOfItsReading) {
  definition.spans_days = true;
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    return request.position == "page 1" ? answer(query_page({conversation("a", "2026-05-04T23:30:00", "2026-05-06T01:00:00")}, 1))
                                        : answer("{}");
  };

  ASSERT_TRUE(read(core::RecordForm::kQuery, "2026-05-04T22:00:00", "2026-05-05T12:00:00"));

  ASSERT_THAT(pages, SizeIs(2));
  EXPECT_EQ(pages[0].contents[0].home_day, std::chrono::sys_days(std::chrono::May / 4 / 2026));
  EXPECT_EQ(pages[1].contents[0].home_day, std::chrono::sys_days(std::chrono::May / 5 / 2026));
}

TEST_F(RangeReaderTest, WhatBeganBeforeTheRangeIsKeptIfTold) {
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    if (request.position != "page 1") return answer("{}");
    return answer(query_page({conversation("before", "2026-05-01T23:30:00", ""), conversation("in", "2026-05-04T23:30:00"),
                              conversation("after", "2026-05-06T00:00:00")},
                             3));
  };
  ASSERT_TRUE(read(core::RecordForm::kQuery, "2026-05-04T22:00:00", "2026-05-05T00:00:00"));
  EXPECT_THAT(keys, ElementsAre("in"));
  keys.clear();
  keeps_earlier = true;

  ASSERT_TRUE(read(core::RecordForm::kQuery, "2026-05-04T22:00:00", "2026-05-05T00:00:00"));

  EXPECT_THAT(keys, ElementsAre("before", "in"));
}

// `dead-letters retry` of a state: what it shows now began whenever it likes, and the dead letter's window is that of a reading.
TEST_F(RangeReaderTest, OfAStateEverythingThatBeganBeforeIsKeptIfTold) {
  definition.window = Snapshot{};
  definition.job.reset();
  definition.query->total.reset();
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    EXPECT_EQ(request.body.find("interval"), std::string::npos) << request.body;
    if (request.position != "page 1") return answer("{}");
    return answer(
        query_page({conversation("old", "2025-01-01T00:00:00", ""), conversation("now", "2026-05-04T23:30:00", "")}, 2));
  };
  keeps_earlier = true;

  ASSERT_TRUE(read(core::RecordForm::kQuery, "2026-05-04T23:30:00", "2026-05-04T23:31:00"));

  EXPECT_THAT(keys, ElementsAre("old", "now"));
  keys.clear();
  keeps_earlier = false;
  ASSERT_TRUE(read(core::RecordForm::kQuery, "2026-05-04T23:30:00", "2026-05-04T23:31:00"));
  EXPECT_THAT(keys, ElementsAre("now"));
}

TEST_F(RangeReaderTest, AnAnswerShorterThanItsTotalIsSaid) {
  service = [](const core::ApiRequest& request) {
    const bool is_first = request.body.find(R"("pageNumber":1)") != std::string::npos;
    return answer(query_page(is_first ? std::vector{conversation("a", "2026-05-04T10:00:00")} : std::vector<std::string>{}, 5));
  };

  ASSERT_TRUE(read(core::RecordForm::kQuery, "2026-05-04T00:00:00", "2026-05-05T00:00:00"));

  EXPECT_TRUE(figures.is_short);
}

class ReadById : public RangeReaderTest {
 protected:
  ReadById() {
    definition.by_id = ByIdSource{.request = {.method = common::http::Method::kGet, .path = "/details", .body = {}},
                                  .max_ids = 2,
                                  .records = "/conversations"};
  }
  Read read_ids(const std::vector<std::string>& ids) {
    const common::Logger logger({.level = common::LogLevel::kError}, [](common::LogLevel, std::string_view) {});
    RangeReader reader(definition, options, api, clock, logger, 1);
    std::vector<core::RecordKey> wanted(ids.begin(), ids.end());
    std::optional<Read> done;
    boost::asio::co_spawn(io, reader.read_by_id(std::move(wanted), [this](core::Page page) { return keep(std::move(page)); }),
                          [&](const std::exception_ptr& thrown, Read result) {
                            if (thrown) std::rethrow_exception(thrown);
                            done = std::move(result);
                          });
    clock.run_for(io, 24h);
    return done ? *done : common::fail(ErrorCode::kInternal, "it does not end");
  }
  static std::string ids_of(const core::ApiRequest& request) {
    for (const auto& [name, value] : request.query) {
      if (name == "id") return value;
    }
    return {};
  }
  [[nodiscard]] std::vector<std::string> asked_ids() const {
    std::vector<std::string> all;
    for (const auto& request : api.requests) all.push_back(ids_of(request));
    return all;
  }
};

TEST_F(ReadById, AsksForManyAtOnceAndTakesOnlyWhatWasAskedFor) {
  service = [](const core::ApiRequest& request) {
    if (ids_of(request) == "a,b") {
      return answer(page_of({conversation("b", "2026-05-03T10:00:00"), conversation("stranger"), conversation("b"),
                             conversation("a", "2026-05-04T10:00:00", "")},
                            ""));
    }
    return answer(page_of({}, ""));
  };

  const auto done = read_ids({"a", "b", "c"});

  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(asked_ids(), ElementsAre("a,b", "c"));
  EXPECT_THAT(keys, ElementsAre("b", "a"));
  ASSERT_THAT(pages, SizeIs(1));
  EXPECT_EQ(pages[0].form, core::RecordForm::kById);
  EXPECT_EQ(pages[0].contents[0].home_day, std::chrono::sys_days(std::chrono::May / 3 / 2026));
  EXPECT_TRUE(pages[0].contents[1].open);
  EXPECT_EQ(pages[0].window, (common::Interval{.start = at("2026-05-03T00:00:00"), .end = at("2026-05-10T10:00:00")}));
}

TEST_F(ReadById, OneThatTheServiceCannotAnswerForDoesNotHinderTheOthers) {
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    const std::string ids = ids_of(request);
    if (ids.find("bad") != std::string::npos) return refuse(ErrorCode::kRequestRejected, "no");
    return answer(page_of({conversation(ids)}, ""));
  };

  ASSERT_TRUE(read_ids({"bad", "a", "b"}));

  EXPECT_THAT(asked_ids(), ElementsAre("bad,a", "bad", "a", "b"));
  EXPECT_THAT(keys, ElementsAre("a", "b"));
}

TEST_F(ReadById, WhatIsNotTheRecordsFaultEndsIt) {
  service = [](const core::ApiRequest&) { return refuse(ErrorCode::kPermissionDenied, "no"); };
  EXPECT_FALSE(read_ids({"a", "b", "c", "d"}));
  EXPECT_THAT(api.requests, SizeIs(1));

  service = [](const core::ApiRequest&) { return refuse(ErrorCode::kRequestRejected, "none of them"); };
  EXPECT_FALSE(read_ids({"a", "b", "c", "d", "e", "f", "g", "h"})) << "that all are refused is no coincidence";
}

TEST_F(RangeReaderTest, ByAJobOfOtherWordsThatNamesItselfInsteadOfADate) {
  JobSource& job = *definition.job;
  job.id = "/id";
  job.states = {{"Succeeded", "FULFILLED"}};
  job.lag = 1h;
  job.availability_date.clear();
  job.page_mark = "/id";
  int answered = 0;
  service = [&](const core::ApiRequest& request) {
    if (request.path == "/details/jobs") return answer(R"({"id":"q","state":"Queued"})", 202);
    if (!request.path.ends_with("/results")) return answer(R"({"id":"q","state":"Succeeded"})");
    if (answered++ == 0) return answer("{}");  // of a gateway
    return answer(page_of({conversation("a", "2026-05-04T10:00:00")}, R"(,"id":"q")"));
  };

  ASSERT_TRUE(read(core::RecordForm::kJob, "2026-05-04T00:00:00", "2026-05-05T00:00:00"));
  EXPECT_THAT(keys, ElementsAre("a"));
  EXPECT_EQ(answered, 2);
  ASSERT_THAT(pages, SizeIs(1));
  EXPECT_EQ(pages[0].availability, at("2026-05-10T09:00:00")) << "else it is older than what the settle lane has read";
}

TEST_F(RangeReaderTest, ByAJobWithoutADateADayThatIsOverByTheHostsClockAloneDoesNotCount) {
  JobSource& job = *definition.job;
  job.lag = 1h;
  job.availability_date.clear();
  FakeJobs jobs;
  service = [&](const core::ApiRequest& request) {
    api.skew = -10h;
    return jobs(request);
  };

  const auto done = read(core::RecordForm::kJob, "2026-05-09T00:00:00", "2026-05-10T00:00:00");

  EXPECT_THAT(keys, IsEmpty());
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("complete up to 2026-05-09T23:"));
}

TEST_F(RangeReaderTest, WaitsForAnotherJobAsLongAsOneMayTake) {
  definition.job->max_open = 1;
  options.settle.job_deadline = 2h;
  FakeJobs jobs;
  int refusals = 12;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (request.path != "/details/jobs" || refusals-- <= 0) return jobs(request);
    return request.takes_conflict ? answer("{}", 409) : refuse(ErrorCode::kRequestRejected, "409");
  };

  const auto done = read(core::RecordForm::kJob, "2026-05-04T22:00:00", "2026-05-05T00:00:00");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(jobs.submitted, 1);

  refusals = 1'000;
  const auto refused = read(core::RecordForm::kJob, "2026-05-04T22:00:00", "2026-05-05T00:00:00");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("runs no more jobs at once"));
  EXPECT_EQ(jobs.submitted, 1);
}

TEST(RecordReader, ReadsARecordAsAPageOfItWouldBeRead) {
  Definition definition = conversation_details();
  definition.job_only = {"/attributes"};
  RecordReader reader(definition, StreamOptions{});

  const auto plain = reader.read(conversation("a", "2026-05-04T10:00:00"));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->start, at("2026-05-04T10:00:00"));
  const auto spelled = reader.read(R"( { "conversationStart" : "2026-05-04T10:00:00Z", "conversationId":"\u0061",
                                        "conversationEnd":"2026-05-04T10:00:50Z", "attributes":{"x":1} } )");
  ASSERT_TRUE(spelled);
  EXPECT_EQ(spelled->digests.common, plain->digests.common);
  EXPECT_NE(spelled->digests.full, plain->digests.full);

  for (const char* what : {"", "1", "{", "{}", R"({"conversationId":1})", R"({"conversationId":"a"},{"conversationId":"b"})"}) {
    EXPECT_FALSE(reader.read(what)) << what;
  }
  EXPECT_FALSE(reader.read(conversation("b"))->open) << "after what it could not read";
  EXPECT_TRUE(reader.read(conversation("c", "2026-05-04T10:00:00", ""))->open);
}

}  // namespace
}  // namespace connector::source
