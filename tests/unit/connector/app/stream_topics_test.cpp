#include "connector/app/stream_topics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::app {
namespace {

using core::Lane;
using testing::ElementsAre;
using testing::IsEmpty;

const Definitions kDefinitions{{"conversation-details", {}}};

AppOptions with_stream(source::StreamOptions stream) {
  AppOptions options;
  options.name = core::ConnectorName("acme");
  stream.name = core::StreamName("calls");
  stream.definition = "conversation-details";
  options.streams.push_back(std::move(stream));
  return options;
}

TEST(StreamTopics, NameComesFromThePattern) {
  auto options = with_stream({});
  EXPECT_EQ(stream_topics(options, kDefinitions)[0].topic, "acme.calls");

  options.kafka.topics.stream_pattern = "cc-{stream}-of-{name}-{stream}";
  EXPECT_EQ(stream_topics(options, kDefinitions)[0].topic, "cc-calls-of-acme-calls");
}

TEST(StreamTopics, AGivenNameIsTakenAsItIs) {
  source::StreamOptions stream;
  stream.topic = "{name}";
  EXPECT_EQ(stream_topics(with_stream(stream), kDefinitions)[0].topic, "{name}");
}

TEST(StreamTopics, ReplicationFallsBackToTheCommonSetting) {
  auto options = with_stream({});
  options.kafka.topics.replication_factor = 3;
  EXPECT_EQ(stream_topics(options, kDefinitions)[0].settings.replication_factor, 3);

  options.streams[0].topic_settings.replication_factor = 2;
  EXPECT_EQ(stream_topics(options, kDefinitions)[0].settings.replication_factor, 2);
}

TEST(StreamTopics, SayWhetherTheJobsDataIsCompleteByAgeAlone) {
  source::Definition definition;
  definition.job.emplace();
  EXPECT_FALSE(stream_topics(with_stream({}), {{"conversation-details", definition}})[0].by_age);
  definition.job->lag = std::chrono::hours{1};
  EXPECT_TRUE(stream_topics(with_stream({}), {{"conversation-details", definition}})[0].by_age);
}

TEST(StreamTopics, ADefinitionMayWantACompactedTopicUnlessTheUserSaysOtherwise) {
  source::Definition definition;
  definition.query.emplace();
  definition.window = source::Snapshot{.every = std::nullopt, .compact = true};
  source::StreamOptions stream;
  const auto policy = [&] {
    const auto topic = stream_topics(with_stream(stream), {{"conversation-details", definition}})[0];
    const auto found = topic.settings.config.find("cleanup.policy");
    return found == topic.settings.config.end() ? std::string() : found->second;
  };
  EXPECT_EQ(policy(), "compact");
  stream.topic_settings.config["cleanup.policy"] = "delete";
  EXPECT_EQ(policy(), "delete");
  definition.window = source::Snapshot{};
  stream.topic_settings.config.clear();
  EXPECT_EQ(policy(), "");
}

TEST(StreamTopics, WhatIsToBecomeATombstoneIsRememberedUntilThen) {
  source::Definition definition;
  definition.query.emplace();
  definition.window = source::Snapshot{};
  source::StreamOptions stream;
  const auto awaits = [&] {
    return stream_topics(with_stream(stream), {{"conversation-details", definition}})[0].rules.awaits_absence;
  };
  EXPECT_FALSE(awaits());
  stream.snapshot.on_delete = core::OnDelete::kTombstone;
  EXPECT_TRUE(awaits());
  definition.window = source::IntervalPlace{source::InBody{"/interval"}};
  EXPECT_FALSE(awaits());
}

// The last reading by id comes when a record has been quiet for `follow.quiet`: with its entry gone, it would be taken for new.
TEST(StreamTopics, AKeyIsRememberedLongerThanItsRecordIsRead) {
  source::Definition definition;
  definition.query.emplace();
  source::StreamOptions stream;
  stream.follow.quiet = std::chrono::hours{5};
  stream.live.ages = {};
  const auto quiet = [&] { return stream_topics(with_stream(stream), {{"conversation-details", definition}})[0].expiry.quiet; };
  EXPECT_GT(quiet(), stream.follow.quiet);

  stream.live.ages = {std::chrono::hours{1}, std::chrono::hours{9}};
  EXPECT_GT(quiet(), stream.live.ages.back());
}

TEST(LanesOf, AreThoseTheDefinitionHasAndTheStreamLeavesOn) {
  source::Definition definition;
  source::StreamOptions stream;
  EXPECT_THAT(lanes_of(stream, definition), IsEmpty());

  definition.query.emplace();
  definition.job.emplace();
  EXPECT_THAT(lanes_of(stream, definition), ElementsAre(Lane::kLive, Lane::kSettle));

  stream.live.enabled = false;
  EXPECT_THAT(lanes_of(stream, definition), ElementsAre(Lane::kSettle));
}

TEST(LiveLanes, CountsThoseThatShareTheMemory) {
  source::Definition definition;
  definition.query.emplace();
  auto options = with_stream({});
  options.streams.push_back(options.streams[0]);
  options.streams[1].live.enabled = false;

  EXPECT_EQ(live_lanes(options, {{"conversation-details", definition}}), 1U);
}

}  // namespace
}  // namespace connector::app
