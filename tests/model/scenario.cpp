#include "tests/model/scenario.h"

#include "connector/app/stream_topics.h"
#include "tests/model/chance.h"

#include <algorithm>
#include <chrono>

namespace tests::model {

using namespace std::chrono_literals;
using std::chrono::days;

namespace {

constexpr Instant kForEver = Instant::max();
const Instant kEpoch = std::chrono::sys_days(std::chrono::year(2026) / 5 / 4);

// Never at the same millisecond, so that every version can be told from the one before.
void change(Conversation& conversation, Duration after, int content, int attributes, std::optional<bool> open) {
  Version version = conversation.versions.back();
  version.at += std::max(after, Duration{1});
  version.content = content;
  version.attributes = attributes;
  if (open) version.end = *open ? std::nullopt : std::optional(version.at);
  conversation.versions.push_back(version);
}

Conversation make_conversation(Chance& chance, std::size_t number, Duration span) {
  Conversation conversation{.key = "c" + std::to_string(number), .start = kEpoch + chance.between(0ms, span)};
  if (chance.one_in(5)) {
    conversation.start = common::start_of_day(conversation.start) + kDay + chance.between(-90s, 90s);
  } else if (chance.one_in(20)) {
    conversation.start = common::start_of_day(conversation.start);
  }
  conversation.late = chance.one_in(5) ? chance.between(1min, 8h) : chance.between(0ms, 20s);
  conversation.lag = chance.one_in(6) ? chance.between(0ms, 10min) : 0ms;
  const bool plain = chance.one_in(3);  // nothing but the query's form is ever to be seen of it
  const auto content = [&] { return chance.below(3); };
  const auto attributes = [&] { return plain ? 0 : chance.below(3); };
  conversation.versions.push_back({.at = conversation.start, .content = content(), .attributes = attributes()});
  if (chance.one_in(25)) conversation.versions.back().end = conversation.start;
  const Duration life = chance.one_in(6) ? chance.between(6h, days{9}) : chance.between(10s, 3h);
  for (int changes = chance.below(4); changes > 0; --changes) {
    change(conversation, chance.between(1ms, life / 3), content(), attributes(), std::nullopt);
  }
  if (chance.one_in(40)) return conversation;  // stays open
  change(conversation, chance.between(1ms, life), content(), attributes(), false);
  if (chance.one_in(2)) change(conversation, chance.between(1s, 2h), content(), attributes(), std::nullopt);
  if (chance.one_in(8)) {
    change(conversation, chance.between(1min, days{2}), content(), attributes(), true);
    change(conversation, chance.between(1s, 5h), content(), attributes(), false);
  }
  for (int late = chance.one_in(3) ? 1 + chance.below(2) : 0; late > 0; --late) {
    change(conversation, chance.between(1h, days{7}), content(), attributes(), std::nullopt);
  }
  return conversation;
}

// Some are deleted, and of these some come back; or much of each day is hidden for a while, as by a role that lacks a division;
// or the lake never gets some.
void make_deletions(Chance& chance, Scenario& scenario) {
  auto& settle = scenario.stream.settle;
  auto& conversations = scenario.world.conversations;
  settle.on_delete = chance.one_in(3) ? connector::core::OnDelete::kKeep : connector::core::OnDelete::kTombstone;
  settle.delete_confirm = chance.any_of<Duration>({10min, 1h, 6h});
  settle.delete_max_share = chance.any_of({1.0, 1.0, 0.5, 0.05});
  if (chance.one_in(3)) return;
  if (chance.one_in(2)) settle.window = days{1};  // else nothing is judged
  const bool hides = chance.one_in(4);
  for (Conversation& conversation : conversations) {
    if (!chance.one_in(3)) continue;
    const Instant last = conversation.versions.back().at;
    conversation.deleted = chance.one_in(4) ? conversation.start + chance.between(1min, 6h)
                                            : last + (chance.one_in(2) ? chance.between(1s, 12h) : chance.between(1h, days{9}));
    if (!hides && chance.one_in(3)) conversation.returns = *conversation.deleted + chance.between(1min, days{5});
  }
  if (!hides) {
    // (What comes back after live has done with it, and is in no job, is seen by nobody: docs/records.md.)
    for (Conversation& conversation : conversations) conversation.in_lake = !chance.one_in(12) || conversation.returns;
    return;
  }
  // All but one of each day: more than the share, whatever is known of the day by then.
  settle.delete_max_share = 0.3;
  const Instant from = kEpoch + chance.between(0ms, days{8});
  scenario.world.hidden = {.start = from, .end = from + chance.between(1min, days{6})};
  for (std::size_t i = 1; i < conversations.size(); ++i) {
    conversations[i].hidden = common::start_of_day(conversations[i].start) == common::start_of_day(conversations[i - 1].start);
  }
}

// The most rows of one start day that a smallest window may hold. A window that is deeper than the service pages cannot be read.
int most_at_once(const Scenario& scenario) {
  const auto& conversations = scenario.world.conversations;
  const auto ends = [](const Conversation& conversation) {
    Instant last = conversation.start;
    for (const Version& version : conversation.versions) last = std::max(last, version.end.value_or(kForEver));
    return last;
  };
  const bool whole_days = scenario.world.whole_days || scenario.stream.sync_match == connector::source::SyncMatch::kStartDay;
  const Duration smallest = scenario.stream.live.overlap + 2 * scenario.stream.live.min_window;
  std::ptrdiff_t most = 0;
  for (const Conversation& last : conversations) {
    most = std::max(most, std::ranges::count_if(conversations, [&](const Conversation& other) {
                      const bool same_day = common::start_of_day(other.start) == common::start_of_day(last.start);
                      return same_day && (whole_days || (other.start <= last.start && ends(other) >= last.start - smallest));
                    }));
  }
  return static_cast<int>(most);
}

void make_availability(Chance& chance, Scenario& scenario) {
  Instant at = scenario.begins - days{2};
  Instant date = at - 6h;
  const Duration lag = chance.any_of<Duration>({10min, 2h, 8h, 30h});
  const Duration pace = chance.any_of<Duration>({1h, 4h, 12h});
  while (at < scenario.ends) {
    scenario.world.availability.push_back({.at = at, .date = date});
    const bool calm = at >= scenario.calm_from;
    if (!calm && at > scenario.begins && scenario.availability_goes_back && chance.one_in(15)) {
      date -= chance.between(1min, days{2});
    } else if (!calm && chance.one_in(25)) {
      at += chance.between(1h, days{3});  // stands still
    } else {
      date = std::max(date, at - lag - chance.between(0ms, lag));
    }
    at += chance.between(pace / 2, pace);
  }
}

void make_faults(Chance& chance, Scenario& scenario) {
  if (chance.one_in(8)) return;
  scenario.odds = {.request_fails = chance.any_of<std::uint64_t>({0, 8, 40}),
                   .job_fails = chance.any_of<std::uint64_t>({0, 6}),
                   .abort = chance.any_of<std::uint64_t>({0, 4, 20}),
                   .unknown_applied = chance.any_of<std::uint64_t>({0, 6}),
                   .slow_request = chance.any_of<std::uint64_t>({0, 10})};
  const Duration span = scenario.calm_from - scenario.begins;
  for (int count = chance.below(7); count > 0; --count) {
    Fault fault{.at = scenario.begins + chance.between(0ms, span)};
    fault.kind = chance.any_of({FaultKind::kKill, FaultKind::kKill, FaultKind::kKill, FaultKind::kFreeze, FaultKind::kOutage,
                                FaultKind::kClock, FaultKind::kStreamStops});
    const Duration longest = chance.one_in(6) ? Duration{days{14}} : Duration{12h};
    fault.duration = chance.one_in(3) ? chance.between(1s, longest) : chance.between(1s, 5min);
    if (fault.kind == FaultKind::kClock && chance.one_in(2)) fault.duration = -fault.duration;
    scenario.faults.push_back(fault);
  }
  std::ranges::sort(scenario.faults, {}, &Fault::at);
}

void make_lanes(Chance& chance, connector::source::StreamOptions& stream) {
  const int lanes = chance.below(10);
  stream.live.enabled = lanes != 0;                                // 1 in 10: jobs alone
  stream.settle.enabled = lanes != 1 && lanes != 2;                // 2 in 10: no jobs
  stream.follow.enabled = lanes != 1 && lanes != 3 && lanes != 4;  // beside jobs, and without
  stream.live.every = chance.any_of<Duration>({2h, 3h, 6h, 12h});
  stream.live.delay = chance.any_of<Duration>({0s, 30s, 5min});
  stream.live.overlap = chance.any_of<Duration>({0s, 0s, 10min});
  stream.live.min_window = 1min;
  switch (chance.below(5)) {
    case 0:
      stream.live.ages = {};
      break;
    case 1:
      stream.live.ages = {10min, 1h, 6h};
      break;
    case 2:
      stream.live.ages = {6h};
      break;
    default:
      stream.live.ages = {1h, 12h};
  }
  stream.follow.every = chance.any_of<Duration>({5min, 1h});
  stream.follow.max = chance.any_of<Duration>({6h, days{1}});
  stream.follow.quiet = chance.any_of<Duration>({1h, 5h});
  stream.settle.window = chance.any_of<Duration>({days{1}, days{1}, 12h, 6h});
  switch (chance.below(5)) {
    case 0:
      stream.settle.ages = {0h};
      break;
    case 1:
      stream.settle.ages = {0h, 1h};
      break;
    case 2:
      stream.settle.ages = {0h, days{1}};
      break;
    default:
      stream.settle.ages = {0h, days{3}, days{7}};
  }
  stream.settle.max_jobs = static_cast<std::uint32_t>(1 + chance.below(3));
  stream.settle.poll_initial = 1min;
  stream.settle.poll_max = 20min;
  stream.settle.availability_every = chance.any_of<Duration>({1h, 3h});
}

}  // namespace

Scenario make_scenario(std::uint64_t seed) {
  using connector::source::SyncMatch;
  Chance chance(seed);
  Scenario scenario;
  scenario.seed = seed;
  scenario.stream.name = connector::core::StreamName{"conversations"};
  scenario.stream.definition = "conversation-details";
  make_lanes(chance, scenario.stream);
  scenario.begins = kEpoch + chance.between(0ms, days{1});
  scenario.stream.start = chance.one_in(3) ? scenario.begins : kEpoch;
  const Duration span = chance.any_of<Duration>({days{1}, days{2}, days{4}});
  const int conversations = chance.one_in(10) ? 60 : 2 + chance.below(14);
  for (int number = 0; number < conversations; ++number) {
    scenario.world.conversations.push_back(make_conversation(chance, static_cast<std::size_t>(number), span));
  }
  std::ranges::sort(scenario.world.conversations, {}, &Conversation::start);
  make_deletions(chance, scenario);
  scenario.world.whole_days = chance.one_in(3);
  scenario.world.spells_apart = chance.one_in(3);
  scenario.stream.sync_match = chance.one_in(4) ? SyncMatch::kStartDay : SyncMatch::kOverlap;
  scenario.query_page_size = chance.any_of({2, 3, 10, 100});
  scenario.job_page_size = chance.any_of({1, 3, 10, 1000});
  scenario.max_ids = chance.any_of({1, 3, 50});
  // (Every minute of a day that is answered whole would have the day read again, page by page.)
  if (chance.one_in(6) && !(scenario.world.whole_days && conversations > 20)) scenario.memory_bytes = 300;
  if (chance.one_in(6)) {
    const int pages = std::max(3, most_at_once(scenario) / scenario.query_page_size + 1);
    scenario.max_depth = scenario.query_page_size * pages;
  }
  if (chance.one_in(3)) scenario.commit_bytes = 40;
  scenario.exactly_once = !chance.one_in(5);
  scenario.availability_goes_back = chance.one_in(4);

  scenario.calm_from = kEpoch + span + chance.between(days{1}, days{12});
  make_faults(chance, scenario);
  for (const Fault& fault : scenario.faults) {
    if (fault.kind != FaultKind::kClock) scenario.calm_from = std::max(scenario.calm_from, fault.at + fault.duration);
  }
  scenario.ends = scenario.calm_from;
  for (const Conversation& conversation : scenario.world.conversations) {
    scenario.ends = std::max(scenario.ends, conversation.versions.back().at);
    if (conversation.deleted) scenario.ends = std::max(scenario.ends, conversation.returns.value_or(*conversation.deleted));
  }
  scenario.ends = std::max(scenario.ends, scenario.world.hidden.end);
  // The day's end, the last age, the lake's lag, and time for what is owed in the end.
  scenario.ends += kDay + scenario.stream.settle.ages.back() + days{8};
  make_availability(chance, scenario);
  return scenario;
}

connector::kafka::StreamTopic topic_of(const Scenario& scenario) {
  connector::app::AppOptions options;
  options.name = connector::core::ConnectorName{"model"};
  options.streams = {scenario.stream};
  connector::source::Definition definition{
      .query = connector::source::QuerySource{}, .job = connector::source::JobSource{}, .by_id = connector::source::ByIdSource{}};
  return connector::app::stream_topics(options, {{scenario.stream.definition, definition}}).front();
}

std::string describe(const Scenario& scenario) {
  using common::format_duration;
  const auto& stream = scenario.stream;
  const auto ages = [](const std::vector<Duration>& all) {
    std::string text;
    for (const Duration age : all) text += " " + format_duration(age);
    return "[" + text + " ]";
  };
  const auto count = [](auto number) { return std::to_string(number); };
  std::string text = scenario.exactly_once ? "exactly_once" : "at_least_once";
  text += ", from " + common::format_instant(std::get<Instant>(stream.start)) + ", calm from " +
          common::format_instant(scenario.calm_from) + "\n";
  if (stream.live.enabled) {
    text += "live every " + format_duration(stream.live.every) + " delay " + format_duration(stream.live.delay) + " overlap " +
            format_duration(stream.live.overlap) + " ages " + ages(stream.live.ages) +
            (stream.sync_match == connector::source::SyncMatch::kStartDay ? " start_day" : "") +
            (scenario.world.whole_days ? ", the service matches whole days" : "") + "\n";
  }
  if (topic_of(scenario).rules.has_by_id) {
    text += "follow every " + format_duration(stream.follow.every) + " quiet " + format_duration(stream.follow.quiet) + "\n";
  }
  if (stream.settle.enabled) {
    text += "settle window " + format_duration(stream.settle.window) + " ages " + ages(stream.settle.ages) +
            (scenario.world.spells_apart ? ", the job spells numbers otherwise" : "") +
            (scenario.availability_goes_back ? ", availability goes back" : "") + "\n";
    text += "what is deleted becomes a " + std::string(to_string(stream.settle.on_delete)) + ", confirmed after " +
            format_duration(stream.settle.delete_confirm) + ", at most " + std::to_string(stream.settle.delete_max_share) +
            " of a day" + (scenario.world.hidden.empty() ? "" : ", hidden: " + common::format_interval(scenario.world.hidden)) +
            "\n";
  }
  text += "one request in " + count(scenario.odds.request_fails) + " fails, one job in " + count(scenario.odds.job_fails) +
          ", one transaction in " + count(scenario.odds.abort) + "; pages of " + count(scenario.query_page_size) + " and " +
          count(scenario.job_page_size) + "\n";
  for (const Conversation& conversation : scenario.world.conversations) {
    if (conversation.deleted) text += "deleted " + common::format_instant(*conversation.deleted) + " ";
    if (conversation.returns) text += "returns " + common::format_instant(*conversation.returns) + " ";
    if (conversation.hidden) text += "hidden ";
    if (!conversation.in_lake) text += "not in the lake ";
    text += conversation.key + " late " + format_duration(conversation.late) + " lag " + format_duration(conversation.lag) + ":";
    for (const Version& version : conversation.versions) {
      text += " " + common::format_instant(version.at) + (version.end ? " closed " : " open ") + count(version.content) + "/" +
              count(version.attributes) + ";";
    }
    text += "\n";
  }
  return text;
}

}  // namespace tests::model
