#include "connector/source/projector.h"

#include "common/json.h"
#include "connector/source/content_digest.h"
#include "connector/source/keyed_hash.h"
#include "connector/source/page_slicer.h"
#include "connector/source/pointer_pattern.h"
#include "tests/support/json_spelling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace connector::source {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const char* const kKey = "key of this test, 16 bytes or more";

RedactionOptions redaction(std::vector<std::string> drop, std::vector<std::string> hash = {}) {
  return {.drop = std::move(drop), .hash = std::move(hash), .key = common::SecretSource::of_value(common::Secret(kKey))};
}
ProjectionOptions flat(std::vector<ProjectedField> fields) {
  return {.fields = std::move(fields)};
}
ProjectedField field(std::string name, std::string from, TakeValues take = TakeValues::kAll) {
  return {.name = std::move(name), .from = std::move(from), .take = take};
}

std::string project(std::string record, const ProjectionOptions& projection, const RedactionOptions& redacted = {}) {
  Projector projector(projection, redacted);
  record.reserve(record.size() + ContentDigester::padding());
  std::string out = "before";
  const auto projected = projector.project(record, out);
  EXPECT_TRUE(projected) << record << ": " << projected.error().message;
  EXPECT_TRUE(out.starts_with("before"));
  return out.substr(std::string("before").size());
}
std::string redact(std::string record, const RedactionOptions& redacted) {
  return project(std::move(record), {}, redacted);
}
std::string hashed(std::string_view text) {
  std::string out = "\"";
  EXPECT_TRUE(KeyedHash(common::Secret(kKey)).append(text, out));
  return out + '"';
}

// --- drop ---

TEST(Redaction, DropsWhatItsPointersLeadTo) {
  const std::string record =
      R"({"id":"a","people":[{"name":"Ada","role":"agent"},{"role":"customer","name":"Bob"},{"role":"x"}]})";

  EXPECT_EQ(redact(record, redaction({"/people/*/name"})),
            R"({"id":"a","people":[{"role":"agent"},{"role":"customer"},{"role":"x"}]})");
  EXPECT_EQ(redact(record, redaction({"/people/1"})), R"({"id":"a","people":[{"name":"Ada","role":"agent"},{"role":"x"}]})");
  EXPECT_EQ(redact(record, redaction({"/people/*"})), R"({"id":"a","people":[]})");
  EXPECT_EQ(redact(record, redaction({"/people/*/*"})), R"({"id":"a","people":[{},{},{}]})");
  EXPECT_EQ(redact(record, redaction({"/id", "/people"})), "{}");
  EXPECT_EQ(redact(record, redaction({"/people/*/name/first", "/people/7", "/nothing"})), record);
}

TEST(Redaction, LeavesEverythingElseByteForByte) {
  const std::string kept =
      R"("t":"\u00e4\/ \ud83d\ude00","n":[1.50,-0,2E+10,123456789012345678901234567890],"\u006b":{ "x" : [ 1 , {} ] })";

  EXPECT_EQ(redact("{" + kept + R"(,"secret":"s"})", redaction({"/secret"})), "{" + kept + "}");
}

TEST(Redaction, FindsANameHoweverItIsSpelled) {
  EXPECT_EQ(redact(R"({"na\u006de":"Ada","a/b":1,"c~d":2,"e":3})", redaction({"/name", "/a~1b", "/c~0d"})), R"({"e":3})");
}

TEST(Redaction, DropsEveryMemberOfAName) {
  EXPECT_EQ(redact(R"({"a":"one","b":1,"a":"two"})", redaction({"/a"})), R"({"b":1})");
}

// --- hash ---

TEST(Redaction, HashesTextsByWhatTheySayAndLeavesNull) {
  EXPECT_EQ(redact(R"({"ani":"tel:+49301234","n":1})", redaction({}, {"/ani"})),
            R"({"ani":)" + hashed("tel:+49301234") + R"(,"n":1})");
  EXPECT_EQ(redact(R"({"ani":"tel:\u002b49301234"})", redaction({}, {"/ani"})), R"({"ani":)" + hashed("tel:+49301234") + "}");
  EXPECT_EQ(redact(R"({"ani":""})", redaction({}, {"/ani"})), R"({"ani":)" + hashed("") + "}");
  EXPECT_EQ(redact(R"({"ani":null})", redaction({}, {"/ani"})), R"({"ani":null})");
  EXPECT_EQ(redact(R"({"n":1})", redaction({}, {"/ani"})), R"({"n":1})");
}

TEST(Redaction, HashesNumbersAndTruthAsTheyAreSpelled) {
  EXPECT_EQ(redact(R"({"a": 1.50 ,"b":true})", redaction({}, {"/a", "/b"})),
            R"({"a":)" + hashed("1.50") + R"(,"b":)" + hashed("true") + "}");
}

TEST(Redaction, HashesObjectsAndArraysWholeHoweverTheyAreWritten) {
  const std::string record = R"({"a":{"tel":["+49",null],"name":"A\u0064a"},"b":1})";

  const std::string redacted = redact(record, redaction({}, {"/a"}));

  EXPECT_EQ(redacted, R"({"a":)" + hashed(R"({"name":"Ada","tel":["+49",null]})") + R"(,"b":1})");
  EXPECT_EQ(redact(R"({ "a" : { "name" : "Ada" , "tel" : [ "+49" , null ] }, "b":1})", redaction({}, {"/a"})), redacted);
  EXPECT_NE(redact(R"({"a":{"name":"Ada","tel":[null,"+49"]},"b":1})", redaction({}, {"/a"})), redacted) << "order of elements";
}

TEST(Redaction, AnotherKeyIsAnotherHash) {
  RedactionOptions other = redaction({}, {"/a"});
  other.key = common::SecretSource::of_value(common::Secret("another key, 16 bytes or more"));

  EXPECT_NE(redact(R"({"a":"x"})", other), redact(R"({"a":"x"})", redaction({}, {"/a"})));
}

TEST(Redaction, DropsAndHashesBesideEachOther) {
  const std::string record = R"({"p":[{"name":"Ada","ani":"1","attributes":{"x":"y"}},{"name":"Bob"}]})";

  EXPECT_EQ(redact(record, redaction({"/p/*/attributes", "/p/1"}, {"/p/*/name", "/p/*/ani"})),
            R"({"p":[{"name":)" + hashed("Ada") + R"(,"ani":)" + hashed("1") + "}]}");
}

// --- fields ---

TEST(Projection, MakesAFlatRecordOfChosenFieldsInTheirOrder) {
  const std::string record =
      R"({"conversationEnd":"e","conversationId":"a","participants":[{"sessions":[{"mediaType":"voice"},{"mediaType":"email"}]},{"sessions":[{"mediaType":"chat"}]}],"conversationStart":"s"})";

  EXPECT_EQ(project(record, flat({field("id", "/conversationId"), field("start", "/conversationStart"),
                                  field("media", "/participants/*/sessions/*/mediaType"),
                                  field("first", "/participants/*/sessions/*/mediaType", TakeValues::kFirst),
                                  field("last", "/participants/*/sessions/*/mediaType", TakeValues::kLast),
                                  field("second", "/participants/0/sessions/1/mediaType"), field("nothing", "/division")})),
            R"({"id":"a","start":"s","media":["voice","email","chat"],"first":"voice","last":"chat","second":"email"})");
}

TEST(Projection, WhatIsNotThereIsLeftOutAndNullStays) {
  EXPECT_EQ(project(R"({"a":null,"l":[null,{"x":null},{}]})",
                    flat({field("a", "/a"), field("b", "/b"), field("x", "/l/*/x"), field("y", "/l/*/y")})),
            R"({"a":null,"x":[null]})");
  EXPECT_EQ(project("{}", flat({field("a", "/a")})), "{}");
}

TEST(Projection, DrawsWholeValuesAndWhatIsInThem) {
  const std::string record = R"({"a":{"b":[ 1, {"c":"x"} ],"d":2}})";

  EXPECT_EQ(project(record, flat({field("all", "/a"), field("c", "/a/b/*/c"), field("d", "/a/d")})),
            R"({"all":{"b":[1,{"c":"x"}],"d":2},"c":["x"],"d":2})");
  EXPECT_EQ(project(record, flat({field("b", "/a/b")})), R"({"b":[ 1, {"c":"x"} ]})") << "byte for byte";
}

TEST(Projection, OfAllMembersInTheOrderOfTheirNames) {
  const ProjectionOptions all = flat({field("all", "/m/*/v/*"), field("first", "/m/*/w", TakeValues::kFirst)});

  EXPECT_EQ(project(R"({"m":{"b":{"v":[1,2],"w":"B"},"a":{"v":{"z":4,"y":3},"w":"A"}}})", all),
            R"({"all":[3,4,1,2],"first":"A"})");
  EXPECT_EQ(project(R"({"m":{"a":{"w":"A","v":{"y":3,"z":4}},"b":{"v":[1,2],"w":"B"}}})", all),
            R"({"all":[3,4,1,2],"first":"A"})");
}

TEST(Projection, OfMembersOfOneNameTheFirstCounts) {
  EXPECT_EQ(project(R"({"a":1,"a":2})", flat({field("a", "/a")})), R"({"a":1})");
}

TEST(Projection, NamesAreWrittenAsTextsOfJson) {
  EXPECT_EQ(project(R"({"a":1})", flat({field("q\"\\\n", "/a")})), R"({"q\"\\\n":1})");
}

TEST(Projection, MeasuresTheTimeBetweenTwoPlaces) {
  const ProjectionOptions duration = flat({{.name = "duration", .from = "/start", .until = "/end"}, field("id", "/id")});

  EXPECT_EQ(project(R"({"start":"2026-05-04T10:00:10Z","end":"2026-05-04T10:00:50.250Z","id":1})", duration),
            R"({"duration":40250,"id":1})");
  EXPECT_EQ(project(R"({"end":"2026-05-04T10:00:50Z","start":"2026-05-04T12:\u00300:10+02:00"})", duration),
            R"({"duration":40000})");
  for (const char* incomplete :
       {R"({"id":1,"start":"2026-05-04T10:00:10Z"})", R"({"id":1,"end":"2026-05-04T10:00:10Z"})",
        R"({"id":1,"start":"2026-05-04T10:00:10Z","end":null})", R"({"id":1,"start":"yesterday","end":"2026-05-04T10:00:10Z"})",
        R"({"id":1,"start":{},"end":7})"}) {
    EXPECT_EQ(project(incomplete, duration), R"({"id":1})") << incomplete;
  }
  EXPECT_EQ(project(R"({"start":"2026-05-04T10:00:10Z","end":"2026-05-04T10:00:50Z","id":1})", duration, redaction({}, {"/end"})),
            R"({"id":1})");
}

TEST(Projection, TakesWhatRedactionHasLeft) {
  const std::string record = R"({"p":[{"name":"Ada","ani":"1"},{"name":"Bob"}],"x":{"secret":"s","open":"o"}})";

  EXPECT_EQ(project(record, flat({field("names", "/p/*/name"), field("people", "/p"), field("x", "/x")}),
                    redaction({"/x/secret", "/p/*/ani"}, {"/p/*/name"})),
            R"({"names":[)" + hashed("Ada") + "," + hashed("Bob") + R"(],"people":[{"name":)" + hashed("Ada") + R"(},{"name":)" +
                hashed("Bob") + R"(}],"x":{"open":"o"}})");
}

// (config/ refuses both; what comes of them must still be safe.)
TEST(Projection, BringsNothingOutOfWhatIsDroppedOrHashed) {
  EXPECT_EQ(project(R"({"a":{"b":"secret"},"c":1})", flat({field("b", "/a/b"), field("c", "/c")}), redaction({"/a"})),
            R"({"c":1})");
  EXPECT_EQ(project(R"({"a":{"b":"secret"},"c":1})", flat({field("b", "/a/b"), field("c", "/c")}), redaction({}, {"/a"})),
            R"({"c":1})");
}

// --- what cannot be projected, and what is said of it ---

TEST(Projector, AfterAnErrorNothingIsAppendedAndTheNextRecordIsAsEver) {
  Projector projector({}, redaction({"/b"}));
  for (const char* what : {"", "[1]", "\"secret\"", R"({"a":[1)", R"({"a":1 "secret":2})", R"({"b":1,"a":[secret]})"}) {
    std::string record = what;
    record.reserve(record.size() + ContentDigester::padding());
    std::string out = "before";

    const auto projected = projector.project(record, out);

    if (projected) continue;  // (what lies behind what is copied is not looked at: records were validated before)
    EXPECT_EQ(projected.error().code, common::ErrorCode::kMalformedResponse);
    EXPECT_EQ(projected.error().message.find("secret"), std::string::npos);
    EXPECT_EQ(out, "before");
  }
  std::string good = R"({"a":1,"b":2})";
  good.reserve(good.size() + ContentDigester::padding());
  std::string out;
  ASSERT_TRUE(projector.project(good, out));
  EXPECT_EQ(out, R"({"a":1})");
}

TEST(Projector, HashesAndKeepsWhatIsNestedAsDeepAsTheSlicerAllows) {
  const std::string deep = std::string(kMaxNesting - 1, '[') + std::string(kMaxNesting - 1, ']');

  EXPECT_EQ(redact(R"({"a":)" + deep + R"(,"b":)" + deep + "}", redaction({}, {"/a"})),
            R"({"a":)" + hashed(deep) + R"(,"b":)" + deep + "}");
}

TEST(Projector, TellsWhichPointersHaveMetNothing) {
  Projector projector(flat({field("f", "/f"), field("g", "/g/*/h")}), redaction({"/drop", "/typo"}, {"/hash", "/hush"}));
  const auto unmatched = [&] {
    std::vector<std::string> told;
    for (const auto& pointer : projector.unmatched()) told.push_back(pointer.setting + " " + pointer.pointer);
    return told;
  };
  EXPECT_THAT(unmatched(), testing::SizeIs(6));

  for (const char* text : {R"({"drop":1,"f":2})", R"({"hash":null,"g":[{"h":1}]})"}) {
    std::string record = text;
    record.reserve(record.size() + ContentDigester::padding());
    std::string out;
    ASSERT_TRUE(projector.project(record, out));
  }

  EXPECT_THAT(unmatched(), ElementsAre("redaction.drop /typo", "redaction.hash /hush"));
}

// --- against another way to do the same ---

using common::json::Array;
using common::json::Object;
using common::json::Value;

using Path = std::vector<std::string>;

bool leads_to(const std::string& pointer, const Path& path) {
  std::string joined;
  for (const std::string& token : path) joined += "/" + escape_token(token);
  const PointerPattern pattern(pointer);
  return pattern.tokens().size() == path.size() && pattern.covers(PointerPattern(joined));
}
bool any_leads_to(const std::vector<std::string>& pointers, const Path& path) {
  return std::ranges::any_of(pointers, [&](const std::string& pointer) { return leads_to(pointer, path); });
}

std::string canonical(const Value& value) {
  if (value.is_string()) return common::json::serialize(value);
  if (const auto* array = value.if_array()) {
    std::string text;
    for (const Value& element : *array) text += (text.empty() ? "" : ",") + canonical(element);
    return "[" + text + "]";
  }
  if (const auto* object = value.if_object()) {
    std::vector<std::string> members;
    for (const auto& member : *object) members.push_back(common::json::serialize(member.key()) + ":" + canonical(member.value()));
    std::ranges::sort(members);
    std::string text;
    for (const std::string& member : members) text += (text.empty() ? "" : ",") + member;
    return "{" + text + "}";
  }
  return common::json::serialize(value);
}

// Nothing: it is dropped. Everything that a field draws is told to `draw`, in the order of elements and names.
std::optional<Value> by_the_book(const Value& value, const Path& path, const RedactionOptions& redacted,
                                 const std::function<void(const Path&, const Value&)>& draw) {
  if (any_leads_to(redacted.drop, path)) return std::nullopt;
  Value result = value;
  if (any_leads_to(redacted.hash, path)) {
    if (!value.is_null()) {
      const std::string said = value.is_string() ? std::string(value.get_string()) : canonical(value);
      const std::string text = hashed(said);
      result = std::string_view(text).substr(1, text.size() - 2);
    }
  } else if (const auto* array = value.if_array()) {
    Array left;
    for (std::size_t i = 0; i < array->size(); ++i) {
      Path inner = path;
      inner.push_back(std::to_string(i));
      if (auto element = by_the_book((*array)[i], inner, redacted, draw)) left.push_back(std::move(*element));
    }
    result = std::move(left);
  } else if (const auto* object = value.if_object()) {
    std::map<std::string, const Value*> members;
    for (const auto& member : *object) members.emplace(member.key(), &member.value());
    Object left;
    for (const auto& [name, member] : members) {
      Path inner = path;
      inner.push_back(name);
      if (auto kept = by_the_book(*member, inner, redacted, draw)) left[name] = std::move(*kept);
    }
    result = std::move(left);
  }
  draw(path, result);
  return result;
}

Value by_the_book(const Value& record, const ProjectionOptions& projection, const RedactionOptions& redacted) {
  std::map<std::string, std::vector<Value>> drawn;
  const auto whole = by_the_book(record, {}, redacted, [&](const Path& path, const Value& value) {
    for (const ProjectedField& wanted : projection.fields) {
      if (leads_to(wanted.from, path)) drawn[wanted.name].push_back(value);
    }
  });
  if (projection.fields.empty()) return *whole;
  Object flat_record;
  for (const ProjectedField& wanted : projection.fields) {
    const std::vector<Value>& values = drawn[wanted.name];
    if (values.empty()) continue;
    if (!PointerPattern(wanted.from).is_list() || wanted.take == TakeValues::kFirst) {
      flat_record[wanted.name] = values.front();
    } else if (wanted.take == TakeValues::kLast) {
      flat_record[wanted.name] = values.back();
    } else {
      flat_record[wanted.name] = Array(values.begin(), values.end());
    }
  }
  return flat_record;
}

std::string any_value(int depth) {
  const int kind = *rc::gen::inRange(0, depth > 3 ? 3 : 6);
  if (kind == 0) return *rc::gen::element<std::string>("\"\"", "\"x\"", "\"\xC3\xA4 \\\"\\\\\"", "\"\\n\"");
  if (kind == 1) return std::to_string(*rc::gen::inRange(-5, 100));
  if (kind == 2) return *rc::gen::element<std::string>("true", "false", "null", "{}", "[]");
  std::string inner;
  if (kind == 3) {
    const int count = *rc::gen::inRange(0, 4);
    for (int i = 0; i < count; ++i) inner += (i > 0 ? "," : "") + any_value(depth + 1);
    return "[" + inner + "]";
  }
  for (const char* name : {"a", "b", "0", "c/~"}) {
    if (*rc::gen::arbitrary<bool>()) inner += (inner.empty() ? "\"" : ",\"") + std::string(name) + "\":" + any_value(depth + 1);
  }
  return "{" + inner + "}";
}

std::string any_record() {
  return R"({"a":)" + any_value(0) + R"(,"b":)" + any_value(0) + R"(,"0":)" + any_value(0) + "}";
}

std::string any_pointer() {
  std::string pointer;
  const int length = *rc::gen::inRange(1, 4);
  for (int i = 0; i < length; ++i) pointer += "/" + *rc::gen::element<std::string>("a", "b", "0", "1", "*", "*", "c~1~0");
  return pointer;
}

std::vector<std::string> any_pointers() {
  return *rc::gen::container<std::vector<std::string>>(*rc::gen::inRange<std::size_t>(0, 3), rc::gen::exec(any_pointer));
}

ProjectionOptions any_fields() {
  ProjectionOptions projection;
  const int count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < count; ++i) {
    projection.fields.push_back(field("f" + std::to_string(i), any_pointer(),
                                      *rc::gen::element(TakeValues::kAll, TakeValues::kFirst, TakeValues::kLast)));
  }
  return projection;
}

RC_GTEST_PROP(ProjectorProperty, DoesWhatTheBookSays, ()) {
  const std::string record = any_record();
  const ProjectionOptions projection = any_fields();
  const RedactionOptions redacted = redaction(any_pointers(), any_pointers());

  const std::string projected = project(record, projection, redacted);

  const auto parsed = common::json::parse(projected);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == by_the_book(*common::json::parse(record), projection, redacted));
}

// The index and the lake may spell the same record differently: that must not be a change of it.
RC_GTEST_PROP(ProjectorProperty, AnotherSpellingHasTheSameContent, ()) {
  const std::string record = any_record();
  const ProjectionOptions projection = any_fields();
  const RedactionOptions redacted = redaction(any_pointers(), any_pointers());
  const std::string other =
      tests::support::respell(record, [](std::size_t count) { return *rc::gen::inRange<std::size_t>(0, count); });

  const auto digests = [](std::string projected) {
    projected.reserve(projected.size() + ContentDigester::padding());
    return *ContentDigester({}).digest(projected);
  };
  RC_ASSERT(digests(project(record, projection, redacted)) == digests(project(other, projection, redacted)));
}

}  // namespace
}  // namespace connector::source
