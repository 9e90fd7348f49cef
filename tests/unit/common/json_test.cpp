#include "common/json.h"

#include <gtest/gtest.h>

namespace common::json {
namespace {

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(Json, ReadsASmallDocument) {
  const auto value = parse(R"( {"a":"text","n":42,"big":18446744073709551615,"f":1.5,"none":null} )");

  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(find_string(*value, "a"), "text");
  EXPECT_EQ(find_int(*value, "n"), 42);
  EXPECT_EQ(find_int(*value, "big"), std::nullopt);
  EXPECT_EQ(find_int(*value, "f"), std::nullopt);
  EXPECT_EQ(find_string(*value, "n"), std::nullopt);
  EXPECT_EQ(find_string(*value, "absent"), std::nullopt);
  ASSERT_NE(find(*value, "none"), nullptr);
  EXPECT_TRUE(find(*value, "none")->is_null());
}

TEST(Json, LooksOnlyIntoObjects) {
  EXPECT_EQ(find(parse("[1]").value(), "a"), nullptr);
  EXPECT_EQ(find_string(parse("\"a\"").value(), "a"), std::nullopt);
}

TEST(Json, DepthIsBounded) {
  EXPECT_TRUE(parse(nested(32)));
  const auto deep = parse(nested(33));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, ErrorCode::kMalformedResponse);
  EXPECT_FALSE(parse(nested(100'000)));
}

TEST(Json, RefusesWhatIsNotOneValueAndSaysWhere) {
  for (const std::string text :
       {"", " ", "{", "{}x", "{} {}", "{\"a\":}", "[1,]", "nul", "\"open", "{\"a\":\"\x01\"}", "01", "'a'"}) {
    const auto value = parse(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::kMalformedResponse);
    EXPECT_NE(value.error().message.find("byte"), std::string::npos);
  }
}

TEST(Json, ANumberToThousandthsIsTheSameWhenItIsWrittenAndReadAgain) {
  const auto read = [](std::string_view text) { return find_thousandths(*parse(text), "n"); };
  for (const std::string_view text : {R"({"n":1.6666666666666666666666666666666666666666666665E0})", R"({"n":0.1})",
                                      R"({"n":-999999999.9996})", R"({"n":3})", R"({"n":123456789012.345})"}) {
    const auto once = read(text);
    ASSERT_TRUE(once.has_value()) << text;
    Object object;
    object["n"] = *once;
    EXPECT_EQ(read(serialize(object)), once) << text;
  }
  EXPECT_EQ(read(R"({"n":1.5})"), 1.5);
  EXPECT_EQ(read(R"({"n":1.6666})"), 1.667);
  EXPECT_EQ(read(R"({"n":1e300})"), 1e12);
  EXPECT_EQ(read(R"({"n":-1e300})"), -1e12);
  for (const std::string_view text : {R"({"n":"1"})", R"({})", R"([1])"}) EXPECT_EQ(read(text), std::nullopt) << text;
}

TEST(Json, SerializesMembersInTheirOrder) {
  EXPECT_EQ(serialize(parse(R"({"b":1,"a":["x",true,null]})").value()), R"({"b":1,"a":["x",true,null]})");
}

}  // namespace
}  // namespace common::json
