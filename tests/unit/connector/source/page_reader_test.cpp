#include "connector/source/page_reader.h"

#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const SliceSpec kSpec{.records = "/conversations",
                      .key = "/conversationId",
                      .start = "/conversationStart",
                      .end = "/conversationEnd",
                      .open_while_absent = "/conversationEnd",
                      .wanted = {"/totalHits"}};

class PageReaderTest : public testing::Test {
 protected:
  Definition definition = conversation_details();
  StreamOptions options = conversations(false);
  std::string body;
  SlicedPage page;

  common::Result<void> read(PageReader& reader, std::string text) {
    body = std::move(text);
    return reader.read(kSpec, body, page);
  }
  // Of the page that was read last.
  [[nodiscard]] std::vector<std::string> values() const {
    std::vector<std::string> texts;
    for (const auto& record : page.records) texts.emplace_back(record.value);
    return texts;
  }
  [[nodiscard]] bool lies_in_body(std::string_view view) const {
    return view.data() >= body.data() && view.data() + view.size() <= body.data() + body.size();
  }
};

TEST_F(PageReaderTest, WithoutProjectionAndRedactionTheBytesAreTheServices) {
  PageReader reader(definition, options);
  const std::string text = query_page({conversation("a"), R"({ "conversationId" : "b" , "x":1.0 })", "17"}, 2);

  ASSERT_TRUE(read(reader, text));

  EXPECT_EQ(body, text);
  EXPECT_THAT(values(), ElementsAre(conversation("a"), R"({ "conversationId" : "b" , "x":1.0 })"));
  EXPECT_THAT(page.digests, SizeIs(2));
  EXPECT_EQ(page.dead_letters.at(0).bytes, "17");
  EXPECT_FALSE(page.dead_letters[0].size);
  EXPECT_FALSE(reader.take_storage());
  EXPECT_THAT(reader.unmatched(), IsEmpty());
}

TEST_F(PageReaderTest, NothingOfWhatIsRemovedIsLeftInThePage) {
  options.redaction.drop = {"/name", "/conversationStart", "/conversationEnd"};
  PageReader reader(definition, options);

  ASSERT_TRUE(read(
      reader,
      query_page(
          {R"({"conversationId":"a","conversationStart":"2026-05-04T10:00:10Z","name":"Ada Personal"})",
           R"({"name":"Bob Personal","conversationId":"b","conversationStart":"2026-05-04T10:00:20Z","conversationEnd":"2026-05-04T10:00:30Z","x":[1]})"},
          2)));

  EXPECT_THAT(values(), ElementsAre(R"({"conversationId":"a"})", R"({"conversationId":"b","x":[1]})"));
  EXPECT_THAT(body, Not(HasSubstr("Personal")));
  EXPECT_EQ(page.records[0].key, "a");
  EXPECT_EQ(page.records[1].key, "b");
  for (const auto& record : page.records) EXPECT_TRUE(lies_in_body(record.key) && lies_in_body(record.value));
  // What the lanes go by is the service's word.
  EXPECT_EQ(page.facts[0].start, at("2026-05-04T10:00:10"));
  EXPECT_TRUE(page.facts[0].open);
  EXPECT_FALSE(page.facts[1].open);
  EXPECT_EQ(page.wanted[0], "2");
}

TEST_F(PageReaderTest, DigestsAreOfWhatIsPublished) {
  options.redaction.drop = {"/name"};
  PageReader reader(definition, options);

  ASSERT_TRUE(read(reader, query_page({R"({"conversationId":"a","name":"Ada"})", R"({"conversationId":"a","name":"Bob"})",
                                       R"({"conversationId":"a","x":1})"},
                                      3)));

  EXPECT_EQ(page.digests[0], page.digests[1]) << "what differs is not published";
  EXPECT_NE(page.digests[0], page.digests[2]);
}

TEST_F(PageReaderTest, WhatOnlyTheJobHasIsNotInTheCommonDigestUnderAnotherName) {
  definition.job_only = {"/attributes"};
  options.projection.fields = {{.name = "id", .from = "/conversationId"}, {.name = "tier", .from = "/attributes/tier"}};
  PageReader reader(definition, options);

  ASSERT_TRUE(
      read(reader, query_page({R"({"conversationId":"a"})", R"({"conversationId":"a","attributes":{"tier":"gold"}})"}, 2)));

  EXPECT_THAT(values(), ElementsAre(R"({"id":"a"})", R"({"id":"a","tier":"gold"})"));
  EXPECT_EQ(page.digests[0].common, page.digests[1].common);
  EXPECT_NE(page.digests[0].full, page.digests[1].full);
}

TEST_F(PageReaderTest, KeysThatWereSpelledWithEscapesStayKeys) {
  options.redaction.drop = {"/name"};
  PageReader reader(definition, options);

  ASSERT_TRUE(read(reader, query_page({R"({"conversationId":"\u0061\u0062","name":"Ada"})"}, 1)));

  EXPECT_EQ(page.records[0].key, "ab");
  EXPECT_THAT(values(), ElementsAre(R"({"conversationId":"\u0061\u0062"})"));
}

TEST_F(PageReaderTest, DeadLettersCarryOnlyWhatIsLeftOfThem) {
  options.redaction.drop = {"/name"};
  PageReader reader(definition, options);

  ASSERT_TRUE(
      read(reader,
           query_page({R"({"name":"Ada Personal","x":1})", R"("Bob Personal")", R"(["Eve Personal"])", conversation("a")}, 4)));

  ASSERT_THAT(page.dead_letters, SizeIs(3));
  EXPECT_EQ(page.dead_letters[0].reason, "no_key");
  EXPECT_EQ(page.dead_letters[0].bytes, R"({"x":1})");
  EXPECT_FALSE(page.dead_letters[0].size);
  for (const std::size_t i : {1U, 2U}) {
    const core::DeadLetter& letter = page.dead_letters[i];
    EXPECT_EQ(letter.reason, "not_an_object");
    EXPECT_EQ(letter.bytes, "");
    EXPECT_NE(letter.bytes.data(), nullptr) << "no bytes are no tombstone";
    EXPECT_EQ(letter.size, i == 1 ? 14U : 16U);
    EXPECT_EQ(letter.index, i);
    EXPECT_THAT(letter.detail, HasSubstr("withheld"));
  }
  EXPECT_NE(page.dead_letters[1].apart, page.dead_letters[2].apart);
  EXPECT_THAT(body, Not(HasSubstr("Personal")));
}

TEST_F(PageReaderTest, APageThatIsNoJsonIsNoPage) {
  options.redaction.drop = {"/name"};
  PageReader reader(definition, options);

  const auto malformed =
      read(reader, R"({"conversations":[{"conversationId":"a","name":"Ada Personal"},{"conversationId":tru}]})");

  ASSERT_FALSE(malformed);
  EXPECT_THAT(malformed.error().message, Not(HasSubstr("Personal")));
  EXPECT_THAT(page.records, IsEmpty());
  ASSERT_TRUE(read(reader, query_page({conversation("b")}, 1))) << "the next one is read as ever";
}

TEST_F(PageReaderTest, APageHoldsNoMoreMemoryThanItNeedsAndTheBodysIsUsedAgain) {
  options.projection.fields = {{.name = "id", .from = "/conversationId"}};
  PageReader reader(definition, options);
  const std::string large = R"({"conversationId":"a","x":")" + std::string(100'000, 'x') + R"("})";

  ASSERT_TRUE(read(reader, query_page({large}, 1)));

  EXPECT_THAT(values(), ElementsAre(R"({"id":"a"})"));
  EXPECT_LT(body.capacity(), 1'000U);
  EXPECT_GE(body.capacity(), body.size() + ContentDigester::padding());
  const auto storage = reader.take_storage();
  ASSERT_TRUE(storage);
  EXPECT_GE(storage->capacity(), 100'000U);
  EXPECT_FALSE(reader.take_storage());
}

TEST_F(PageReaderTest, TellsWhichPointersMetNothingButNotOfWhatOnlyTheJobHas) {
  definition.job_only = {"/participants/*/attributes"};
  options.redaction.drop = {"/participants/*/attributes", "/participants/*/attributes/name", "/conversationEnd",
                            "/conversatonStart"};
  PageReader reader(definition, options);

  ASSERT_TRUE(read(reader, query_page({conversation("a")}, 1)));

  EXPECT_EQ(reader.records(), 1U);
  EXPECT_THAT(reader.unmatched(), ElementsAre("redaction.drop /conversatonStart"));
}

}  // namespace
}  // namespace connector::source
