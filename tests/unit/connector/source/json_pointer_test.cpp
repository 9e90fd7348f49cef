#include "connector/source/json_pointer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::source {
namespace {

using common::json::Object;
using common::json::Value;
using testing::ElementsAre;
using testing::IsEmpty;

Value json(std::string_view text) {
  return common::json::parse(text).value();
}

TEST(JsonPointer, CutsAndUnescapesTokens) {
  EXPECT_THAT(pointer_tokens(""), IsEmpty());
  EXPECT_THAT(pointer_tokens("/a/b"), ElementsAre("a", "b"));
  EXPECT_THAT(pointer_tokens("/a~1b/~0/~01/"), ElementsAre("a/b", "~", "~1", ""));
}

TEST(JsonPointer, SetsWhereverItPoints) {
  Object body = json(R"({"paging":{"pageSize":25},"a":7})").as_object();
  set_at(body, "/paging/pageNumber", 3);
  set_at(body, "/a/b/c", "x");

  EXPECT_EQ(Value(body), json(R"({"paging":{"pageSize":25,"pageNumber":3},"a":{"b":{"c":"x"}}})"));
}

TEST(JsonPointer, FindsMembersAndElements) {
  const Value document = json(R"({"a":[{"b":1},2],"":3})");
  EXPECT_EQ(*find_at(document, "/a/0/b"), Value(1));
  EXPECT_EQ(*find_at(document, "/"), Value(3));
  EXPECT_EQ(find_at(document, ""), &document);
  for (const char* nothing : {"/x", "/a/2", "/a/-1", "/a/x", "/a/0/b/c"})
    EXPECT_EQ(find_at(document, nothing), nullptr) << nothing;
}

TEST(MergeOver, MergesObjectsAndReplacesTheRest) {
  Object into = json(R"({"a":{"x":1,"y":2},"list":[1,2],"keep":true})").as_object();
  merge_over(into, json(R"({"a":{"y":3,"z":4},"list":[9],"new":{}})").as_object());

  EXPECT_EQ(Value(into), json(R"({"a":{"x":1,"y":3,"z":4},"list":[9],"keep":true,"new":{}})"));
}

}  // namespace
}  // namespace connector::source
