// Records that are put together out of an answer: what PageSlicer and RecordComposer make of `records: {each: …}`.

#include "connector/source/page_slicer.h"
#include "connector/source/record_composer.h"
#include "connector/source/record_reader.h"

#include "common/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::source {
namespace {

using common::ErrorCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

SliceSpec aggregates() {
  return {.records = CompositeRecords{.each = {"/results/*/data/*"}, .with = {"/results/*/group"}, .as = {}, .list = {}},
          .key = std::vector<KeyPart>{{"/group"}, {"/data/interval"}},
          .wanted = {"/systemToOrganizationMappings/OFFLINE/0", "/cursor"}};
}

SliceSpec user_details() {
  return {.records = CompositeRecords{.each = {"/userDetails/*/primaryPresence/*", "/userDetails/*/routingStatus/*"},
                                      .with = {"/userDetails/*/userId"},
                                      .as = "status",
                                      .list = "list"},
          .key = std::vector<KeyPart>{{"/userId"}, {"/list"}, {"/status/startTime"}},
          .start = "/status/startTime",
          .end = "/status/endTime",
          .open_while_absent = "/status/endTime",
          .wanted = {"/totalHits"}};
}

SliceSpec observations() {
  return {
      .records = CompositeRecords{.each = {"/results/*/data/*"}, .with = {"/results/*/group"}, .as = "observation", .list = {}},
      .key = std::vector<KeyPart>{{"/group"}, {"/observation/metric"}, {"/observation/qualifier", true}},
      .wanted = {}};
}

struct Sliced {
  std::string body;
  SlicedPage page;
  common::Result<void> result;
};

std::unique_ptr<Sliced> slice(const SliceSpec& spec, std::string_view text) {
  PageSlicer slicer;
  auto sliced = std::make_unique<Sliced>();
  sliced->body = std::string(text);
  sliced->result = slicer.slice(spec, sliced->body, sliced->page);
  return sliced;
}

std::vector<std::string> keys_of(const SlicedPage& page) {
  std::vector<std::string> keys;
  for (const auto& record : page.records) keys.emplace_back(record.key);
  return keys;
}

std::vector<std::string> values_of(const SlicedPage& page) {
  std::vector<std::string> values;
  for (const auto& record : page.records) values.emplace_back(record.value);
  return values;
}

std::vector<std::string> letters_of(const SlicedPage& page) {
  std::vector<std::string> letters;
  for (const auto& letter : page.dead_letters) {
    letters.push_back(letter.reason + "@" + std::to_string(letter.index) + " " + std::string(letter.bytes));
  }
  return letters;
}

std::string sample_file(const std::string& name) {
  std::ifstream in(std::filesystem::path(GK_SAMPLES) / name, std::ios::binary);
  EXPECT_TRUE(in) << name;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(CompositeRecords, AreEnvelopesOfSlicesAsTheServiceSentThem) {
  const auto sliced = slice(aggregates(), R"({"results" : [ { "data":[ {"interval":"i1", "n": 1.50 } , {"interval":"i\u0032"}],
    "group" : {"queueId":"q", "mediaType" : "voice"} } ] })");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(values_of(sliced->page),
              ElementsAre(R"({"group":{"queueId":"q", "mediaType" : "voice"},"data":{"interval":"i1", "n": 1.50 }})",
                          R"({"group":{"queueId":"q", "mediaType" : "voice"},"data":{"interval":"i\u0032"}})"));
  EXPECT_THAT(keys_of(sliced->page),
              ElementsAre(R"([{"mediaType":"voice","queueId":"q"},"i1"])", R"([{"mediaType":"voice","queueId":"q"},"i2"])"));
}

TEST(CompositeRecords, SlicesAndKeysAreViewsIntoTheBody) {
  const auto sliced = slice(user_details(), sample_file("user_details_query_response.json"));

  ASSERT_TRUE(sliced->result);
  ASSERT_THAT(sliced->page.records, SizeIs(4));
  const char* begin = sliced->body.data();
  const char* end = begin + sliced->body.size();
  for (const auto& record : sliced->page.records) {
    EXPECT_TRUE(begin <= record.value.data() && record.value.data() + record.value.size() <= end);
    EXPECT_TRUE(begin <= record.key.data() && record.key.data() + record.key.size() <= end);
  }
}

TEST(CompositeRecords, OfUserDetailsAreOneForEveryUserListAndStart) {
  const auto sliced = slice(user_details(), sample_file("user_details_query_response.json"));

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  const std::string user = "538453d7-5381-4ab7-890d-ad3d18167a3b";
  EXPECT_THAT(keys_of(sliced->page), ElementsAre(R"([")" + user + R"(","primaryPresence","2026-05-04T08:00:00.000Z"])",
                                                 R"([")" + user + R"(","primaryPresence","2026-05-04T09:00:00.000Z"])",
                                                 R"([")" + user + R"(","routingStatus","2026-05-04T09:00:00.000Z"])",
                                                 R"([")" + user + R"(","routingStatus","2026-05-04T09:12:58.450Z"])"));
  EXPECT_THAT(sliced->page.wanted, ElementsAre("1"));
  EXPECT_EQ(sliced->page.elements, 1U) << "the service counts users";
  ASSERT_THAT(sliced->page.facts, SizeIs(4));
  EXPECT_EQ(sliced->page.facts[0].start, *common::parse_instant("2026-05-04T08:00:00Z"));
  EXPECT_EQ(sliced->page.facts[0].end, *common::parse_instant("2026-05-04T09:00:00Z"));
  EXPECT_FALSE(sliced->page.facts[0].open);
  EXPECT_TRUE(sliced->page.facts[1].open);
  const auto status = common::json::parse(sliced->page.records[3].value);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->at("list"), "routingStatus");
  EXPECT_EQ(status->at("status").at("routingStatus"), "INTERACTING");
}

TEST(CompositeRecords, OfAggregatesAreOneForEveryGroupAndInterval) {
  for (const auto& [file, keys] :
       {std::pair{"conversation_aggregates_response.json",
                  std::vector<std::string>{R"([{"mediaType":"voice","queueId":"8ff34739-8fef-4259-8ba3-9597b1417895"},)"
                                           R"("2026-05-04T09:00:00.000Z/2026-05-04T09:30:00.000Z"])"}},
        std::pair{"user_aggregates_response.json",
                  std::vector<std::string>{R"([{"userId":"538453d7-5381-4ab7-890d-ad3d18167a3b"},)"
                                           R"("2026-05-04T00:00:00.000Z/2026-05-05T00:00:00.000Z"])"}}}) {
    const auto sliced = slice(aggregates(), sample_file(file));
    ASSERT_TRUE(sliced->result) << sliced->result.error().message;
    EXPECT_EQ(keys_of(sliced->page), keys);
    const auto whole = common::json::parse(sample_file(file));
    const auto& result = whole->at("results").at(0);
    EXPECT_EQ(*common::json::parse(sliced->page.records[0].value),
              (common::json::Value{{"group", result.at("group")}, {"data", result.at("data").at(0)}}));
  }
}

TEST(CompositeRecords, OfObservationsMayLackAnOptionalPartOfTheirKey) {
  const auto sliced = slice(observations(), sample_file("queue_observations_response.json"));

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(keys_of(sliced->page),
              ElementsAre(R"([{"mediaType":"voice","queueId":"8ff34739-8fef-4259-8ba3-9597b1417895"},"oWaiting",null])",
                          R"([{"queueId":"8ff34739-8fef-4259-8ba3-9597b1417895"},"oUserRoutingStatuses","IDLE"])"));
}

// The order of a group's members, and how the service spells them, must not make two keys of one.
TEST(CompositeRecords, HaveTheSameKeyHoweverTheServiceSpellsIt) {
  const auto one = slice(aggregates(), R"({"results":[{"group":{"a":"x","b":"y"},"data":[{"interval":"i"}]}]})");
  const auto other =
      slice(aggregates(), R"({"results":[{"data":[{"interval":"\u0069"}],"group":{ "b" : "y", "\u0061" : "x" }}]})");

  EXPECT_THAT(keys_of(one->page), ElementsAre(R"([{"a":"x","b":"y"},"i"])"));
  EXPECT_EQ(keys_of(one->page), keys_of(other->page));
}

// Nor the offset in which a service renders the interval of a bucket.
TEST(CompositeRecords, HaveTheSameKeyInSummerAndInWinter) {
  const auto key_of = [](const std::string& interval) {
    return keys_of(slice(aggregates(), R"({"results":[{"group":{},"data":[{"interval":")" + interval + R"("}]}]})")->page).at(0);
  };
  const std::string in_utc = R"([{},"2026-03-28T23:00:00.000Z/2026-03-29T22:00:00.000Z"])";

  EXPECT_EQ(key_of("2026-03-28T23:00:00.000Z/2026-03-29T22:00:00.000Z"), in_utc);
  EXPECT_EQ(key_of("2026-03-29T00:00:00.000+01:00/2026-03-30T00:00:00.000+02:00"), in_utc);
  EXPECT_EQ(key_of("2026-03-28T19:00:00-04:00\\/2026-03-29T18:00:00-04:00"), in_utc) << "an escape more";
  EXPECT_EQ(key_of("2026-03-28T23:00:00.000Z/2026-03-30T00:00:00.000+02:00"), in_utc);
  for (const char* as_it_is :
       {"2026-03-28T23:00:00Z/2026-03-29T22:00:00Z", "a/b", "/", "a/Z", "2026-03-28T23:00:00+00:00/PT1H"}) {
    EXPECT_EQ(key_of(as_it_is), R"([{},")" + std::string(as_it_is) + "\"]");
  }
}

TEST(CompositeRecords, WithoutARequiredValueInTheirKeyAreDeadLetters) {
  const auto sliced = slice(
      aggregates(), R"({"results":[{"group":{"q":"1"},"data":[{"n":1},{"interval":null},{"interval":""},{"interval":"i"}, 7]},
    {"data":[{"interval":"i"}]}, 17, {"group":{"q":"2"},"data":[{"interval":"i"}]}]})");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(keys_of(sliced->page), ElementsAre(R"([{"q":"1"},"i"])", R"([{"q":"2"},"i"])"));
  EXPECT_THAT(
      letters_of(sliced->page),
      ElementsAre(R"(no_key@0 {"group":{"q":"1"},"data":{"n":1}})", R"(no_key@1 {"group":{"q":"1"},"data":{"interval":null}})",
                  R"(no_key@2 {"group":{"q":"1"},"data":{"interval":""}})", R"(no_key@4 {"group":{"q":"1"},"data":7})",
                  R"(no_key@5 {"data":{"interval":"i"}})", "not_an_object@6 17"));
  EXPECT_THAT(sliced->page.dead_letters[0].detail, HasSubstr("/group, /data/interval"));
  EXPECT_EQ(sliced->page.elements, 4U);
}

TEST(CompositeRecords, AreNoneWhereTheArraysAreAbsentNullOrEmpty) {
  for (const std::string body :
       {R"({})", R"({"results":null})", R"({"results":[]})", R"({"results":[{}]})", R"({"results":[{"group":{"a":"b"}}]})",
        R"({"results":[{"group":{},"data":null}]})", R"({"results":[{"group":{},"data":[]}]})"}) {
    const auto sliced = slice(aggregates(), body);
    ASSERT_TRUE(sliced->result) << body << sliced->result.error().message;
    EXPECT_EQ(sliced->page.rows(), 0U) << body;
  }
}

TEST(CompositeRecords, TakeAlongWhatStandsBesideThemAtEveryLevel) {
  const SliceSpec spec{
      .records =
          CompositeRecords{
              .each = {"/r/g/*/h/*/d/*"}, .with = {"/meta/zone", "/r/g/*/a", "/r/g/*/h/*/b/c"}, .as = {}, .list = {}},
      .key = "/d/id",
      .wanted = {"/next"}};
  const auto sliced =
      slice(spec, R"({"r":{"x":[],"g":[{"h":[{"d":[{"id":"1"},{"id":"2"}],"b":{"c":"B1"}},{"d":[{"id":"3"}]}],"a":"A1"},
    {"h":[{"d":[{"id":"4"}],"b":{"c":"B2"}}]}]},"next":"n","meta":{"y":1,"zone":"Z"}})");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(values_of(sliced->page),
              ElementsAre(R"({"zone":"Z","a":"A1","c":"B1","d":{"id":"1"}})", R"({"zone":"Z","a":"A1","c":"B1","d":{"id":"2"}})",
                          R"({"zone":"Z","a":"A1","d":{"id":"3"}})", R"({"zone":"Z","c":"B2","d":{"id":"4"}})"));
  EXPECT_THAT(keys_of(sliced->page), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(sliced->page.wanted, ElementsAre("n"));
}

TEST(CompositeRecords, MayLieInSeveralArraysOfTheAnswerOrBeItsOwn) {
  const SliceSpec counts{
      .records = CompositeRecords{.each = {"/segmentCounts/*", "/presenceCounts/*"}, .with = {}, .as = "count", .list = "of"},
      .key = std::vector<KeyPart>{{"/of"}, {"/count/name"}},
      .wanted = {}};
  const auto several = slice(counts, R"({"presenceCounts":[{"name":"a"}],"segmentCounts":[{"name":"a"},{"name":"b"}]})");
  ASSERT_TRUE(several->result) << several->result.error().message;
  EXPECT_THAT(keys_of(several->page),
              ElementsAre(R"(["presenceCounts","a"])", R"(["segmentCounts","a"])", R"(["segmentCounts","b"])"));
  EXPECT_EQ(several->page.elements, 3U);

  const SliceSpec own{
      .records = CompositeRecords{.each = {"/*/d/*"}, .with = {"/*/g"}, .as = {}, .list = {}}, .key = "/d/id", .wanted = {}};
  const auto array = slice(own, R"([{"g":1,"d":[{"id":"a"}]},{"d":[{"id":"b"}]}])");
  ASSERT_TRUE(array->result) << array->result.error().message;
  EXPECT_THAT(values_of(array->page), ElementsAre(R"({"g":1,"d":{"id":"a"}})", R"({"d":{"id":"b"}})"));

  const SliceSpec nested{
      .records = CompositeRecords{.each = {"/rows/*/*"}, .with = {}, .as = "cell", .list = {}}, .key = "/cell", .wanted = {}};
  const auto cells = slice(nested, R"({"rows":[["a","b"],["c"]]})");
  ASSERT_TRUE(cells->result) << cells->result.error().message;
  EXPECT_THAT(values_of(cells->page), ElementsAre(R"({"cell":"a"})", R"({"cell":"b"})", R"({"cell":"c"})"));
}

TEST(CompositeRecords, NamesAreFoundHoweverTheyAreSpelledAndTheFirstCounts) {
  const auto sliced = slice(
      aggregates(),
      R"({"r\u0065sults":[{"gr\u006fup":{"a":"1"},"group":{"a":"2"},"d\u0061ta":[{"interval":"i"}],"data":[{"interval":"j"}]}]})");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(values_of(sliced->page), ElementsAre(R"({"group":{"a":"1"},"data":{"interval":"i"}})"));
}

TEST(CompositeRecords, KeepNumbersThatNoTypeOfOursHolds) {
  const auto sliced = slice(
      aggregates(),
      R"({"results":[{"group":{"a":123456789012345678901234567890},"data":[{"interval":"i","n":-99999999999999999999}]}]})");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(values_of(sliced->page),
              ElementsAre(R"({"group":{"a":123456789012345678901234567890},"data":{"interval":"i","n":-99999999999999999999}})"));
  EXPECT_THAT(keys_of(sliced->page), ElementsAre(R"([{"a":123456789012345678901234567890},"i"])"));
}

struct HostileCase {
  std::string name;
  std::string body;
};
void PrintTo(const HostileCase& hostile, std::ostream* out) {
  *out << hostile.name;
}
class HostileComposite : public testing::TestWithParam<HostileCase> {};

TEST_P(HostileComposite, IsRefusedWholeAndTheSlicerGoesOn) {
  PageSlicer slicer;
  SlicedPage page;
  std::string body = GetParam().body;

  const auto result = slicer.slice(aggregates(), body, page);

  ASSERT_FALSE(result) << "accepted with " << page.rows() << " rows";
  EXPECT_EQ(result.error().code, ErrorCode::kMalformedResponse);
  EXPECT_EQ(page.rows(), 0U) << "never half a page";
  EXPECT_EQ(page.elements, 0U);
  std::string good = R"({"results":[{"group":{"a":"b"},"data":[{"interval":"i"}]}]})";
  ASSERT_TRUE(slicer.slice(aggregates(), good, page));
  EXPECT_THAT(page.records, SizeIs(1));
  std::string plain = R"({"conversations":[{"conversationId":"a"}]})";
  ASSERT_TRUE(slicer.slice({.records = "/conversations", .key = "/conversationId"}, plain, page));
  EXPECT_THAT(keys_of(page), ElementsAre("a"));
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, HostileComposite,
    testing::Values(HostileCase{"results_are_an_object", R"({"results":{}})"},
                    HostileCase{"data_are_an_object", R"({"results":[{"data":{}}]})"},
                    HostileCase{"data_are_a_text", R"({"results":[{"data":"x"}]})"},
                    HostileCase{"data_are_an_object_behind_a_good_one",
                                R"({"results":[{"group":{},"data":[{"interval":"i"}]},{"data":{}}]})"},
                    HostileCase{"two_results", R"({"results":[],"results":[]})"},
                    HostileCase{"cut_in_data", R"({"results":[{"group":{},"data":[{"interval":"i"})"},
                    HostileCase{"wrong_bracket_in_data", R"({"results":[{"group":{},"data":[{"interval":"i"]}]})"},
                    HostileCase{"number_01_in_the_group", R"({"results":[{"group":{"a":01},"data":[{"interval":"i"}]}]})"},
                    HostileCase{"number_01_beside_both", R"({"results":[{"group":{},"x":01,"data":[{"interval":"i"}]}]})"},
                    HostileCase{"missing_comma_in_data", R"({"results":[{"data":[{"interval":"i"}{"interval":"j"}]}]})"},
                    HostileCase{"bad_utf8_in_the_group",
                                "{\"results\":[{\"group\":{\"a\":\"\xC3\x28\"},\"data\":[{\"interval\":\"i\"}]}]}"},
                    HostileCase{"garbage_behind", R"({"results":[]}x)"}, HostileCase{"empty", ""}),
    [](const auto& info) { return info.param.name; });

TEST(CompositeRecords, NoPrefixOfAPagePasses) {
  const std::string whole = R"({"a":[1],"results":[{"group":{"q":"\u0061"},"data":[{"interval":"i","x":[{}]}]},3],"n":2})";
  PageSlicer slicer;
  SlicedPage page;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::string body = whole.substr(0, length);
    EXPECT_FALSE(slicer.slice(aggregates(), body, page)) << body;
  }
  std::string body = whole;
  EXPECT_TRUE(slicer.slice(aggregates(), body, page));
}

// One byte wrong anywhere: what is accepted must be what a strict parser accepts, and the records must be those that it finds.
TEST(CompositeRecords, AgreeWithAStrictParserOnEveryOneByteChange) {
  const std::string whole =
      R"({"a":[1],"results":[{"group":{"q":"k"},"data":[{"interval":"i","x":[1.5]},{"interval":"j"}]}],"n":2})";
  PageSlicer slicer;
  SlicedPage page;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char replacement : {'{', '}', '[', ']', ',', ':', '"', '\\', '0', 'x', ' ', '\0'}) {
      std::string body = whole;
      body[at] = replacement;
      const std::string before = body;
      if (!slicer.slice(aggregates(), body, page)) continue;
      const auto parsed = common::json::parse(before);
      ASSERT_TRUE(parsed) << before;
      std::vector<common::json::Value> expected;
      if (const auto* results = parsed->get_object().if_contains("results"); results != nullptr && results->is_array()) {
        for (const auto& result : results->get_array()) {
          const auto* object = result.if_object();
          const auto* data = object != nullptr ? object->if_contains("data") : nullptr;
          if (data == nullptr || !data->is_array()) continue;
          for (const auto& element : data->get_array()) {
            common::json::Object record;
            if (const auto* group = object->if_contains("group")) record["group"] = *group;
            record["data"] = element;
            expected.emplace_back(std::move(record));
          }
        }
      }
      std::vector<common::json::Value> found;
      for (const auto& record : page.records) found.push_back(*common::json::parse(record.value));
      for (const auto& letter : page.dead_letters) {
        if (letter.reason == "no_key") found.push_back(*common::json::parse(letter.bytes));
      }
      EXPECT_THAT(found, testing::UnorderedElementsAreArray(expected)) << before;
    }
  }
}

TEST(CompositeRecords, OfAPageMayTakeWhatTheyAreGrantedOrTwiceThePage) {
  const SliceSpec spec{.records = CompositeRecords{.each = {"/r/*/d/*"}, .with = {"/r/*/g"}, .as = "d", .list = {}},
                       .key = std::vector<KeyPart>{{"/d"}}};
  const auto page_of_groups = [](std::size_t beside, int elements) {
    std::string body = R"({"r":[{"g":")" + std::string(beside, 'x') + R"(","d":[)";
    for (int i = 0; i < elements; ++i) body += (i == 0 ? "" : ",") + std::to_string(1'000'000 + i);
    return body + "]}]}";
  };
  SlicedPage page;
  PageSlicer slicer(50'000);

  std::string amplified = page_of_groups(1'000, 100);
  const auto refused = slicer.slice(spec, amplified, page);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooComplex) << "so that the window is cut";
  EXPECT_THAT(page.records, testing::IsEmpty());
  std::string granted = page_of_groups(400, 100);
  EXPECT_TRUE(slicer.slice(spec, granted, page));
  std::string large = page_of_groups(60'000, 1);
  EXPECT_TRUE(slicer.slice(spec, large, page)) << "one that is large itself is taken alone, as any page is";
  std::string default_bound = page_of_groups(1'000, 100);
  EXPECT_TRUE(PageSlicer().slice(spec, default_bound, page));
}

TEST(CompositeRecords, FarMoreThanThePageIsTooComplex) {
  const CompositeRecords rule{.each = {"/r/*/d/*"}, .with = {"/r/*/g"}, .as = {}, .list = {}};
  RawJson raw;
  std::string element = R"({"g":")" + std::string(1000, 'x') + R"(","d":[)";
  for (int i = 0; i < 100; ++i) element += i == 0 ? "1" : ",1";
  element += "]}";
  element.reserve(element.size() + 64);
  std::string out;
  std::vector<ComposedPiece> pieces;

  RecordComposer small(rule, raw);
  small.take_element(0, element);
  const auto refused = small.compose(out, pieces, 50'000);
  RecordComposer large(rule, raw);
  large.take_element(0, element);
  const auto taken = large.compose(out, pieces, 200'000);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooComplex) << "so that the window is cut";
  EXPECT_TRUE(taken);
  EXPECT_THAT(pieces, SizeIs(100));
}

// What stands in the topic is read as what was on the page: by the same pointers.
TEST(CompositeRecords, AreReadFromATopicAsFromAPage) {
  Definition definition;
  const SliceSpec spec = user_details();
  definition.key = spec.key;
  definition.start_pointer = spec.start;
  definition.open_while_absent = spec.open_while_absent;
  QuerySource query;
  query.records = spec.records;
  definition.query = query;
  const auto sliced = slice(spec, sample_file("user_details_query_response.json"));
  ContentDigester digester({});

  RecordReader reader(definition, StreamOptions{});
  const auto read = reader.read(sliced->page.records[1].value);

  ASSERT_TRUE(read);
  EXPECT_EQ(read->start, sliced->page.facts[1].start);
  EXPECT_TRUE(read->open);
  EXPECT_EQ(read->digests, *digester.digest(sliced->page.records[1].value));
  EXPECT_FALSE(reader.read(R"({"userId":"u","list":"routingStatus","status":{}})")) << "no start, no key";
}

TEST(KeyOfSeveralValues, OfRecordsAsTheyAreSent) {
  const SliceSpec spec{.records = "/items", .key = std::vector<KeyPart>{{"/a/b"}, {"/c", true}}, .wanted = {}};
  const auto sliced =
      slice(spec, R"({"items":[{"a":{"b":1}},{"a":{"b":"x"},"c":[true, null]},{"c":1},{"a":{"b":"x"},"c":null},"t"]})");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(keys_of(sliced->page), ElementsAre("[1,null]", R"(["x",[true,null]])", R"(["x",null])"));
  EXPECT_THAT(letters_of(sliced->page), ElementsAre(R"(no_key@2 {"c":1})", R"(not_an_object@4 "t")"));
  EXPECT_EQ(sliced->page.elements, 5U);
}

}  // namespace
}  // namespace connector::source
