// What a settle lane does about records that a whole day's job did not return.

#include "tests/unit/connector/source/reader_fixture.h"

#include <algorithm>
#include <set>

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using common::ErrorCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using tests::support::answer;
using tests::support::FakeAnswer;
using tests::support::Hang;
using tests::support::refuse;

const std::string kDay = "2026-05-04";

// One day, whose job returns "there" and "also there" on two pages; "gone" and "late" are known of it, too.
class Vanished : public ReaderTest {
 protected:
  Vanished() {
    start = at(kDay + "T00:00:00");
    clock.set_utc(at("2026-05-06T10:00:00"));
    definition.by_id = ByIdSource{.request = {.method = common::http::Method::kGet, .path = "/details", .body = {}},
                                  .ids = InQuery{"id"},
                                  .max_ids = 50,
                                  .records = "/conversations"};
    options.settle.ages = {0s};
    options.settle.on_delete = core::OnDelete::kTombstone;
    options.settle.delete_max_share = 0.5;
    publisher.known_digests = &digests;
    publisher.on_submit = [this](const core::PageGroup& group) { return see(group); };
    service = [this](const core::ApiRequest& request) { return serve(request); };
    for (const char* key : {"there", "also there", "gone"}) published(key, "2026-05-04T11:00:00");
  }

  void published(const std::string& key, const std::string& read_at) {
    const core::KeyedSighting row{.key = key,
                                  .sighting = {.digests = {.common = 1, .full = 1},
                                               .read_at = at(read_at),
                                               .home_day = std::chrono::floor<std::chrono::days>(start)}};
    digests.apply(digests.decide(std::span(&row, 1)).number);
  }
  FakeAnswer serve(const core::ApiRequest& request) {
    if (request.path == "/details/jobs/availability") return answer(R"({"dataAvailabilityDate":")" + availability + "\"}");
    if (request.path == "/details/jobs") return answer(R"({"jobId":"job-1"})", 202);
    if (request.path == "/details") return by_id(request);
    if (!request.path.ends_with("/results")) return answer(R"({"state":"FULFILLED"})");
    const std::string rest = R"(,"dataAvailabilityDate":")" + availability + "\"";
    const bool first = std::ranges::none_of(request.query, [](const auto& one) { return one.first == "cursor"; });
    if (first) return answer(page_of({conversation("there")}, rest + R"(,"cursor":"c2")"));
    return answer(
        page_of(in_lake.contains("also there") ? std::vector{conversation("also there")} : std::vector<std::string>{}, rest));
  }
  FakeAnswer by_id(const core::ApiRequest& request) {
    if (fail_by_id) return refuse(*fail_by_id);
    const std::string ids = ids_of(request);
    asked.push_back(ids);
    asked_at.push_back(clock.utc_now());
    std::vector<std::string> found;
    for (const std::string& key : in_service) {
      if (("," + ids + ",").find("," + key + ",") != std::string::npos) found.push_back(conversation(key));
    }
    if (broken_row) found.emplace_back("{}");
    return answer(page_of(found, ""));
  }
  static std::string ids_of(const core::ApiRequest& request) {
    for (const auto& [name, value] : request.query) {
      if (name == "id") return value;
    }
    return {};
  }
  std::optional<common::Error> see(const core::PageGroup& group) {
    for (const core::Page& page : group) {
      if (!page.gone) continue;
      if (refuse_gone) {
        refuse_gone = false;
        return common::Error{.code = ErrorCode::kTopicUnusable, .message = "stopped"};
      }
      on_delete = page.gone;
      form = page.form;
      for (const core::RecordSlice& record : page.records) {
        gone.emplace_back(record.key);
        EXPECT_EQ(record.value.data(), nullptr) << "no value, not an empty one";
      }
      EXPECT_EQ(page.contents.size(), page.records.size());
      EXPECT_GE(page.availability, at("2026-05-06T00:00:00"));
    }
    return std::nullopt;
  }
  [[nodiscard]] const core::Ledger& ledger() const { return publisher.committed(settle); }

  core::StreamDigests digests{core::StreamName("conversations"), core::StreamRules{}};
  std::string availability = "2026-05-06T00:00:00Z";
  std::set<std::string> in_lake{"there", "also there"};
  std::set<std::string> in_service{"there", "also there"};
  std::optional<ErrorCode> fail_by_id;
  bool broken_row = false;
  bool refuse_gone = false;
  std::vector<std::string> asked;  // ids of each read by id
  std::vector<common::Instant> asked_at;
  std::vector<std::string> gone;
  std::optional<core::OnDelete> on_delete;
  std::optional<core::RecordForm> form;
};

TEST_F(Vanished, WhatTheJobDidNotReturnIsAskedForTwiceBesideWhatItDid) {
  run_settle();
  pass(1min);
  EXPECT_THAT(asked, ElementsAre("gone,there"));
  EXPECT_THAT(gone, IsEmpty());
  EXPECT_THAT(ledger().unjudged().intervals(), SizeIs(1)) << "should the process end now";

  pass(2h);

  ASSERT_THAT(asked, ElementsAre("gone,there", "gone,there"));
  EXPECT_GE(asked_at[1] - asked_at[0], 1h);
  EXPECT_THAT(gone, ElementsAre("gone"));
  EXPECT_EQ(on_delete, core::OnDelete::kTombstone);
  EXPECT_EQ(form, core::RecordForm::kJob);
  EXPECT_THAT(ledger().unjudged().intervals(), IsEmpty());
  EXPECT_EQ(api.requests.back().source.lane == core::Lane::kSettle, true) << "its budget pays";
}

// They are looked for by their keys, which a redaction leaves where it matters.
TEST_F(Vanished, WhatIsLeftOfRecordsDecidesNothing) {
  options.redaction.drop = {"/conversationStart", "/conversationEnd"};
  options.projection.fields = {{.name = "nothing", .from = "/nothing"}};
  run_settle();
  pass(3h);

  EXPECT_THAT(asked, ElementsAre("gone,there", "gone,there"));
  EXPECT_THAT(gone, ElementsAre("gone"));
  EXPECT_THAT(publisher.keys(), testing::IsSupersetOf({"there", "also there"}));
}

// Absent by its id is then what was deleted, and what the service keeps no longer.
TEST_F(Vanished, NothingIsTakenForDeletedOfADayThatHasBegunToExpire) {
  options.retention = 58h + 50min;
  run_settle();
  pass(1min);
  ASSERT_THAT(asked, ElementsAre("gone,there")) << "it was all there still";

  pass(3h);

  EXPECT_THAT(asked, SizeIs(1));
  EXPECT_THAT(gone, IsEmpty());
  EXPECT_THAT(ledger().unjudged().intervals(), IsEmpty());
}

TEST_F(Vanished, ARunThatEndsByItselfWaitsUntilItIsDecided) {
  options.live.enabled = false;
  const common::Instant due = clock.utc_now();
  run_settle();
  pass(1min);
  ASSERT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_FALSE(reader->is_caught_up(due)) << "the next run would read the day again, and end as early";

  pass(2h);

  EXPECT_THAT(gone, ElementsAre("gone"));
  EXPECT_TRUE(reader->is_caught_up(due));
}

TEST_F(Vanished, WhatIsThereAfterAllIsCountedAndLeftAlone) {
  in_service.insert("gone");
  run_settle();
  pass(3h);

  EXPECT_THAT(asked, SizeIs(1));
  EXPECT_THAT(gone, IsEmpty());
  EXPECT_EQ(metrics.total("records_gone", "present"), 1);
  EXPECT_THAT(ledger().unjudged().intervals(), IsEmpty());
}

TEST_F(Vanished, NothingIsAskedWhenTheJobReturnsAll) {
  digests.apply(
      digests.change(std::vector<std::pair<std::string, std::optional<core::DigestEntry>>>{{"gone", std::nullopt}}).number);
  run_settle();
  pass(3h);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(asked, IsEmpty());
}

TEST_F(Vanished, WhatWasReadAfterTheJobsDataIsNotMissing) {
  published("late", "2026-05-06T09:00:00");
  run_settle();
  pass(1min);

  EXPECT_THAT(asked, ElementsAre("gone,there"));
}

TEST_F(Vanished, TooManyAreHeldUpAndSaid) {
  options.settle.delete_max_share = 0.3;
  run_settle();
  pass(3h);

  EXPECT_THAT(asked, SizeIs(1));
  EXPECT_THAT(gone, IsEmpty());
  EXPECT_EQ(metrics.total("records_gone", "withheld"), 1);
  EXPECT_EQ(metrics.count("delete_braked"), 1U);
  EXPECT_EQ(lines_with("none is taken for deleted"), 1U);
  EXPECT_THAT(ledger().unjudged().intervals(), IsEmpty());
}

TEST_F(Vanished, PartsOfADayAreNotJudged) {
  options.settle.window = 12h;
  run_settle();
  pass(3h);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(asked, IsEmpty());
}

TEST_F(Vanished, AStreamThatCannotReadTwoByIdJudgesNothing) {
  definition.by_id->max_ids = 1;
  run_settle();
  pass(3h);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(asked, IsEmpty());
}

TEST_F(Vanished, ADayThatBeganBeforeTheLaneIsNotJudged) {
  start = at(kDay + "T00:00:01");
  run_settle();
  pass(3h);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(asked, IsEmpty());
  EXPECT_THAT(ledger().owed(), IsEmpty());
}

TEST_F(Vanished, AJudgementThatARestartForgetsOwesItsDayAnotherPass) {
  run_settle();
  pass(1min);
  restart_process();
  ASSERT_THAT(ledger().unjudged().intervals(), SizeIs(1));

  run_settle();
  pass(3h);
  EXPECT_THAT(ledger().unjudged().intervals(), IsEmpty());
  ASSERT_THAT(ledger().owed(), SizeIs(1)) << "until the date moves";
  EXPECT_THAT(gone, IsEmpty());

  availability = "2026-05-06T00:00:00.001Z";
  pass(3h);

  EXPECT_THAT(gone, ElementsAre("gone"));
  EXPECT_THAT(ledger().owed(), IsEmpty());
}

TEST_F(Vanished, WithAPassToComeARestartOwesNothing) {
  options.settle.ages = {0s, 7 * 24h};
  run_settle();
  pass(1min);
  restart_process();

  run_settle();
  pass(1min);

  EXPECT_THAT(ledger().unjudged().intervals(), IsEmpty());
  EXPECT_THAT(ledger().owed(), IsEmpty());
}

// The second life knows only the second page's keys.
TEST_F(Vanished, AResultReadByTwoLivesIsNotJudgedButOwed) {
  service = [this](const core::ApiRequest& request) -> FakeAnswer {
    const bool second_page = std::ranges::any_of(request.query, [](const auto& one) { return one.first == "cursor"; });
    if (second_page) return Hang{};
    return serve(request);
  };
  run_settle();
  pass(1min);
  restart_process();
  service = [this](const core::ApiRequest& request) { return serve(request); };
  run_settle();
  pass(1min);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(asked, IsEmpty()) << "the first page's records are not missing";
  ASSERT_THAT(ledger().owed(), testing::Not(IsEmpty()));
  availability = "2026-05-06T00:00:00.001Z";
  pass(3h);
  EXPECT_THAT(gone, ElementsAre("gone"));
}

// Taken up before its first results page, the job is read whole all the same.
TEST_F(Vanished, AJobTakenUpBeforeItsResultsIsJudged) {
  service = [this](const core::ApiRequest& request) -> FakeAnswer {
    if (request.path.ends_with("/results")) return Hang{};
    return serve(request);
  };
  run_settle();
  pass(1min);
  restart_process();
  service = [this](const core::ApiRequest& request) { return serve(request); };
  run_settle();
  pass(3h);

  EXPECT_THAT(gone, ElementsAre("gone"));
}

class FailingReads : public Vanished, public testing::WithParamInterface<ErrorCode> {};

TEST_P(FailingReads, AreMadeAgainAndNothingIsGoneMeanwhile) {
  fail_by_id = GetParam();
  run_settle();
  pass(1h);
  EXPECT_THAT(gone, IsEmpty());
  EXPECT_GE(api.count("/details"), 2U);
  EXPECT_LE(std::ranges::count(api.requests, "/details", &core::ApiRequest::path), 100);

  fail_by_id.reset();
  pass(4h);

  EXPECT_THAT(gone, ElementsAre("gone"));
  EXPECT_EQ(metrics.last("lane_failing")->number, 0);
}

INSTANTIATE_TEST_SUITE_P(Codes, FailingReads,
                         testing::Values(ErrorCode::kRetryable, ErrorCode::kRateLimited, ErrorCode::kPermissionDenied),
                         [](const auto& info) { return std::string(common::to_string(info.param)); });

TEST_F(Vanished, OfWhatTheServiceRefusesToTellNothingIsKnown) {
  fail_by_id = ErrorCode::kRequestRejected;
  run_settle();
  pass(3h);

  EXPECT_THAT(gone, IsEmpty());
  EXPECT_EQ(metrics.total("records_gone", "unknown"), 1);
  EXPECT_THAT(ledger().unjudged().intervals(), IsEmpty()) << "the next pass tries again";
}

// It may be the one that is looked for.
TEST_F(Vanished, ARowWithoutAKeyIsNoAnswer) {
  broken_row = true;
  run_settle();
  pass(3h);

  EXPECT_THAT(gone, IsEmpty());
  EXPECT_EQ(metrics.total("records_gone", "unknown"), 1);
}

TEST_F(Vanished, AnAnswerWithoutTheKnownIdSaysNothing) {
  in_service.clear();
  run_settle();
  pass(5min);
  EXPECT_THAT(asked, SizeIs(1));
  pass(10min);
  ASSERT_THAT(asked, SizeIs(2));
  EXPECT_EQ(asked[1], "gone,also there") << "another one";

  pass(3h);
  EXPECT_THAT(gone, IsEmpty());
  EXPECT_EQ(metrics.total("records_gone", "unknown"), 1);
}

// What was decided is lost with the page that was not taken: the day is read and judged again.
TEST_F(Vanished, WhatCouldNotBeHandedOverIsDecidedAgain) {
  refuse_gone = true;
  run_settle();
  pass(2h);
  EXPECT_THAT(gone, IsEmpty());

  availability = "2026-05-06T00:00:00.001Z";
  pass(6h);

  EXPECT_THAT(gone, ElementsAre("gone"));
  EXPECT_THAT(ledger().unjudged().intervals(), IsEmpty());
}

TEST_F(Vanished, NoQueryIsUnderWayWhileItIsAsked) {
  definition.query->request.path = "/query";
  options.live.every = 1min;
  publisher.adopt(live, begun_ledger());
  service = [this](const core::ApiRequest& request) -> FakeAnswer {
    if (request.path == "/query") return Hang{};
    return serve(request);
  };
  options.settle.enabled = true;
  run_live();
  pass(2min);
  boost::asio::cancellation_signal stop_settle;
  std::optional<common::Result<void>> settle_ended;
  boost::asio::co_spawn(
      io, reader->run_settle(),
      boost::asio::bind_cancellation_slot(
          stop_settle.slot(), [&](const std::exception_ptr&, common::Result<void> result) { settle_ended = std::move(result); }));
  pass(3h);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(asked, IsEmpty());
  stop_settle.emit(boost::asio::cancellation_type::terminal);
  pass(0s);
  ASSERT_TRUE(settle_ended);
  EXPECT_EQ(settle_ended->error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace connector::source
