#include "connector/app/offsets.h"

#include "common/clock.h"
#include "connector/app/find_cluster.h"
#include "connector/app/one_shot.h"
#include "connector/app/stream_topics.h"
#include "connector/kafka/state_store.h"
#include "connector/kafka/state_topics.h"
#include "connector/kafka/state_writer.h"
#include "connector/kafka/topic_admin.h"
#include "connector/source/membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <memory>
#include <random>
#include <utility>

namespace connector::app {

namespace asio = boost::asio;
using common::ErrorCode;
using common::fail;
using common::Result;

namespace {

Result<std::unique_ptr<kafka::TopicAdmin>> open_admin(const AppOptions& options, const common::Logger& logger) {
  return kafka::TopicAdmin::create(options.kafka, options.name, logger.named("kafka"));
}

std::string offsets_topic(const AppOptions& options) {
  return kafka::state_topics(options.name, options.kafka.topics).offsets;
}

// As it is described, and fit to hold state.
Result<kafka::TopicDescription> look_at_topic(kafka::TopicAdmin& admin, const std::string& topic, common::Duration patience) {
  auto described = admin.describe({topic}, patience);
  if (!described) return fail(described.error());
  kafka::TopicDescription& found = described->front();
  if (!found.describable || (found.exists && !found.readable)) {
    return fail(ErrorCode::kPermissionDenied, fmt::format("topic {} may not be read: allow Read on it", topic));
  }
  if (found.exists) {
    if (auto usable = kafka::check_state_topic(found, 1); !usable) return fail(usable.error());
  }
  return std::move(found);
}

Result<void> make_topic(kafka::TopicAdmin& admin, const AppOptions& options, const std::string& topic,
                        common::Duration patience) {
  if (!options.kafka.topics.create) {
    return fail(ErrorCode::kConfigInvalid,
                fmt::format("topic {} does not exist: make it (1 partition, cleanup.policy=compact), or "
                            "set kafka.topics.create to true",
                            topic));
  }
  return admin.make(topic, kafka::state_topic_settings(options.kafka.topics, options.kafka.topics.offsets), patience);
}

SourceOffsets source_offsets(const core::ConnectorName& name, const kafka::StoredOffsets& stored) {
  SourceOffsets offsets;
  for (const auto& [key, value] : stored) {
    if (auto source = kafka::ledger_source(name, key)) offsets.emplace(std::move(*source), value);
  }
  return offsets;
}

Result<void> check_unmoved(const SourceOffsets& now, const std::vector<OffsetChange>& changes) {
  for (const OffsetChange& change : changes) {
    const auto found = now.find(change.source);
    const bool same = found == now.end() ? !change.before : change.before == found->second;
    if (!same) {
      return fail(ErrorCode::kStateRefused,
                  fmt::format("stream {}, lane {} has moved since the change was shown, so a connector of this name is running; "
                              "nothing was changed: stop it, then try again",
                              change.source.stream.str(), core::to_string(change.source.lane)));
    }
  }
  return {};
}

asio::awaitable<Result<void>> write(kafka::StateWriter& writer, const core::ConnectorName& name,
                                    std::vector<OffsetChange> changes, kafka::DigestsMemory digests) {
  auto found = co_await writer.take_over();
  if (!found) co_return fail(found.error());
  // Before the claim: whoever runs goes on by itself if this ends here.
  if (auto unmoved = check_unmoved(source_offsets(name, *found), changes); !unmoved) co_return unmoved;
  std::vector<kafka::StateChange> records;
  records.reserve(changes.size());
  for (OffsetChange& change : changes) records.push_back({.source = change.source, .ledger = std::move(change.after)});
  co_return co_await writer.write(std::move(records), digests);
}

asio::awaitable<Result<void>> write_and_close(kafka::StateWriter& writer, const core::ConnectorName& name,
                                              std::vector<OffsetChange> changes, kafka::DigestsMemory digests) {
  auto written = co_await write(writer, name, std::move(changes), digests);
  co_await writer.close();
  co_return written;
}

// Where a request stands that goes with a backfill's ledger; empty if none does.
Result<std::string> control_topic_of(kafka::TopicAdmin& admin, const AppOptions& options,
                                     const std::vector<OffsetChange>& changes, common::Duration patience) {
  const bool removes = std::ranges::any_of(
      changes, [](const OffsetChange& change) { return change.source.lane == core::Lane::kBackfill && !change.after; });
  const std::string topic = kafka::state_topics(options.name, options.kafka.topics).control;
  if (!removes || topic.empty()) return std::string{};
  const auto described = admin.describe({topic}, patience);
  if (!described) return fail(described.error());
  const kafka::TopicDescription& found = described->front();
  if (!found.exists) return std::string{};
  if (!found.writable) {
    return fail(ErrorCode::kPermissionDenied,
                fmt::format("topic {} may not be written, where the request for the backfill stands: allow Write on it", topic));
  }
  return topic;
}

Result<void> become_owner_and_write(const AppOptions& options, const TaskOffsets& offsets, std::vector<OffsetChange> changes,
                                    kafka::DigestsMemory digests, const common::Logger& logger, common::Duration patience) {
  auto admin = open_admin(options, logger);
  if (!admin) return fail(admin.error());
  if (!offsets.topic_exists) {
    if (auto made = make_topic(**admin, options, offsets.topic, patience); !made) return made;
  }
  const auto topic = look_at_topic(**admin, offsets.topic, patience);
  if (!topic) return fail(topic.error());
  if (!topic->writable) {
    return fail(ErrorCode::kPermissionDenied, fmt::format("topic {} may not be written: allow Write on it", offsets.topic));
  }

  auto control = control_topic_of(**admin, options, changes, patience);
  if (!control) return fail(control.error());

  asio::io_context io{1};
  common::SystemClock clock;
  std::random_device entropy;
  kafka::StateWriter writer({.name = options.name,
                             .kafka = options.kafka,
                             .offsets_topic = offsets.topic,
                             .max_message_bytes = topic->max_message_bytes(),
                             .control_topic = std::move(*control),
                             .patience = patience,
                             .logger = logger.named("kafka"),
                             .seed = (std::uint64_t{entropy()} << 32U) | entropy(),
                             .factory = {}},
                            clock);
  Result<void> result = fail(ErrorCode::kInternal, "the change did not end");
  std::exception_ptr thrown;
  asio::co_spawn(io, write_and_close(writer, options.name, std::move(changes), digests),
                 [&](const std::exception_ptr& exception, Result<void> written) {
                   thrown = exception;
                   result = std::move(written);
                 });
  io.run();
  if (thrown) std::rethrow_exception(thrown);
  return result;
}

}  // namespace

Result<TaskOffsets> read_offsets(const AppOptions& options, const common::Logger& logger, common::Duration patience) {
  auto admin = open_admin(options, logger);
  if (!admin) return fail(admin.error());
  TaskOffsets offsets{.topic = offsets_topic(options), .cluster_id = {}, .owner = std::nullopt, .offsets = {}};
  auto cluster = find_cluster(**admin, patience);
  if (!cluster) return fail(cluster.error());
  offsets.cluster_id = std::move(*cluster);
  auto topic = look_at_topic(**admin, offsets.topic, patience);
  if (!topic) return fail(topic.error());
  offsets.topic_exists = topic->exists;
  if (!topic->exists) return offsets;

  const kafka::StateLocation location{.name = options.name, .topic = offsets.topic};
  const std::atomic<bool> never = false;
  const auto stored = kafka::read_offsets(options.kafka, location, logger.named("kafka"), patience, never);
  if (!stored) return fail(stored.error());
  offsets.owner = kafka::readable_state(location, *stored).claim;
  offsets.offsets = source_offsets(options.name, *stored);
  return offsets;
}

Result<Identities> present_identities(const AppOptions& options, const Definitions& definitions, const TaskOffsets& offsets,
                                      const common::Logger& logger, common::Duration patience) {
  auto one_shot = OneShot::make(options, logger, patience);
  if (!one_shot) return fail(one_shot.error());
  const auto organization = (*one_shot)->ask((*one_shot)->api().organization());
  if (!organization) return fail(common::with_context(organization.error(), "asking the service for the organisation"));

  auto admin = open_admin(options, logger);
  if (!admin) return fail(admin.error());
  std::vector<std::string> topics;
  for (const auto& topic : stream_topics(options, definitions)) topics.push_back(topic.topic);
  const auto described = (*admin)->describe(topics, patience);
  if (!described) return fail(described.error());
  Identities identities;
  for (std::size_t i = 0; i < options.streams.size(); ++i) {
    const auto& stream = options.streams[i];
    identities[stream.name] = {.organization_id = organization->id,
                               .cluster_id = offsets.cluster_id,
                               .topic_id = (*described)[i].id,
                               .membership = source::membership_fingerprint(definitions.at(stream.definition), stream),
                               .content = {}};
  }
  return identities;
}

Result<void> change_offsets(const AppOptions& options, const TaskOffsets& offsets, std::vector<OffsetChange> changes,
                            const common::Logger& logger, common::Duration patience) {
  return become_owner_and_write(options, offsets, std::move(changes), kafka::DigestsMemory::kKeep, logger, patience);
}

Result<void> accept_lost_digests(const AppOptions& options, const TaskOffsets& offsets, const common::Logger& logger,
                                 common::Duration patience) {
  return become_owner_and_write(options, offsets, {}, kafka::DigestsMemory::kForget, logger, patience);
}

}  // namespace connector::app
