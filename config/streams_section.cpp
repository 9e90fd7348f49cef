#include "config/checks.h"
#include "config/interpolation.h"
#include "config/sections.h"
#include "connector/core/planning/live_planner.h"
#include "connector/core/planning/retention.h"
#include "connector/source/row_order.h"
#include "connector/source/url_members.h"

#include <algorithm>
#include <functional>

namespace config {

namespace {

using connector::source::Definition;
using connector::source::StreamOptions;
using namespace std::chrono_literals;

constexpr common::Duration kDay = 24h;
constexpr std::size_t kLongestStreamName = 200;

void read_start(Section& stream, const Definition* definition, StreamOptions& options) {
  constexpr std::string_view kAllowed = "an instant such as 2026-01-01T00:00:00Z, or now";
  // Before the service existed and after we do: a slip of the keyboard, and years of empty windows.
  constexpr common::Instant kEarliest = std::chrono::sys_days{std::chrono::year{2000} / 1 / 1};
  constexpr common::Instant kLatest = std::chrono::sys_days{std::chrono::year{2100} / 1 / 1};
  const auto value = stream.scalar("start", kAllowed, Need::kRequired);
  if (!value) {
    return;
  }
  const std::string allowed = "(allowed: " + std::string(kAllowed) + ")";
  if (value->text == "now") {
    options.start = connector::source::FromNow{};
    stream.set_given("start", "now", *value);
    return;
  }
  const auto instant = common::parse_instant(value->text);
  if (!instant) {
    stream.scope().problem(value->mark, stream.path("start"), value->shown(), "is not an instant " + allowed);
  } else if (*instant < kEarliest || *instant > kLatest) {
    stream.scope().problem(value->mark, stream.path("start"), value->shown(),
                           "is not a sensible instant: between 2000 and 2100 " + allowed);
  } else if (definition != nullptr && is_snapshot(*definition)) {
    stream.scope().problem(value->mark, stream.path("start"), value->shown(),
                           "lies where nothing can be read: the service tells the state as it is now (allowed: now)");
  } else {
    options.start = *instant;
    stream.set_given("start", common::format_instant(*instant, false), *value);
  }
}

// The user's word goes over the definition's: how long records are kept is often the organisation's own setting.
void read_retention(Section& stream, const Definition* definition, StreamOptions& options) {
  if (definition != nullptr && is_snapshot(*definition)) {
    if (stream.given("retention")) {
      stream.problem("retention", "is for what has windows: the service tells the state as it is now (allowed: leave it out)");
    }
    stream.node("retention");
    return;
  }
  if (definition != nullptr) {
    options.retention = definition->retention;
    if (definition->query) {
      options.query_retention = definition->query->retention;
    }
  }
  stream.duration("retention", options.retention, {.min = 0ms, .max = kLongestRetention});
}

// How long the service keeps what a lane reads, and by whose word.
struct Kept {
  common::Duration length;  // 0: no bound is known
  std::string name;
};
Kept kept_for_live(const Section& stream, const StreamOptions& options) {
  const common::Duration length = kept_for_query(options);
  return {.length = length, .name = length == options.retention ? stream.path("retention") : "the definition's query.retention"};
}
Kept kept_for_settle(const Section& stream, const StreamOptions& options) {
  return {.length = options.retention, .name = stream.path("retention")};
}

// What has expired before its turn comes is read at no age: ages that nobody has asked for are left out then. `least_at`: by how
// much older than the age a window's begin is when its turn comes.
void read_kept_ages(Section& lane, const Kept& kept, const std::function<common::Duration(common::Duration)>& least_at,
                    std::vector<common::Duration>& ages, bool settle) {
  const auto expires = [&](common::Duration age) {
    return kept.length > common::Duration{0} && age > common::Duration{0} &&
           kept.length <= connector::core::needed_for(age + least_at(age));
  };
  std::erase_if(ages, expires);
  read_ages(lane, ages, settle);
  const auto expired = std::ranges::find_if(ages, expires);
  if (expired == ages.end()) {
    return;
  }
  const common::Duration begin = *expired + least_at(*expired);
  lane.problem("ages", "at " + common::format_duration(*expired) + " a window's begin is " + common::format_duration(begin) +
                           " old, and " + kept.name + " is " + common::format_duration(kept.length) +
                           ": the service has begun to forget it, or is about to (allowed: shorter ages; or more than " +
                           common::format_duration(connector::core::needed_for(begin)) +
                           " there, if it keeps its records for so long)");
}

// By how much older than its window's end what a job shows must be; what the service's date lags behind comes on top.
common::Duration lag_of_jobs(const Definition* definition) {
  return definition != nullptr && definition->job ? definition->job->lag.value_or(common::Duration{0}) : common::Duration{0};
}

// A window must be readable when it is due.
void check_retention(const Section& stream, const Definition* definition, const StreamOptions& options) {
  const auto needs = [&](bool enabled, common::Duration kept, common::Duration least, std::string_view of) {
    const common::Duration needed = connector::core::needed_for(least);
    if (enabled && kept > common::Duration{0} && kept <= needed) {
      stream.problem("retention", "the service keeps nothing as long as it takes until it is read (allowed: more than " +
                                      common::format_duration(needed) + ", which is " + std::string(of) +
                                      " and time to read it)");
    }
  };
  needs(options.live.enabled, kept_for_query(options), options.live.every + options.live.delay, "live.every and live.delay");
  const common::Duration lag = lag_of_jobs(definition);
  needs(options.settle.enabled, options.retention, options.settle.window + lag,
        lag > common::Duration{0} ? "settle.window, the job's lag" : "settle.window");
}

void read_topic(Section& stream, StreamOptions& options) {
  const Node* value = stream.node("topic");
  if (value != nullptr && value->kind == Node::Kind::kMap) {
    read_topic_settings(stream.section("topic"), "(kafka.topics.stream_pattern)", options.topic_settings);
    options.topic = options.topic_settings.name;
    return;
  }
  stream.text("topic", options.topic, {.check = check_topic, .unset = "(kafka.topics.stream_pattern)"});
  options.topic_settings.name = options.topic;
}

// False if the lane is off. What a definition cannot do must not be asked for.
bool lane_enabled(Section& stream, std::string_view lane, bool possible, std::string_view what) {
  if (stream.is_off(lane)) {
    stream.scope().setting(stream.path(lane), "off", stream.scope().origin(stream.mark(lane)));
    return false;
  }
  if (stream.given(lane) && !possible) {
    stream.scope().problem(stream.mark(lane), stream.path(lane), "",
                           "the definition has no " + std::string(what) + " (allowed: off, or leave it out)");
  }
  if (!possible) {
    if (!stream.given(lane)) {
      stream.set_default(lane, "off");
    }
    return false;
  }
  return true;
}

// Windows over buckets are of whole ones.
void check_buckets(const Section& live, const connector::source::LiveOptions& options) {
  const common::Duration length = options.buckets.length();
  for (const auto& [key, value] :
       {std::pair{std::string_view("every"), options.every}, {"overlap", options.overlap}, {"min_window", options.min_window}}) {
    if (value % length != common::Duration{0}) {
      live.problem(key, "is not of whole buckets, which are " + common::format_duration(length) +
                            " long by the stream's query (allowed: a multiple of that)");
    } else if (options.buckets.is_local() && value > length) {
      live.problem(key,
                   "is of more than one bucket, and those that begin by the clock of a time zone are read one by one (allowed: " +
                       common::format_duration(length) + ", or leave it out)");
    }
  }
}

void read_live(Section live, const Definition* definition, const Kept& kept, connector::source::LiveOptions& options) {
  if (options.buckets) {
    const common::Duration length = options.buckets.length();
    options.every = options.buckets.is_local() ? length : std::max(options.every - options.every % length, length);
    options.min_window = length;
  }
  if (definition != nullptr && definition->ages) {
    options.ages = *definition->ages;
  }
  live.duration("every", options.every, {.min = 100ms, .max = kDay});
  live.duration("delay", options.delay, {.min = 0ms, .max = kDay});
  live.duration("overlap", options.overlap, {.min = 0ms, .max = kDay});
  options.min_window = std::min(options.min_window, options.every);  // the default follows a shorter `every`
  live.duration("min_window", options.min_window, {.min = 1ms, .max = kDay});
  const auto every = common::format_duration(options.every);
  if (options.overlap >= options.every) {
    live.problem(live.given("overlap") ? "overlap" : "every", "overlap (" + common::format_duration(options.overlap) +
                                                                  ") must be below every (" + every +
                                                                  "), or no window gets further than the one before");
  }
  if (options.min_window > options.every) {
    live.problem("min_window", "min_window must not be above every (" + every + ")");
  }
  if (definition != nullptr && definition->max_window > common::Duration{0} &&
      options.every + options.overlap > definition->max_window) {
    live.problem("every",
                 "a window is longer than the service answers for this definition (allowed: every and overlap together up to " +
                     common::format_duration(definition->max_window) + ")");
  }
  if (options.buckets) {
    check_buckets(live, options);
  }
  // What is read again waits for its neighbours.
  const connector::core::LivePlanner planner({.every = options.every,
                                              .max_window = definition != nullptr ? definition->max_window : common::Duration{0},
                                              .buckets = options.buckets});
  read_kept_ages(live, kept, [&](common::Duration age) { return planner.step_at(age); }, options.ages, false);
  live.finish();
}

void read_on_delete(Section& settle, const Definition* definition, connector::source::SettleOptions& options) {
  using connector::core::OnDelete;
  settle.choice<OnDelete>("on_delete", options.on_delete, {{"keep", OnDelete::kKeep}, {"tombstone", OnDelete::kTombstone}});
  Section rules = settle.section("delete");
  rules.duration("confirm", options.delete_confirm, {.min = 1s, .max = 30 * kDay});
  rules.number("max_share", options.delete_max_share, {.min = 0, .max = 1});
  rules.finish();
  if (options.on_delete != OnDelete::kTombstone) {
    return;
  }
  if (definition != nullptr && !can_tell_what_is_gone(*definition)) {
    settle.problem("on_delete",
                   "the definition has no by_id that takes two ids or more, so that a deleted record cannot be told from one "
                   "that a job lacks (allowed: keep)");
  }
  if (options.window != kDay) {
    settle.problem("on_delete", "deleted records are looked for only where one job reads a whole day, and window is " +
                                    common::format_duration(options.window) + " (allowed: keep, or window: 1d)");
  }
}

void read_settle(Section settle, const Definition* definition, const Kept& kept, connector::source::SettleOptions& options) {
  if (settle.duration("window", options.window, {.min = 1s, .max = kDay}) && kDay % options.window != common::Duration{0}) {
    settle.problem("window",
                   "does not divide a day, so windows would not end at midnight UTC (allowed: such as 1h, 6h, 12h, 1d)");
  }
  const common::Duration least = options.window + lag_of_jobs(definition);
  read_kept_ages(settle, kept, [&](common::Duration) { return least; }, options.ages, true);
  if (settle.boolean("newest_first", options.newest_first);
      options.newest_first && definition != nullptr && definition->spans_days) {
    settle.problem(
        "newest_first",
        "the definition's records last for days: read from the newest on, what an earlier day returns of them would be "
        "published again (allowed: false)");
  }
  std::uint32_t most_jobs = 50;
  if (definition != nullptr && definition->job && definition->job->max_open > 0) {
    most_jobs = std::min(most_jobs, definition->job->max_open);  // what the service runs at once
  }
  options.max_jobs = std::min(options.max_jobs, most_jobs);
  settle.integer("max_jobs", options.max_jobs, {.min = 1, .max = most_jobs});
  settle.duration("poll_initial", options.poll_initial, {.min = 10ms, .max = 1h});
  settle.duration("poll_max", options.poll_max, {.min = 10ms, .max = 1h});
  settle.duration("job_deadline", options.job_deadline, {.min = 1s, .max = 7 * kDay});
  settle.duration("availability_every", options.availability_every, {.min = 10ms, .max = kDay});
  if (options.poll_initial > options.poll_max) {
    settle.problem(settle.given("poll_initial") ? "poll_initial" : "poll_max",
                   "poll_initial (" + common::format_duration(options.poll_initial) + ") is above poll_max (" +
                       common::format_duration(options.poll_max) + ") (allowed: poll_initial ≤ poll_max)");
  }
  if (options.poll_max > options.job_deadline) {
    settle.problem(settle.given("poll_max") ? "poll_max" : "job_deadline",
                   "poll_max (" + common::format_duration(options.poll_max) + ") is above job_deadline (" +
                       common::format_duration(options.job_deadline) + ") (allowed: poll_max ≤ job_deadline)");
  }
  read_on_delete(settle, definition, options);
  settle.finish();
}

void read_follow(Section follow, connector::source::FollowOptions& options) {
  follow.duration("every", options.every, {.min = 100ms, .max = kDay});
  follow.duration("max", options.max, {.min = 100ms, .max = 30 * kDay});
  follow.duration("quiet", options.quiet, {.min = 0ms, .max = 30 * kDay});
  follow.duration("give_up", options.give_up, {.min = 1s, .max = 366 * kDay});
  if (options.every > options.max) {
    follow.problem(follow.given("every") ? "every" : "max", "every (" + common::format_duration(options.every) +
                                                                ") is above max (" + common::format_duration(options.max) +
                                                                ") (allowed: every ≤ max)");
  }
  if (options.quiet > options.give_up) {
    follow.problem(follow.given("quiet") ? "quiet" : "give_up",
                   "quiet (" + common::format_duration(options.quiet) + ") is above give_up (" +
                       common::format_duration(options.give_up) + ") (allowed: quiet ≤ give_up)");
  }
  follow.finish();
}

void read_deletions(Section& snapshot, const Definition& definition, connector::source::SnapshotOptions& options) {
  using connector::core::OnDelete;
  snapshot.choice<OnDelete>("on_delete", options.on_delete, {{"keep", OnDelete::kKeep}, {"tombstone", OnDelete::kTombstone}});
  Section rules = snapshot.section("delete");
  rules.integer("readings", options.delete_readings, {.min = 1, .max = 1'000});
  rules.number("max_share", options.delete_max_share, {.min = 0, .max = 1});
  rules.finish();
  if (options.on_delete != OnDelete::kTombstone) {
    return;
  }
  if (options.publish == connector::source::PublishSnapshot::kAlways) {
    snapshot.problem("on_delete",
                     "nothing is remembered of what is published always, so that nothing of it can be missed "
                     "(allowed: keep, or publish: on_change)");
  }
  if (!definition.partial.empty()) {
    snapshot.problem("on_delete", "the definition shows only a part, so that what is absent may still be there: " +
                                      definition.partial + " (allowed: keep)");
  }
}

void read_snapshot(Section snapshot, const Definition& definition, connector::source::SnapshotOptions& options) {
  using connector::source::PublishSnapshot;
  options.every = std::get<connector::source::Snapshot>(definition.window).every.value_or(options.every);
  snapshot.duration("every", options.every, {.min = 1s, .max = 31 * kDay});
  snapshot.choice<PublishSnapshot>("publish", options.publish,
                                   {{"on_change", PublishSnapshot::kOnChange}, {"always", PublishSnapshot::kAlways}});
  read_deletions(snapshot, definition, options);
  snapshot.finish();
}

void read_page_size(Section& stream, std::string_view key, bool possible, const connector::source::Pages* pages,
                    std::string_view what, int& size) {
  int max = 100'000;
  bool has_size = pages == nullptr;
  if (pages != nullptr) {
    std::visit(
        [&](const auto& kind) {
          if constexpr (requires { kind.max_size; }) {
            max = kind.max_size;
            has_size = kind.size.has_value();
          }
        },
        *pages);
  }
  const std::string unset = pages != nullptr && has_size ? std::to_string(max) : std::string("(the definition's maximum)");
  const bool given = stream.integer(key, size, {.min = 1, .max = max, .unset = unset});
  if (given && (!possible || !has_size)) {
    stream.problem(key, "the definition has no " + std::string(what) + (possible ? " whose page size can be chosen" : "") +
                            " (allowed: leave it out)");
  }
}

void read_dead_letters(Section& stream, connector::core::DeadLetterRules& rules) {
  using connector::core::OnOversize;
  stream.choice<OnOversize>("on_oversize", rules.on_oversize,
                            {{"dead_letter", OnOversize::kDeadLetter}, {"fail", OnOversize::kFail}, {"drop", OnOversize::kDrop}});
  Section stop = stream.section("dead_letters");
  stop.integer("stop_after", rules.stop.stop_after, {.min = 0, .max = 100'000});
  stop.integer("of_last", rules.stop.of_last, {.min = 1, .max = 1'000'000'000});
  if (rules.stop.stop_after > rules.stop.of_last) {
    stop.problem("stop_after", "there are never more than of_last, which is " + std::to_string(rules.stop.of_last) +
                                   " (allowed: at most that, or 0 for no threshold)");
  }
  stop.finish();
}

void read_stream(Section stream, const std::map<std::string, Definition>& definitions, StreamOptions& options) {
  const TextCheck known_definition = [&](const std::string& name) -> std::optional<std::string> {
    if (definitions.contains(name)) {
      return std::nullopt;
    }
    std::vector<std::string_view> names;
    for (const auto& [known, definition] : definitions) {
      names.push_back(known);
    }
    const auto like = closest(name, names);
    return "unknown definition" + (like ? "; did you mean " + std::string(*like) + "?" : std::string()) +
           " (allowed: " + join_names(names) + ", or one of your own listed under definitions)";
  };
  stream.text("definition", options.definition, {.need = Need::kRequired, .check = known_definition});
  const auto found = definitions.find(options.definition);
  const Definition* definition = found == definitions.end() ? nullptr : &found->second;
  // Without its definition a stream is still read, so that everything else wrong with it is reported too.
  const bool has_query = definition == nullptr || definition->query.has_value();
  const bool has_job = definition == nullptr || definition->job.has_value();

  const bool snapshot = definition != nullptr && is_snapshot(*definition);
  read_start(stream, definition, options);
  read_retention(stream, definition, options);
  read_topic(stream, options);
  using connector::source::ExistingTopic;
  stream.choice<ExistingTopic>("existing_topic", options.existing_topic,
                               {{"refuse", ExistingTopic::kRefuse}, {"append", ExistingTopic::kAppend}});
  using connector::source::OnChangedMembership;
  stream.choice<OnChangedMembership>("on_changed_membership", options.on_changed_membership,
                                     {{"refuse", OnChangedMembership::kRefuse},
                                      {"continue", OnChangedMembership::kContinue},
                                      {"re_read", OnChangedMembership::kReRead}});
  read_dead_letters(stream, options.dead_letters);
  stream.json_object("query", options.query);
  if (definition != nullptr) {
    check_stream_query(stream, *definition, options);
  }
  read_rewriting(stream, definition, options);
  using connector::source::SyncMatch;
  stream.choice<SyncMatch>("sync_match", options.sync_match,
                           {{"overlap", SyncMatch::kOverlap}, {"start_day", SyncMatch::kStartDay}});
  if (options.sync_match == SyncMatch::kStartDay && definition != nullptr && !definition->start_pointer) {
    stream.problem("sync_match", "the definition does not say where a record's start is (allowed: overlap)");
  }
  if (options.sync_match == SyncMatch::kStartDay && definition != nullptr && is_seen_on_many_days(*definition)) {
    stream.problem("sync_match", "the definition's records are returned for more than the day they began on (allowed: overlap)");
  } else if (options.sync_match == SyncMatch::kStartDay && definition != nullptr && definition->start_pointer &&
             definition->query && !connector::source::can_turn_rows(definition->query->request, options.query)) {
    // The reading ends with the first page that lies before the window: oldest first that would be the first one.
    stream.problem(
        "sync_match",
        "rows are read newest first then, and the query says no order, asc or desc, that can be turned (allowed: overlap)");
  }
  read_page_size(stream, "page_size", has_query, definition != nullptr && definition->query ? &definition->query->pages : nullptr,
                 "query", options.page_size);
  read_page_size(stream, "job_page_size", has_job, definition != nullptr && definition->job ? &definition->job->pages : nullptr,
                 "job", options.job_page_size);

  if (snapshot) {
    if (stream.given("live")) {
      stream.scope().problem(stream.mark("live"), stream.path("live"), "",
                             "the definition is a snapshot and has no windows (allowed: snapshot)");
    }
    stream.node("live");
    options.live.enabled = true;  // the lane that reads it, by rules of its own
    options.live.ages.clear();
    read_snapshot(stream.section("snapshot"), *definition, options.snapshot);
  } else {
    if (stream.given("snapshot") && definition != nullptr) {
      stream.scope().problem(stream.mark("snapshot"), stream.path("snapshot"), "",
                             "the definition has windows and is no snapshot (allowed: live)");
    }
    stream.node("snapshot");
    options.live.enabled = lane_enabled(stream, "live", has_query, "query");
    if (options.live.enabled) {
      read_live(stream.section("live"), definition, kept_for_live(stream, options), options.live);
    }
  }
  options.follow.enabled = lane_enabled(stream, "follow", definition == nullptr || definition->by_id.has_value(), "by_id");
  if (options.follow.enabled && !options.live.enabled) {
    if (stream.given("follow")) {
      stream.problem("follow", "reads again what live has published, and live is off (allowed: off, or leave it out)");
    } else {
      stream.set_default("follow", "off");
    }
    options.follow.enabled = false;
  }
  if (options.follow.enabled) {
    read_follow(stream.section("follow"), options.follow);
  }
  options.settle.enabled = lane_enabled(stream, "settle", has_job, "job");
  if (options.settle.enabled) {
    read_settle(stream.section("settle"), definition, kept_for_settle(stream, options), options.settle);
  }
  check_retention(stream, definition, options);
  using connector::source::TotalTrust;
  const bool may_be_short = definition != nullptr && !snapshot && definition->query && definition->query->total &&
                            definition->query->total->trust == TotalTrust::kApproximate;
  if (options.live.enabled && !options.settle.enabled && options.live.ages.empty() && may_be_short) {
    stream.scope().problem(stream.mark("live"), stream.path("live") + ".ages", "[]",
                           "a window that yields fewer records than its approximate total promises would never be read again "
                           "(allowed: at least one age, or settle on)");
  }
  if (!options.live.enabled && !options.settle.enabled) {
    stream.scope().problem(stream.mark(), stream.path(), "",
                           "reads nothing: live and settle are both off (allowed: at least one of them on)");
  }
  stream.finish({{.key = "backfill"}, {.key = "transform", .instead = "projection and redaction"}});
}

void check_topics(const Section& streams, const Config& config) {
  const auto state_topic = [&](const connector::core::TopicSettings& topic, std::string_view suffix) {
    return topic.name.empty() ? config.name.str() + std::string(suffix) : topic.name;
  };
  std::map<std::string, std::string> owners;  // topic → what uses it
  owners.emplace(state_topic(config.kafka.topics.offsets, "-offsets"), "kafka.topics.offsets");
  const std::string digests = state_topic(config.kafka.topics.digests, "-digests");
  if (const auto [found, added] = owners.emplace(digests, "kafka.topics.digests"); !added) {
    streams.scope().problem(streams.mark(), "kafka.topics.digests.name", digests,
                            "is the topic of " + found->second + " too (allowed: one topic for each)");
  }
  const std::string dead_letters = state_topic(config.kafka.topics.dead_letters, "-dead-letters");
  if (const auto [found, added] = owners.emplace(dead_letters, "kafka.topics.dead_letters"); !added) {
    streams.scope().problem(streams.mark(), "kafka.topics.dead_letters.name", dead_letters,
                            "is the topic of " + found->second + " too (allowed: one topic for each)");
  }
  if (config.kafka.topics.progress.enabled) {
    const std::string progress = state_topic(config.kafka.topics.progress.topic, "-progress");
    if (const auto [found, added] = owners.emplace(progress, "kafka.topics.progress"); !added) {
      streams.scope().problem(streams.mark(), "kafka.topics.progress.name", progress,
                              "is the topic of " + found->second + " too (allowed: one topic for each)");
    }
  }
  for (const auto& stream : config.streams) {
    const std::string topic = effective_topic(stream, config);
    const std::string path = streams.path(stream.name.str());
    const Mark where = streams.mark(stream.name.str());
    if (check_name(stream.name.str(), kLongestStreamName)) {
      continue;  // said already
    }
    if (const auto wrong = check_topic(topic)) {
      streams.scope().problem(where, path + ".topic", topic, *wrong);
      continue;
    }
    const auto [found, added] = owners.emplace(topic, path);
    if (!added) {
      streams.scope().problem(where, path + ".topic", topic,
                              "is the topic of " + found->second + " too (allowed: one topic for each)");
    }
  }
}

}  // namespace

void read_ages(Section& lane, std::vector<common::Duration>& ages, bool settle) {
  constexpr std::size_t kMost = 8;
  constexpr common::Duration kOldest = std::chrono::days{366};
  const std::string allowed =
      settle ? "(allowed: a list that begins with 0h and ascends, such as [0h, 72h, 7d]; up to 8, up to 366d)"
             : "(allowed: a list that ascends, such as [10m, 1h, 6h], or []; up to 8, up to 366d)";
  const auto shown = [](const std::vector<common::Duration>& list) {
    std::string text;
    for (const common::Duration age : list) {
      text += (text.empty() ? "" : ", ") + common::format_duration(age);
    }
    return "[" + text + "]";
  };
  const Node* value = lane.node("ages");
  if (value == nullptr) {
    lane.set_default("ages", shown(ages));
    return;
  }
  if (value->kind != Node::Kind::kList) {
    lane.problem("ages", "is not a list " + allowed);
    return;
  }
  std::vector<common::Duration> read;
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    const Node& item = *value->items[i];
    const std::string path = lane.path("ages") + "[" + std::to_string(i) + "]";
    const auto age = common::parse_duration(item.text);
    const bool first = i == 0;
    if (item.kind != Node::Kind::kScalar || !age || *age > kOldest) {
      lane.scope().problem(item.mark, path, item.text, "is not an age " + allowed);
      return;
    }
    const bool fits = first ? (*age == common::Duration{0}) == settle : *age > read.back();
    if (!fits) {
      lane.scope().problem(item.mark, path, item.text, "is out of order " + allowed);
      return;
    }
    read.push_back(*age);
  }
  if (read.size() > kMost || (settle && read.empty())) {
    lane.problem("ages", (read.empty() ? "is empty " : "has too many ages ") + allowed);
    return;
  }
  ages = std::move(read);
  lane.scope().setting(lane.path("ages"), shown(ages), lane.scope().origin(value->mark));
}

std::string effective_topic(const StreamOptions& stream, const Config& config) {
  if (!stream.topic.empty()) {
    return stream.topic;
  }
  // One pass, so that a name that looks like a placeholder is not filled again.
  std::string topic;
  std::string_view rest = config.kafka.topics.stream_pattern;
  while (!rest.empty()) {
    if (rest.starts_with("{name}")) {
      topic += config.name.str();
      rest.remove_prefix(6);
    } else if (rest.starts_with("{stream}")) {
      topic += stream.name.str();
      rest.remove_prefix(8);
    } else {
      topic += rest.front();
      rest.remove_prefix(1);
    }
  }
  return topic;
}

void read_definitions(Section& root, std::map<std::string, Definition>& definitions,
                      std::map<std::string, DefinitionFile>& definition_files) {
  Scope& scope = root.scope();
  std::vector<std::string> files;
  root.text_list("definitions", files);
  const Node* list = root.node("definitions");
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Mark mark = list->items[i]->mark;
    const std::string path = "definitions[" + std::to_string(i) + "]";
    const std::string file = resolve_path(scope.directory, files[i]);
    const auto text = scope.sources != nullptr && scope.sources->read_file
                          ? scope.sources->read_file(file)
                          : common::fail(common::ErrorCode::kConfigInvalid, "no files can be read here");
    if (!text) {
      scope.problem(mark, path, files[i],
                    "file " + file + " cannot be read: " + text.error().message + " (allowed: a readable file)");
      continue;
    }
    LoadedDefinition loaded = load_definition(*text, file);
    if (!loaded.problems.empty()) {
      std::ranges::move(loaded.problems, std::back_inserter(scope.problems));
      continue;
    }
    const std::string name = loaded.definition.name;
    if (!definitions.emplace(name, std::move(loaded.definition)).second) {
      scope.problem(mark, path, files[i], "defines " + name + ", which is there already (allowed: another name)");
      continue;
    }
    definition_files.emplace(name, DefinitionFile{.file = file, .text = *text});
  }
}

void read_streams(Section& root, const std::map<std::string, Definition>& definitions, Config& config) {
  Section streams = root.section("streams", Need::kRequired);
  root.scope().known.insert("streams.*");
  if (streams.given() && streams.members().empty()) {
    streams.scope().problem(streams.mark(), streams.path(), "", "has no stream (allowed: at least one)");
  }
  for (const auto& member : streams.members()) {
    if (const auto wrong = check_name(member.key, kLongestStreamName)) {
      streams.scope().problem(member.mark, streams.path(member.key), "", *wrong);
    }
    StreamOptions options;
    options.name = connector::core::StreamName(member.key);
    read_stream(streams.entry(member), definitions, options);
    config.streams.push_back(std::move(options));
  }
  check_topics(streams, config);
}

}  // namespace config
