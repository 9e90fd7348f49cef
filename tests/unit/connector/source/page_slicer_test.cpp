#include "connector/source/page_slicer.h"

#include "common/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace connector::source {
namespace {

using common::ErrorCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

SliceSpec conversations() {
  return {.records = "/conversations",
          .key = "/conversationId",
          .start = "/conversationStart",
          .end = "/conversationEnd",
          .open_while_absent = "/conversationEnd",
          .wanted = {"/totalHits", "/cursor", "/dataAvailabilityDate"}};
}

struct Sliced {
  std::string body;
  SlicedPage page;
  common::Result<void> result;
};

// On the heap and exactly as long as needed, so that the address sanitizer sees a read behind the padding.
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

std::string sample_file(const std::string& name) {
  std::ifstream in(std::filesystem::path(GK_SAMPLES) / name, std::ios::binary);
  EXPECT_TRUE(in) << name;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(PageSlicer, CutsRecordsAsTheServiceSentThem) {
  const auto sliced = slice(conversations(), R"({ "conversations" : [ {"conversationId":"a", "n": 1.50 } , {"conversationId":"b"}
 ], "totalHits" : 2 })");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  ASSERT_THAT(sliced->page.records, SizeIs(2));
  EXPECT_EQ(sliced->page.records[0].value, R"({"conversationId":"a", "n": 1.50 })");
  EXPECT_EQ(sliced->page.records[1].value, R"({"conversationId":"b"})");
  EXPECT_THAT(keys_of(sliced->page), ElementsAre("a", "b"));
  EXPECT_EQ(sliced->page.wanted[0], "2");
  EXPECT_EQ(sliced->page.wanted[1], std::nullopt);
}

TEST(PageSlicer, SlicesAndKeysAreViewsIntoTheBody) {
  const auto sliced =
      slice(conversations(), R"({"conversations":[{"x":1,"conversationId":"abc"},{"conversationId":"b\u0062"}]})");

  ASSERT_TRUE(sliced->result);
  const char* begin = sliced->body.data();
  const char* end = begin + sliced->body.size();
  for (const auto& record : sliced->page.records) {
    EXPECT_TRUE(begin <= record.value.data() && record.value.data() + record.value.size() <= end);
    EXPECT_TRUE(begin <= record.key.data() && record.key.data() + record.key.size() <= end);
  }
  EXPECT_THAT(keys_of(sliced->page), ElementsAre("abc", "bb"));
  EXPECT_EQ(sliced->page.records[1].value, R"({"conversationId":"b\u0062"})") << "a record's bytes are never unescaped";
}

struct GoldenCase {
  std::string file;
  std::vector<std::string> keys;
  std::optional<std::string> total;
  std::optional<std::string> cursor;
  std::optional<std::string> availability;
};
void PrintTo(const GoldenCase& golden, std::ostream* out) {
  *out << golden.file;
}

class GoldenPage : public testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenPage, IsCutIntoItsRecords) {
  const auto sliced = slice(conversations(), sample_file(GetParam().file));

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_EQ(keys_of(sliced->page), GetParam().keys);
  EXPECT_THAT(sliced->page.dead_letters, IsEmpty());
  EXPECT_THAT(sliced->page.wanted, ElementsAre(GetParam().total, GetParam().cursor, GetParam().availability));
  const auto whole = common::json::parse(sliced->body);
  ASSERT_TRUE(whole) << whole.error().message;
  for (std::size_t i = 0; i < sliced->page.records.size(); ++i) {
    EXPECT_EQ(*common::json::parse(sliced->page.records[i].value), whole->at("conversations").at(i));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Samples, GoldenPage,
    testing::Values(
        GoldenCase{"details_query_response.json", {"9e3779b1-9e37-43d1-814b-f42d4c957f2d"}, "1", std::nullopt, std::nullopt},
        GoldenCase{"details_job_results_page.json",
                   {"9e3779b1-9e37-43d1-814b-f42d4c957f2d"},
                   std::nullopt,
                   "b3BhcXVlLWN1cnNvci0x",
                   "2026-05-04T04:10:03Z"},
        GoldenCase{"details_job_results_last_page.json",
                   {"9e3779b1-9e37-43d1-814b-f42d4c957f2d"},
                   std::nullopt,
                   std::nullopt,
                   "2026-05-04T04:10:03Z"},
        GoldenCase{"details_query_response_past_last_page.json", {}, "1", std::nullopt, std::nullopt}),
    [](const auto& info) {
      std::string name = info.param.file;
      std::ranges::replace(name, '.', '_');
      return name;
    });

TEST(PageSlicer, ReadsFactsOfARecord) {
  const auto sliced = slice(conversations(), R"({"conversations":[
    {"conversationId":"a","conversationStart":"2026-05-04T09:12:03.386Z","conversationEnd":"2026-05-04T09:17:42Z"},
    {"conversationId":"b","conversationStart":"2026-05-04T09:12:03.386Z"},
    {"conversationId":"c","conversationStart":17,"conversationEnd":null}]})");

  ASSERT_TRUE(sliced->result);
  ASSERT_THAT(sliced->page.facts, SizeIs(3));
  EXPECT_EQ(sliced->page.facts[0].start, *common::parse_instant("2026-05-04T09:12:03.386Z"));
  EXPECT_EQ(sliced->page.facts[0].end, *common::parse_instant("2026-05-04T09:17:42Z"));
  EXPECT_FALSE(sliced->page.facts[0].open);
  EXPECT_TRUE(sliced->page.facts[1].open);
  EXPECT_EQ(sliced->page.facts[2].start, std::nullopt);
  EXPECT_TRUE(sliced->page.facts[2].open);
}

TEST(PageSlicer, AbsentNullAndEmptyRecordsAreAnEmptyPage) {
  for (const std::string body : {R"({})", R"({"totalHits":3})", R"({"conversations":null})", R"({"conversations":[]})",
                                 " \n{ \"conversations\" : [ ] } \n"}) {
    const auto sliced = slice(conversations(), body);
    ASSERT_TRUE(sliced->result) << body;
    EXPECT_EQ(sliced->page.rows(), 0U) << body;
  }
}

TEST(PageSlicer, ARecordWithoutAKeyIsADeadLetterAndThePageGoesOn) {
  const auto sliced = slice(conversations(), R"({"conversations":[
    {"conversationId":"a"}, 17, {"other":"x"}, {"conversationId":17}, null, {"conversationId":""}, [], "text", {"conversationId":"b"}]})");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(keys_of(sliced->page), ElementsAre("a", "b"));
  std::vector<std::string> letters;
  for (const auto& letter : sliced->page.dead_letters) {
    letters.push_back(letter.reason + "@" + std::to_string(letter.index) + " " + std::string(letter.bytes));
  }
  EXPECT_THAT(letters, ElementsAre("not_an_object@1 17", R"(no_key@2 {"other":"x"})", R"(no_key@3 {"conversationId":17})",
                                   "not_an_object@4 null", R"(no_key@5 {"conversationId":""})", "not_an_object@6 []",
                                   "not_an_object@7 \"text\""));
}

TEST(PageSlicer, FindsNamesAndKeysHoweverTheyAreSpelled) {
  const auto sliced = slice(conversations(),
                            "{\"conversati\\u006fns\":[{\"conversation\\u0049d\":\"a\"},{\"conversationId\":\"\\u00e4\\n\\\"\"},"
                            "{\"conversationId\":\"\xC3\xA4\"}],\"total\\u0048its\":3}");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(keys_of(sliced->page), ElementsAre("a", "\xC3\xA4\n\"", "\xC3\xA4"));
  EXPECT_EQ(sliced->page.wanted[0], "3");
}

TEST(PageSlicer, OfTwoMembersWithOneNameTheFirstCounts) {
  const auto sliced =
      slice(conversations(), R"({"totalHits":1,"totalHits":2,"conversations":[{"conversationId":"a","conversationId":"b"}]})");

  ASSERT_TRUE(sliced->result);
  EXPECT_THAT(keys_of(sliced->page), ElementsAre("a"));
  EXPECT_EQ(sliced->page.wanted[0], "1");
}

TEST(PageSlicer, ReadsNestedPointersAndPagesThatAreArrays) {
  const SliceSpec nested{.records = "/result/a~1b", .key = "/id/text", .wanted = {"/result/page/next", "/links/0"}};
  const auto inner = slice(nested, R"({"result":{"page":{"next":"n"},"a/b":[{"id":{"text":"k"}}]},"links":["l"]})");
  ASSERT_TRUE(inner->result) << inner->result.error().message;
  EXPECT_THAT(keys_of(inner->page), ElementsAre("k"));
  EXPECT_THAT(inner->page.wanted, ElementsAre("n", "l"));

  const auto array = slice({.records = "", .key = "/id"}, R"( [{"id":"a"} , {"id":"b"}] )");
  ASSERT_TRUE(array->result) << array->result.error().message;
  EXPECT_THAT(keys_of(array->page), ElementsAre("a", "b"));
}

TEST(PageSlicer, SkipsAByteOrderMark) {
  const auto sliced = slice(conversations(), "\xEF\xBB\xBF{\"conversations\":[{\"conversationId\":\"a\"}]}");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(keys_of(sliced->page), ElementsAre("a"));
}

struct HostileCase {
  std::string name;
  std::string body;
};
void PrintTo(const HostileCase& hostile, std::ostream* out) {
  *out << hostile.name;
}

class HostilePage : public testing::TestWithParam<HostileCase> {};

TEST_P(HostilePage, IsRefusedWholeAndTheSlicerGoesOn) {
  PageSlicer slicer;
  SlicedPage page;
  std::string body = GetParam().body;

  const auto result = slicer.slice(conversations(), body, page);

  ASSERT_FALSE(result) << "accepted with " << page.rows() << " rows";
  EXPECT_EQ(result.error().code, ErrorCode::kMalformedResponse);
  EXPECT_EQ(page.rows(), 0U) << "never half a page";
  std::string good = R"({"conversations":[{"conversationId":"a"}]})";
  ASSERT_TRUE(slicer.slice(conversations(), good, page));
  EXPECT_THAT(keys_of(page), ElementsAre("a"));
}

std::string record(const std::string& text) {
  return R"({"conversations":[{"conversationId":"a"},)" + text + R"(],"totalHits":2})";
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, HostilePage,
    testing::Values(
        HostileCase{"empty", ""}, HostileCase{"blank", "  \n"}, HostileCase{"html", "<html>busy</html>"},
        HostileCase{"scalar", "17"}, HostileCase{"text", "\"x\""}, HostileCase{"array_page", "[]"},
        HostileCase{"records_are_an_object", R"({"conversations":{}})"},
        HostileCase{"records_are_text", R"({"conversations":"x"})"},
        HostileCase{"two_records_arrays", R"({"conversations":[],"conversations":[]})"},
        HostileCase{"cut_in_a_record", R"({"conversations":[{"conversationId":"a"},{"conversationId":"b)"},
        HostileCase{"cut_between_records", R"({"conversations":[{"conversationId":"a"})"},
        HostileCase{"cut_behind_the_records", R"({"conversations":[{"conversationId":"a"}])"},
        HostileCase{"trailing_garbage", R"({"conversations":[]}x)"}, HostileCase{"trailing_object", R"({"conversations":[]}{})"},
        HostileCase{"trailing_bracket", R"({"conversations":[]}})"}, HostileCase{"two_documents", R"({} {"conversations":[]})"},
        HostileCase{"missing_comma_between_records", R"({"conversations":[{"conversationId":"a"}{"conversationId":"b"}]})"},
        HostileCase{"colon_in_the_records", R"({"conversations":["conversationId":"b"]})"},
        HostileCase{"colon_behind_a_member", R"({"totalHits":1:2,"conversations":[]})"},
        HostileCase{"trailing_comma", R"({"conversations":[{"conversationId":"a"},]})"},
        HostileCase{"wrong_bracket_in_a_record", record(R"({"conversationId":"b","p":[1}])")},
        HostileCase{"wrong_bracket_at_the_end", R"({"conversations":[{"conversationId":"a"}}})"},
        HostileCase{"missing_comma_in_a_record", record(R"({"conversationId":"b" "x":1})")},
        HostileCase{"missing_colon", record(R"({"conversationId" "b"})")},
        HostileCase{"number_01", record(R"({"conversationId":"b","n":01})")},
        HostileCase{"number_01x", record(R"({"conversationId":"b","n":01x})")},
        HostileCase{"number_dot", record(R"({"conversationId":"b","n":1.})")},
        HostileCase{"tru", record(R"({"conversationId":"b","t":tru})")},
        HostileCase{"nan", record(R"({"conversationId":"b","t":NaN})")},
        HostileCase{"single_quotes", record(R"({'conversationId':'b'})")},
        HostileCase{"bad_escape", record(R"({"conversationId":"b\x"})")},
        HostileCase{"lone_surrogate", record(R"({"conversationId":"b\ud800"})")},
        HostileCase{"bad_utf8", record("{\"conversationId\":\"b\xC3\x28\"}")},
        HostileCase{"raw_control_character", record("{\"conversationId\":\"b\x01\"}")},
        HostileCase{"nul_between", std::string("{\"conversations\":[]\0}", 20)},
        HostileCase{"nul_in_a_key", record(std::string("{\"conversationId\":\"b\0\"}", 23))},
        HostileCase{"garbage_beside_the_records", R"({"conversations":[],"totalHits":01x})"},
        HostileCase{"garbage_before_the_records", R"({"aggregations":[1,{2}],"conversations":[]})"},
        HostileCase{"name_is_a_number", R"({1:2,"conversations":[]})"}, HostileCase{"comment", R"({"conversations":[/* */]})"},
        HostileCase{"bad_escape_in_a_name", R"({"conv\qersations":[]})"}, HostileCase{"mark_only", "\xEF\xBB\xBF"},
        HostileCase{"utf16", std::string("\xFF\xFE{\0}\0", 6)}),
    [](const auto& info) { return info.param.name; });

TEST(PageSlicer, NestingIsBoundedAndNeverHarmful) {
  const auto nested = [](std::size_t depth) {
    return record(R"({"conversationId":"b","n":)" + std::string(depth, '[') + std::string(depth, ']') + "}");
  };
  EXPECT_TRUE(slice(conversations(), nested(kMaxNesting - 2))->result);
  for (const std::size_t depth : {kMaxNesting, std::size_t{5'000}, std::size_t{1'000'000}}) {
    const auto sliced = slice(conversations(), nested(depth));
    ASSERT_FALSE(sliced->result) << depth;
    EXPECT_EQ(sliced->result.error().code, ErrorCode::kMalformedResponse);
  }
  EXPECT_FALSE(slice(conversations(), std::string(1'000'000, '['))->result);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  EXPECT_FALSE(slice(conversations(), objects)->result);
}

TEST(PageSlicer, MegabyteStringsAndManyRecordsPass) {
  const std::string big(8U << 20U, 'x');
  std::string many = R"({"conversationId":"b","t":")" + big + "\"}";
  for (int i = 0; i < 20'000; ++i) many += ",{\"conversationId\":\"k" + std::to_string(i) + "\"}";

  const auto sliced = slice(conversations(), record(many));

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  EXPECT_THAT(sliced->page.records, SizeIs(20'002));
}

// Every prefix of a good page is a page cut short: none may pass, none may crash.
TEST(PageSlicer, NoPrefixOfAPagePasses) {
  const std::string whole = R"({"a":[1,{"b":null}],"conversations":[{"conversationId":"\u0061","x":[{}]},3],"totalHits":2})";
  PageSlicer slicer;
  SlicedPage page;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::string body = whole.substr(0, length);
    EXPECT_FALSE(slicer.slice(conversations(), body, page)) << body;
  }
  std::string body = whole;
  EXPECT_TRUE(slicer.slice(conversations(), body, page));
}

// One byte wrong anywhere: whatever is accepted must be what a strict parser accepts, and every slice must be JSON.
TEST(PageSlicer, AgreesWithAStrictParserOnEveryOneByteChange) {
  const std::string whole =
      R"({"a":[1,{"b":null}],"conversations":[{"conversationId":"k","x":[{"y":1.5}]},{"z":true}],"totalHits":2})";
  PageSlicer slicer;
  SlicedPage page;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char replacement : {'{', '}', '[', ']', ',', ':', '"', '\\', '0', 'x', ' ', '\0'}) {
      std::string body = whole;
      body[at] = replacement;
      const std::string before = body;
      if (!slicer.slice(conversations(), body, page)) continue;
      EXPECT_TRUE(common::json::parse(before)) << before;
      for (const auto& one : page.records) EXPECT_TRUE(common::json::parse(one.value)) << before;
    }
  }
}

TEST(PageSlicer, NumbersBeyondEveryTypeAreJsonAllTheSame) {
  const std::string big = R"({"n":123456789012345678901234567890,"conversationId":"b"})";
  const auto sliced = slice(conversations(), R"({"big":-99999999999999999999,"conversations":[)" + big + "]}");

  ASSERT_TRUE(sliced->result) << sliced->result.error().message;
  ASSERT_THAT(keys_of(sliced->page), ElementsAre("b"));
  EXPECT_EQ(sliced->page.records[0].value, big);
  EXPECT_TRUE(sliced->page.facts.at(0).open);
}

TEST(PageSlicer, ErrorsSayWhere) {
  const auto sliced = slice(conversations(), record(R"({"conversationId":"b","n":01})"));

  EXPECT_THAT(sliced->result.error().message, HasSubstr("record 1"));
}

}  // namespace
}  // namespace connector::source
