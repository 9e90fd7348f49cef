// What the live lane does about records of a state that its readings return no more: the digests decide as they do behind a
// real publisher, and what a transaction made of the topic is kept.

#include "tests/unit/connector/source/reader_fixture.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <utility>

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using common::ErrorCode;
using testing::ElementsAre;
using testing::IsEmpty;
using tests::support::answer;
using tests::support::FakeAnswer;
using tests::support::refuse;

// A list of a hundred entries on two pages, read once a minute.
class LiveAbsence : public ReaderTest {
 protected:
  LiveAbsence() {
    definition = conversation_details();
    definition.window = Snapshot{};
    definition.job.reset();
    definition.open_while_absent = definition.start_pointer = definition.end_pointer = std::nullopt;
    definition.key = "/id";
    definition.query->request = {.method = common::http::Method::kGet, .path = "/queues", .body = {}};
    definition.query->records = "/entities";
    definition.query->total = Total{.pointer = "/total", .trust = TotalTrust::kApproximate};
    definition.query->pages =
        PageNumberPages{.number = InQuery{"pageNumber"}, .size = InQuery{"pageSize"}, .max_size = 50, .page_count = "/pageCount"};
    options.snapshot.every = 1min;
    options.snapshot.on_delete = core::OnDelete::kTombstone;
    for (int i = 0; i < 100; ++i) list.insert(name(i));
    service = [this](const core::ApiRequest& request) { return serve(request); };
    publisher.known_digests = &digests;
    publisher.on_submit = [this](const core::PageGroup& group) { return see(group); };
  }

  static std::string name(int number) { return "q" + std::to_string(1'000 + number); }
  FakeAnswer serve(const core::ApiRequest& request) {
    const int page = std::stoi(request.query.at(0).second);
    if (wrong && page == 2) {
      if (auto reply = wrong()) return std::move(*reply);
    }
    return answer(page_with(page, static_cast<std::int64_t>(list.size())));
  }
  [[nodiscard]] std::string page_with(int page, std::int64_t total) const {
    std::string entities;
    int place = 0;
    for (const std::string& id : list) {
      const bool here = (place++ < static_cast<int>(list.size()) / 2) == (page == 1);
      if (page <= 2 && here) entities += (entities.empty() ? "" : ",") + (R"({"id":")" + id) + "\"}";
    }
    return R"({"entities":[)" + entities + R"(],"total":)" + std::to_string(total) + R"(,"pageCount":2})";
  }
  // As the publisher decides it; a tombstone travels with the end of its reading.
  std::optional<common::Error> see(const core::PageGroup& group) {
    bool is_reading = false;
    std::vector<std::string> deleted;
    for (const core::Page& page : group) {
      for (const core::LedgerChange& change : page.changes) {
        is_reading = is_reading || std::holds_alternative<core::WindowCompleted>(change);
      }
      std::vector<core::KeyedSighting> rows;
      for (std::size_t i = 0; i < page.contents.size(); ++i) {
        rows.push_back({.key = page.records[i].key,
                        .sighting = {.form = page.gone ? core::SightingForm::kAbsent : core::SightingForm::kQuery,
                                     .digests = page.contents[i].digests,
                                     .read_at = page.service_date,
                                     .availability = page.availability,
                                     .home_day = page.contents[i].home_day}});
      }
      const core::DigestBatch batch = digests.decide(rows);
      digests.apply(batch.number);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::string key(rows[i].key);
        if (batch.decisions[i].outcome == core::DigestOutcome::kPublish) ++published[key];
        if (batch.decisions[i].outcome == core::DigestOutcome::kDelete) deleted.push_back(key);
      }
    }
    EXPECT_TRUE(deleted.empty() || is_reading);
    tombstones.insert(tombstones.end(), deleted.begin(), deleted.end());
    return std::nullopt;
  }
  void readings(int count) { pass(count * 1min); }
  [[nodiscard]] const core::Ledger& ledger() const { return publisher.committed(live); }

  std::set<std::string> list;
  std::function<std::optional<FakeAnswer>()> wrong;  // the second page, if it is another one
  core::StreamDigests digests{
      core::StreamName("conversations"),
      {.has_query = true, .has_job = false, .has_by_id = false, .many_days = true, .awaits_absence = true}};
  std::map<std::string, int> published;
  std::vector<std::string> tombstones;
};

TEST_F(LiveAbsence, BecomesATombstoneWithTheThirdReading) {
  run_live();
  readings(1);
  list.erase(name(7));
  readings(2);
  EXPECT_THAT(tombstones, IsEmpty());
  EXPECT_EQ(ledger().absent().readings(core::PassKeys::hash(name(7))), 2U);
  readings(1);

  EXPECT_THAT(tombstones, ElementsAre(name(7)));
  EXPECT_THAT(ledger().absent().all(), IsEmpty());
  readings(5);
  EXPECT_THAT(tombstones, ElementsAre(name(7))) << "once";
  EXPECT_EQ(published.at(name(8)), 1);
}

TEST_F(LiveAbsence, WhatComesBackIsPublishedAgain) {
  run_live();
  list.erase(name(7));
  readings(4);
  ASSERT_THAT(tombstones, ElementsAre(name(7)));
  list.insert(name(7));
  readings(1);

  EXPECT_EQ(published.at(name(7)), 2);
  list.erase(name(7));
  readings(3);
  EXPECT_THAT(tombstones, ElementsAre(name(7), name(7)));
}

TEST_F(LiveAbsence, SurvivesARestartBetweenTheReadings) {
  run_live();
  list.erase(name(7));
  for (int life = 0; life < 3; ++life) {
    EXPECT_THAT(tombstones, IsEmpty());
    restart_process();
    run_live();
    readings(1);
  }

  EXPECT_THAT(tombstones, ElementsAre(name(7)));
}

TEST_F(LiveAbsence, NoReadingThatIsNotWholeSaysWhatIsGone) {
  options.snapshot.delete_readings = 1;
  run_live();
  readings(1);
  const auto half = [](std::int64_t total, const std::string& entities) {
    return answer(R"({"entities":[)" + entities + R"(],"total":)" + std::to_string(total) + R"(,"pageCount":2})");
  };
  const std::string there = R"({"id":")" + name(99) + "\"}";
  const std::string twice = R"({"id":")" + name(0) + "\"}";
  const std::vector<std::pair<const char*, std::function<FakeAnswer()>>> cases{
      {"it failed", [] { return refuse(ErrorCode::kRetryable); }},
      {"it was cut short", [] { return answer(R"({"entities":[{"id":"q10)"); }},
      {"fewer than the service counts", [&] { return half(100, there); }},
      {"the count moved", [&] { return half(99, there); }},
      {"pages shifted", [&] { return half(100, there + "," + twice); }},
      {"one had no key", [&] { return half(100, there + R"(,{"name":"?"})"); }},
  };
  for (const auto& [what, reply] : cases) {
    wrong = [&reply]() -> std::optional<FakeAnswer> { return reply(); };
    readings(3);
    EXPECT_THAT(tombstones, IsEmpty()) << what;
    EXPECT_EQ(metrics.count("delete_braked"), 0U) << what << ": it is not even looked for";
  }

  wrong = {};
  list.erase(name(98));
  readings(2);
  EXPECT_THAT(tombstones, ElementsAre(name(98)));
}

// Users of any state: the service refuses pages behind its 10,000th.
TEST_F(LiveAbsence, AListThatTheServiceCutsOffIsReadAsFarAsItGoesAndTellsNothingOfTheRest) {
  std::get<PageNumberPages>(definition.query->pages).refused_behind = 50;
  definition.query->total.reset();
  options.snapshot.delete_readings = 1;
  options.snapshot.delete_max_share = 1;
  run_live();
  readings(1);
  ASSERT_EQ(published.size(), 100U);

  wrong = [] { return refuse(ErrorCode::kRequestRejected, "400 no further than this"); };
  list.insert("q0");
  readings(3);

  EXPECT_EQ(published.count("q0"), 1U) << "what it shows is published";
  EXPECT_EQ(metrics.count("window_completed", "short"), 3U);
  EXPECT_THAT(ledger().short_windows(), IsEmpty()) << "the next reading owes it nothing";
  EXPECT_THAT(tombstones, IsEmpty());
  EXPECT_EQ(metrics.count("delete_braked"), 0U) << "it is not even looked for";
}

TEST_F(LiveAbsence, TooManyAtOnceAreHeldAndTold) {
  run_live();
  readings(1);
  const std::set<std::string> whole = list;
  for (int i = 0; i < 30; ++i) list.erase(name(i));
  readings(4);
  EXPECT_THAT(tombstones, IsEmpty());
  EXPECT_EQ(metrics.count("delete_braked"), 4U);
  EXPECT_EQ(lines_with("more records are absent at the service than snapshot.delete.max_share allows"), 1U);

  list.clear();
  readings(4);
  EXPECT_THAT(tombstones, IsEmpty());
  list = whole;
  list.erase(name(3));
  readings(2);
  EXPECT_THAT(tombstones, IsEmpty()) << "what was held counts for nothing";
  readings(1);
  EXPECT_THAT(tombstones, ElementsAre(name(3)));
}

TEST_F(LiveAbsence, WhatDoesNotFitIntoMemoryIsNotJudged) {
  options.snapshot.delete_readings = 1;
  run_live();
  readings(1);
  restart_process();
  memory_bytes = 1'000;
  list.erase(name(7));
  run_live();
  readings(3);

  EXPECT_THAT(tombstones, IsEmpty());
  EXPECT_GT(lines_with("a reading does not tell which records the service no longer has"), 0U);
}

TEST_F(LiveAbsence, IsNotLookedForUnlessTold) {
  options.snapshot.on_delete = core::OnDelete::kKeep;
  run_live();
  list.erase(name(7));
  readings(9);

  EXPECT_THAT(tombstones, IsEmpty());
  EXPECT_THAT(ledger().absent().all(), IsEmpty());
}

// Whatever happens to the list and to the readings: in the end the topic is the list, and nothing was ever deleted that was there
// in the reading before.
TEST_F(LiveAbsence, ConvergesWhateverHappens) {
  options.snapshot.delete_max_share = 0.9;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 chance(seed);
    const auto one_in = [&](int n) { return std::uniform_int_distribution(0, n - 1)(chance) == 0; };
    digests =
        core::StreamDigests(core::StreamName("conversations"),
                            {.has_query = true, .has_job = false, .has_by_id = false, .many_days = true, .awaits_absence = true});
    publisher.ledgers.clear();
    publisher.records.clear();
    tombstones.clear();
    published.clear();
    std::set<std::string> topic;
    run_live();
    for (int minute = 0; minute < 60; ++minute) {
      if (one_in(3)) list.erase(name(std::uniform_int_distribution(0, 99)(chance)));
      if (one_in(4)) list.insert(name(std::uniform_int_distribution(0, 119)(chance)));
      wrong = {};
      if (one_in(4)) wrong = [] { return std::optional<FakeAnswer>(refuse(ErrorCode::kRetryable)); };
      const std::set<std::string> before = list;
      const std::size_t deleted = tombstones.size();
      if (one_in(6)) {
        restart_process();
        run_live();
      }
      readings(1);
      for (std::size_t i = deleted; i < tombstones.size(); ++i) EXPECT_FALSE(before.contains(tombstones[i])) << "seed " << seed;
    }
    wrong = {};
    readings(5);

    for (const auto& [key, times] : published) {
      if (times > std::ranges::count(tombstones, key)) topic.insert(key);
    }
    EXPECT_EQ(topic, list) << "seed " << seed;
    restart_process();
    if (HasFailure()) return;
    for (int i = 0; i < 100; ++i) list.insert(name(i));
  }
}

}  // namespace
}  // namespace connector::source
