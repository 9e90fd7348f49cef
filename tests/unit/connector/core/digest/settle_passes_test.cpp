// A stream's whole life in the decisions that are made of its rows: read by the query, then settled three times, with every tenth
// transaction aborted. Exactly what changed is published again. GK_SETTLE_CONVERSATIONS=1000000 makes a measurement of it.

#include "connector/core/digest/stream_digests.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kUsual = 10'000;
constexpr std::uint64_t kPage = 1'000;
constexpr std::uint64_t kADay = 50'000;
const HomeDay kFirstDay = std::chrono::year(2026) / 5 / 4;

std::uint64_t number_of_conversations() {
  const char* text = std::getenv("GK_SETTLE_CONVERSATIONS");  // NOLINT(concurrency-mt-unsafe): one thread
  return text == nullptr ? kUsual : std::stoull(text);
}

std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

// What is true of a conversation when a pass has read it.
struct Conversation {
  std::uint64_t number = 0;

  [[nodiscard]] std::string key() const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text = "00000000-0000-4000-8000-000000000000";
    std::uint64_t half = mixed(number + 1);
    for (std::size_t i : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U, 9U, 10U, 11U, 12U}) {
      text[i] = kDigits[half & 0xFU];
      half >>= 4U;
    }
    for (std::size_t i = text.size(), left = number; left != 0; left >>= 4U) text[--i] = kDigits[left & 0xFU];
    return text;
  }
  [[nodiscard]] HomeDay home_day() const { return kFirstDay + std::chrono::days(number / kADay); }
  [[nodiscard]] bool has_attributes() const { return number % 10 != 0; }
  // Late metrics and corrections are seen by every form, evaluations and attributes by the job's alone.
  [[nodiscard]] bool metrics_change_before(int pass) const {
    return pass > 0 && (number + static_cast<std::uint64_t>(pass)) % 97 == 0;
  }
  [[nodiscard]] bool attributes_change_before(int pass) const {
    return pass > 0 && has_attributes() && (number + static_cast<std::uint64_t>(pass)) % 89 == 0;
  }
  [[nodiscard]] ContentDigests content_at(int pass) const {
    std::uint64_t common = mixed(number * 4 + 1);
    std::uint64_t attributes = has_attributes() ? mixed(number * 4 + 2) : 0;
    for (int done = 1; done <= pass; ++done) {
      if (metrics_change_before(done)) common = mixed(common + 1);
      if (attributes_change_before(done)) attributes = mixed(attributes + 1);
    }
    return {.common = common, .full = has_attributes() ? mixed(common ^ attributes) : common};
  }
  // By the first pass: what the query did not have. Later: what changed.
  [[nodiscard]] bool is_published_by(int pass) const {
    return pass == 0 ? has_attributes() : metrics_change_before(pass) || attributes_change_before(pass);
  }
};

class SettlePasses : public testing::Test {
 protected:
  using MakeSighting = std::function<Sighting(const Conversation&)>;
  using IsExpected = std::function<bool(const Conversation&)>;

  // Every conversation once, page by page; what is published must be what is expected, and nothing else.
  void read_all(const std::string& what, const MakeSighting& sighting, const IsExpected& expected) {
    const auto began = std::chrono::steady_clock::now();
    std::uint64_t published = 0;
    std::uint64_t wrong = 0;
    for (std::uint64_t first = 0; first < conversations; first += kPage) {
      std::vector<std::string> keys;
      std::vector<KeyedSighting> rows;
      keys.reserve(kPage);
      for (std::uint64_t number = first; number < std::min(first + kPage, conversations); ++number) {
        const Conversation conversation{number};
        keys.push_back(conversation.key());
        rows.push_back({.key = keys.back(), .sighting = sighting(conversation)});
      }
      DigestBatch batch = digests.decide(rows);
      if (first / kPage % 10 == 9) {
        digests.discard(batch.number);
        batch = digests.decide(rows);
      }
      for (std::size_t row = 0; row < rows.size(); ++row) {
        const bool is_published = batch.decisions[row].outcome == DigestOutcome::kPublish;
        published += is_published ? 1 : 0;
        wrong += is_published == expected(Conversation{first + row}) ? 0 : 1;
      }
      digests.apply(batch.number);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    EXPECT_EQ(wrong, 0U) << what;
    std::cout << what << ": " << conversations << " rows, " << published << " published, " << took.count() << " s\n";
  }

  void settle(int pass, std::chrono::hours age) {
    read_all(
        "pass " + std::to_string(pass + 1),
        [&](const Conversation& conversation) {
          const common::Instant complete_to = conversation.home_day() + std::chrono::days(1) + age;
          return Sighting{.form = SightingForm::kJob,
                          .digests = conversation.content_at(pass),
                          .read_at = complete_to + 6h,
                          .availability = complete_to,
                          .home_day = conversation.home_day()};
        },
        [&](const Conversation& conversation) { return conversation.is_published_by(pass); });
  }

  std::uint64_t conversations = number_of_conversations();
  StreamDigests digests{StreamName("conversations"), StreamRules{}};
};

TEST_F(SettlePasses, PublishAgainExactlyWhatChanged) {
  const auto by_query = [](const Conversation& conversation) {
    const std::uint64_t common = conversation.content_at(0).common;
    return Sighting{.digests = {.common = common, .full = common},
                    .read_at = conversation.home_day() + 23h,
                    .home_day = conversation.home_day()};
  };
  read_all("query", by_query, [](const Conversation&) { return true; });
  read_all("query again", by_query, [](const Conversation&) { return false; });

  settle(0, 0h);
  settle(1, 72h);
  settle(2, 168h);

  EXPECT_EQ(digests.committed().size(), conversations);
  std::cout << static_cast<double>(digests.committed().bytes()) / static_cast<double>(conversations) << " bytes a key\n";

  // All is closed, quiet and settled: nothing of it need be remembered.
  DigestIndex::Cursor cursor;
  const common::Instant now = kFirstDay + std::chrono::days(conversations / kADay + 10);
  while (!cursor.at_end()) {
    const auto batch = digests.expire(cursor, 20'000, {}, now, [](HomeDay) { return true; });
    if (batch) digests.apply(batch->number);
  }
  EXPECT_EQ(digests.committed().size(), 0U);
}

}  // namespace
}  // namespace connector::core
