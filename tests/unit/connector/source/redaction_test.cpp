// What a redaction removes goes no further than the page it was read from, whoever reads it: every way from the service to
// something that a person or a broker sees is walked with records full of it.

#include "connector/source/range_reader.h"
#include "connector/source/record_reader.h"
#include "connector/source/sample.h"
#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using tests::support::answer;
using tests::support::FakeAnswer;

// The mark of everything that must not get through.
constexpr std::string_view kPersonal = "PERSONAL";

std::string call(const std::string& id, const std::string& more = "", const std::string& end = "2026-05-04T10:00:50") {
  return R"({"conversationId":")" + id + R"(","conversationStart":"2026-05-04T10:00:10Z",)" +
         (end.empty() ? "" : R"("conversationEnd":")" + end + R"(Z",)") +
         R"("participants":[{"participantName":"PERSONAL Ada","purpose":"customer","sessions":[{"ani":"PERSONAL +49301234"}],)" +
         R"("attributes":{"PERSONAL name":"PERSONAL value"}}])" + more + "}";
}
// Rows that become dead letters.
const std::string kNoKey = R"({"participants":[{"participantName":"PERSONAL Bob","purpose":"agent"}]})";
const std::string kNoObject = R"(["PERSONAL Eve"])";

class Redacted : public ReaderTest {
 protected:
  struct Letter {
    std::string reason;
    std::string detail;
    std::string bytes;
  };
  std::vector<std::string> seen;  // everything that was handed over, as text
  std::vector<Letter> letters;

  Redacted() {
    options.redaction = {.drop = {"/participants/*/participantName", "/participants/*/attributes"},
                         .hash = {"/participants/*/sessions/*/ani"},
                         .key = common::SecretSource::of_value(common::Secret("PERSONAL key, 16 bytes or more"))};
    publisher.on_submit = [this](const core::PageGroup& group) -> std::optional<common::Error> {
      for (const core::Page& page : group) look_at(page);
      return std::nullopt;
    };
  }
  void look_at(const core::Page& page) {
    if (page.buffer) seen.push_back(*page.buffer);
    seen.push_back(page.position + page.correlation_id);
    for (const auto& record : page.records) seen.push_back(std::string(record.key) + " " + std::string(record.value));
    for (const auto& letter : page.dead_letters) {
      letters.push_back({.reason = letter.reason, .detail = letter.detail, .bytes = std::string(letter.bytes)});
      seen.push_back(letter.reason + letter.detail + std::string(letter.key) + std::string(letter.bytes));
    }
  }
  void expect_nothing_personal() {
    EXPECT_THAT(seen, Each(Not(HasSubstr(kPersonal))));
    EXPECT_THAT(log, Each(Not(HasSubstr(kPersonal))));
  }
  // A page of the query of every kind of row, then an empty one.
  [[nodiscard]] static FakeAnswer query_answer(const core::ApiRequest& request) {
    return request.position == "page 1" ? answer(query_page({call("a"), kNoKey, call("b"), kNoObject}, 4)) : answer("{}");
  }
  // A lake with one job.
  [[nodiscard]] static FakeAnswer job_answer(const core::ApiRequest& request) {
    const std::string date = R"("dataAvailabilityDate":"2026-05-06T00:00:00Z")";
    if (request.path.ends_with("/availability")) return answer("{" + date + "}");
    if (request.path == "/details/jobs") return answer(R"({"jobId":"j"})", 202);
    if (request.path.ends_with("/results")) return answer(page_of({call("a"), kNoKey, kNoObject}, "," + date));
    return answer(R"({"state":"FULFILLED"})");
  }
  void use_by_id() {
    definition.by_id = ByIdSource{.request = {.method = common::http::Method::kGet, .path = "/details", .body = {}},
                                  .ids = InQuery{"id"},
                                  .max_ids = 2,
                                  .records = "/conversations"};
  }
};

TEST_F(Redacted, LiveHandsOverNothingOfIt) {
  service = query_answer;
  run_live();
  pass(2min);

  ASSERT_THAT(publisher.records, Not(IsEmpty()));
  EXPECT_EQ(publisher.records[0].key, "a");
  EXPECT_THAT(publisher.records[0].value, HasSubstr(R"("participants":[{"purpose":"customer","sessions":[{"ani":")"));
  ASSERT_THAT(letters, Not(IsEmpty()));
  EXPECT_EQ(letters[0].reason, "no_key");
  EXPECT_EQ(letters[0].bytes, R"({"participants":[{"purpose":"agent"}]})");
  EXPECT_EQ(letters[1].reason, "not_an_object");
  EXPECT_EQ(letters[1].bytes, "");
  EXPECT_THAT(log, Contains(HasSubstr("dead-letter")));
  expect_nothing_personal();
}

TEST_F(Redacted, AMalformedPageIsReportedWithoutIt) {
  service = [](const core::ApiRequest&) { return answer(R"({"conversations":[{"conversationId":"a","PERSONAL":"PERSONAL)"); };
  run_live();
  pass(2min);

  EXPECT_GT(lines_with("a window could not be read"), 0U);
  expect_nothing_personal();
}

TEST_F(Redacted, SettleHandsOverNothingOfIt) {
  start = at("2026-05-04T00:00:00");
  options.settle.max_jobs = 1;
  clock.set_utc(at("2026-05-06T10:00:00"));
  service = job_answer;
  run_settle();
  pass(10min);

  EXPECT_THAT(publisher.keys(), Contains("a"));
  EXPECT_THAT(letters, Not(IsEmpty()));
  expect_nothing_personal();
}

TEST_F(Redacted, FollowHandsOverNothingOfIt) {
  use_by_id();
  const core::SourcePartition follow{.stream = core::StreamName("conversations"), .lane = core::Lane::kFollow};
  core::StreamDigests digests{core::StreamName("conversations"), core::StreamRules{}};
  const core::KeyedSighting open{.key = "a",
                                 .sighting = {.open = true,
                                              .digests = {.common = 1, .full = 1},
                                              .read_at = clock.utc_now(),
                                              .home_day = std::chrono::floor<std::chrono::days>(clock.utc_now())}};
  digests.apply(digests.decide(std::span(&open, 1)).number);
  publisher.known_digests = &digests;
  publisher.adopt(follow, begun_ledger());
  service = [](const core::ApiRequest&) { return answer(page_of({call("a"), kNoKey}, "")); };
  make_reader();
  boost::asio::co_spawn(
      io, reader->run_follow(),
      boost::asio::bind_cancellation_slot(cancel.slot(), [this](const std::exception_ptr& /*thrown*/,
                                                                common::Result<void> result) { ended = std::move(result); }));
  pass(5min);
  stop();

  EXPECT_THAT(publisher.keys(), Contains("a"));
  expect_nothing_personal();
  publisher.known_digests = nullptr;
}

TEST_F(Redacted, WhoVerifiesOrRetriesReadsTheSameContentAsIsPublished) {
  use_by_id();
  service = query_answer;
  run_live();
  pass(2min);
  ASSERT_THAT(publisher.records, Not(IsEmpty()));
  const auto published = RecordReader(definition, options).read(publisher.records[0].value);
  ASSERT_TRUE(published);

  std::vector<core::ContentDigests> digests;
  const auto read = [&](auto reading) {
    common::Logger logger({.level = common::LogLevel::kDebug},
                          [this](common::LogLevel, std::string_view line) { log.emplace_back(line); });
    RangeReader range_reader(definition, options, api, clock, logger, 1);
    const auto take = [&](core::Page page) -> boost::asio::awaitable<common::Result<void>> {
      look_at(page);
      for (std::size_t i = 0; i < page.records.size(); ++i) {
        if (page.records[i].key == "a") digests.push_back(page.contents[i].digests);
      }
      co_return common::Result<void>{};
    };
    std::optional<common::Result<void>> done;
    boost::asio::co_spawn(io, reading(range_reader, take), [&](const std::exception_ptr& thrown, common::Result<void> result) {
      EXPECT_FALSE(thrown);
      done = std::move(result);
    });
    clock.run_for(io, 1h);
    ASSERT_TRUE(done.has_value());
    EXPECT_TRUE(*done) << done->error().message;
  };
  const common::Interval range{.start = at("2026-05-04T10:00:00"), .end = at("2026-05-04T11:00:00")};
  stop();
  read([&](RangeReader& reader, const RangeReader::TakePage& take) { return reader.read_by_query(range, take); });
  service = job_answer;
  read([&](RangeReader& reader, const RangeReader::TakePage& take) { return reader.read_by_job(range, take); });
  service = [](const core::ApiRequest&) { return answer(page_of({call("a")}, "")); };
  read([&](RangeReader& reader, const RangeReader::TakePage& take) { return reader.read_by_id({core::RecordKey{"a"}}, take); });

  EXPECT_THAT(digests, SizeIs(3));
  EXPECT_THAT(digests, Each(published->digests));
  EXPECT_EQ(published->start, at("2026-05-04T10:00:10"));
  expect_nothing_personal();
}

TEST_F(Redacted, SampleShowsNothingOfIt) {
  options.redaction.drop.emplace_back("/particpants");
  service = query_answer;
  std::optional<common::Result<Sample>> result;
  const common::Interval range{.start = at("2026-05-04T10:00:00"), .end = at("2026-05-04T11:00:00")};
  boost::asio::co_spawn(io, sample(definition, options, api, range, 10),
                        [&](const std::exception_ptr& thrown, common::Result<Sample> sampled) {
                          EXPECT_FALSE(thrown);
                          result = std::move(sampled);
                        });
  io.run();

  ASSERT_TRUE(result && *result);
  ASSERT_THAT((*result)->records, SizeIs(2));
  for (const SampledRecord& record : (*result)->records) EXPECT_THAT(record.value, Not(HasSubstr(kPersonal)));
  EXPECT_THAT((*result)->unmatched, ElementsAre("redaction.drop /particpants"));
}

// A redaction with a slip in it looks like one that works.
TEST_F(Redacted, APointerThatMeetsNothingIsToldOnceThereWereEnoughRecords) {
  options.redaction.drop.emplace_back("/particpants");
  std::vector<std::string> many;
  for (int i = 0; i < 600; ++i) many.push_back(call("c" + std::to_string(i)));
  service = [&](const core::ApiRequest& request) {
    return request.position == "page 1" ? answer(query_page(many, 600)) : answer("{}");
  };
  run_live();
  pass(90s);
  EXPECT_EQ(lines_with("have matched nothing so far"), 0U) << "600 records";

  pass(10min);

  EXPECT_EQ(lines_with("have matched nothing so far"), 1U);
  EXPECT_EQ(lines_with("redaction.drop /particpants"), 1U);
}

// What the lanes decide by is the service's word, not what is left of it.
TEST_F(Redacted, ARecordIsOpenOrClosedAndDatedThoughThatIsNotPublished) {
  options.redaction = {};
  options.projection.fields = {{.name = "id", .from = "/conversationId"}};
  std::vector<core::RecordContent> contents;
  publisher.on_submit = [&](const core::PageGroup& group) -> std::optional<common::Error> {
    for (const core::Page& page : group) contents.insert(contents.end(), page.contents.begin(), page.contents.end());
    return std::nullopt;
  };
  service = [](const core::ApiRequest& request) {
    return request.position == "page 1" ? answer(query_page({call("a"), call("b", "", "")}, 2)) : answer("{}");
  };
  run_live();
  pass(2min);

  ASSERT_THAT(publisher.records, SizeIs(testing::Ge(2U)));
  EXPECT_EQ(publisher.records[0].value, R"({"id":"a"})");
  EXPECT_EQ(publisher.records[1].value, R"({"id":"b"})");
  EXPECT_FALSE(contents[0].open);
  EXPECT_TRUE(contents[1].open);
  EXPECT_EQ(contents[0].home_day, std::chrono::sys_days(std::chrono::May / 4 / 2026));
}

TEST(RecordReaderOfAProjection, ReadsWhatIsThereByItsNewNamesAndNeedsNoKey) {
  Definition definition = conversation_details();
  StreamOptions options;
  options.projection.fields = {{.name = "begin", .from = "/conversationStart"}, {.name = "end", .from = "/conversationEnd"}};
  RecordReader reader(definition, options);

  const auto closed = reader.read(R"({"begin":"2026-05-04T10:00:10Z","end":"2026-05-04T10:00:50Z"})");
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->start, at("2026-05-04T10:00:10"));
  EXPECT_FALSE(closed->open);
  EXPECT_TRUE(reader.read(R"({"begin":"2026-05-04T10:00:10Z"})")->open);
  EXPECT_FALSE(reader.read("17"));

  options.projection.fields = {{.name = "media", .from = "/mediaType"}};
  const auto unsaid = RecordReader(definition, options).read(R"({"media":"voice"})");
  ASSERT_TRUE(unsaid);
  EXPECT_EQ(unsaid->start, std::nullopt);
  EXPECT_FALSE(unsaid->open) << "that is not said";
}

}  // namespace
}  // namespace connector::source
