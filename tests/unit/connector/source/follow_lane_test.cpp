#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using tests::support::answer;
using tests::support::refuse;

class FollowLaneTest : public ReaderTest {
 protected:
  const core::SourcePartition follow{.stream = core::StreamName("conversations"), .lane = core::Lane::kFollow};
  core::StreamDigests digests{core::StreamName("conversations"), core::StreamRules{}};

  void SetUp() override {
    definition.by_id = ByIdSource{.request = {.method = common::http::Method::kGet, .path = "/details", .body = {}},
                                  .ids = InQuery{"id"},
                                  .max_ids = 2,
                                  .records = "/conversations"};
    publisher.known_digests = &digests;
    publisher.adopt(follow, begun_ledger());
  }
  // As another lane has published it.
  void published(const std::string& key, bool open, std::uint64_t content = 1) {
    const core::KeyedSighting row{.key = key,
                                  .sighting = {.open = open,
                                               .digests = {.common = content, .full = content},
                                               .read_at = clock.utc_now(),
                                               .home_day = std::chrono::floor<std::chrono::days>(clock.utc_now())}};
    digests.apply(digests.decide(std::span(&row, 1)).number);
  }
  // As the publisher does with what the lane brings.
  void decide_what_is_submitted() {
    publisher.on_submit = [this](const core::PageGroup& group) -> std::optional<common::Error> {
      for (const core::Page& page : group) {
        for (std::size_t i = 0; i < page.records.size(); ++i) {
          const core::RecordContent& content = page.contents[i];
          const core::KeyedSighting row{.key = page.records[i].key,
                                        .sighting = {.form = core::SightingForm::kById,
                                                     .open = content.open,
                                                     .digests = content.digests,
                                                     .read_at = page.service_date,
                                                     .home_day = content.home_day}};
          digests.apply(digests.decide(std::span(&row, 1)).number);
        }
      }
      return std::nullopt;
    };
  }
  void run_follow() {
    make_reader();
    ASSERT_TRUE(reader->has_follow());
    boost::asio::co_spawn(
        io, reader->run_follow(),
        boost::asio::bind_cancellation_slot(cancel.slot(), [this](const std::exception_ptr& thrown, common::Result<void> result) {
          ASSERT_FALSE(thrown);
          ended = std::move(result);
        }));
    pass(0s);
  }
  [[nodiscard]] static std::string ids_of(const core::ApiRequest& request) {
    for (const auto& [name, value] : request.query) {
      if (name == "id") return value;
    }
    return {};
  }
};

TEST_F(FollowLaneTest, AsksForOpenRecordsByIdManyARequest) {
  published("closed", false);
  pass(2h);
  for (const char* key : {"a", "b", "c"}) published(key, true);
  service = [](const core::ApiRequest&) { return answer(page_of({conversation("a", "2026-05-04T10:00:10", "")}, "")); };
  run_follow();

  pass(3min);

  ASSERT_GE(api.requests.size(), 2U);
  EXPECT_EQ(api.requests[0].path, "/details");
  EXPECT_EQ(api.requests[0].source, follow);
  EXPECT_EQ(ids_of(api.requests[0]).size(), 3U) << "two ids and a comma: " << ids_of(api.requests[0]);
  for (const auto& request : api.requests) EXPECT_EQ(ids_of(request).find("closed"), std::string::npos);
  EXPECT_THAT(publisher.records, testing::Each(testing::Field(&tests::support::PublishedRecord::key, "a")));
}

TEST_F(FollowLaneTest, WhatWasNotAskedForIsNotPublished) {
  published("a", true);
  service = [](const core::ApiRequest&) {
    return answer(page_of({conversation("a", "2026-05-04T10:00:10", ""), conversation("stranger")}, ""));
  };
  run_follow();

  pass(3min);

  EXPECT_GE(publisher.times("a"), 1U);
  EXPECT_EQ(publisher.times("stranger"), 0U);
}

TEST_F(FollowLaneTest, TheLongerARecordHasNotChangedTheMoreSeldomItIsRead) {
  published("a", true);
  service = [](const core::ApiRequest&) { return answer(page_of({conversation("a", "2026-05-04T10:00:10", "")}, "")); };
  decide_what_is_submitted();
  run_follow();
  pass(1h);
  const std::size_t first_hour = api.requests.size();
  pass(24h);
  const std::size_t before = api.requests.size();
  pass(1h);

  EXPECT_GT(first_hour, 3U);
  EXPECT_LE(api.requests.size() - before, 1U);
}

TEST_F(FollowLaneTest, SaysWhetherTheContentIsWhatWasKnownWhenItWasAskedFor) {
  published("a", true);
  std::vector<bool> known;
  publisher.on_submit = [&](const core::PageGroup& group) -> std::optional<common::Error> {
    for (const auto& content : group.back().contents) known.push_back(content.known_when_asked);
    return std::nullopt;
  };
  service = [](const core::ApiRequest&) { return answer(page_of({conversation("a", "2026-05-04T10:00:10", "")}, "")); };
  run_follow();
  pass(3min);
  ASSERT_THAT(known, testing::Not(IsEmpty()));
  EXPECT_FALSE(known.back()) << "another content than the one that was published";

  decide_what_is_submitted();
  pass(10min);
  publisher.on_submit = [&](const core::PageGroup& group) -> std::optional<common::Error> {
    for (const auto& content : group.back().contents) known.push_back(content.known_when_asked);
    return std::nullopt;
  };
  pass(30min);
  EXPECT_TRUE(known.back());
}

TEST_F(FollowLaneTest, WhatAJobHasSealedIsLeftAlone) {
  published("a", true);
  run_follow();
  core::KeyedSighting sealed{.key = "a",
                             .sighting = {.form = core::SightingForm::kJob,
                                          .digests = {.common = 2, .full = 3},
                                          .read_at = clock.utc_now(),
                                          .availability = clock.utc_now() + 1h,
                                          .home_day = std::chrono::floor<std::chrono::days>(clock.utc_now())}};
  digests.apply(digests.decide(std::span(&sealed, 1)).number);

  pass(24h);

  EXPECT_THAT(api.requests, IsEmpty());
}

TEST_F(FollowLaneTest, AFailedRequestIsMadeAgain) {
  published("a", true);
  bool fails = true;
  service = [&](const core::ApiRequest&) -> tests::support::FakeAnswer {
    if (fails) return refuse(common::ErrorCode::kRetryable, "busy");
    return answer(page_of({conversation("a")}, ""));
  };
  run_follow();
  pass(10min);
  EXPECT_THAT(publisher.records, IsEmpty());
  fails = false;

  pass(10min);

  EXPECT_GE(publisher.times("a"), 1U);
}

// Wrap-up comes after the end: what was closed a moment before a restart is not done.
TEST_F(FollowLaneTest, WhatWasClosedAMomentBeforeARestartIsFollowedOn) {
  published("quiet", false);
  pass(2h);
  published("closed", false);
  service = [](const core::ApiRequest&) { return answer(page_of({conversation("closed")}, "")); };
  decide_what_is_submitted();
  run_follow();
  pass(10min);

  EXPECT_GE(publisher.times("closed"), 1U);
  for (const auto& request : api.requests) EXPECT_EQ(ids_of(request), "closed");
  pass(3h);
  const std::size_t before = api.requests.size();
  pass(24h);
  EXPECT_EQ(api.requests.size(), before) << "until it is quiet";
}

TEST_F(FollowLaneTest, WhatHasBeenOpenForTooLongIsGivenUpAndNotTakenUpAgain) {
  options.follow.give_up = 24h;
  published("a", true);
  service = [](const core::ApiRequest&) { return answer(page_of({conversation("a", "2026-05-04T10:00:10", "")}, "")); };
  decide_what_is_submitted();
  run_follow();
  pass(23h);
  const std::size_t before = api.requests.size();
  EXPECT_GT(before, 1U);
  EXPECT_EQ(lines_with("not followed any more"), 0U);

  pass(48h);

  EXPECT_EQ(lines_with("not followed any more"), 1U);
  const std::size_t after = api.requests.size();
  pass(48h);
  EXPECT_EQ(api.requests.size(), after);
}

// Its stream was stopped and runs again: what was taken over and dropped is read once more.
TEST_F(FollowLaneTest, APageThatWasTakenAndDroppedIsReadAgain) {
  published("a", true);
  service = [](const core::ApiRequest&) { return answer(page_of({conversation("a")}, "")); };
  publisher.drop = 1;
  run_follow();

  pass(10min);

  EXPECT_GE(api.requests.size(), 2U);
  EXPECT_GE(publisher.times("a"), 1U);
}

TEST_F(FollowLaneTest, WhatCouldNotBeAskedForIsPutBackAndNotLost) {
  published("a", true);
  published("b", true);
  bool hangs = true;
  service = [&](const core::ApiRequest&) -> tests::support::FakeAnswer {
    if (hangs) return refuse(common::ErrorCode::kPermissionDenied, "not yours");
    return answer(page_of({conversation("a"), conversation("b")}, ""));
  };
  run_follow();
  pass(30min);
  const std::size_t before = api.requests.size();
  EXPECT_GE(before, 2U);
  EXPECT_LE(before, 10U) << "slowly";
  hangs = false;

  pass(10min);

  EXPECT_GE(publisher.times("a"), 1U);
  EXPECT_GE(publisher.times("b"), 1U);
}

// One record that the service chokes on must not keep the others from being read.
TEST_F(FollowLaneTest, AnIdThatTheServiceRefusesIsFoundAndWaits) {
  definition.by_id->max_ids = 8;
  for (const char* key : {"a", "b", "bad", "c", "d"}) published(key, true);
  std::size_t asked_for_bad = 0;
  service = [&](const core::ApiRequest& request) -> tests::support::FakeAnswer {
    const std::string ids = ids_of(request);
    if (ids.contains("bad")) {
      ++asked_for_bad;
      return refuse(common::ErrorCode::kRequestRejected, "no such thing");
    }
    std::vector<std::string> records;
    for (const char* key : {"a", "b", "c", "d"}) {
      if (ids.contains(key)) records.push_back(conversation(key));
    }
    return answer(page_of(records, ""));
  };
  run_follow();

  pass(3min);

  for (const char* key : {"a", "b", "c", "d"}) EXPECT_GE(publisher.times(key), 1U) << key;
  EXPECT_LE(asked_for_bad, 4U);
  const std::size_t before = asked_for_bad;
  pass(12h);
  EXPECT_EQ(asked_for_bad, before);
  pass(24h);
  EXPECT_GT(asked_for_bad, before) << "it is not forgotten";
}

TEST_F(FollowLaneTest, AServiceThatRefusesEveryIdIsNotAskedForEachOfThem) {
  definition.by_id->max_ids = 50;
  for (int i = 0; i < 50; ++i) published("key" + std::to_string(i), true);
  service = [&](const core::ApiRequest&) { return refuse(common::ErrorCode::kRequestRejected, "no such path"); };
  run_follow();

  pass(2min);

  EXPECT_LE(api.requests.size(), 15U);
}

// What stands for a sealed record is the job's form; its query form, known by `seen`, is no change at every read.
TEST_F(FollowLaneTest, ASealedRecordThatWasOpenedAgainIsReadEverMoreSeldom) {
  const auto sighting = [&](core::SightingForm form, std::uint64_t content, bool open) {
    const core::KeyedSighting row{.key = "a",
                                  .sighting = {.form = form,
                                               .open = open,
                                               .digests = {.common = content, .full = content},
                                               .read_at = clock.utc_now(),
                                               .availability = clock.utc_now() - 1s,
                                               .home_day = std::chrono::floor<std::chrono::days>(clock.utc_now())}};
    digests.apply(digests.decide(std::span(&row, 1)).number);
  };
  sighting(core::SightingForm::kJob, 2, false);
  service = [](const core::ApiRequest&) { return answer(page_of({conversation("a", "2026-05-04T10:00:10", "")}, "")); };
  decide_what_is_submitted();
  sighting(core::SightingForm::kQuery, 7, true);
  run_follow();
  pass(24h);
  const std::size_t before = api.requests.size();
  EXPECT_GT(before, 3U);

  pass(1h);

  EXPECT_LE(api.requests.size() - before, 1U);
}

// A window of `live` and a read by id can return the same record: never both at once.
TEST_F(FollowLaneTest, WaitsForItsTurn) {
  published("a", true);
  options.live.every = 1min;
  service = [](const core::ApiRequest& request) -> tests::support::FakeAnswer {
    if (request.source.lane == core::Lane::kLive) return tests::support::Hang{};
    return answer(page_of({conversation("a")}, ""));
  };
  run_live();
  pass(2min);
  ASSERT_THAT(api.requests, SizeIs(1)) << "the window hangs";
  boost::asio::cancellation_signal stop_follow;
  std::optional<common::Result<void>> follow_ended;
  boost::asio::co_spawn(
      io, reader->run_follow(),
      boost::asio::bind_cancellation_slot(
          stop_follow.slot(), [&](const std::exception_ptr&, common::Result<void> result) { follow_ended = std::move(result); }));
  pass(1h);

  EXPECT_THAT(api.requests, SizeIs(1));
  stop_follow.emit(boost::asio::cancellation_type::terminal);
  pass(0s);
  ASSERT_TRUE(follow_ended);
  EXPECT_EQ(follow_ended->error().code, common::ErrorCode::kCancelled);
}

}  // namespace
}  // namespace connector::source
