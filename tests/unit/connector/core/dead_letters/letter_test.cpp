#include "connector/core/dead_letters/letter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace connector::core {
namespace {

using testing::ElementsAre;
using testing::Pair;

common::Instant at(int second) {
  return common::parse_instant("2026-05-04T12:00:00Z").value() + std::chrono::seconds(second);
}

StoredDeadLetter letter(int second, const std::string& stream, const std::string& reason, const std::string& key,
                        std::uint64_t size = 100) {
  StoredDeadLetter made;
  made.read_at = at(second);
  made.stream = stream;
  made.reason = reason;
  made.key = key;
  made.size = size;
  return made;
}

std::vector<std::string> keys(const DeadLetterListing& listing) {
  std::vector<std::string> found;
  for (const auto& one : listing.newest()) found.push_back(one.key);
  return found;
}

TEST(DeadLetterSelection, TakesWhatWasAskedFor) {
  const auto calls = letter(10, "calls", "oversize", "a");

  EXPECT_TRUE(DeadLetterSelection{}.takes(calls));
  EXPECT_TRUE((DeadLetterSelection{.stream = "calls", .reason = "oversize", .keys = {"b", "a"}}).takes(calls));
  EXPECT_FALSE((DeadLetterSelection{.stream = "users", .reason = {}, .keys = {}}).takes(calls));
  EXPECT_FALSE((DeadLetterSelection{.stream = {}, .reason = "no_key", .keys = {}}).takes(calls));
  EXPECT_FALSE((DeadLetterSelection{.stream = {}, .reason = {}, .keys = {"b"}}).takes(calls));
  EXPECT_TRUE((DeadLetterSelection{.stream = {}, .reason = {}, .keys = {}, .from = at(10), .to = at(11)}).takes(calls));
  EXPECT_FALSE((DeadLetterSelection{.stream = {}, .reason = {}, .keys = {}, .from = at(11), .to = {}}).takes(calls));
  EXPECT_FALSE((DeadLetterSelection{.stream = {}, .reason = {}, .keys = {}, .from = {}, .to = at(10)}).takes(calls));
}

TEST(DeadLetterListing, KeepsTheNewestWhateverTheOrderOfThePartitionsAndCountsAll) {
  DeadLetterListing listing(3);

  for (const int second : {40, 10, 50, 20, 30}) listing.take(letter(second, "calls", "oversize", std::to_string(second), 1'000));
  listing.take(letter(5, "users", "no_key", ""));

  EXPECT_THAT(keys(listing), ElementsAre("30", "40", "50"));
  EXPECT_EQ(listing.taken(), 6U);
  EXPECT_THAT(
      listing.sums(),
      ElementsAre(Pair(Pair("calls", "oversize"), DeadLetterSum{.letters = 5, .bytes = 5'000, .first = at(10), .last = at(50)}),
                  Pair(Pair("users", "no_key"), DeadLetterSum{.letters = 1, .bytes = 100, .first = at(5), .last = at(5)})));
}

}  // namespace
}  // namespace connector::core
