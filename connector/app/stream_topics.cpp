#include "connector/app/stream_topics.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace connector::app {
namespace {

std::string replace_all(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

}  // namespace

std::vector<kafka::StreamTopic> stream_topics(const AppOptions& options, const Definitions& definitions) {
  std::vector<kafka::StreamTopic> topics;
  for (const auto& stream : options.streams) {
    kafka::StreamTopic topic{.stream = stream.name, .topic = stream.topic, .settings = stream.topic_settings};
    if (topic.topic.empty()) {
      topic.topic = replace_all(replace_all(options.kafka.topics.stream_pattern, "{name}", options.name.str()), "{stream}",
                                stream.name.str());
    }
    if (topic.settings.replication_factor == -1) topic.settings.replication_factor = options.kafka.topics.replication_factor;
    const source::Definition& definition = definitions.at(stream.definition);
    const auto lanes = lanes_of(stream, definition);
    const auto has = [&](core::Lane lane) { return std::ranges::find(lanes, lane) != lanes.end(); };
    topic.rules = {.has_query = has(core::Lane::kLive),
                   .has_job = has(core::Lane::kSettle),
                   .has_by_id = has(core::Lane::kFollow),
                   .many_days = source::is_seen_on_many_days(definition),
                   .awaits_absence = source::is_snapshot(definition) && stream.snapshot.on_delete == core::OnDelete::kTombstone};
    topic.by_age = definition.job && definition.job->lag;
    if (const auto* snapshot = std::get_if<source::Snapshot>(&definition.window); snapshot != nullptr && snapshot->compact) {
      topic.settings.config.try_emplace("cleanup.policy", "compact");
    }
    topic.dead_letters = stream.dead_letters;
    topic.expiry.give_up = stream.follow.give_up;
    // Longer than until the last reading by id, or of its window, has its answer: that would be taken for new.
    constexpr common::Duration kAnswered = std::chrono::hours{1};
    topic.expiry.quiet = stream.follow.quiet + kAnswered;
    if (has(core::Lane::kLive) && !stream.live.ages.empty()) {
      topic.expiry.quiet = std::max(topic.expiry.quiet, stream.live.ages.back() + kAnswered);
    }
    topics.push_back(std::move(topic));
  }
  return topics;
}

std::vector<core::Lane> lanes_of(const source::StreamOptions& stream, const source::Definition& definition) {
  std::vector<core::Lane> lanes;
  if (definition.query && stream.live.enabled) lanes.push_back(core::Lane::kLive);
  if (definition.query && stream.live.enabled && definition.by_id && stream.follow.enabled) lanes.push_back(core::Lane::kFollow);
  if (definition.job && stream.settle.enabled) lanes.push_back(core::Lane::kSettle);
  return lanes;
}

std::vector<core::SourcePartition> configured_sources(const AppOptions& options, const Definitions& definitions) {
  std::vector<core::SourcePartition> sources;
  for (const auto& stream : options.streams) {
    for (const core::Lane lane : lanes_of(stream, definitions.at(stream.definition))) sources.push_back({stream.name, lane});
  }
  return sources;
}

std::size_t live_lanes(const AppOptions& options, const Definitions& definitions) {
  const auto sources = configured_sources(options, definitions);
  return static_cast<std::size_t>(std::ranges::count(sources, core::Lane::kLive, &core::SourcePartition::lane));
}

}  // namespace connector::app
