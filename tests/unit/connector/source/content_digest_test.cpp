#include "connector/source/content_digest.h"

#include "connector/source/page_slicer.h"
#include "tests/support/json_spelling.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace connector::source {
namespace {

using core::ContentDigests;
using tests::support::respell;

ContentDigests digest_of(std::string record, const ContentRules& rules = {}) {
  ContentDigester digester(rules);
  record.reserve(record.size() + ContentDigester::padding());
  const auto digests = digester.digest(record);
  EXPECT_TRUE(digests) << record << ": " << digests.error().message;
  return digests.value_or(ContentDigests{});
}

std::string sample(const std::string& name) {
  std::ifstream in(std::string(GK_SAMPLES) + "/" + name);
  EXPECT_TRUE(in) << name;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct Pair {
  const char* name;
  const char* one;
  const char* other;
};
std::string name_of(const testing::TestParamInfo<Pair>& info) {
  return info.param.name;
}

class SameContent : public testing::TestWithParam<Pair> {};
TEST_P(SameContent, HasTheSameDigest) {
  EXPECT_EQ(digest_of(GetParam().one), digest_of(GetParam().other));
}
INSTANTIATE_TEST_SUITE_P(Cases, SameContent,
                         testing::Values(Pair{"MemberOrder", R"({"a":1,"b":{"c":2,"d":3}})", R"({"b":{"d":3,"c":2},"a":1})"},
                                         Pair{"WhiteSpace", R"({"a":[1,2],"b":"x y"})",
                                              "\n{ \"a\" :\t[ 1 , 2 ] ,\r\n\"b\" : \"x y\" }  "},
                                         Pair{"EscapesOfStrings", R"({"a":"\u0041\/\n"})", "{\"a\":\"A/\\u000a\"}"},
                                         Pair{"EscapesOfNames", R"({"\u0061":1})", R"({"a":1})"},
                                         Pair{"SurrogatePairs", R"({"a":"\ud83d\ude00"})", "{\"a\":\"\xF0\x9F\x98\x80\"}"},
                                         Pair{"OrderOfMembersOfOneName", R"({"a":1,"a":2})", R"({"a":2,"a":1})"}),
                         name_of);

class OtherContent : public testing::TestWithParam<Pair> {};
TEST_P(OtherContent, HasAnotherDigest) {
  const ContentDigests one = digest_of(GetParam().one);
  const ContentDigests other = digest_of(GetParam().other);
  EXPECT_NE(one.common, other.common);
  EXPECT_NE(one.full, other.full);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, OtherContent,
    testing::Values(
        Pair{"Value", R"({"a":1})", R"({"a":2})"}, Pair{"Name", R"({"a":1})", R"({"b":1})"},
        Pair{"MemberMore", R"({"a":1})", R"({"a":1,"b":null})"}, Pair{"MemberTwice", R"({"a":1})", R"({"a":1,"a":1})"},
        Pair{"OrderOfElements", R"({"a":[1,2]})", R"({"a":[2,1]})"}, Pair{"SpellingOfNumbers", R"({"a":1.0})", R"({"a":1})"},
        Pair{"SpellingOfExponents", R"({"a":1e2})", R"({"a":1E2})"},
        Pair{"BigNumbers", R"({"a":123456789012345678901234567890})", R"({"a":123456789012345678901234567891})"},
        Pair{"NumberAndText", R"({"a":1})", R"({"a":"1"})"}, Pair{"NullAndText", R"({"a":null})", R"({"a":"null"})"},
        Pair{"TrueAndFalse", R"({"a":true})", R"({"a":false})"}, Pair{"NullAndAbsent", R"({"a":null})", R"({})"},
        Pair{"EmptyObjectAndArray", R"({"a":{}})", R"({"a":[]})"}, Pair{"Nesting", R"({"a":[[1],[2]]})", R"({"a":[[1,2]]})"},
        Pair{"EmptyElement", R"({"a":[[]]})", R"({"a":[]})"}, Pair{"ValuesSwapped", R"({"a":1,"b":2})", R"({"a":2,"b":1})"},
        Pair{"MovedBetweenObjects", R"({"a":{"x":1},"b":{}})", R"({"a":{},"b":{"x":1}})"},
        Pair{"CaseOfText", R"({"a":"x"})", R"({"a":"X"})"}, Pair{"EmptyName", R"({"":1})", R"({"a":1})"},
        Pair{"LongText", R"({"a":"0123456789012345678901234567890123456789"})",
             R"({"a":"0123456789012345678901234567890123456780"})"}),
    name_of);

TEST(ContentDigest, WithoutRulesBothAreTheSame) {
  const ContentDigests digests = digest_of(sample("conversation_job_record.json"));

  EXPECT_EQ(digests.common, digests.full);
}

// Stored digests are compared with new ones: a change of these values is a new kContentDigestVersion.
TEST(ContentDigest, IsTheOneOfVersion1) {
  const ContentRules rules{.ignore = {}, .job_only = {"/participants/*/attributes"}};

  const ContentDigests digests = digest_of(sample("conversation_job_record.json"), rules);

  EXPECT_EQ(kContentDigestVersion, 1);
  EXPECT_EQ(digests.common, 15150689171182221246U);
  EXPECT_EQ(digests.full, 252155098571079586U);
}

TEST(ContentDigest, JobOnlyMembersAreInTheFullDigestOnly) {
  const ContentRules rules{.ignore = {}, .job_only = {"/p/*/attributes", "/extra"}};
  const ContentDigests query = digest_of(R"({"p":[{"id":1},{"id":2}]})", rules);
  const ContentDigests job = digest_of(R"({"p":[{"id":1,"attributes":{"x":1}},{"attributes":{},"id":2}],"extra":[1]})", rules);

  EXPECT_EQ(query.common, query.full);
  EXPECT_EQ(job.common, query.common);
  EXPECT_NE(job.full, query.full);
  EXPECT_NE(digest_of(R"({"p":[{"id":1,"attributes":{"x":2}},{"attributes":{},"id":2}],"extra":[1]})", rules).full, job.full);
  EXPECT_EQ(job.full, digest_of(R"({"p":[{"id":1,"attributes":{"x":1}},{"attributes":{},"id":2}],"extra":[1]})").full)
      << "full is everything, as without rules";
}

TEST(ContentDigest, IgnoredMembersAreInNeither) {
  const ContentRules rules{.ignore = {"/readAt", "/p/*/seen"}, .job_only = {"/p/*/attributes"}};
  const ContentDigests one = digest_of(R"({"readAt":1,"p":[{"id":1,"seen":[1,{"x":2}]}]})", rules);

  EXPECT_EQ(one, digest_of(R"({"p":[{"id":1}],"readAt":"later"})", rules));
  EXPECT_EQ(one, digest_of(R"({"p":[{"id":1,"seen":null}]})", rules));
  EXPECT_NE(one, digest_of(R"({"p":[{"id":1}],"seen":1})", rules)) << "only there";
}

struct Pointed {
  const char* name;
  const char* pointer;
  const char* with;
  const char* without;
};
class PointedAt : public testing::TestWithParam<Pointed> {};
TEST_P(PointedAt, DoesNotCount) {
  const ContentRules ignored{.ignore = {GetParam().pointer}, .job_only = {}};
  EXPECT_EQ(digest_of(GetParam().with, ignored), digest_of(GetParam().without, ignored));
  const ContentRules job_only{.ignore = {}, .job_only = {GetParam().pointer}};
  EXPECT_EQ(digest_of(GetParam().with, job_only).common, digest_of(GetParam().without, job_only).common);
  EXPECT_NE(digest_of(GetParam().with, job_only).full, digest_of(GetParam().without, job_only).full);
  EXPECT_NE(digest_of(GetParam().with), digest_of(GetParam().without));
}
INSTANTIATE_TEST_SUITE_P(
    Cases, PointedAt,
    testing::Values(Pointed{"Member", "/a", R"({"a":1,"b":2})", R"({"b":2})"},
                    Pointed{"EscapedMember", "/a~1b~0c", R"({"a/b~c":1})", R"({})"},
                    Pointed{"MemberSpeltWithEscapes", "/a", R"({"\u0061":1})", R"({})"},
                    Pointed{"EmptyName", "/", R"({"":1})", R"({})"}, Pointed{"Element", "/a/1", R"({"a":[1,2]})", R"({"a":[1]})"},
                    Pointed{"EveryElement", "/a/*", R"({"a":[1,2]})", R"({"a":[]})"},
                    Pointed{"EveryMember", "/a/*/x", R"({"a":{"k":{"x":1,"y":2}}})", R"({"a":{"k":{"y":2}}})"},
                    Pointed{"NumberAsMember", "/a/1", R"({"a":{"1":1,"2":2}})", R"({"a":{"2":2}})"},
                    Pointed{"TwoStars", "/a/*/*/x", R"({"a":[[{"x":1}]]})", R"({"a":[[{}]]})"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ContentDigest, PointersMayCrossEachOther) {
  const ContentRules rules{.ignore = {"/*/b", "/a/*/c", "/a/x"}, .job_only = {"/a/x/y", "/a/*/d"}};
  const ContentDigests plain = digest_of(R"({"a":{"z":{"k":1}}})", rules);

  EXPECT_EQ(plain, digest_of(R"({"a":{"b":1,"x":{"y":1,"k":5},"z":{"k":1,"c":2}}})", rules));
  const ContentDigests job = digest_of(R"({"a":{"z":{"k":1,"d":3}}})", rules);
  EXPECT_EQ(plain.common, job.common);
  EXPECT_NE(plain.full, job.full);
}

TEST(ContentDigest, APointerBesideTheRecordsShapeSaysNothing) {
  const ContentRules rules{.ignore = {"/a/b/c", "/x/*"}, .job_only = {"/a/*/d"}};

  EXPECT_EQ(digest_of(R"({"a":1,"x":"text"})", rules), digest_of(R"({"a":1,"x":"text"})"));
}

TEST(ContentDigest, IsReusedFromRecordToRecord) {
  ContentDigester digester({.ignore = {}, .job_only = {"/a/*"}});
  std::string small = R"({"a":[1]})";
  small.reserve(small.size() + ContentDigester::padding());
  std::string large = R"({"text":")" + std::string(1U << 20U, 'x') + "\"}";
  large.reserve(large.size() + ContentDigester::padding());
  const auto first = digester.digest(small);

  ASSERT_TRUE(digester.digest(large));

  EXPECT_EQ(*digester.digest(small), *first);
}

TEST(ContentDigest, OfARecordInsideAPageIsThatOfTheRecordAlone) {
  std::string page = R"({"r":[{"id":"a","v":1} , {"id":"b","v":[2]}]})";
  PageSlicer slicer;
  SlicedPage sliced;
  ASSERT_TRUE(
      slicer.slice({.records = "/r", .key = "/id", .start = "", .end = "", .open_while_absent = "", .wanted = {}}, page, sliced));
  ContentDigester digester({});

  EXPECT_EQ(*digester.digest(sliced.records[0].value), digest_of(R"({"id":"a","v":1})"));
  EXPECT_EQ(*digester.digest(sliced.records[1].value), digest_of(R"({"id":"b","v":[2]})"));
}

class NoRecord : public testing::TestWithParam<Pair> {};
TEST_P(NoRecord, HasNoDigestAndLeavesTheNextOneAlone) {
  ContentDigester digester({.ignore = {"/a/*/b"}, .job_only = {}});
  std::string record = GetParam().one;
  record.reserve(record.size() + ContentDigester::padding());

  const auto digests = digester.digest(record);

  ASSERT_FALSE(digests);
  EXPECT_EQ(digests.error().code, common::ErrorCode::kMalformedResponse);
  std::string good = R"({"a":1})";
  good.reserve(good.size() + ContentDigester::padding());
  EXPECT_EQ(*digester.digest(good), digest_of(good));
}
INSTANTIATE_TEST_SUITE_P(Cases, NoRecord,
                         testing::Values(Pair{"Nothing", "", ""}, Pair{"Array", "[1]", ""}, Pair{"Text", "\"a\"", ""},
                                         Pair{"CutShort", R"({"a":[1)", ""}, Pair{"NoComma", R"({"a":1 "b":2})", ""},
                                         Pair{"WrongBracket", R"({"a":[1}])", ""}, Pair{"BrokenTrue", R"({"a":tru})", ""},
                                         Pair{"LoneSurrogate", R"({"a":"\ud800"})", ""}, Pair{"NoColon", R"({"a" 1})", ""},
                                         Pair{"BadElement", R"({"a":[{"b":1},x]})", ""}),
                         name_of);

TEST(ContentDigest, NestingIsBounded) {
  const auto nested = [](std::size_t depth) {
    // The record itself is the first level.
    std::string record = R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    record.reserve(record.size() + ContentDigester::padding());
    return record;
  };
  ContentDigester digester({.ignore = {}, .job_only = {"/a/*/*"}});

  EXPECT_TRUE(digester.digest(nested(kMaxNesting)));
  EXPECT_FALSE(digester.digest(nested(kMaxNesting + 1)));
  EXPECT_FALSE(digester.digest(nested(5000)));
}

// Properties.

rc::Gen<std::string> any_text() {
  return rc::gen::map(rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127)), [](const std::string& plain) {
    std::string text = "\"";
    for (const char character : plain) {
      if (character < 0x20) {
        text += "\\u00";
        text += "0123456789abcdef"[character >> 4];
        text += "0123456789abcdef"[character & 15];
      } else {
        if (character == '"' || character == '\\') text += '\\';
        text += character;
      }
    }
    return text + '"';
  });
}

std::string any_value(int depth) {
  const int kind = *rc::gen::inRange(0, depth > 3 ? 4 : 6);
  if (kind == 0) return *any_text();
  if (kind == 1) return std::to_string(*rc::gen::arbitrary<int>());
  if (kind == 2) return *rc::gen::element<std::string>("true", "false", "null", "1.50", "-0", "2E+10");
  if (kind == 3) return *rc::gen::element<std::string>("{}", "[]", "\"\\u00e4\\ud83d\\ude00\"", "\"\xC3\xA4\"");
  const int count = *rc::gen::inRange(0, 4);
  std::string inner;
  for (int i = 0; i < count; ++i) {
    if (i > 0) inner += ",";
    if (kind == 4) inner += *rc::gen::element<std::string>("\"a\"", "\"b\"", "\"c\"", "\"a\"") + ":";
    inner += any_value(depth + 1);
  }
  return kind == 4 ? "{" + inner + "}" : "[" + inner + "]";
}

std::string any_record() {
  return R"({"a":)" + any_value(0) + R"(,"b":)" + any_value(0) + R"(,"c":)" + any_value(0) + "}";
}

const ContentRules& some_rules() {
  static const ContentRules rules{.ignore = {"/a/*/b", "/b/0"}, .job_only = {"/c/*", "/a/b/c"}};
  return rules;
}

RC_GTEST_PROP(ContentDigestProperty, AnotherSpellingHasTheSameDigests, ()) {
  const std::string record = any_record();

  const std::string other = respell(record, [](std::size_t count) { return *rc::gen::inRange<std::size_t>(0, count); });

  RC_ASSERT(digest_of(record) == digest_of(other));
  RC_ASSERT(digest_of(record, some_rules()) == digest_of(other, some_rules()));
}

RC_GTEST_PROP(ContentDigestProperty, AnotherValueHasAnotherDigest, ()) {
  const std::string one = any_value(0);
  const std::string other = any_value(0);
  // Compared without what does not count: by the one spelling that sorts nothing and escapes nothing.
  const auto plain = [](const std::string& json) { return respell(json, [](std::size_t count) { return count - 1; }); };
  RC_PRE(plain(one) != plain(other));
  RC_PRE(!one.contains('{') && !other.contains('{'));  // members might differ in their order alone

  const std::string rest = R"(,"b":)" + any_value(0) + "}";
  RC_ASSERT(digest_of(R"({"a":)" + one + rest).common != digest_of(R"({"a":)" + other + rest).common);
}

RC_GTEST_PROP(ContentDigestProperty, RulesLeaveTheFullDigestOfWhatIsNotIgnored, ()) {
  const std::string record = any_record();
  const ContentRules rules{.ignore = {}, .job_only = {"/a", "/b/*", "/c/*/a"}};

  RC_ASSERT(digest_of(record, rules).full == digest_of(record).full);
}

}  // namespace
}  // namespace connector::source
