#include "connector/source/unknown_fields.h"

#include "connector/source/content_digest.h"
#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using tests::support::answer;

const Model kModel{{"", {"id", "people", "notes", "maps"}},
                   {"/people/*", {"name", "sessions", "attributes"}},
                   {"/people/*/sessions/*", {"ani"}},
                   {"/maps/*", {"known"}}};

std::vector<std::string> look(UnknownFields& fields, std::string record) {
  record.reserve(record.size() + ContentDigester::padding());
  fields.look_at(record);
  return fields.take_found();
}

TEST(UnknownFields, AreWhatTheModelDoesNotName) {
  UnknownFields fields(kModel);

  EXPECT_THAT(look(fields, R"({"id":"a","people":[{"name":"Ada","sessions":[{"ani":"1"},{"ani":"2"}]}]})"), IsEmpty());
  EXPECT_THAT(look(fields, R"({"new":1,"people":[{"name":"Ada","age":36,"sessions":[{"x/y":1}]},{"other":2}]})"),
              ElementsAre("/new", "/people/*/age", "/people/*/sessions/*/x~1y", "/people/*/other"));
}

TEST(UnknownFields, AreToldOnce) {
  UnknownFields fields(kModel);

  EXPECT_THAT(look(fields, R"({"new":1,"people":[{"age":1},{"age":2}]})"), ElementsAre("/new", "/people/*/age"));
  EXPECT_THAT(look(fields, R"({"newer":1,"new":{"deeper":1},"people":[{"age":3}]})"), ElementsAre("/newer"));
}

// Names of a customer's own making may be personal.
TEST(UnknownFields, WhereTheModelListsNoNamesNoneIsTold) {
  UnknownFields fields(kModel);

  EXPECT_THAT(
      look(fields, R"({"notes":{"+49301234":"x"},"people":[{"attributes":{"+49301234":{"a":1}},"name":{"first":"Ada"}}]})"),
      IsEmpty());
  EXPECT_THAT(look(fields, R"({"maps":{"+49301234":{"known":1,"new":2}}})"), ElementsAre("/maps/*/new"));
}

TEST(UnknownFields, AreBoundedInNumberAndLength) {
  UnknownFields fields(kModel);
  std::string record = R"({"id":"a")";
  for (int i = 0; i < 200; ++i)
    record += ",\"" + std::string(300, 'x') + std::to_string(i) + "\":1,\"n" + std::to_string(i) + "\":1";

  const auto found = look(fields, record + "}");

  EXPECT_THAT(found, SizeIs(UnknownFields::kMostFields));
  EXPECT_EQ(found[0].size(), 101U) << "of names that begin alike one is told";
  EXPECT_THAT(look(fields, R"({"later":1})"), IsEmpty());
}

TEST(UnknownFields, WhatIsNoRecordIsPassedOver) {
  UnknownFields fields(kModel);
  for (const char* what : {"", "[1]", R"({"people":[{"name":1)", R"({"people":[{"name" 1}]})"})
    EXPECT_THAT(look(fields, what), IsEmpty());
  EXPECT_THAT(look(fields, R"({"people":[{"new":1}]})"), ElementsAre("/people/*/new"));
}

TEST(UnknownFields, AllOfTheFirstRecordsAreLookedAtThenOneOfMany) {
  UnknownFields fields(kModel);
  std::uint64_t due = 0;
  for (std::uint64_t i = 0; i < UnknownFields::kLookedAtFirst; ++i) due += fields.is_due() ? 1 : 0;
  EXPECT_EQ(due, UnknownFields::kLookedAtFirst);

  due = 0;
  for (std::uint64_t i = 0; i < 100 * UnknownFields::kThenOneOf; ++i) due += fields.is_due() ? 1 : 0;

  EXPECT_EQ(due, 100U);
}

class UnknownFieldsOfALane : public ReaderTest {};

TEST_F(UnknownFieldsOfALane, AreCountedAndLoggedOnceAndPublishedAllTheSame) {
  definition.model = {{"", {"conversationId", "conversationStart", "conversationEnd"}}};
  const std::string record =
      R"({"conversationId":"a","conversationStart":"2026-05-04T10:00:10Z","conversationEnd":"2026-05-04T10:00:50Z","new":"value"})";
  service = [&](const core::ApiRequest& request) {
    return request.position == "page 1" ? answer(query_page({record}, 1)) : answer("{}");
  };

  run_live();
  pass(10min);

  EXPECT_GT(publisher.times("a"), 1U);
  EXPECT_EQ(publisher.records[0].value, record);
  EXPECT_EQ(metrics.total("unknown_fields", "conversations"), 1);
  EXPECT_EQ(lines_with("does not know"), 1U);
  EXPECT_EQ(lines_with(R"("fields":"/new")"), 1U);
  EXPECT_EQ(lines_with("value"), 0U);
}

TEST_F(UnknownFieldsOfALane, WithoutAModelNothingIsUnknown) {
  service = [&](const core::ApiRequest& request) {
    return request.position == "page 1" ? answer(query_page({conversation("a")}, 1)) : answer("{}");
  };

  run_live();
  pass(3min);

  EXPECT_EQ(metrics.count("unknown_fields"), 0U);
}

}  // namespace
}  // namespace connector::source
