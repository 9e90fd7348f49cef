#include "connector/source/window_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace connector::source {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const common::Interval kWindow = common::parse_interval("2026-05-04T10:00:00Z/2026-05-04T10:01:00Z").value();

// Rows as `key=value`; static storage, so that the views stay good.
SlicedPage rows(const std::vector<const char*>& texts, bool open = false) {
  SlicedPage page;
  for (const std::string_view text : texts) {
    page.records.push_back({.key = text.substr(0, text.find('=')), .value = text});
    page.facts.push_back({.start = std::nullopt, .end = std::nullopt, .open = open});
  }
  return page;
}

std::vector<std::string> values(core::Page& page) {
  compact(page);
  std::vector<std::string> texts;
  for (const auto& record : page.records) texts.emplace_back(record.value);
  return texts;
}

TEST(WindowRows, ALaterRowTakesThePlaceOfAnEarlierOneThatIsStillHeld) {
  WindowRows window(kWindow, RowRule::kAny, 1U << 20U);
  core::PageGroup held(1);
  window.take(rows({"a=1", "b=1"}), held);
  held.emplace_back();
  const RowCounts counts = window.take(rows({"a=2", "b=1", "a=3"}), held);

  EXPECT_THAT(values(held[0]), ElementsAre("b=1"));
  EXPECT_THAT(values(held[1]), ElementsAre("a=3"));
  EXPECT_EQ(counts.duplicates, 3U);
  EXPECT_EQ(window.distinct(), 2U);
}

TEST(WindowRows, ARowThatIsGoneCannotBeTakenBackSoTheNewerFollowsIt) {
  WindowRows window(kWindow, RowRule::kAny, 1U << 20U);
  core::PageGroup held(1);
  window.take(rows({"a=1", "b=1"}), held);
  window.handed_over(1);
  held.clear();
  held.emplace_back();
  window.take(rows({"a=2", "b=1"}), held);

  EXPECT_THAT(values(held[0]), ElementsAre("a=2"));
}

TEST(WindowRows, DeadLettersAreKeptOnce) {
  WindowRows window(kWindow, RowRule::kAny, 1U << 20U);
  for (int page = 0; page < 2; ++page) {
    core::PageGroup held(1);
    SlicedPage sliced;
    sliced.dead_letters.push_back({.reason = "not_an_object", .detail = {}, .key = {}, .bytes = "17", .index = 0});
    window.take(std::move(sliced), held);
    window.handed_over(1);
    EXPECT_EQ(held[0].dead_letters.size(), page == 0 ? 1U : 0U);
  }
}

TEST(WindowRows, ADeadLetterIsNotTakenForTheRecordWhoseKeyItSpells) {
  WindowRows window(kWindow, RowRule::kAny, 1U << 20U);
  core::PageGroup held(1);
  SlicedPage sliced = rows({"17=1"});
  sliced.dead_letters.push_back({.reason = "not_an_object", .detail = {}, .key = {}, .bytes = "17", .index = 1});
  window.take(std::move(sliced), held);
  EXPECT_EQ(held[0].dead_letters.size(), 1U);

  held.emplace_back();
  window.take(rows({"17=1"}), held);
  EXPECT_THAT(values(held[1]), IsEmpty());
}

TEST(WindowRows, APageWithNothingLeftGivesUpItsBytes) {
  core::Page page;
  page.buffer = std::make_unique<std::string>("x");
  page.records.push_back({.key = "k", .value = {}});
  EXPECT_EQ(compact(page), 0U);
  EXPECT_EQ(page.buffer, nullptr);
}

}  // namespace
}  // namespace connector::source
