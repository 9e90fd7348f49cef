#include "connector/source/published_shape.h"

#include "connector/source/pointer_pattern.h"
#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(PointerPattern, CoversWhatLiesInIt) {
  const auto covers = [](const char* outer, const char* inner) { return PointerPattern(outer).covers(PointerPattern(inner)); };
  EXPECT_TRUE(covers("/a", "/a"));
  EXPECT_TRUE(covers("/a", "/a/b"));
  EXPECT_TRUE(covers("/a/*", "/a/0/b"));
  EXPECT_TRUE(covers("/*", "/a"));
  EXPECT_TRUE(covers("/a~1b", "/a~1b/c"));
  EXPECT_FALSE(covers("/a/b", "/a"));
  EXPECT_FALSE(covers("/a", "/ab"));
  EXPECT_FALSE(covers("/a/0", "/a/*")) << "only one of them";
  EXPECT_TRUE(PointerPattern("/a/0").may_cover(PointerPattern("/a/*")));
  EXPECT_FALSE(PointerPattern("/a/0").may_cover(PointerPattern("/b/*")));
}

class Shape : public testing::Test {
 protected:
  Definition definition = conversation_details();
  StreamOptions options;

  Shape() {
    definition.job_only = {"/participants/*/attributes"};
    definition.digest_ignore = {"/updated", "/participants/0/seen"};
  }
  [[nodiscard]] PublishedShape shape() const { return published_shape(definition, options); }
  void add(std::string name, std::string from, TakeValues take = TakeValues::kAll) {
    options.projection.fields.push_back({.name = std::move(name), .from = std::move(from), .take = take});
  }
};

TEST_F(Shape, OfUntouchedRecordsIsTheDefinitions) {
  EXPECT_TRUE(shape().has_key);
  EXPECT_EQ(shape().start, "/conversationStart");
  EXPECT_EQ(shape().open_while_absent, "/conversationEnd");
  EXPECT_EQ(shape().rules.ignore, definition.digest_ignore);
  EXPECT_EQ(shape().rules.job_only, definition.job_only);
}

TEST_F(Shape, WhatIsDroppedIsNotSaid) {
  options.redaction.drop = {"/conversationStart"};
  EXPECT_EQ(shape().start, "");
  EXPECT_EQ(shape().open_while_absent, "/conversationEnd");
  EXPECT_EQ(shape().rules.job_only, definition.job_only) << "its records keep their shape";

  options.redaction.drop = {"/*End", "/participants"};
  EXPECT_EQ(shape().open_while_absent, "/conversationEnd");
  options.redaction.drop = {"/*"};
  EXPECT_EQ(shape().open_while_absent, "");
}

TEST_F(Shape, OfWhatIsHashedItStillShowsWhetherItIsThere) {
  definition.open_while_absent = "/times/end";
  options.redaction.hash = {"/times/end"};
  EXPECT_EQ(shape().open_while_absent, "/times/end");

  options.redaction.hash = {"/times"};
  EXPECT_EQ(shape().open_while_absent, "");
}

TEST_F(Shape, FieldsAreWhereTheirNamesAre) {
  definition.start_pointer = "/times/start";
  add("a/b", "/conversationEnd");
  add("times", "/times");
  EXPECT_EQ(shape().start, "/times/start");
  EXPECT_EQ(shape().open_while_absent, "/a~1b");
  EXPECT_FALSE(shape().has_key);

  add("conversationId", "/conversationId");
  EXPECT_TRUE(shape().has_key);
}

TEST_F(Shape, WhatOnlyTheJobHasIsSoUnderItsNewName) {
  add("attributes", "/participants/*/attributes");
  add("tier", "/participants/*/attributes/tier", TakeValues::kFirst);
  add("first", "/participants/0/attributes");
  add("people", "/participants");
  add("each", "/participants/*");
  add("last", "/participants/*", TakeValues::kLast);
  add("one", "/participants/1");
  add("purpose", "/participants/*/purpose");
  add("id", "/conversationId");

  EXPECT_THAT(shape().rules.job_only, ElementsAre("/attributes", "/each/*/attributes", "/first", "/last/attributes",
                                                  "/one/attributes", "/people/*/attributes", "/tier"));
}

TEST_F(Shape, AFieldThatIsJobOnlyInPartCountsAsJobOnlyAndOneThatIsIgnoredInPartDoesNot) {
  definition.job_only = {"/participants/0/attributes"};
  add("attributes", "/participants/*/attributes");
  add("seen", "/participants/*/seen");
  add("updated", "/updated");

  EXPECT_THAT(shape().rules.job_only, ElementsAre("/attributes"));
  EXPECT_THAT(shape().rules.ignore, ElementsAre("/updated"));
}

TEST_F(Shape, RulesOfWhatIsNotPublishedAreGone) {
  add("id", "/conversationId");

  EXPECT_THAT(shape().rules.job_only, IsEmpty());
  EXPECT_THAT(shape().rules.ignore, IsEmpty());
}

TEST_F(Shape, WhatIsMeasuredIsNoBetterThanWhatItIsMeasuredBy) {
  definition.digest_ignore = {"/updated"};
  definition.job_only = {"/surveyed"};
  options.projection.fields = {{.name = "a", .from = "/conversationStart", .until = "/updated"},
                               {.name = "b", .from = "/surveyed", .until = "/conversationEnd"},
                               {.name = "c", .from = "/conversationStart", .until = "/conversationEnd"}};
  EXPECT_THAT(shape().rules.ignore, ElementsAre("/a"));
  EXPECT_THAT(shape().rules.job_only, ElementsAre("/b"));
  EXPECT_EQ(shape().start, "") << "it is there no longer";
}

TEST(RewritesKey, IfAHashIsOfItOrOfSomethingInIt) {
  Definition definition;
  definition.key = std::vector<KeyPart>{{"/group", true}, {"/data/interval"}};
  const auto rewrites = [&](const std::string& pointer) {
    return rewrites_key(definition, {.drop = {}, .hash = {pointer}, .key = {}});
  };
  for (const char* pointer : {"/group", "/group/ani", "/*/ani", "/*", "/data/interval"})
    EXPECT_TRUE(rewrites(pointer)) << pointer;
  EXPECT_FALSE(rewrites("/groups"));
  EXPECT_FALSE(rewrites("/data/metrics"));
  definition.key = "/userId";
  EXPECT_TRUE(rewrites("/userId"));
  EXPECT_FALSE(rewrites("/user"));
  EXPECT_FALSE(rewrites_key(definition, {.drop = {"/userId"}, .hash = {}, .key = {}})) << "which config/ refuses";
}

}  // namespace
}  // namespace connector::source
