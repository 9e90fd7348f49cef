#include "connector/core/ledger/ledger.h"

#include "connector/core/task/claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Duration;
using common::ErrorCode;
using common::Instant;
using common::Interval;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Instant kStart = common::parse_instant("2026-05-04T00:00:00Z").value();

Instant minute(int minutes) {
  return kStart + std::chrono::minutes(minutes);
}
Interval minutes(int start, int end) {
  return {.start = minute(start), .end = minute(end)};
}

Interval days(int start, int end) {
  return {.start = kStart + start * 24h, .end = kStart + end * 24h};
}

Ledger example() {
  Ledger ledger({.organization_id = "org-1", .cluster_id = "cluster-1", .topic_id = "topic-1", .membership = "1:abc"}, kStart);
  const auto apply = [&](const LedgerChange& change) { ASSERT_TRUE(ledger.apply(change)); };
  apply(WindowCompleted{.window = minutes(0, 10), .records = 5});
  apply(WindowCompleted{.window = minutes(20, 30), .records = 5, .is_short = true});
  apply(WindowOpened{minutes(30, 40), AtStart{}});
  apply(WindowOpened{minutes(40, 50), AtPage{1}});
  apply(WindowOpened{minutes(50, 60), AtCursor{"c-1"}});
  apply(WindowOpened{minutes(60, 70), AtJob{.job = JobId("job-1"), .cursor = std::nullopt, .submitted = minute(1)}});
  apply(WindowOpened{minutes(70, 80), AtJob{.job = JobId("job-2"), .cursor = std::nullopt, .submitted = minute(2)}});
  apply(PageRead{.window = minutes(70, 80),
                 .next = AtJob{.job = JobId("job-2"), .cursor = "next \"page\"", .submitted = minute(2)},
                 .records = 1000,
                 .page = 1});
  apply(AvailabilitySeen{minute(90)});
  ledger.set_stamp({.incarnation = "incarnation-1", .number = 7});
  return ledger;
}

// Ages, owed days, windows open in every pass, and a watermark that an age begun later does not take back.
Ledger example_with_ages() {
  Ledger ledger({.organization_id = "org-1", .cluster_id = "cluster-1", .topic_id = "topic-1", .membership = "1:abc"}, kStart);
  const auto apply = [&](const LedgerChange& change) { ASSERT_TRUE(ledger.apply(change)); };
  apply(AgeStarted{.age = 72h, .from = kStart});
  for (int day = 0; day < 6; ++day) apply(WindowCompleted{.window = days(day, day + 1)});
  apply(WindowCompleted{.window = days(0, 1), .pass = {.age = 72h}});
  apply(WindowCompleted{.window = days(1, 2), .pass = {.age = 72h}});
  apply(AgeStarted{.age = 7 * 24h, .from = kStart + 24h});
  apply(WindowOpened{days(1, 2), AtJob{.job = JobId("job-7"), .submitted = minute(1)}, {.age = 7 * 24h}});
  apply(WindowOpened{days(2, 3), AtJob{.job = JobId("job-8"), .submitted = minute(2)}, {.age = 72h}});
  apply(OwedAdded{.window = days(4, 5), .after = kStart + 125h});
  apply(OwedAdded{.window = days(4, 5), .after = kStart + 130h});
  apply(OwedAdded{.window = days(6, 7), .after = kStart + 150h});
  apply(WindowOpened{days(4, 5), AtJob{.job = JobId("job-9"), .cursor = "c", .submitted = minute(3)}, {.is_owed = true}});
  apply(AvailabilitySeen{kStart + 144h});
  ledger.set_stamp({.incarnation = "incarnation-1", .number = 8});
  return ledger;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(Ledger, ComesBackFromItsStoredValue) {
  const Ledger before = example();

  const auto after = Ledger::parse(before.serialize());

  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(*after, before);
}

std::size_t fixtures_read_back(const std::filesystem::path& folder,
                               const std::function<void(const Ledger&, std::string)>& check) {
  std::size_t read = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("ledger-")) continue;
    SCOPED_TRACE(entry.path());
    const std::string stored = read_file(entry.path());
    const auto ledger = Ledger::parse(stored);
    EXPECT_TRUE(ledger) << ledger.error().message;
    if (ledger) check(*ledger, stored);
    ++read;
  }
  return read;
}

// G12: these files are what version 1 wrote; they are never edited.
TEST(Ledger, ReadsEveryFixtureOfVersion1) {
  const std::filesystem::path folder = std::filesystem::path(GK_STATE_FIXTURES) / "v1";
  const std::size_t read = fixtures_read_back(folder, [](const Ledger& ledger, const std::string&) {
    EXPECT_THAT(ledger.passes(), IsEmpty());
    EXPECT_THAT(ledger.owed(), IsEmpty());
    EXPECT_EQ(ledger.settled_until(), ledger.complete_until());
    EXPECT_THAT(ledger.serialize(), HasSubstr(R"("v":2)"));
    EXPECT_EQ(Ledger::parse(ledger.serialize()), ledger) << "as version 2";
  });
  EXPECT_EQ(read, 4U);
  EXPECT_EQ(*Ledger::parse(read_file(folder / "ledger-settle.json")), example());
}

// What version 1 did not know was none of its members, whatever it is called.
TEST(Ledger, ReadsNoMemberOfVersion2FromVersion1) {
  std::string stored = read_file(std::filesystem::path(GK_STATE_FIXTURES) / "v1" / "ledger-live.json");
  stored.insert(1, R"("passes":7,"owed":"x","settled":[],)");

  const auto ledger = Ledger::parse(stored);

  ASSERT_TRUE(ledger) << ledger.error().message;
  EXPECT_THAT(ledger->passes(), IsEmpty());
}

// G12: these files are what version 2 wrote; they are never edited.
TEST(Ledger, ReadsAndWritesEveryFixtureOfVersion2) {
  const std::filesystem::path folder = std::filesystem::path(GK_STATE_FIXTURES) / "v2";
  const std::size_t read = fixtures_read_back(folder, [](const Ledger& ledger, const std::string& stored) {
    EXPECT_EQ(ledger.serialize() + "\n", stored) << "this release would write something else as version 2";
  });
  EXPECT_EQ(read, 4U);
  EXPECT_EQ(*Ledger::parse(read_file(folder / "ledger-settle.json")), example_with_ages());
  EXPECT_EQ(Ledger::parse(read_file(folder / "ledger-settle.json"))->identity().content, "");
  EXPECT_EQ(Ledger::parse(read_file(folder / "ledger-content.json"))->identity().content, "1:def");
}

TEST(Claim, ReadsItsFixtureOfVersion1) {
  const std::string stored = read_file(std::filesystem::path(GK_STATE_FIXTURES) / "v1" / "claim.json");

  const auto claim = Claim::parse(stored);

  ASSERT_TRUE(claim) << claim.error().message;
  EXPECT_EQ(*claim, (Claim{.incarnation = "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
                           .host = "connector-0.example",
                           .claimed_at = common::parse_instant("2026-05-04T10:00:00Z").value()}));
}

TEST(Claim, ReadsAndWritesItsFixtureOfVersion2) {
  const std::string stored = read_file(std::filesystem::path(GK_STATE_FIXTURES) / "v2" / "claim.json");

  const auto claim = Claim::parse(stored);

  ASSERT_TRUE(claim) << claim.error().message;
  EXPECT_EQ(claim->digests, (DigestsMark{.incarnation = "5f1d0c6a9b3e47288d0e6f4b21c7a935", .generation = 7}));
  EXPECT_EQ(claim->serialize() + "\n", stored);
}

TEST(Ledger, RefusesANewerFormatAndSaysWhatToDo) {
  const auto ledger = Ledger::parse(R"({"v":4,"anything":true})");

  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().code, ErrorCode::kStateRefused);
  EXPECT_THAT(ledger.error().message, HasSubstr("format version 4"));
  EXPECT_THAT(ledger.error().message, HasSubstr("start the release that wrote it"));
}

TEST(Ledger, IgnoresMembersItDoesNotKnowWithinItsVersion) {
  std::string stored = example().serialize();
  stored.insert(1, R"("later":{"a":[1,2]},)");

  const auto ledger = Ledger::parse(stored);

  ASSERT_TRUE(ledger) << ledger.error().message;
  EXPECT_EQ(*ledger, example());
}

struct DamagedCase {
  std::string name;
  std::string from;  // text of the example's stored value …
  std::string to;    // … that is replaced by this
  Ledger (*ledger)() = example;
};
void PrintTo(const DamagedCase& damaged, std::ostream* out) {
  *out << damaged.name;
}

class DamagedLedger : public testing::TestWithParam<DamagedCase> {};

TEST_P(DamagedLedger, IsRefusedWithTheRemedy) {
  std::string stored = GetParam().ledger().serialize();
  const auto at = stored.find(GetParam().from);
  ASSERT_NE(at, std::string::npos) << stored;
  stored.replace(at, GetParam().from.size(), GetParam().to);

  const auto ledger = Ledger::parse(stored);

  ASSERT_FALSE(ledger) << stored;
  EXPECT_EQ(ledger.error().code, ErrorCode::kStateRefused);
  EXPECT_THAT(ledger.error().message, HasSubstr("docs/state.md"));
}

std::string damaged_name(const testing::TestParamInfo<DamagedCase>& info) {
  std::string name = info.param.name;
  std::ranges::replace(name, ' ', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(
    Members, DamagedLedger,
    testing::Values(DamagedCase{"cut short", "}", ""}, DamagedCase{"no version", R"("v":2)", R"("w":2)"},
                    DamagedCase{"version is text", R"("v":2)", R"("v":"2")"}, DamagedCase{"version 0", R"("v":2)", R"("v":0)"},
                    DamagedCase{"no organization", R"("organization")", R"("organisation")"},
                    DamagedCase{"identity is a number", R"("org-1")", "1"},
                    DamagedCase{"start is no instant", R"("start":"2026-05-04T00:00:00.000Z")", R"("start":"yesterday")"},
                    DamagedCase{"complete is no array", R"("complete":[)", R"("complete":{},"x":[)"},
                    DamagedCase{"complete intervals overlap", "T00:20:00.000Z/", "T00:05:00.000Z/"},
                    DamagedCase{"complete intervals touch", "T00:20:00.000Z/", "T00:10:00.000Z/"},
                    DamagedCase{"an interval ends before it starts", "/2026-05-04T00:30:00.000Z", "/2026-05-04T00:01:00.000Z"},
                    DamagedCase{"open windows overlap", "T00:40:00.000Z/", "T00:35:00.000Z/"},
                    DamagedCase{"negative records", R"("records":1000)", R"("records":-1)"},
                    DamagedCase{"too many pages", R"("pages":1)", R"("pages":4294967296)"},
                    DamagedCase{"two positions", R"("page":1)", R"("page":1,"cursor":"c")"},
                    DamagedCase{"job without its time", R"("submitted")", R"("sent")"},
                    DamagedCase{"commit is text", R"("commit":7)", R"("commit":"7")"}),
    damaged_name);

INSTANTIATE_TEST_SUITE_P(
    Ages, DamagedLedger,
    testing::Values(
        DamagedCase{"no passes", R"("passes")", R"("phases")", example_with_ages},
        DamagedCase{"an age is no duration", R"("3d":[)", R"("soon":[)", example_with_ages},
        DamagedCase{"an age in another spelling", R"("3d":[)", R"("72h":[)", example_with_ages},
        DamagedCase{"the first pass among the ages", R"("3d":[)", R"("0s":[)", example_with_ages},
        DamagedCase{"an age has no intervals", R"("3d":[)", R"("3d":1,"x":[)", example_with_ages},
        DamagedCase{"read again but not before", R"("2026-05-04T00:00:00.000Z/2026-05-06T00:00:00.000Z")",
                    R"("2026-05-04T00:00:00.000Z/2026-06-06T00:00:00.000Z")", example_with_ages},
        DamagedCase{"open at an unknown age", R"("age":"3d")", R"("age":"4d")", example_with_ages},
        DamagedCase{"open at an age that is complete", R"("age":"7d")", R"("age":"3d")", example_with_ages},
        DamagedCase{"open age is a number", R"("age":"3d")", R"("age":3)", example_with_ages},
        DamagedCase{"open for the first time though complete", R"("age":"3d")", R"("agio":"3d")", example_with_ages},
        DamagedCase{"open is owed perhaps", R"("owed":true)", R"("owed":"yes")", example_with_ages},
        DamagedCase{"no owed days", R"("owed":[)", R"("owned":[)", example_with_ages},
        DamagedCase{"owed since when", R"("since")", R"("until")", example_with_ages},
        DamagedCase{"owed the wrong way round", R"("since":"2026-05-09T05)", R"("since":"2026-05-19T05)", example_with_ages},
        DamagedCase{"owed days overlap", R"("window":"2026-05-10T00:00:00.000Z/)", R"("window":"2026-05-08T12:00:00.000Z/)",
                    example_with_ages},
        DamagedCase{"settled beyond complete", R"("settled":"2026-05-06)", R"("settled":"2027-05-06)", example_with_ages}),
    damaged_name);

TEST(Ledger, RefusesWhatIsNoJsonObject) {
  for (const std::string stored : {"", "null", "[]", "1", "{", "{}", "\xff"}) {
    EXPECT_EQ(Ledger::parse(stored).error().code, ErrorCode::kStateRefused) << stored;
  }
  EXPECT_EQ(Ledger::parse(std::string(Ledger::kMaxBytes + 1, ' ')).error().code, ErrorCode::kStateRefused);
}

TEST(Ledger, CompleteUntilPassesOnlyTheGapFreePrefix) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = minutes(10, 20)}));
  EXPECT_EQ(ledger.complete_until(), kStart);

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = minutes(0, 10)}));
  EXPECT_EQ(ledger.complete_until(), minute(20));
}

TEST(Ledger, AWindowThatOverlapsItsPredecessorCompletes) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = minutes(0, 10)}));

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = minutes(8, 20)}));

  EXPECT_THAT(ledger.complete().intervals(), ElementsAre(minutes(0, 20)));
}

TEST(Ledger, CountsPagesAndRecordsOfAnOpenWindow) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(WindowOpened{minutes(0, 10), AtCursor{"a"}}));
  ASSERT_TRUE(ledger.apply(PageRead{.window = minutes(0, 10), .next = AtCursor{"b"}, .records = 3, .page = 1}));
  ASSERT_TRUE(ledger.apply(PageRead{.window = minutes(0, 10), .next = AtCursor{"c"}, .records = 4, .page = 2}));

  ASSERT_THAT(ledger.open(), SizeIs(1));
  EXPECT_EQ(ledger.open()[0], (OpenWindow{.window = minutes(0, 10), .position = AtCursor{"c"}, .records = 7, .pages = 2}));

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = minutes(0, 10), .records = 1, .page = 3}));
  EXPECT_THAT(ledger.open(), IsEmpty());
}

TEST(Ledger, RefusesAPageWhosePredecessorWasDropped) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(WindowOpened{minutes(0, 10), AtCursor{"a"}}));
  ASSERT_TRUE(ledger.apply(PageRead{.window = minutes(0, 10), .next = AtCursor{"b"}, .page = 1}));
  const Ledger before = ledger;

  EXPECT_EQ(ledger.apply(PageRead{.window = minutes(0, 10), .next = AtCursor{"d"}, .page = 3}).error().code,
            ErrorCode::kInternal);
  EXPECT_EQ(ledger.apply(WindowCompleted{.window = minutes(0, 10), .page = 3}).error().code, ErrorCode::kInternal);
  EXPECT_EQ(ledger, before);
}

TEST(Ledger, ARestartedWindowTakesANewJob) {
  Ledger ledger = example();
  ASSERT_TRUE(ledger.apply(WindowRestarted{minutes(70, 80)}));
  EXPECT_EQ(ledger.find_open(minutes(70, 80))->position, Position{AtStart{}});
  EXPECT_EQ(ledger.find_open(minutes(70, 80))->pages, 0U);
  EXPECT_EQ(ledger.find_open(minutes(70, 80))->records, 1000U);

  const AtJob job{.job = JobId("job-3"), .cursor = std::nullopt, .submitted = minute(3)};
  ASSERT_TRUE(ledger.apply(WindowOpened{minutes(70, 80), job}));
  EXPECT_EQ(ledger.find_open(minutes(70, 80))->position, Position{job});
}

TEST(Ledger, KeepsTheNewestAvailabilityDate) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(AvailabilitySeen{minute(10)}));
  ASSERT_TRUE(ledger.apply(AvailabilitySeen{minute(5)}));

  EXPECT_EQ(ledger.availability(), minute(10));
}

TEST(Ledger, StartsElsewhereOnlyWhileUntouched) {
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(LaneStarted{minute(5)}));
  EXPECT_EQ(ledger.start(), minute(5));

  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = minutes(5, 6)}));
  EXPECT_EQ(ledger.apply(LaneStarted{minute(9)}).error().code, ErrorCode::kInternal);
  EXPECT_EQ(ledger.start(), minute(5));
}

TEST(Ledger, ContradictionsAreRefusedAndLeaveNoTrace) {
  Ledger ledger = example();
  const Ledger before = ledger;
  const std::vector<LedgerChange> contradictions{
      PageRead{.window = minutes(100, 110), .next = AtPage{2}},
      WindowRestarted{minutes(100, 110)},
      WindowAbandoned{minutes(100, 110)},
      WindowCompleted{.window = minutes(0, 10)},
      WindowCompleted{.window = minutes(10, 10)},
      WindowCompleted{.window = minutes(100, 110), .page = 1},
      WindowOpened{minutes(0, 5), AtStart{}},
      WindowOpened{minutes(5, 5), AtStart{}},
      WindowOpened{minutes(40, 50), AtPage{1}},
      WindowOpened{minutes(45, 55), AtPage{1}},
      WindowOpened{minutes(100, 110), AtCursor{std::string(Ledger::kMaxCursorBytes + 1, 'c')}},
  };
  for (std::size_t i = 0; i < contradictions.size(); ++i) {
    EXPECT_FALSE(ledger.apply(contradictions[i])) << "case " << i;
    EXPECT_EQ(ledger, before) << "case " << i;
  }
}

TEST(Ledger, FullOfOpenWindowsHasNoRoom) {
  Ledger ledger({}, kStart);
  int opened = 0;
  while (ledger.has_room_to_open()) {
    ASSERT_TRUE(ledger.apply(WindowOpened{minutes(opened, opened + 1), AtStart{}}));
    ++opened;
  }
  EXPECT_EQ(opened, static_cast<int>(Ledger::kMaxOpenWindows));
  EXPECT_FALSE(ledger.apply(WindowOpened{minutes(900, 901), AtStart{}}));
}

TEST(Ledger, FullOfGapsRefusesTheNextButTakesWhatClosesOne) {
  Ledger ledger({}, kStart);
  for (int i = 0; i < static_cast<int>(Ledger::kMaxIntervals); ++i) {
    ASSERT_TRUE(ledger.apply(WindowCompleted{.window = minutes(2 * i, 2 * i + 1)}));
  }
  EXPECT_FALSE(ledger.has_room_to_open());
  EXPECT_FALSE(ledger.apply(WindowCompleted{.window = minutes(1000, 1001)}));
  EXPECT_TRUE(ledger.apply(WindowCompleted{.window = minutes(1, 2)}));
  EXPECT_TRUE(ledger.has_room_to_open());
}

TEST(Ledger, NeverGrowsBeyondItsBound) {
  Ledger ledger({}, kStart);
  for (int i = 0; i < 64; ++i) {
    const auto opened = ledger.apply(WindowOpened{minutes(i, i + 1), AtCursor{std::string(Ledger::kMaxCursorBytes, '"')}});
    if (!opened) {
      EXPECT_EQ(opened.error().code, ErrorCode::kOversize);
      break;
    }
    ASSERT_LT(i, 63) << "64 cursors of 4 KiB cannot fit";
  }
  // To the last byte.
  for (int i = 100; i < 104; ++i) {
    for (std::size_t bytes = Ledger::kMaxCursorBytes; bytes > 0; --bytes) {
      if (ledger.apply(WindowOpened{minutes(i, i + 1), AtCursor{std::string(bytes, 'x')}})) break;
    }
  }
  // The stamp is set when the value is written: a ledger that was full by then could not be read again.
  ledger.set_stamp({.incarnation = std::string(32, 'f'), .number = std::numeric_limits<std::uint64_t>::max()});
  EXPECT_LE(ledger.serialize().size(), Ledger::kMaxBytes);
  EXPECT_TRUE(Ledger::parse(ledger.serialize()));
}

TEST(Ledger, KeepsTheNewestShortWindows) {
  Ledger ledger({}, kStart);
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(ledger.apply(WindowCompleted{.window = minutes(i, i + 1), .is_short = true}));

  EXPECT_THAT(ledger.short_windows(), SizeIs(Ledger::kMaxShortWindows));
  EXPECT_EQ(ledger.short_windows().back(), minutes(69, 70));
}

}  // namespace
}  // namespace connector::core
