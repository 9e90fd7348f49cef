#include "connector/cli/dead_letter_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace connector::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

core::StoredDeadLetter letter(const std::string& key, const std::string& reason = "oversize") {
  return {.read_at = common::parse_instant("2026-05-04T12:00:00Z").value(),
          .stream = "calls",
          .lane = "live",
          .reason = reason,
          .detail = "larger than its topic takes",
          .key = key,
          .window = "2026-05-04T11:00:00.000Z/2026-05-04T11:05:00.000Z",
          .position = "page 3",
          .correlation_id = "correlation-1",
          .index = 7,
          .size = 30'000,
          .bytes = R"({"secret":1})"};
}

app::DeadLetterList list_of(const std::vector<core::StoredDeadLetter>& letters, std::size_t most = 10) {
  app::DeadLetterList list{.topic = "acme-dead-letters", .letters = core::DeadLetterListing(most)};
  for (const auto& one : letters) list.letters.take(one);
  return list;
}
std::string text_of(const app::DeadLetterList& list, bool show_bytes = false) {
  std::ostringstream out;
  print_list(list, show_bytes, out);
  return out.str();
}

app::RetriedRecord retried(const std::string& key, core::RetryFinding finding, std::string detail = {}) {
  return {.letter = letter(key), .finding = finding, .way = core::RetryWay::kByJob, .detail = std::move(detail)};
}

TEST(DeadLetterTable, HasALineALetterAndASummaryAndNoBytes) {
  const std::string text = text_of(list_of({letter("a"), letter("a-longer-key"), letter("", "no_key")}));

  EXPECT_EQ(text,
            "time                      stream  lane  reason    key           window                                             "
            "position       size   detail\n"
            "2026-05-04T12:00:00.000Z  calls   live  oversize  a             2026-05-04T11:00:00.000Z/2026-05-04T11:05:00.000Z  "
            "page 3, row 7  30000  larger than its topic takes\n"
            "2026-05-04T12:00:00.000Z  calls   live  oversize  a-longer-key  2026-05-04T11:00:00.000Z/2026-05-04T11:05:00.000Z  "
            "page 3, row 7  30000  larger than its topic takes\n"
            "2026-05-04T12:00:00.000Z  calls   live  no_key    -             2026-05-04T11:00:00.000Z/2026-05-04T11:05:00.000Z  "
            "page 3, row 7  30000  larger than its topic takes\n"
            "\n"
            "stream  reason    letters  bytes  first                     last\n"
            "calls   no_key    1        30000  2026-05-04T12:00:00.000Z  2026-05-04T12:00:00.000Z\n"
            "calls   oversize  2        60000  2026-05-04T12:00:00.000Z  2026-05-04T12:00:00.000Z\n");
}

TEST(DeadLetterTable, ShowsBytesOnRequestBelowTheirLetter) {
  const std::string text = text_of(list_of({letter("a"), letter("b")}), true);

  EXPECT_THAT(text, HasSubstr("takes\n    {\"secret\":1}\n2026-05-04T12:00:00.000Z  calls   live  oversize  b"));
}

TEST(DeadLetterTable, SaysWhatItDoesNotShow) {
  EXPECT_THAT(text_of(list_of({letter("a"), letter("b"), letter("c")}, 1)), AllOf(HasSubstr("… and 2 older"), HasSubstr("3  ")));
  EXPECT_EQ(text_of(list_of({})), "no dead letters in acme-dead-letters\n");
}

TEST(DeadLetterTable, WhatComesFromTheServiceCannotDisturbATerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\n\x7f\r"), "a\\x1b[2Jb\\x0a\\x7f\\x0d");
  EXPECT_EQ(printable("Zürich €"), "Zürich €");
  EXPECT_EQ(printable("cut \xe2\x82"), "cut \ufffd\ufffd");
  EXPECT_EQ(printable("\xc0\x80\xed\xa0\x80\xf5"), "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd");
}

TEST(DeadLetterTable, IsAvailableToPrograms) {
  const auto list = list_of({letter("a"), letter("", "no_key")});

  const auto plain = list_as_json(list, false);
  EXPECT_EQ(plain.at("count"), 2);
  EXPECT_EQ(plain.at("letters").at(0).at("key"), "a");
  EXPECT_EQ(plain.at("letters").at(0).at("size"), 30'000);
  EXPECT_EQ(plain.at("letters").at(0).at("correlation_id"), "correlation-1");
  EXPECT_TRUE(plain.at("letters").at(1).at("key").is_null());
  EXPECT_EQ(plain.at("summary").at(0).at("reason"), "no_key");
  EXPECT_THAT(common::json::serialize(plain), Not(HasSubstr("secret")));

  auto cut = letter("b");
  cut.bytes = "{\"name\":\"\xc3";
  EXPECT_EQ(list_as_json(list_of({cut}), true).at("letters").at(0).at("bytes"), "{\"name\":\"\ufffd");
}

TEST(RetryTable, TellsWhatCameOfEachAndWhatIsLeft) {
  using enum core::RetryFinding;
  app::RetryReport report{.topic = "acme-dead-letters",
                          .records = {retried("a", kPublished), retried("b", kTooLarge, "30000 bytes; its topic takes 20000"),
                                      retried("c", kNoLongerDead)},
                          .without_key = {{{"calls", "no_key"}, 3}}};

  std::ostringstream out;
  print_retry(report, false, out);

  EXPECT_EQ(report.left(), 4U);
  EXPECT_THAT(out.str(),
              AllOf(HasSubstr("published: 1\n    calls a, by job\n"),
                    HasSubstr("too_large: 1 (larger than their topic takes: raise its max.message.bytes)\n"
                              "    calls b, by job: 30000 bytes; its topic takes 20000\n"),
                    HasSubstr("no_key: 3 (without a key: the service cannot be asked for them)\n    calls no_key: 3\n"),
                    HasSubstr("1 published, 4 left\n")));
  const auto json = retry_as_json(report, false);
  EXPECT_EQ(json.at("published"), 1);
  EXPECT_EQ(json.at("left"), 4);
  EXPECT_EQ(json.at("counts").at("no_key"), 3);
  EXPECT_EQ(json.at("records").at(1).at("finding"), "too_large");
}

TEST(RetryTable, OfADryRunSaysThatNothingWasDone) {
  const app::RetryReport report{.topic = "t", .records = {retried("a", core::RetryFinding::kRetryable)}, .without_key = {}};

  std::ostringstream out;
  print_retry(report, true, out);

  EXPECT_THAT(out.str(), HasSubstr("1 would be retried, 0 cannot be; nothing was done"));
  EXPECT_EQ(report.left(), 0U);
}

}  // namespace
}  // namespace connector::cli
