// Lanes over records that are put together: what the service counts and pages through are their outer elements, what is published
// once and compared are the records.

#include "connector/source/json_pointer.h"
#include "connector/source/sample.h"
#include "tests/unit/connector/source/reader_fixture.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using tests::support::answer;
using tests::support::FakeAnswer;
using tests::support::FakeApi;

CompositeRecords statuses() {
  return {.each = {"/users/*/presence/*", "/users/*/routing/*"}, .with = {"/users/*/userId"}, .as = "status", .list = "list"};
}

// Statuses of users, by query and job.
Definition user_statuses() {
  Definition definition = conversation_details();
  definition.key = std::vector<KeyPart>{{"/userId"}, {"/list"}, {"/status/start"}};
  definition.start_pointer = "/status/start";
  definition.end_pointer = "/status/end";
  definition.open_while_absent = "/status/end";
  definition.query->records = statuses();
  definition.query->total = Total{.pointer = "/totalHits", .trust = TotalTrust::kNone};
  definition.job->records = statuses();
  return definition;
}

std::string status(const std::string& start, const std::string& end = "") {
  return R"({"start":"2026-05-04T)" + start + "Z\"" + (end.empty() ? "" : R"(,"end":"2026-05-04T)" + end + "Z\"") + "}";
}
std::string user(const std::string& id, const std::string& presence, const std::string& routing = "") {
  return R"({"presence":[)" + presence + R"(],"userId":")" + id + R"(","routing":[)" + routing + "]}";
}
std::string users(const std::vector<std::string>& list, const std::string& rest = R"(,"totalHits":900)") {
  std::string body = R"({"users":[)";
  for (std::size_t i = 0; i < list.size(); ++i) body += (i == 0 ? "" : ",") + list[i];
  return body + "]" + rest + "}";
}
std::string key(const std::string& id, const std::string& list, const std::string& start) {
  return "[\"" + id + "\",\"" + list + "\",\"2026-05-04T" + start + "Z\"]";
}

class CompositeLanes : public ReaderTest {
 protected:
  CompositeLanes() { definition = user_statuses(); }

  static Handler pages(std::vector<std::string> pages) {
    return [pages = std::move(pages)](const core::ApiRequest& request) -> FakeAnswer {
      const auto body = common::json::parse(request.body).value();
      const auto number = static_cast<std::size_t>(find_at(body, "/paging/pageNumber")->as_int64());
      return answer(number > pages.size() ? R"({"totalHits":900})" : pages[number - 1]);
    };
  }
};

TEST_F(CompositeLanes, EveryRecordOfAWindowIsPublishedOnceAndClosedIfItWasSeenClosed) {
  service =
      pages({users({user("u1", status("10:00:00"), status("10:00:00", "10:00:30")), user("u2", status("09:00:00", "10:00:10"))}),
             users({user("u1", status("10:00:00", "10:00:50") + "," + status("10:00:50"), "")})});
  run_live();
  pass(90s);

  EXPECT_THAT(publisher.keys(), UnorderedElementsAre(key("u1", "presence", "10:00:00"), key("u1", "routing", "10:00:00"),
                                                     key("u2", "presence", "09:00:00"), key("u1", "presence", "10:00:50")));
  const auto closed =
      std::ranges::find(publisher.records, key("u1", "presence", "10:00:00"), &tests::support::PublishedRecord::key);
  ASSERT_NE(closed, publisher.records.end());
  EXPECT_EQ(closed->value, R"({"userId":"u1","list":"presence","status":)" + status("10:00:00", "10:00:50") + "}");
  EXPECT_EQ(publisher.committed(live).complete_until(), at("2026-05-04T10:01:00"));
  EXPECT_THAT(publisher.committed(live).short_windows(), IsEmpty()) << "a total of users says nothing of statuses";
  EXPECT_THAT(api.requests, SizeIs(3));
}

// Its users have nothing to tell; those of the next page may.
TEST_F(CompositeLanes, APageWithoutRecordsDoesNotEndAWindowAsLongAsItHasElements) {
  service = pages({users({user("u1", "")}), users({user("u2", status("10:00:10"))})});
  run_live();
  pass(90s);

  EXPECT_THAT(publisher.keys(), ElementsAre(key("u2", "presence", "10:00:10")));
  EXPECT_THAT(api.requests, SizeIs(3));
}

TEST_F(CompositeLanes, ContentsAreThoseOfTheRecordAndItsOwnDay) {
  std::vector<core::RecordContent> contents;
  publisher.on_submit = [&](const core::PageGroup& group) -> std::optional<common::Error> {
    for (const core::Page& page : group) contents.insert(contents.end(), page.contents.begin(), page.contents.end());
    return std::nullopt;
  };
  const std::string yesterday = R"({"start":"2026-05-03T22:00:00Z"})";
  service = pages({users({user("u1", yesterday), user("u2", yesterday, status("10:00:00", "10:00:30"))})});
  run_live();
  pass(90s);

  ASSERT_THAT(contents, SizeIs(3));
  EXPECT_EQ(contents[0].home_day, at("2026-05-03T00:00:00"));
  EXPECT_TRUE(contents[0].open);
  EXPECT_EQ(contents[2].home_day, at("2026-05-04T00:00:00"));
  EXPECT_FALSE(contents[2].open);
  EXPECT_NE(contents[0].digests, contents[1].digests) << "the user counts, too";
}

TEST_F(CompositeLanes, WhatHasNoKeyIsADeadLetterAndTheWindowGoesOn) {
  service = pages({users({user("u1", R"({"end":"2026-05-04T10:00:00Z"})"), "17", user("u2", status("10:00:10"))})});
  run_live();
  pass(90s);

  EXPECT_THAT(publisher.keys(), ElementsAre(key("u2", "presence", "10:00:10")));
  EXPECT_THAT(publisher.dead_letters, ElementsAre("no_key@0", "not_an_object@1"));
  EXPECT_EQ(publisher.committed(live).complete_until(), at("2026-05-04T10:01:00"));
}

TEST_F(CompositeLanes, JobsYieldTheSameRecords) {
  start = at("2026-05-04T00:00:00");
  clock.set_utc(at("2026-05-05T10:00:00"));
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    const std::string date = R"("dataAvailabilityDate":"2026-05-05T00:00:00Z")";
    if (request.path == "/details/jobs/availability") return answer("{" + date + "}");
    if (request.path == "/details/jobs") return answer(R"({"jobId":"j"})", 202);
    if (request.path == "/details/jobs/j") return answer(R"({"state":"FULFILLED"})");
    if (request.query.size() == 1) {
      return answer(
          users({user("u1", status("10:00:00", "10:10:00"), status("10:00:00", "10:05:00"))}, R"(,"cursor":"c",)" + date));
    }
    return answer(users({user("u2", ""), user("u3", status("11:00:00", "11:10:00"))}, "," + date));
  };
  run_settle();
  pass(1min);

  EXPECT_THAT(publisher.keys(), UnorderedElementsAre(key("u1", "presence", "10:00:00"), key("u1", "routing", "10:00:00"),
                                                     key("u3", "presence", "11:00:00")));
  EXPECT_EQ(publisher.committed(settle).complete_until(), at("2026-05-05T00:00:00"));
}

TEST(CompositeSample, ShowsTheRecordsAsTheyWouldBePublished) {
  FakeApi api([](const core::ApiRequest& request) {
    return answer(request.position == "page 1" ? users({user("u1", ""), user("u2", status("10:00:00"))}) : std::string("{}"));
  });
  const Definition definition = user_statuses();
  const StreamOptions options = conversations(false);
  boost::asio::io_context io;
  std::optional<common::Result<Sample>> sampled;
  const auto day = common::parse_interval("2026-05-04T00:00:00Z/2026-05-05T00:00:00Z").value();
  boost::asio::co_spawn(io, sample(definition, options, api, day, 10),
                        [&](std::exception_ptr thrown, common::Result<Sample> result) {
                          EXPECT_FALSE(thrown);
                          sampled = std::move(result);
                        });
  io.run();

  ASSERT_TRUE(sampled && *sampled);
  ASSERT_THAT((*sampled)->records, SizeIs(1));
  EXPECT_EQ((*sampled)->records[0].key, key("u2", "presence", "10:00:00"));
  EXPECT_EQ((*sampled)->records[0].value, R"({"userId":"u2","list":"presence","status":)" + status("10:00:00") + "}");
}

// What stands beside the records repeats with each: a page that fits becomes many times as much.
TEST_F(CompositeLanes, AWindowWhoseRecordsTakeMoreThanTheMemoryIsCut) {
  page_bytes = 50'000;
  options.live.every = 1h;
  options.live.min_window = 1min;
  clock.set_utc(at("2026-05-04T11:05:00"));
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    if (request.position != "page 1") return answer(users({}));
    const auto window = common::parse_interval(request.window).value();
    std::string statuses;
    for (auto start = window.start; start < window.end; start += 30s) {
      const std::string text = common::format_instant(start, false).substr(11, 8);
      statuses += (statuses.empty() ? "" : ",") + status(text, text);
    }
    return answer(users({user(std::string(1'000, 'u'), statuses)}));
  };
  run_live();
  pass(1min);

  EXPECT_GE(publisher.committed(live).complete_until(), at("2026-05-04T11:00:00"));
  EXPECT_GE(lines_with("read in parts"), 1U);
  EXPECT_THAT(publisher.keys(), SizeIs(120));
  EXPECT_EQ(lines_with("could not be read"), 0U);
}

}  // namespace
}  // namespace connector::source
