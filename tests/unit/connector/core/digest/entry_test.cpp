#include "connector/core/digest/entry.h"

#include "connector/core/digest/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace connector::core {
namespace {

using common::ErrorCode;
using testing::HasSubstr;
using namespace std::chrono_literals;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;
const Second kRead = kDay + 9h + 12min + 3s;

std::string fixture(const std::string& name) {
  std::ifstream in(std::filesystem::path(GK_STATE_FIXTURES) / "v1" / name, std::ios::binary);
  EXPECT_TRUE(in) << name;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct Stored {
  const char* name;
  const char* file;
  DigestEntry entry;
};
class StoredEntry : public testing::TestWithParam<Stored> {};

// G12: these files are what version 1 wrote; they are never edited.
TEST_P(StoredEntry, IsReadFromItsFixtureAndWrittenTheSame) {
  std::string line = fixture(GetParam().file);
  ASSERT_TRUE(line.ends_with('\n'));
  line.pop_back();

  const auto entry = DigestEntry::parse(line);

  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(*entry, GetParam().entry);
  EXPECT_EQ(entry->serialize(), line);
}

INSTANTIATE_TEST_SUITE_P(
    OfVersion1, StoredEntry,
    testing::Values(
        Stored{"Wanted",
               "digest-wanted.txt",
               {.state = DigestState::kWanted,
                .open = true,
                .read_at = kRead,
                .changed_at = kRead + 1h,
                .home_day = kDay,
                .owed_at = kRead}},
        Stored{"Provisional",
               "digest-provisional.txt",
               {.state = DigestState::kProvisional,
                .open = true,
                .common = 0x0123456789abcdef,
                .read_at = kRead,
                .changed_at = kRead,
                .home_day = kDay}},
        Stored{"ProvisionalInDoubt",
               "digest-provisional-in-doubt.txt",
               {.state = DigestState::kProvisional,
                .doubt = true,
                .common = 0x0123456789abcdef,
                .read_at = kRead,
                .changed_at = kRead,
                .home_day = kDay}},
        Stored{"Sealed",
               "digest-sealed.txt",
               {.state = DigestState::kSealed,
                .common = 0x0123456789abcdef,
                .full = 0xfedcba9876543210,
                .read_at = kRead,
                .changed_at = kRead + 1h,
                .home_day = kDay}},
        Stored{"SealedOwed",
               "digest-sealed-owed.txt",
               {.state = DigestState::kSealed,
                .doubt = true,
                .common = 0x0123456789abcdef,
                .full = 0xfedcba9876543210,
                .read_at = kRead,
                .changed_at = kRead + 1h,
                .home_day = kDay,
                .owed_at = Second(1777891000s),
                .seen = 0xff}},
        Stored{"Gone", "digest-gone.txt", {.state = DigestState::kGone, .read_at = kRead, .changed_at = kRead, .home_day = kDay}},
        Stored{"DeadQueryForm",
               "digest-dead-query.txt",
               {.state = DigestState::kDead,
                .open = true,
                .common = 0x0123456789abcdef,
                .read_at = kRead,
                .changed_at = kRead,
                .home_day = kDay,
                .owed_at = kRead}},
        Stored{"Dead",
               "digest-dead.txt",
               {.state = DigestState::kDead,
                .common = 0x0123456789abcdef,
                .full = 0xfedcba9876543210,
                .read_at = kRead,
                .changed_at = kRead,
                .home_day = kDay}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(DigestEntry, IsAFewDozenBytes) {
  EXPECT_LE(fixture("digest-sealed.txt").size(), 96U);
}

// A record may say that it began in the year 1, or in 9999: what is written of it can be read again, as the index holds it.
RC_GTEST_PROP(DigestEntryProperty, IsReadAgainWhateverTheServiceSaysOfTimes, ()) {
  const auto second = [] {
    return Second(std::chrono::seconds(*rc::gen::inRange<std::int64_t>(-99'999'999'999, 999'999'999'999)));
  };
  DigestEntry entry{.state = DigestState::kSealed,
                    .common = 1,
                    .full = 2,
                    .read_at = second(),
                    .changed_at = second(),
                    .home_day = HomeDay(std::chrono::days(*rc::gen::inRange(-1'000'000, 10'000'000))),
                    .owed_at = second()};
  DigestIndex index;
  index.put("a", entry);

  const auto read = DigestEntry::parse(entry.serialize());

  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == *index.find("a"));
}

TEST(DigestEntry, ADayThatNoEntryHoldsIsMovedToTheBorder) {
  DigestEntry entry{.state = DigestState::kProvisional, .common = 1, .home_day = std::chrono::year(1) / 1 / 1};
  EXPECT_THAT(entry.serialize(), testing::EndsWith(" 1970-01-01"));
  entry.home_day = std::chrono::year(9999) / 12 / 31;
  EXPECT_THAT(entry.serialize(), testing::EndsWith(" 2149-06-06"));
}

struct Refused {
  const char* name;
  const char* stored;
  const char* told;
};
class EntryRefused : public testing::TestWithParam<Refused> {};

TEST_P(EntryRefused, SaysWhatIsWrongAndWhatToDo) {
  const auto entry = DigestEntry::parse(GetParam().stored);

  ASSERT_FALSE(entry);
  EXPECT_EQ(entry.error().code, ErrorCode::kStateRefused);
  EXPECT_THAT(entry.error().message, HasSubstr(GetParam().told));
  EXPECT_THAT(entry.error().message, HasSubstr("docs/state.md"));
}

#define GK_GOOD "0123456789abcdef fedcba9876543210 1777885923 1777889523 2026-05-04"
INSTANTIATE_TEST_SUITE_P(
    Cases, EntryRefused,
    testing::Values(Refused{"newer", "2 anything", "start the release that wrote it"}, Refused{"empty", "", "format version"},
                    Refused{"zero", "0 sealed closed " GK_GOOD, "format version"},
                    Refused{"version_of_words", "one sealed closed " GK_GOOD, "format version"},
                    Refused{"state", "1 broken closed " GK_GOOD, "state"},
                    Refused{"open", "1 sealed ajar " GK_GOOD, "neither open"},
                    Refused{"short_digest", "1 sealed closed 123 - 1 1 2026-05-04", "a digest"},
                    Refused{"digest_not_hexadecimal", "1 sealed closed 0123456789abcdeg - 1 1 2026-05-04", "a digest"},
                    Refused{"negative_time", "1 provisional closed 0123456789abcdef - -1 1 2026-05-04", "a time"},
                    Refused{"time_after_2106", "1 provisional closed 0123456789abcdef - 4294967296 1 2026-05-04", "a time"},
                    Refused{"second_time", "1 provisional closed 0123456789abcdef - 1 x 2026-05-04", "a time"},
                    Refused{"day", "1 provisional closed 0123456789abcdef - 1 1 20260504", "home day"},
                    Refused{"day_of_letters", "1 provisional closed 0123456789abcdef - 1 1 2026-0x-04", "home day"},
                    Refused{"no_such_day", "1 provisional closed 0123456789abcdef - 1 1 2026-02-30", "home day"},
                    Refused{"day_before_1970", "1 provisional closed 0123456789abcdef - 1 1 1969-12-31", "home day"},
                    Refused{"day_after_2149", "1 provisional closed 0123456789abcdef - 1 1 2150-01-01", "home day"},
                    Refused{"cut_short", "1 provisional closed 0123456789abcdef - 1 1", "home day"},
                    Refused{"owed_without_time", "1 sealed closed " GK_GOOD " owed", "a time"},
                    Refused{"seen_without_digest", "1 sealed closed " GK_GOOD " seen 12", "a digest"},
                    Refused{"unknown_word", "1 sealed closed " GK_GOOD " maybe", "follows its end"},
                    Refused{"word_twice", "1 sealed closed " GK_GOOD " doubt doubt", "follows its end"},
                    Refused{"order_of_words", "1 sealed closed " GK_GOOD " doubt owed 1", "follows its end"},
                    Refused{"space_at_its_end", "1 sealed closed " GK_GOOD " ", "follows its end"},
                    Refused{"line_break", "1 sealed closed " GK_GOOD "\n", "home day"},
                    Refused{"wanted_with_content", "1 wanted open 0123456789abcdef - 1 1 2026-05-04", "contradict"},
                    Refused{"gone_with_content", "1 gone closed 0123456789abcdef - 1 1 2026-05-04", "contradict"},
                    Refused{"dead_without_content", "1 dead closed - - 1 1 2026-05-04", "contradict"},
                    Refused{"full_alone", "1 gone closed - 0123456789abcdef 1 1 2026-05-04", "without a common"},
                    Refused{"sealed_from_the_query", "1 sealed closed 0123456789abcdef - 1 1 2026-05-04",
                            "sealed without a full"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(DigestEntry, IsFollowedUntilPublishedClosedAndBeyondDoubt) {
  EXPECT_TRUE((DigestEntry{.state = DigestState::kWanted}).is_followed());
  EXPECT_TRUE((DigestEntry{.state = DigestState::kProvisional, .open = true}).is_followed());
  EXPECT_TRUE((DigestEntry{.state = DigestState::kSealed, .doubt = true}).is_followed());
  EXPECT_FALSE((DigestEntry{.state = DigestState::kProvisional}).is_followed());
  EXPECT_FALSE((DigestEntry{.state = DigestState::kGone, .open = true, .doubt = true}).is_followed());
}

TEST(DigestKey, IsStreamAndRecordKey) {
  const std::string stored = digest_key(StreamName("conversations"), "a/b");

  EXPECT_EQ(stored, "conversations/a/b");
  const auto key = parse_digest_key(stored);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->stream, "conversations");
  EXPECT_EQ(key->record_key, "a/b");
}

TEST(DigestKey, AnythingElseIsRefused) {
  for (const char* stored : {"", "conversations", "/key", "conversations/"}) {
    const auto key = parse_digest_key(stored);
    ASSERT_FALSE(key) << stored;
    EXPECT_EQ(key.error().code, ErrorCode::kStateRefused);
    EXPECT_THAT(key.error().message, HasSubstr("docs/state.md"));
  }
}

}  // namespace
}  // namespace connector::core
