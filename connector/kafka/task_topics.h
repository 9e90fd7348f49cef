#pragma once

// The topics of one task: the state topics and those of its streams. Makes what is missing, learns what is there, and judges
// whether it can be used; a stream whose topic cannot be is named to the publisher, which stops that stream alone. On the one
// executor; the brokers are asked on the worker's thread, one call at a time, each within its own timeout.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/topic_settings.h"
#include "connector/core/transaction/read_back.h"
#include "connector/kafka/options.h"
#include "connector/kafka/state_topics.h"
#include "connector/kafka/stream_topic.h"
#include "connector/kafka/topic_admin.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::kafka {

// A stream that cannot publish, and why (kTopicUnusable).
struct UnusableTopic {
  core::StreamName stream;
  common::Error error;
};

class TaskTopics {
 public:
  // `options` and `worker` outlive it; the worker is joined before it is destroyed.
  TaskTopics(const KafkaOptions& options, core::ConnectorName name, std::vector<StreamTopic> streams,
             boost::asio::thread_pool& worker, common::Logger logger);

  // --- the connection

  // Before anything is asked. kConfigInvalid: librdkafka's text.
  common::Result<void> open();
  // kRetryable while no broker answers.
  boost::asio::awaitable<common::Result<std::string>> cluster_id();
  // What an operator must mend, as the error events said since last asked.
  std::optional<std::string> take_trouble();
  // For the next connection; that it could not be set is logged.
  void set_password(const common::Secret& password);
  // What is asked just now returns soon, and nothing is looked at again: kCancelled.
  void request_stop();
  boost::asio::awaitable<void> close();

  // --- the topics

  // Makes (if allowed) and learns all of them; streams that cannot publish are in the answer. kRetryable: call again.
  // kPermissionDenied, kConfigInvalid, kStateRefused: the state topics cannot be used, so there is no task.
  boost::asio::awaitable<common::Result<std::vector<UnusableTopic>>> ensure();
  // Describes the streams' topics afresh and judges them; those that are usable and were not known are known then, and of the
  // others how large their messages may be. An error: could not be asked.
  boost::asio::awaitable<common::Result<std::vector<UnusableTopic>>> look_again(std::vector<core::StreamName> streams,
                                                                                const core::Ledgers& ledgers);
  // Describes the state topics afresh, but for that of progress. An error: they cannot be used; nothing if they can, or could not
  // be asked.
  boost::asio::awaitable<common::Result<void>> look_again_at_state();
  // Describes the progress topic afresh.
  boost::asio::awaitable<bool> can_tell_progress();
  // Streams whose topic, as known, is not the one that their ledgers know.
  [[nodiscard]] std::vector<UnusableTopic> made_again(const core::Ledgers& ledgers) const;

  // --- what is known

  [[nodiscard]] const StateTopics& state() const { return state_; }
  [[nodiscard]] const std::vector<StreamTopic>& streams() const { return streams_; }
  [[nodiscard]] const std::map<core::StreamName, TopicFacts>& facts() const { return facts_; }
  [[nodiscard]] std::optional<TopicFacts> facts_of(const core::StreamName& stream) const;
  // Of all topics written to; 0: not known.
  [[nodiscard]] std::size_t smallest_max_message() const;
  // max.message.bytes of the stream's topic, the smallest of all if it is not known; and of the dead letters' topic.
  [[nodiscard]] std::size_t max_message(const core::StreamName& stream) const;
  [[nodiscard]] std::size_t dead_letter_max_message() const { return dead_letter_max_message_; }

 private:
  using Descriptions = std::vector<TopicDescription>;

  boost::asio::awaitable<common::Result<Descriptions>> describe(std::vector<std::string> topics);
  boost::asio::awaitable<common::Result<Descriptions>> describe_afresh(std::vector<std::string> topics);
  // Which of `described` were made; a stream's topic that cannot be made is logged and left.
  boost::asio::awaitable<common::Result<std::vector<bool>>> make_missing(const Descriptions& described);
  [[nodiscard]] bool is_control(std::size_t index) const;
  [[nodiscard]] core::TopicSettings settings_of(std::size_t index) const;
  common::Result<void> check_state(const Descriptions& described, std::size_t count) const;
  [[nodiscard]] common::Result<void> judge(const core::StreamName& stream, const TopicDescription& topic,
                                           const core::Ledgers& ledgers) const;
  boost::asio::awaitable<common::Result<void>> learn(core::StreamName stream, const TopicDescription& topic, bool made);
  [[nodiscard]] const std::string& topic_of(const core::StreamName& stream) const;

  const KafkaOptions& options_;
  core::ConnectorName name_;
  std::vector<StreamTopic> streams_;
  boost::asio::thread_pool& worker_;
  common::Logger logger_;
  StateTopics state_;
  std::size_t first_stream_;  // place of the first stream's topic in the list of all
  std::map<core::StreamName, TopicFacts> facts_;
  std::size_t state_max_message_ = 0;  // the smallest of the state topics'
  std::size_t dead_letter_max_message_ = 0;
  bool stopped_ = false;
  std::shared_ptr<TopicAdmin> admin_;  // shared with the call under way on the worker, as it may be replaced meanwhile
};

}  // namespace connector::kafka
