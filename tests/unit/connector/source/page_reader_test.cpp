#include "connector/source/page_reader.h"

#include "connector/source/keyed_hash.h"
#include "tests/unit/connector/source/reader_fixture.h"

#include <malloc.h>

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

// Bytes of the heap; 0 under a sanitizer, whose heap is another one.
std::size_t in_use() {
  const struct mallinfo2 heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

TEST_F(PageReaderTest, APageOfUnusualSizeLeavesNoBufferBehind) {
  std::vector<std::string> records;
  for (int i = 0; i < 200; ++i) {
    records.push_back(R"({"conversationId":")" + std::to_string(i) + R"(","x":")" + std::string(100'000, 'x') + "\"}");
  }
  const std::string large = query_page(records, 200);
  // What slicing needs itself is kept by both.
  const auto kept = [&](const StreamOptions& with) {
    PageReader reader(definition, with);
    const std::size_t before = in_use();
    EXPECT_TRUE(read(reader, large));
    EXPECT_EQ(page.records.size(), 200U);
    EXPECT_FALSE(reader.take_storage()) << "it would be passed on from page to page";
    std::string().swap(body);
    page = {};
    const std::size_t after = in_use();
    return after > before ? after - before : 0;
  };
  const std::size_t plain = kept(options);
  options.redaction = {.drop = {"/name"},
                       .hash = {"/conversationId"},
                       .key = common::SecretSource::of_value(common::Secret("the key of this test"))};

  EXPECT_LT(kept(options), plain + (4U << 20U)) << "neither what was written nor what keys were found in";

  PageReader reader(definition, options);
  ASSERT_TRUE(read(reader, query_page({conversation("a")}, 1)));
  EXPECT_TRUE(reader.take_storage()) << "that of usual size is used again";
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

// Records that are put together of an answer's parts: the rules are those of any other record.
class CompositePageTest : public PageReaderTest {
 protected:
  SliceSpec spec{.records = CompositeRecords{.each = {"/results/*/data/*"}, .with = {"/results/*/group"}, .as = {}, .list = {}},
                 .key = std::vector<KeyPart>{{"/group", true}, {"/data/interval"}}};

  CompositePageTest() {
    definition.key = spec.key;
    options.redaction.key = common::SecretSource::of_value(common::Secret("the key of this test"));
  }
  common::Result<void> read_results(PageReader& reader, const std::string& results) {
    body = R"({"results":[)" + results + "]}";
    return reader.read(spec, body, page);
  }
  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> texts;
    for (const auto& record : page.records) texts.emplace_back(record.key);
    return texts;
  }
  [[nodiscard]] static std::string hashed(std::string_view text) {
    std::string out = "\"";
    EXPECT_TRUE(KeyedHash(common::Secret("the key of this test")).append(text, out));
    return out + "\"";
  }
};

constexpr const char* kResult =
    R"({"group":{"queueId":"q","ani":"PERSONAL +49"},"data":[{"interval":"i/1","metrics":[{"metric":"n","note":"PERSONAL"}]},{"interval":"i/2"}]})";

TEST_F(CompositePageTest, WithoutProjectionAndRedactionTheyAreEnvelopesOfTheServicesBytes) {
  PageReader reader(definition, options);

  ASSERT_TRUE(read_results(reader, R"({"data":[{"interval":"i/1", "x":1.0 }],"group": {"queueId":"\u0071"}})"));

  EXPECT_THAT(values(), ElementsAre(R"({"group":{"queueId":"\u0071"},"data":{"interval":"i/1", "x":1.0 }})"));
  EXPECT_FALSE(reader.take_storage());
}

TEST_F(CompositePageTest, WhatIsDroppedAndChosenIsOfTheEnvelope) {
  options.redaction.drop = {"/data/metrics/*/note"};
  options.projection.fields = {{.name = "queue", .from = "/group/queueId"}, {.name = "metrics", .from = "/data/metrics"}};
  PageReader reader(definition, options);

  ASSERT_TRUE(read_results(reader, kResult));

  EXPECT_THAT(values(), ElementsAre(R"({"queue":"q","metrics":[{"metric":"n"}]})", R"({"queue":"q"})"));
  EXPECT_THAT(keys(),
              ElementsAre(R"([{"ani":"PERSONAL +49","queueId":"q"},"i/1"])", R"([{"ani":"PERSONAL +49","queueId":"q"},"i/2"])"))
      << "which nothing was to happen to";
  EXPECT_THAT(page.digests, SizeIs(2));
  EXPECT_EQ(page.elements, 1U) << "what the service counts";
}

TEST_F(CompositePageTest, WhatIsHashedInTheKeyIsHashedInBoth) {
  options.redaction.hash = {"/group/ani", "/data/metrics/*/note"};
  PageReader reader(definition, options);

  ASSERT_TRUE(read_results(reader, kResult));

  const std::string ani = hashed("PERSONAL +49");
  EXPECT_THAT(keys(),
              ElementsAre(R"([{"ani":)" + ani + R"(,"queueId":"q"},"i/1"])", R"([{"ani":)" + ani + R"(,"queueId":"q"},"i/2"])"));
  EXPECT_THAT(values()[0], HasSubstr(R"({"group":{"queueId":"q","ani":)" + ani + "}"));
  EXPECT_THAT(body, Not(HasSubstr("PERSONAL")));
  for (const auto& record : page.records) EXPECT_TRUE(lies_in_body(record.key) && lies_in_body(record.value));
}

TEST_F(CompositePageTest, AKeyIsTheSameHashHoweverItIsSpelledAndWhateverIsChosen) {
  options.redaction.hash = {"/group"};
  options.projection.fields = {{.name = "interval", .from = "/data/interval"}};
  PageReader reader(definition, options);
  const std::string key = "[" + hashed(R"({"ani":"+49","queueId":"q"})") + R"(,"i/1"])";

  ASSERT_TRUE(read_results(reader, R"({"group":{"queueId":"q","ani":"+49"},"data":[{"interval":"i/1"}]})"));
  EXPECT_THAT(keys(), ElementsAre(key));
  EXPECT_THAT(values(), ElementsAre(R"({"interval":"i/1"})"));

  ASSERT_TRUE(read_results(reader, R"({"data":[ {"interval":"i\/1"} ], "group": { "ani":"\u002b49", "queueId":"q" }})"));
  EXPECT_THAT(keys(), ElementsAre(key));

  ASSERT_TRUE(read_results(reader, R"({"data":[{"interval":"i/1"}]},{"group":null,"data":[{"interval":"i/2"}]})"));
  EXPECT_THAT(keys(), ElementsAre(R"([null,"i/1"])", R"([null,"i/2"])")) << "no group is no text";
}

TEST_F(CompositePageTest, ADeadLetterIsRedactedOrWithheld) {
  options.redaction.drop = {"/group/name"};
  PageReader reader(definition, options);

  ASSERT_TRUE(
      read_results(reader, R"({"group":{"name":"PERSONAL","id":1},"data":[{"x":1}]},"PERSONAL",["PERSONAL"],{"data":[17]})"));

  EXPECT_THAT(page.records, IsEmpty());
  std::vector<std::string> letters;
  for (const auto& letter : page.dead_letters) letters.push_back(letter.reason + " " + std::string(letter.bytes));
  EXPECT_THAT(letters, ElementsAre(R"(no_key {"group":{"id":1},"data":{"x":1}})", "not_an_object ", "not_an_object ",
                                   R"(no_key {"data":17})"));
  EXPECT_THAT(body, Not(HasSubstr("PERSONAL")));
}

TEST_F(PageReaderTest, AKeyThatIsOneTextIsThatTextsHash) {
  definition.by_id.reset();
  options.redaction = {
      .drop = {}, .hash = {"/conversationId"}, .key = common::SecretSource::of_value(common::Secret("the key of this test"))};
  PageReader reader(definition, options);

  ASSERT_TRUE(
      read(reader, query_page({conversation("PERSONAL a"), R"({"conversationId":"b\u0063"})", R"({"x":"PERSONAL"})"}, 3)));

  ASSERT_THAT(page.records, SizeIs(2));
  std::string expected;
  ASSERT_TRUE(KeyedHash(common::Secret("the key of this test")).append("bc", expected));
  EXPECT_EQ(page.records[1].key, expected);
  EXPECT_EQ(page.records[1].value, R"({"conversationId":")" + expected + R"("})");
  EXPECT_THAT(std::string(page.records[0].key), testing::MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(page.dead_letters.at(0).reason, "no_key");
  EXPECT_THAT(body, Not(HasSubstr("PERSONAL a")));
}

// --- what is new to the definition --------------------------------------------------------------------------------------------

// Names inside of what is removed may be as personal as what they name: a map keyed by people, say.
class NewFields : public PageReaderTest {
 protected:
  NewFields() {
    definition.model = {{"", {"conversationId", "people", "notes"}},
                        {"/notes", {"first"}},
                        {"/people/*", {"name", "attributes"}},
                        {"/people/*/attributes", {"known"}}};
  }
  std::vector<std::string> told() {
    PageReader reader(definition, options);
    EXPECT_TRUE(read(
        reader,
        query_page(
            {R"({"conversationId":"a","new":1,"notes":{"Ada Personal":1},"people":[{"age":1,"attributes":{"Bob Personal":2}}]})"},
            1)));
    return reader.take_unknown_fields();
  }
};

TEST_F(NewFields, AreToldWhereNothingIsRemoved) {
  EXPECT_THAT(told(), ElementsAre("/new", "/notes/Ada Personal", "/people/*/age", "/people/*/attributes/Bob Personal"));
}

TEST_F(NewFields, InsideOfWhatIsDroppedOrHashedAreNotTold) {
  options.redaction = {.drop = {"/people/*/attributes"},
                       .hash = {"/notes"},
                       .key = common::SecretSource::of_value(common::Secret("the key of this test"))};
  EXPECT_THAT(told(), ElementsAre("/new", "/people/*/age"));
  options.redaction.hash.clear();
  options.redaction.drop = {"/people", "/notes/first"};
  EXPECT_THAT(told(), ElementsAre("/new", "/notes/Ada Personal")) << "what is left of an object is looked at";
  options.redaction.drop = {"/*/*/attributes", "/notes/*"};
  EXPECT_THAT(told(), ElementsAre("/new", "/people/*/age")) << "nor are members that are dropped whatever their names";
}

TEST_F(NewFields, InsideOfWhatNoFieldDrawsAreNotTold) {
  options.projection.fields = {{.name = "id", .from = "/conversationId"}, {.name = "names", .from = "/people/*/name"}};
  EXPECT_THAT(told(), ElementsAre("/new", "/people/*/age"));
  options.projection.fields.push_back({.name = "notes", .from = "/notes"});
  EXPECT_THAT(told(), ElementsAre("/new", "/notes/Ada Personal", "/people/*/age")) << "which is published";
}

}  // namespace
}  // namespace connector::source
