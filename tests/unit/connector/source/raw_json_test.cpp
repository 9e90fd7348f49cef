#include "connector/source/raw_json.h"

#include "common/json.h"
#include "connector/source/content_digest.h"
#include "connector/source/json_pointer.h"
#include "tests/support/json_spelling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace connector::source {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// On the heap and no longer than promised, so that the address sanitizer sees a read behind the padding.
class Text {
 public:
  explicit Text(std::string_view text)
      : size_(text.size()), bytes_(std::make_unique<char[]>(size_ + ContentDigester::padding())) {
    text.copy(bytes_.get(), size_);
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> bytes_;
};

std::optional<std::string> find(std::string_view json, std::string_view pointer) {
  const Text text(json);
  RawJson raw;
  const auto found = raw.find(text.view(), pointer_tokens(pointer));
  return found ? std::optional(std::string(*found)) : std::nullopt;
}

std::string canonical(std::string_view json) {
  const Text text(json);
  RawJson raw;
  std::string out;
  EXPECT_TRUE(raw.append_canonical(text.view(), out)) << json;
  return out;
}

TEST(RawJson, FindsValuesAsTheyAreSpelled) {
  const std::string_view json = R"({"a": {"b" : [ 1.50 , {"c":"\u0061 b"} ], "n":null },"b":true })";

  EXPECT_EQ(find(json, ""), json);
  EXPECT_EQ(find(json, "/a/b"), R"([ 1.50 , {"c":"\u0061 b"} ])");
  EXPECT_EQ(find(json, "/a/b/0"), "1.50");
  EXPECT_EQ(find(json, "/a/b/1/c"), R"("\u0061 b")");
  EXPECT_EQ(find(json, "/a/n"), "null");
  EXPECT_EQ(find(json, "/b"), "true");
}

TEST(RawJson, FindsNothingWhereNothingIs) {
  const std::string_view json = R"({"a":{"b":[1]},"s":"text"})";

  for (const std::string_view pointer : {"/b", "/a/c", "/a/b/1", "/a/b/x", "/a/b/", "/s/0", "/s/x", "/a/b/0/x", "/a/b/-1"}) {
    EXPECT_EQ(find(json, pointer), std::nullopt) << pointer;
  }
}

TEST(RawJson, FindsNamesHoweverTheyAreSpelledAndTheFirstOfSeveral) {
  EXPECT_EQ(find(R"({"gr\u006fup":1})", "/group"), "1");
  EXPECT_EQ(find(R"({"a/b":{"c~d":2}})", "/a~1b/c~0d"), "2");
  EXPECT_EQ(find(R"({"a":1,"a":2})", "/a"), "1");
  EXPECT_EQ(find(R"({"":3})", "/"), "3");
}

TEST(RawJson, SplitsAnArray) {
  const Text text(R"([ 1 , "a,]" ,[2,3] ,{"x":[4]}, null])");
  RawJson raw;
  std::vector<std::string_view> elements{"stale"};

  ASSERT_TRUE(raw.split(text.view(), elements));
  EXPECT_THAT(elements, ElementsAre("1", R"("a,]")", "[2,3]", R"({"x":[4]})", "null"));

  ASSERT_TRUE(raw.split(Text("[]").view(), elements));
  EXPECT_THAT(elements, IsEmpty());
  EXPECT_FALSE(raw.split(Text("{}").view(), elements));
  EXPECT_FALSE(raw.split(Text("17").view(), elements));
}

struct Spelling {
  std::string name;
  std::string json;
  std::string canonical;
};
class CanonicalSpelling : public testing::TestWithParam<Spelling> {};

TEST_P(CanonicalSpelling, IsTheSameForEqualValues) {
  EXPECT_EQ(canonical(GetParam().json), GetParam().canonical);
}

INSTANTIATE_TEST_SUITE_P(
    All, CanonicalSpelling,
    testing::Values(Spelling{"Members", R"({ "b" : 1, "a":{"d":2 ,"c":3} })", R"({"a":{"c":3,"d":2},"b":1})"},
                    Spelling{"ArraysKeepTheirOrder", R"([ 2 ,1, [ ], { } ])", R"([2,1,[],{}])"},
                    Spelling{"Escapes", R"("\u0061\/\u00e4\n\u0001\"\\")", "\"a/\xC3\xA4\\n\\u0001\\\"\\\\\""},
                    Spelling{"NamesToo", R"({"\u0062":1,"a\/":2})", R"({"a/":2,"b":1})"},
                    Spelling{"NumbersAsSpelled", R"([1.50,1e3,-0,12345678901234567890123])",
                             R"([1.50,1e3,-0,12345678901234567890123])"},
                    Spelling{"Literals", R"([true,false,null])", R"([true,false,null])"},
                    Spelling{"TextAlone", R"("x\u0079")", R"("xy")"}, Spelling{"NumberAlone", "17", "17"},
                    Spelling{"NullAlone", "null", "null"},
                    Spelling{"EqualNamesByTheirValues", R"({"a":3,"b":2,"a":1})", R"({"a":1,"a":3,"b":2})"},
                    Spelling{"ByBytes", "{\"\xC3\xA4\":1,\"z\":2,\"Z\":3}", "{\"Z\":3,\"z\":2,\"\xC3\xA4\":1}"}),
    [](const auto& info) { return info.param.name; });

// What is spelled otherwise has the same key; and the key says what was meant.
TEST(CanonicalSpelling, OfEveryOtherSpellingIsTheSameAndParsesToTheSameValue) {
  const std::string json = R"({"queueId":"8ff34739","mediaType":"voice","n":[1,{"b":null,"a":"\u00e4\"\t"}],"flag":true})";
  const auto value = common::json::parse(json);
  ASSERT_TRUE(value);
  std::mt19937_64 random(1);  // fixed: the same spellings every time
  for (int i = 0; i < 200; ++i) {
    const std::string other = tests::support::respell(json, [&](std::size_t count) { return random() % count; });
    EXPECT_EQ(canonical(other), canonical(json)) << other;
  }
  EXPECT_EQ(*common::json::parse(canonical(json)), *value);
}

}  // namespace
}  // namespace connector::source
