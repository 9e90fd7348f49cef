#include "config/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace config {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Document, KeepsOrderQuotesAndMarks) {
  const Document document = parse_document("b: 1\na:\n  - \"2\"\n  - x\n");

  ASSERT_THAT(document.faults, IsEmpty());
  ASSERT_THAT(document.root->members, SizeIs(2));
  EXPECT_EQ(document.root->members[0].key, "b");
  EXPECT_TRUE(document.root->members[0].value->plain);
  const Node::Member& list = document.root->members[1];
  EXPECT_EQ(list.mark.line, 2);
  EXPECT_EQ(list.mark.column, 1);
  ASSERT_THAT(list.value->items, SizeIs(2));
  EXPECT_FALSE(list.value->items[0]->plain);
  EXPECT_EQ(list.value->items[0]->mark.line, 3);
  EXPECT_EQ(list.value->items[0]->mark.column, 5);
}

TEST(Document, IsANullForAnEmptyText) {
  for (const std::string_view text : {"", "# only a comment\n", "---\n", "\xEF\xBB\xBF"}) {
    const Document document = parse_document(text);
    ASSERT_NE(document.root, nullptr);
    EXPECT_EQ(document.root->kind, Node::Kind::kNull);
    EXPECT_THAT(document.faults, IsEmpty());
  }
}

TEST(Document, ReportsEveryKeyThatStandsTwiceAndKeepsTheFirst) {
  const Document document = parse_document("a: 1\nb: {c: 1, c: {c: 2}}\na: 3\n");

  ASSERT_THAT(document.faults, SizeIs(2));
  EXPECT_EQ(document.faults[0].path, "b.c");
  EXPECT_EQ(document.faults[1].path, "a");
  EXPECT_EQ(document.faults[1].mark.line, 3);
  EXPECT_THAT(document.faults[1].message, HasSubstr("first in line 1"));
  EXPECT_EQ(document.root->find("a")->value->text, "1");
}

std::string nested(std::string_view open, std::string_view close, std::size_t depth) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) {
    text += open;
  }
  for (std::size_t i = 0; i < depth; ++i) {
    text += close;
  }
  return text;
}

// Each doubles what the one before stands for: ten lines, a billion values.
std::string laughs() {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int n = 0; n < 10; ++n) {
      text += (n == 0 ? "" : ", ") + last;
    }
    text += "]\n";
  }
  return text;
}

// Two short chains of aliases, each shallow as text.
std::string deep_by_aliases() {
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + (i == 0 ? " [x]\n" : " [*a" + std::to_string(i - 1) + "]\n");
  }
  return text;
}

struct Hostile {
  std::string name;
  std::string text;
  std::string part;
};
class HostileDocument : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileDocument, IsRefused) {
  const Document document = parse_document(GetParam().text);

  EXPECT_EQ(document.root, nullptr);
  ASSERT_THAT(document.faults, SizeIs(1));
  EXPECT_THAT(document.faults[0].message, HasSubstr(GetParam().part));
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileDocument,
    ::testing::Values(
        Hostile{"DeepFlowList", nested("[", "]", 50'000), "nested too deeply"},
        Hostile{"DeepFlowMap", nested("{a: ", "}", 50'000), "nested too deeply"},
        Hostile{"DeepBlockList", nested("- ", "", 50'000), "nested too deeply"},
        Hostile{"DeepBlockKeys", nested("? ", "", 50'000), "(allowed"}, Hostile{"BillionLaughs", laughs(), "too many values"},
        Hostile{"DeepAliases", deep_by_aliases(), "nested too deeply"}, Hostile{"AliasOfItself", "a: &a [*a]", "contains it"},
        Hostile{"Huge", std::string(kMaxDocumentBytes + 1, ' '), "bytes"}, Hostile{"NotUtf8", "a: \xC3\x28", "no text"},
        Hostile{"OverlongUtf8", "a: \xC0\xAF", "no text"}, Hostile{"Surrogate", "a: \xED\xA0\x80", "no text"},
        Hostile{"CutUtf8", "a: \xE2\x82", "no text"}, Hostile{"Nul", std::string("a: \0b", 5), "no text"},
        Hostile{"Unclosed", "a: [1", "not YAML"}, Hostile{"TwoDocuments", "a: 1\n---\nb: 2\n", "second document"},
        Hostile{"Tag", "a: !!int 5", "tag"}, Hostile{"MapAsKey", "{a: 1}: 2", "key"}),
    [](const auto& info) { return info.param.name; });

TEST(Document, GivesUpOnAFileOfRepeatedKeys) {
  std::string text;
  for (std::size_t i = 0; i < kMaxProblems + 2; ++i) {
    text += "a: 1\n";
  }

  const Document document = parse_document(text);

  EXPECT_EQ(document.root, nullptr);
  EXPECT_THAT(document.faults, SizeIs(kMaxProblems + 1));
}

TEST(Document, FollowsHarmlessAliases) {
  const Document document = parse_document("a: &x {k: v}\nb: *x\nc: [*x, *x]\n");

  ASSERT_THAT(document.faults, IsEmpty());
  EXPECT_EQ(document.root->find("b")->value, document.root->find("a")->value);
  EXPECT_THAT(document.root->find("c")->value->items, SizeIs(2));
}

TEST(Document, TakesTheFullDepth) {
  const Document document = parse_document(nested("[", "]", kMaxDepth));

  EXPECT_THAT(document.faults, IsEmpty());
}

struct Typed {
  std::string text;
  PlainType type;
};
class PlainScalar : public ::testing::TestWithParam<Typed> {};

TEST_P(PlainScalar, HasTheTypeOfTheCoreSchema) {
  EXPECT_EQ(plain_type(GetParam().text), GetParam().type);
}

INSTANTIATE_TEST_SUITE_P(
    All, PlainScalar,
    ::testing::Values(Typed{"", PlainType::kNull}, Typed{"~", PlainType::kNull}, Typed{"null", PlainType::kNull},
                      Typed{"true", PlainType::kBool}, Typed{"FALSE", PlainType::kBool}, Typed{"yes", PlainType::kText},
                      Typed{"off", PlainType::kText}, Typed{"0", PlainType::kInteger}, Typed{"-12", PlainType::kInteger},
                      Typed{"+3", PlainType::kInteger}, Typed{"1.5", PlainType::kNumber}, Typed{".5", PlainType::kNumber},
                      Typed{"1e3", PlainType::kNumber}, Typed{"1.", PlainType::kNumber}, Typed{".", PlainType::kText},
                      Typed{"1e", PlainType::kText}, Typed{"-", PlainType::kText}, Typed{"60s", PlainType::kText},
                      Typed{"1.2.3", PlainType::kText}, Typed{"0x10", PlainType::kText}));

}  // namespace
}  // namespace config
