#include "connector/core/digest/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;
using namespace std::chrono_literals;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;
const Second kRead = kDay + 9h;

std::string uuid(std::uint64_t number) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%08x-9e37-43d1-814b-%012llx", static_cast<unsigned>(number * 2654435761U),
                static_cast<unsigned long long>(number));
  return text.data();
}

DigestEntry entry(std::uint64_t common, HomeDay day = kDay) {
  return {.state = DigestState::kProvisional, .common = common, .read_at = kRead, .changed_at = kRead, .home_day = day};
}

std::vector<std::string> keys_of_day(const DigestIndex& index, HomeDay day, std::size_t step = 3) {
  std::vector<std::string> keys;
  for (DigestIndex::Cursor cursor; !cursor.at_end();) {
    index.visit_day(cursor, day, step, [&](std::string_view key, const DigestEntry&) { keys.emplace_back(key); });
  }
  return keys;
}

TEST(DigestIndex, KeepsWhatWasPutUnderEveryKindOfKey) {
  const DigestEntry full{.state = DigestState::kSealed,
                         .open = true,
                         .doubt = true,
                         .common = 1,
                         .full = 2,
                         .read_at = kRead,
                         .changed_at = kRead + 1s,
                         .home_day = kDay,
                         .owed_at = kRead + 2s,
                         .seen = 3};
  const DigestEntry bare{.state = DigestState::kGone, .read_at = kRead, .changed_at = kRead, .home_day = kDay};
  // The second is no UUID as it comes out again, nor are those of another length or with other characters.
  const std::vector<std::string> keys{"9e3779b1-9e37-43d1-814b-f42d4c957f2d",
                                      "9E3779B1-9E37-43D1-814B-F42D4C957F2D",
                                      "9e3779b1-9e37-43d1-814b-f42d4c957f2",
                                      "9e3779b19e3743d1-814b-f42d4c957f2daa",
                                      "9e3779b1-9e37-43d1-814b-f42d4c957f2g",
                                      "",
                                      "queue-1|voice",
                                      std::string(1000, 'x'),
                                      std::string("a\0b", 3)};
  DigestIndex index;

  for (const std::string& key : keys) index.put(key, full);

  EXPECT_EQ(index.size(), keys.size());
  for (const std::string& key : keys) EXPECT_EQ(index.find(key), full) << key;
  EXPECT_EQ(index.find("absent"), std::nullopt);
  EXPECT_EQ(index.find(uuid(1)), std::nullopt);
  std::vector<std::string> visited;
  DigestIndex::Cursor cursor;
  index.visit(cursor, 100, [&](std::string_view key, const DigestEntry&) { visited.emplace_back(key); });
  EXPECT_THAT(visited, testing::UnorderedElementsAreArray(keys));

  for (const std::string& key : keys) index.put(key, bare);
  EXPECT_EQ(index.size(), keys.size());
  for (const std::string& key : keys) EXPECT_EQ(index.find(key), bare) << key;
}

TEST(DigestIndex, ForgetsWhatIsErasedAndTakesItsPlaceAgain) {
  DigestIndex index;
  index.put(uuid(1), entry(1));
  index.put("text", entry(2));
  const std::size_t before = index.bytes();

  EXPECT_TRUE(index.erase(uuid(1)));
  EXPECT_TRUE(index.erase("text"));
  EXPECT_FALSE(index.erase("text"));

  EXPECT_EQ(index.size(), 0U);
  EXPECT_EQ(index.find(uuid(1)), std::nullopt);
  EXPECT_EQ(index.find("text"), std::nullopt);
  EXPECT_THAT(keys_of_day(index, kDay), IsEmpty());
  index.put("text", entry(3));
  index.put(uuid(1), entry(4));
  EXPECT_EQ(index.bytes(), before);
  EXPECT_EQ(index.find("text"), entry(3));
}

TEST(DigestIndex, MovesTimesThatDoNotFitToTheBorder) {
  DigestIndex index;
  DigestEntry odd = entry(1);
  odd.read_at = Second(-5s);
  odd.changed_at = Second(std::chrono::seconds(1LL << 40U));
  odd.home_day = HomeDay(std::chrono::days(-1));

  index.put("key", odd);

  EXPECT_EQ(index.find("key")->read_at, Second(0s));
  EXPECT_EQ(index.find("key")->changed_at, Second(4294967295s));
  EXPECT_EQ(index.find("key")->home_day, HomeDay(std::chrono::days(0)));
  index.erase("key");
  EXPECT_EQ(index.size(), 0U);
}

TEST(DigestIndex, VisitsADayInBoundedSteps) {
  DigestIndex index;
  for (std::uint64_t i = 0; i < 10; ++i) index.put(uuid(i), entry(i, kDay + std::chrono::days(i % 2)));
  std::size_t steps = 0;
  std::size_t most_visited = 0;
  std::set<std::string> visited;

  for (DigestIndex::Cursor cursor; !cursor.at_end(); ++steps) {
    std::size_t count = 0;
    index.visit_day(cursor, kDay, 3, [&](std::string_view key, const DigestEntry&) {
      ++count;
      EXPECT_TRUE(visited.insert(std::string(key)).second);
    });
    most_visited = std::max(most_visited, count);
  }

  EXPECT_EQ(visited.size(), 5U);
  EXPECT_LE(most_visited, 3U);
  EXPECT_EQ(steps, 4U);
}

TEST(DigestIndex, PassesOverPartsWithoutTheDay) {
  DigestIndex index;
  constexpr std::uint64_t kMany = 20'000;
  for (std::uint64_t i = 0; i < kMany; ++i) index.put(uuid(i), entry(i));
  index.put("late", entry(1, kDay + std::chrono::days(1)));
  std::size_t steps = 0;

  for (DigestIndex::Cursor cursor; !cursor.at_end(); ++steps) {
    index.visit_day(cursor, kDay + std::chrono::days(1), 1000, [](std::string_view, const DigestEntry&) {});
  }

  EXPECT_LE(steps, 5U);
  EXPECT_EQ(keys_of_day(index, kDay + std::chrono::days(1)), std::vector<std::string>{"late"});
}

TEST(DigestIndex, AnIterationGoesOnWhileTheIndexChanges) {
  DigestIndex index;
  for (std::uint64_t i = 0; i < 1000; ++i) index.put(uuid(i), entry(i));
  std::map<std::string, int> visits;
  std::uint64_t step = 0;

  for (DigestIndex::Cursor cursor; !cursor.at_end(); ++step) {
    index.visit(cursor, 10, [&](std::string_view key, const DigestEntry&) { ++visits[std::string(key)]; });
    index.erase(uuid(step));                      // of the first hundred
    index.put(uuid(10'000 + step), entry(step));  // takes its place
    for (std::uint64_t i = 0; i < 50; ++i) index.put(uuid(20'000 + step * 50 + i), entry(i));
    if (step > 400) break;
  }

  for (std::uint64_t i = 400; i < 1000; ++i) EXPECT_EQ(visits[uuid(i)], 1) << i;
  for (const auto& [key, count] : visits) EXPECT_EQ(count, 1) << key;
}

TEST(DigestIndex, KnowsWhatIsToBeReadByIdWithoutAScan) {
  DigestIndex index;
  DigestEntry open = entry(1);
  open.open = true;
  DigestEntry doubtful = entry(2);
  doubtful.doubt = true;
  index.put("open", open);
  index.put("wanted", {.state = DigestState::kWanted, .open = true, .home_day = kDay});
  index.put("doubtful", doubtful);
  index.put("closed", entry(3));
  const auto followed = [&](std::size_t step) {
    std::vector<std::string> keys;
    for (DigestIndex::Cursor cursor; !cursor.at_end();) {
      index.visit_followed(cursor, step, [&](std::string_view key, const DigestEntry&) { keys.emplace_back(key); });
    }
    return keys;
  };

  EXPECT_THAT(followed(1), UnorderedElementsAre("open", "wanted", "doubtful"));
  EXPECT_EQ(index.followed(), 3U);

  index.put("open", entry(4));
  index.erase("wanted");
  EXPECT_THAT(followed(10), ElementsAre("doubtful"));
}

DigestEntry owed(Second at, bool open = false) {
  DigestEntry result = entry(1);
  result.open = open;
  result.owed_at = at;
  return result;
}

TEST(DigestIndex, CountsWhatIsOwedByDay) {
  DigestIndex index;
  index.put("a", owed(kRead));
  index.put("b", owed(kRead));
  index.put("c", owed(kRead + 5s));
  index.put("d", owed(kRead, true));
  EXPECT_EQ(index.owed_count(), 4U);
  EXPECT_THAT(index.owed(), ElementsAre(Pair(kDay, OwedRecords{.due = {{kRead, 2}, {kRead + 5s, 1}}, .waiting = 1})));

  index.put("d", owed(kRead + 9s));
  index.erase("a");
  index.put("b", entry(1));
  EXPECT_THAT(index.owed(), ElementsAre(Pair(kDay, OwedRecords{.due = {{kRead + 5s, 1}, {kRead + 9s, 1}}})));

  index.erase("c");
  index.erase("d");
  EXPECT_THAT(index.owed(), IsEmpty());
  EXPECT_EQ(index.owed_count(), 0U);
}

TEST(DigestIndex, WhereNobodyFollowsWhatIsOwedWaitsForTheJobOnly) {
  DigestIndex index(Following::kNobody);

  index.put("open", owed(kRead, true));

  EXPECT_THAT(index.owed(), ElementsAre(Pair(kDay, OwedRecords{.due = {{kRead, 1}}, .waiting = 0, .open = {{kRead, 1}}})));
  index.erase("open");
  EXPECT_THAT(index.owed(), IsEmpty());
}

TEST(DigestIndex, CostsTheSameForEveryKeyWhileItGrows) {
  DigestIndex index;
  const std::size_t empty = index.bytes();
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    index.put(uuid(i), entry(i));
    if (i >= 100'000 && i % 1000 == 0) {
      EXPECT_LE((index.bytes() - empty) / index.size(), 72U) << index.size();
    }
  }
}

TEST(DigestIndex, CanBeMoved) {
  DigestIndex first;
  for (std::uint64_t i = 0; i < 1000; ++i) first.put(uuid(i), entry(i));

  DigestIndex second = std::move(first);

  for (std::uint64_t i = 1000; i < 2000; ++i) second.put(uuid(i), entry(i));
  for (std::uint64_t i = 0; i < 2000; ++i) EXPECT_EQ(second.find(uuid(i)), entry(i));
}

// Whatever is put and erased, the index is the map that it stands for, with its sets.
RC_GTEST_PROP(DigestIndexModel, IsAMapWithItsSets, ()) {
  const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
      rc::gen::tuple(rc::gen::inRange(0, 40), rc::gen::inRange(0, 4), rc::gen::inRange(0, 8)));
  DigestIndex index;
  std::map<std::string, DigestEntry> model;
  for (const auto& [number, action, variant] : steps) {
    const std::string key = number % 2 == 0 ? uuid(static_cast<std::uint64_t>(number)) : "key " + std::to_string(number);
    if (action == 0) {
      RC_ASSERT(index.erase(key) == (model.erase(key) == 1));
      continue;
    }
    DigestEntry value = entry(static_cast<std::uint64_t>(variant), kDay + std::chrono::days(variant % 3));
    value.open = variant % 2 == 1;
    if (variant > 3) value.owed_at = kRead + std::chrono::seconds(variant);
    index.put(key, value);
    model[key] = value;
  }

  std::map<std::string, DigestEntry> all;
  DigestIndex::Cursor cursor;
  while (!cursor.at_end()) index.visit(cursor, 7, [&](std::string_view key, const DigestEntry& e) { all.emplace(key, e); });
  RC_ASSERT(all == model);
  RC_ASSERT(index.size() == model.size());
  std::size_t followed = 0;
  OwedByDay days;
  for (const auto& [key, e] : model) {
    RC_ASSERT(index.find(key) == std::optional(e));
    followed += e.is_followed() ? 1 : 0;
    if (!e.owed_at) continue;
    if (e.is_followed()) {
      ++days[e.home_day].waiting;
    } else {
      ++days[e.home_day].due[*e.owed_at];
    }
  }
  RC_ASSERT(index.followed() == followed);
  RC_ASSERT(index.owed() == days);
}

}  // namespace
}  // namespace connector::core
