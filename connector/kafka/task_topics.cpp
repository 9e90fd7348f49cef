#include "connector/kafka/task_topics.h"

#include "connector/kafka/blocking.h"

#include <algorithm>
#include <utility>

namespace connector::kafka {

using boost::asio::awaitable;
using common::ErrorCode;
using common::Result;
using core::StreamName;

namespace {

constexpr common::Duration kAdminTimeout{5'000};
constexpr common::Duration kFirstContact{500};  // one attempt to reach any broker
constexpr int kStatePartitions = 1;

// Places in the list of all topics: as in StateTopics::names(), and the streams' behind them.
constexpr std::size_t kOffsets = 0;
constexpr std::size_t kDigests = 1;
constexpr std::size_t kDeadLetters = 2;
constexpr std::size_t kProgress = 3;  // if it is written; the control topic, if there is one, is the last before the streams'

}  // namespace

TaskTopics::TaskTopics(const KafkaOptions& options, core::ConnectorName name, std::vector<StreamTopic> streams,
                       boost::asio::thread_pool& worker, common::Logger logger)
    : options_(options),
      name_(std::move(name)),
      streams_(std::move(streams)),
      worker_(worker),
      logger_(std::move(logger)),
      state_(state_topics(name_, options_.topics)),
      first_stream_(state_.names().size()) {}

// --- the connection ----------------------------------------------------------------------------------------------------------

Result<void> TaskTopics::open() {
  auto admin = TopicAdmin::create(options_, name_, logger_.named("kafka"));
  if (!admin) return common::fail(admin.error());
  admin_ = std::move(*admin);
  return {};
}

awaitable<Result<std::string>> TaskTopics::cluster_id() {
  auto id = co_await run_blocking(worker_, [admin = admin_] { return admin->cluster_id(kFirstContact); });
  if (id) admin_->recovered();
  co_return id;
}

std::optional<std::string> TaskTopics::take_trouble() {
  return admin_ ? admin_->take_trouble() : std::nullopt;
}

void TaskTopics::set_password(const common::Secret& password) {
  if (!admin_) return;
  if (auto set = admin_->set_password(password); !set) {
    logger_.warn("The new Kafka password could not be set", {{"error", set.error().message}});
  }
}

void TaskTopics::request_stop() {
  stopped_ = true;
  if (admin_) admin_->request_stop();
}

awaitable<void> TaskTopics::close() {
  request_stop();
  if (!admin_) co_return;
  co_await run_blocking(worker_, [admin = std::exchange(admin_, nullptr)] {
    admin->close();
    return true;
  });
}

awaitable<Result<TaskTopics::Descriptions>> TaskTopics::describe(std::vector<std::string> topics) {
  if (!admin_) co_return common::fail(ErrorCode::kCancelled, "the task stops");  // closed beside a look_again()
  co_return co_await run_blocking(
      worker_, [admin = admin_, topics = std::move(topics)] { return admin->describe(topics, kAdminTimeout); });
}

// With a new handle, which cannot have seen the topics under other ids: a librdkafka before 2.10 keeps a dangling pointer once it
// has seen a topic under two (its issue #4964), and crashes.
awaitable<Result<TaskTopics::Descriptions>> TaskTopics::describe_afresh(std::vector<std::string> topics) {
  if (stopped_) co_return common::fail(ErrorCode::kCancelled, "the task stops");
  auto admin = TopicAdmin::create(options_, name_, logger_.named("kafka"));
  if (!admin) co_return common::fail(admin.error());
  auto old = std::exchange(admin_, std::shared_ptr<TopicAdmin>{std::move(*admin)});
  co_await run_blocking(worker_, [old = std::move(old)]() mutable {
    old->close();
    return true;
  });
  co_return co_await describe(std::move(topics));
}

// --- the topics --------------------------------------------------------------------------------------------------------------

awaitable<Result<std::vector<UnusableTopic>>> TaskTopics::ensure() {
  std::vector<std::string> names = state_.names();
  for (const StreamTopic& stream : streams_) names.push_back(stream.topic);
  auto described = co_await describe(names);
  if (!described) co_return common::fail(described.error());
  const auto made = co_await make_missing(*described);
  if (!made) co_return common::fail(made.error());
  if (std::ranges::find(*made, true) != made->end()) {
    described = co_await describe(names);
    if (!described) co_return common::fail(described.error());
    for (std::size_t i = 0; i < names.size(); ++i) {
      if ((*made)[i] && !(*described)[i].exists) {
        co_return common::fail(ErrorCode::kRetryable, "topic " + names[i] + " was made but is not known everywhere yet");
      }
    }
  }
  if (auto usable = check_state(*described, first_stream_); !usable) co_return common::fail(usable.error());
  state_max_message_ = (*described)[kOffsets].max_message_bytes();
  for (std::size_t i = 0; i < first_stream_; ++i) {
    state_max_message_ = std::min(state_max_message_, (*described)[i].max_message_bytes());
  }
  dead_letter_max_message_ = (*described)[kDeadLetters].max_message_bytes();
  std::vector<UnusableTopic> unusable;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const StreamName& stream = streams_[i].stream;
    const TopicDescription& topic = (*described)[first_stream_ + i];
    if (auto usable = judge(stream, topic, {}); !usable) {
      unusable.push_back({.stream = stream, .error = usable.error()});
      continue;
    }
    auto known = co_await learn(stream, topic, (*made)[first_stream_ + i]);
    if (!known) co_return common::fail(known.error());
  }
  co_return unusable;
}

awaitable<Result<std::vector<bool>>> TaskTopics::make_missing(const Descriptions& described) {
  std::vector<bool> made(described.size(), false);
  for (std::size_t i = 0; i < described.size(); ++i) {
    const TopicDescription& topic = described[i];
    if (topic.exists || !topic.describable || !options_.topics.create) continue;
    const core::TopicSettings settings = settings_of(i);
    auto done = co_await run_blocking(
        worker_, [admin = admin_, &topic, &settings] { return admin->make(topic.name, settings, kAdminTimeout); });
    if (!done) {
      // A stream's topic that cannot be made stops that stream; without the state topics there is no task.
      if (i < first_stream_ || done.error().code == ErrorCode::kRetryable) co_return common::fail(done.error());
      logger_.error("Topic could not be made", {{"topic", topic.name}, {"error", done.error().message}});
      continue;
    }
    logger_.info("Topic made", {{"topic", topic.name}});
    made[i] = true;
  }
  co_return made;
}

bool TaskTopics::is_control(std::size_t index) const {
  return !state_.control.empty() && index + 1 == first_stream_;
}

core::TopicSettings TaskTopics::settings_of(std::size_t index) const {
  if (index == kOffsets) return state_topic_settings(options_.topics, options_.topics.offsets);
  if (index == kDigests) return state_topic_settings(options_.topics, options_.topics.digests);
  if (is_control(index)) return state_topic_settings(options_.topics, options_.topics.control.topic);
  core::TopicSettings settings = index >= first_stream_  ? streams_[index - first_stream_].settings
                                 : index == kDeadLetters ? options_.topics.dead_letters
                                                         : options_.topics.progress.topic;
  if (settings.replication_factor == -1) settings.replication_factor = options_.topics.replication_factor;
  if (index == kProgress && index < first_stream_) {
    // A few records a minute in all; compacted, a reader that begins late still finds where each stream stands.
    if (settings.partitions == 0) settings.partitions = 1;
    settings.config.try_emplace("cleanup.policy", "compact");
  }
  return settings;
}

awaitable<Result<std::vector<UnusableTopic>>> TaskTopics::look_again(std::vector<StreamName> streams,
                                                                     const core::Ledgers& ledgers) {
  std::vector<std::string> names;
  for (const StreamName& stream : streams) names.push_back(topic_of(stream));
  auto described = co_await describe_afresh(std::move(names));
  if (!described) co_return common::fail(described.error());
  std::vector<UnusableTopic> unusable;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const TopicDescription& topic = (*described)[i];
    if (auto usable = judge(streams[i], topic, ledgers); !usable) {
      unusable.push_back({.stream = streams[i], .error = usable.error()});
    } else if (const auto facts = facts_.find(streams[i]); facts != facts_.end()) {
      // As known before, if the settings could not be read this time.
      if (!topic.config.empty()) facts->second.max_message_bytes = topic.max_message_bytes();
    } else {
      auto known = co_await learn(streams[i], topic, false);
      if (!known) co_return common::fail(known.error());
    }
  }
  co_return unusable;
}

awaitable<Result<void>> TaskTopics::look_again_at_state() {
  // No stream ends with the topic that only tells of them.
  auto described = co_await describe_afresh({state_.offsets, state_.digests, state_.dead_letters});
  if (!described) co_return Result<void>{};  // not reachable just now: the next transaction will tell
  co_return check_state(*described, kProgress);
}

awaitable<bool> TaskTopics::can_tell_progress() {
  const auto described = co_await describe_afresh({state_.progress});
  co_return described && described->front().describable && described->front().exists && described->front().writable;
}

std::vector<UnusableTopic> TaskTopics::made_again(const core::Ledgers& ledgers) const {
  std::vector<UnusableTopic> unusable;
  for (const auto& [stream, facts] : facts_) {
    const TopicDescription now{.name = facts.name, .exists = true, .id = facts.id};
    if (auto usable = judge(stream, now, ledgers); !usable) unusable.push_back({.stream = stream, .error = usable.error()});
  }
  return unusable;
}

// `described` begins with the state topics; the first `count` of them are checked.
Result<void> TaskTopics::check_state(const Descriptions& described, std::size_t count) const {
  for (std::size_t i = 0; i < count; ++i) {
    const TopicDescription& topic = described[i];
    const bool is_state = i == kOffsets || i == kDigests;
    const bool is_read = is_state || is_control(i);
    if (!topic.describable) {
      return common::fail(ErrorCode::kPermissionDenied, "topic " + topic.name + " may not be seen: allow Write" +
                                                            (is_read ? " and Read" : "") + " on it to the connector's principal");
    }
    if (!topic.exists) {
      return common::fail(ErrorCode::kConfigInvalid, "topic " + topic.name + " does not exist: make it, " +
                                                         (is_control(i) ? "set kafka.topics.control.enabled to false, " : "") +
                                                         "or set kafka.topics.create to true");
    }
    if (!topic.writable) {
      return common::fail(ErrorCode::kPermissionDenied,
                          "topic " + topic.name + " may not be written: allow Write on it to the connector's principal");
    }
    if (!is_read) continue;
    if (!topic.readable) {
      return common::fail(ErrorCode::kPermissionDenied,
                          "topic " + topic.name + " may not be read: allow Read on it to the connector's principal");
    }
    if (!is_state) continue;
    if (auto sound = check_state_topic(topic, kStatePartitions); !sound) return sound;
    if (topic.config.empty()) {
      logger_.warn("Settings of a state topic may not be read; compaction is not proven", {{"topic", topic.name}});
    }
    for (const auto& difference : differences(topic, state_topic_config())) {
      logger_.warn("State topic differs from the recommendation", {{"topic", topic.name}, {"difference", difference}});
    }
  }
  return {};
}

// Whether the stream can publish to its topic.
Result<void> TaskTopics::judge(const StreamName& stream, const TopicDescription& topic, const core::Ledgers& ledgers) const {
  const std::string what = "topic " + topic.name + " of stream " + stream.str();
  if (!topic.describable) return common::fail(ErrorCode::kTopicUnusable, what + " may not be seen: allow Write on it");
  if (!topic.exists) {
    return common::fail(ErrorCode::kTopicUnusable, what + " does not exist: make it, or set kafka.topics.create to true");
  }
  if (!topic.writable) return common::fail(ErrorCode::kTopicUnusable, what + " may not be written: allow Write on it");
  const auto known = facts_.find(stream);
  std::string expected = known != facts_.end() ? known->second.id : std::string{};
  for (const auto& [source, ledger] : ledgers) {
    if (source.stream != stream || ledger.identity().topic_id.empty()) continue;
    expected = ledger.identity().topic_id;
    if (expected != topic.id) break;
  }
  if (!expected.empty() && topic.id != expected) {
    return common::fail(ErrorCode::kTopicUnusable,
                        what + " was deleted and made again (its id is " + topic.id + ", the ledger knows " + expected +
                            "): what it held is gone. Give the stream another name to read everything again, or restore the "
                            "topic");
  }
  return {};
}

awaitable<Result<void>> TaskTopics::learn(StreamName stream, const TopicDescription& topic, bool made) {
  // A topic made just now has no leader for a moment, and nothing in it either.
  Result<bool> empty = true;
  if (!admin_) co_return common::fail(ErrorCode::kCancelled, "the task stops");
  if (!made) empty = co_await run_blocking(worker_, [admin = admin_, &topic] { return admin->is_empty(topic, kAdminTimeout); });
  if (!empty) co_return common::fail(empty.error());
  facts_[stream] = TopicFacts{.name = topic.name,
                              .id = topic.id,
                              .created = made,
                              .empty = *empty,
                              .partitions = topic.partitions,
                              .max_message_bytes = topic.max_message_bytes()};
  co_return Result<void>{};
}

// --- what is known -----------------------------------------------------------------------------------------------------------

std::optional<TopicFacts> TaskTopics::facts_of(const StreamName& stream) const {
  const auto found = facts_.find(stream);
  if (found == facts_.end()) return std::nullopt;
  return found->second;
}

std::size_t TaskTopics::smallest_max_message() const {
  std::size_t smallest = state_max_message_;
  for (const auto& [stream, facts] : facts_) smallest = std::min(smallest, facts.max_message_bytes);
  return smallest;
}

std::size_t TaskTopics::max_message(const StreamName& stream) const {
  const auto found = facts_.find(stream);
  return found != facts_.end() ? found->second.max_message_bytes : smallest_max_message();
}

const std::string& TaskTopics::topic_of(const StreamName& stream) const {
  static const std::string kNone;
  const auto found = std::ranges::find(streams_, stream, &StreamTopic::stream);
  return found != streams_.end() ? found->topic : kNone;
}

}  // namespace connector::kafka
