#include "tests/simulator/tests/caller.h"

#include <algorithm>

namespace tests::simulator {
namespace {

constexpr std::string_view kHour = "2026-05-02T10:00:00.000Z/2026-05-02T11:00:00.000Z";

std::vector<std::string> read_all(Caller& caller, std::string_view interval, int size, std::string_view more = "") {
  std::vector<std::string> all;
  for (int page = 1;; ++page) {
    const auto reply = caller.query(interval, page, size, more);
    EXPECT_EQ(reply.status, 200) << reply.body;
    const auto ids = Caller::ids(reply);
    if (ids.empty() || page > 500) {
      return all;
    }
    all.insert(all.end(), ids.begin(), ids.end());
  }
}

std::set<std::string> truth(Caller& caller, std::string_view from, std::string_view to) {
  const auto reply = caller.get("/_sim/truth?from=" + std::string(from) + "&to=" + std::string(to));
  std::set<std::string> ids;
  for (const auto& row : Caller::json(reply).as_array()) {
    ids.insert(common::json::find_string(row, "id").value());
  }
  return ids;
}

TEST(ConversationQuery, PagesSumToTheWholeSet) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));

  const auto ids = read_all(caller, kHour, 7);

  const std::set<std::string> distinct(ids.begin(), ids.end());
  EXPECT_EQ(distinct.size(), ids.size());
  const auto body = Caller::json(caller.query(kHour, 1, 7));
  EXPECT_EQ(common::json::find_int(body, "totalHits"), static_cast<std::int64_t>(ids.size()));
  const auto started = truth(caller, "2026-05-02T10:00:00Z", "2026-05-02T11:00:00Z");
  EXPECT_EQ(started.size(), 60U);
  EXPECT_TRUE(std::ranges::includes(distinct, started));
}

TEST(ConversationQuery, PastTheLastPageTheMemberIsAbsent) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));

  const auto reply = caller.query(kHour, 50, 100);

  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body.find("conversations"), std::string::npos);
  EXPECT_GT(common::json::find_int(Caller::json(reply), "totalHits").value_or(0), 0);
}

TEST(ConversationQuery, OverlapReadingShowsWhatLivedInsideAndBeganOnTheDay) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));
  const World& world = caller.simulator.service().world;

  const auto ids = read_all(caller, kHour, 100);

  bool earlier = false;
  for (const auto& id : ids) {
    const Conversation conversation = world.conversation(world.index_of(id).value());
    EXPECT_LT(conversation.start, at("2026-05-02T11:00:00Z"));
    EXPECT_GT(conversation.end, at("2026-05-02T10:00:00Z"));
    earlier = earlier || conversation.start < at("2026-05-02T10:00:00Z");
  }
  EXPECT_TRUE(earlier);
}

TEST(ConversationQuery, LaterDaysNeverShowAConversationThatBeganBefore) {
  SimulatorOptions options = small_world();
  options.world.long_share = 1;
  Caller caller(options, at("2026-05-03T00:00:00Z"));
  const World& world = caller.simulator.service().world;

  const auto ids = read_all(caller, "2026-05-02T00:00:00.000Z/2026-05-02T00:10:00.000Z", 100);

  ASSERT_FALSE(ids.empty());
  for (const auto& id : ids) {
    EXPECT_GE(world.start_of(world.index_of(id).value()), at("2026-05-02T00:00:00Z"));
  }
}

TEST(ConversationQuery, StartDayReadingShowsTheWholeDay) {
  SimulatorOptions options = small_world();
  options.api.sync_match = SyncMatch::kStartDay;
  Caller caller(options, at("2026-05-04T00:00:00Z"));

  const auto ids = read_all(caller, kHour, 100);

  const auto day = truth(caller, "2026-05-02T00:00:00Z", "2026-05-03T00:00:00Z");
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()), day);
}

TEST(ConversationQuery, DescendingIsTheReverse) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));

  auto ascending = read_all(caller, kHour, 100);
  const auto descending = read_all(caller, kHour, 100, R"(,"order":"desc","orderBy":"conversationStart")");

  std::ranges::reverse(ascending);
  EXPECT_EQ(ascending, descending);
}

TEST(ConversationQuery, AnOpenOneHasNoEndAndLaterHasOne) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));
  const World& world = caller.simulator.service().world;
  const Conversation conversation = world.conversation(1'500);
  const std::string path = "/api/v2/analytics/conversations/" + world.id_of(1'500) + "/details";

  caller.now = conversation.start + Duration{1};
  const auto open = caller.get(path);
  caller.now = conversation.end;
  const auto closed = caller.get(path);
  caller.now = conversation.start - Duration{1};
  const auto unborn = caller.get(path);

  EXPECT_EQ(open.body.find("conversationEnd"), std::string::npos);
  EXPECT_EQ(common::json::find_string(Caller::json(closed), "conversationEnd"), common::format_instant(conversation.end));
  EXPECT_EQ(unborn.status, 404);
  EXPECT_EQ(Caller::code(unborn), "not.found");
}

TEST(ConversationQuery, ReadsManyById) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));
  const World& world = caller.simulator.service().world;

  const auto reply = caller.get("/api/v2/analytics/conversations/details?id=" + world.id_of(3) + "%2C" + world.id_of(5) +
                                ",00000000-0000-4000-8000-000000000000");

  EXPECT_EQ(Caller::ids(reply), (std::vector<std::string>{world.id_of(3), world.id_of(5)}));
}

TEST(ConversationQuery, ApproximateTotalDiffersFromCallToCall) {
  SimulatorOptions options = small_world();
  options.api.total_hits = TotalHits::kApproximate;
  Caller caller(options, at("2026-05-04T00:00:00Z"));

  std::set<std::int64_t> totals;
  for (int call = 0; call < 8; ++call) {
    totals.insert(
        common::json::find_int(Caller::json(caller.query("2026-05-02T00:00:00Z/2026-05-03T00:00:00Z", 1, 1)), "totalHits")
            .value());
  }

  EXPECT_GT(totals.size(), 1U);
}

struct Refusal {
  std::string name;
  std::string interval;
  int page;
  int size;
  std::string more;
  std::string code;
  std::string text;
};
void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.name;
}

class ConversationQueryRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(ConversationQueryRefusal, IsA400WithTheServicesBody) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));

  const auto reply = caller.query(GetParam().interval, GetParam().page, GetParam().size, GetParam().more);

  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(Caller::code(reply), GetParam().code);
  EXPECT_NE(Caller::message(reply).find(GetParam().text), std::string::npos) << Caller::message(reply);
  EXPECT_EQ(common::json::find_string(Caller::json(reply), "contextId"), Caller::header(reply, "ININ-Correlation-Id"));
}

INSTANTIATE_TEST_SUITE_P(
    Of, ConversationQueryRefusal,
    testing::Values(
        Refusal{"page_size", std::string(kHour), 1, 101, "", "invalid.value", "101"},
        Refusal{"depth", std::string(kHour), 1001, 100, "", "bad.request", "Pagination may not exceed 100000 results."},
        Refusal{"page_zero", std::string(kHour), 0, 100, "", "bad.request", "paging"},
        Refusal{"interval", "2026-04-01T00:00:00Z/2026-04-09T00:00:00Z", 1, 100, "", "bad.request", "7 days"},
        Refusal{"interval_with_filter", "2026-03-01T00:00:00Z/2026-04-09T00:00:00Z", 1, 100,
                R"(,"conversationFilters":[{"type":"and","predicates":[{"dimension":"conversationEnd","operator":"exists"}]}])",
                "bad.request", "31 days"},
        Refusal{"no_interval", "yesterday", 1, 100, "", "invalid.date", "yesterday"},
        Refusal{"filter_type", std::string(kHour), 1, 100, R"(,"segmentFilters":[{"predicates":[]}])", "invalid.value",
                "Value [] is not valid for field type [QueryFilterType]. Allowable values are: and, or"},
        Refusal{"dimension", std::string(kHour), 1, 100,
                R"(,"segmentFilters":[{"type":"and","predicates":[{"dimension":"mood","value":"x"}]}])", "invalid.value", "mood"},
        Refusal{"dialect", std::string(kHour), 1, 100, R"(,"nextPageToken":"x")", "bad.request", "nextPageToken"},
        Refusal{"order", std::string(kHour), 1, 100, R"(,"order":"up")", "invalid.value", "order"}),
    testing::PrintToStringParamName());

struct Filtering {
  std::string name;
  std::string filters;
  bool (*holds)(const World&, const Conversation&, Instant);
};
void PrintTo(const Filtering& filtering, std::ostream* out) {
  *out << filtering.name;
}

class ConversationQueryFilter : public testing::TestWithParam<Filtering> {};

TEST_P(ConversationQueryFilter, GivesExactlyWhatHolds) {
  Caller caller(small_world(), at("2026-05-02T10:30:00Z"));
  const World& world = caller.simulator.service().world;
  std::set<std::string> everything;
  for (const auto& id : read_all(caller, kHour, 100)) {
    everything.insert(id);
  }

  const auto kept = read_all(caller, kHour, 100, GetParam().filters);

  std::set<std::string> expected;
  for (const auto& id : everything) {
    if (GetParam().holds(world, world.conversation(world.index_of(id).value()), caller.now)) {
      expected.insert(id);
    }
  }
  ASSERT_FALSE(expected.empty());
  ASSERT_LT(expected.size(), everything.size());
  EXPECT_EQ(std::set<std::string>(kept.begin(), kept.end()), expected);
}

INSTANTIATE_TEST_SUITE_P(
    Of, ConversationQueryFilter,
    testing::Values(
        Filtering{
            "media_type",
            R"(,"segmentFilters":[{"type":"and","predicates":[{"type":"dimension","dimension":"mediaType","value":"voice"}]}])",
            [](const World&, const Conversation& it, Instant) { return it.media == Media::kVoice; }},
        Filtering{"ended",
                  R"(,"conversationFilters":[{"type":"and","predicates":[{"dimension":"conversationEnd","operator":"exists"}]}])",
                  [](const World&, const Conversation& it, Instant now) { return it.end_at(now).has_value(); }},
        Filtering{
            "open",
            R"(,"conversationFilters":[{"type":"and","predicates":[{"dimension":"conversationEnd","operator":"notExists"}]}])",
            [](const World&, const Conversation& it, Instant now) { return !it.end_at(now).has_value(); }},
        Filtering{
            "direction",
            R"(,"conversationFilters":[{"type":"or","predicates":[{"dimension":"originatingDirection","value":"outbound"}]}])",
            [](const World&, const Conversation& it, Instant) { return !it.inbound; }},
        Filtering{
            "start_range",
            R"(,"conversationFilters":[{"type":"and","predicates":[{"dimension":"conversationStart","range":{"gte":"2026-05-02T10:05:00Z","lt":"2026-05-02T10:10:00Z"}}]}])",
            [](const World&, const Conversation& it, Instant) {
              return it.start >= at("2026-05-02T10:05:00Z") && it.start < at("2026-05-02T10:10:00Z");
            }},
        Filtering{
            "nested_or",
            R"(,"segmentFilters":[{"type":"and","clauses":[{"type":"or","predicates":[{"dimension":"mediaType","value":"voice"},{"dimension":"mediaType","value":"chat"}]}],"predicates":[{"dimension":"direction","value":"inbound"}]}])",
            [](const World&, const Conversation& it, Instant) {
              return it.inbound && (it.media == Media::kVoice || it.media == Media::kChat);
            }}),
    testing::PrintToStringParamName());

TEST(ConversationQuery, DivisionFilterSplitsTheSet) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));
  const World& world = caller.simulator.service().world;

  std::size_t sum = 0;
  for (std::uint32_t division = 0; division < world.options().divisions; ++division) {
    sum += read_all(caller, kHour, 100,
                    R"(,"conversationFilters":[{"type":"and","predicates":[{"dimension":"divisionId","value":")" +
                        world.division(division) + R"("}]}])")
               .size();
  }

  EXPECT_EQ(sum, read_all(caller, kHour, 100).size());
}

TEST(FixedPages, EveryIdOfTheWindowOnceWithItsStart) {
  SimulatorOptions options = small_world();
  options.fixed_pages = true;
  options.world.spacing = std::chrono::seconds{1};
  options.world.conversations = 5'000;
  Caller caller(options, at("2026-05-03T00:00:00Z"));
  const World& world = caller.simulator.service().world;
  const std::string interval = "2026-05-01T00:10:00.000Z/2026-05-01T00:20:00.000Z";

  const auto ids = read_all(caller, interval, 100);

  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()), truth(caller, "2026-05-01T00:10:00Z", "2026-05-01T00:20:00Z"));
  EXPECT_EQ(ids.size(), 600U);
  const auto page = Caller::json(caller.query(interval, 3, 100));
  const auto& row = page.at("conversations").at(7);
  EXPECT_EQ(
      common::json::find_string(row, "conversationStart"),
      common::format_instant(world.start_of(world.index_of(common::json::find_string(row, "conversationId").value()).value())));
}

}  // namespace
}  // namespace tests::simulator
