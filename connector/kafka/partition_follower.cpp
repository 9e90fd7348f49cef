#include "connector/kafka/partition_follower.h"

#include "connector/kafka/client.h"
#include "connector/kafka/conf.h"
#include "connector/kafka/error.h"
#include "connector/kafka/list_offsets.h"
#include "connector/kafka/password_file.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace connector::kafka {

using common::ErrorCode;
using common::Result;

namespace {

constexpr int kSliceMs = 200;  // a stop is seen within this
constexpr common::Duration kAskTimeout{2'000};
constexpr int kLookAtPasswordEvery = 150;  // slices without a record: half a minute
constexpr std::chrono::milliseconds kAgain{1'000};
constexpr std::chrono::seconds kBlindAfter{30};
constexpr std::chrono::seconds kLeaveWithin{3};

}  // namespace

class PartitionFollower::Impl : public std::enable_shared_from_this<PartitionFollower::Impl> {
 public:
  Impl(boost::asio::any_io_executor executor, KafkaOptions options, StateLocation location, common::Logger logger,
       Handlers handlers)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        location_(std::move(location)),
        logger_(std::move(logger)),
        handlers_(std::make_shared<Shared>(Shared{.handlers = std::move(handlers)})) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() = default;

  void start() {
    thread_ = std::thread([self = shared_from_this()] {
      self->follow(self->stop_source_.get_token());
      const std::scoped_lock lock{self->mutex_};
      self->has_left_ = true;
      self->left_.notify_all();
    });
  }

  // On the executor's thread: what is posted already finds that it has ended. rd_kafka_destroy may never return when the topic
  // was deleted while it was read (librdkafka #4362, seen with 2.8.0); then its thread is left to itself, with all that it
  // touches.
  void leave() {
    handlers_->ended = true;
    stop_.store(true);
    stop_source_.request_stop();
    std::unique_lock lock{mutex_};
    const bool has_left = left_.wait_for(lock, kLeaveWithin, [this] { return has_left_; });
    is_abandoned_ = !has_left;
    lock.unlock();
    if (has_left) return thread_.join();
    thread_.detach();
    logger_.debug("a reader does not end and is left behind", {{"topic", location_.topic}});
  }

 private:
  // Outlives us in what was posted and has not run yet.
  struct Shared {
    Handlers handlers;
    bool ended = false;
  };

  // One reader after the other, until it is stopped: a client that has met a trouble is not asked twice.
  void follow(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const Result<void> read = read_on(stop);
      if (stop.stop_requested()) return;
      if (!read) {
        tell(read.error());
        tell_if_blind(read.error().message);
      }
      std::unique_lock lock{mutex_};
      std::condition_variable_any().wait_for(lock, stop, kAgain, [] { return false; });
    }
  }

  // From the beginning, as long as it goes well.
  Result<void> read_on(const std::stop_token& stop) {
    const std::string doing = "following topic " + location_.topic;
    static_cast<void>(changed_password(options_, logger_));  // as it stands in its file now
    auto conf = make_conf(options_, {.role = ClientRole::kFollower, .name = location_.name});
    if (!conf) return common::fail(conf.error());
    auto client = Client::create(RD_KAFKA_CONSUMER, std::move(*conf), logger_);
    if (!client) return common::fail(client.error());
    rd_kafka_t* handle = (*client)->get();
    const auto ends = list_offsets(handle, location_.topic, {location_.partition}, TopicEdge::kEnd, kAskTimeout, stop_);
    if (!ends) return common::fail(ends.error());
    const std::int64_t end = ends->front();
    const TopicHandle topic{rd_kafka_topic_new(handle, location_.topic.c_str(), nullptr)};
    if (rd_kafka_consume_start(topic.get(), location_.partition, RD_KAFKA_OFFSET_BEGINNING) != 0) {
      return common::fail(to_error(rd_kafka_last_error(), doing));
    }
    const Result<void> done = consume(stop, **client, topic.get(), end, doing);
    if (!done && !stop.stop_requested()) tell(done.error());  // before it is taken down, which may not end
    rd_kafka_consume_stop(topic.get(), location_.partition);
    return done;
  }

  Result<void> consume(const std::stop_token& stop, Client& client, rd_kafka_topic_t* topic, std::int64_t end,
                       const std::string& doing) {
    int idle = 0;
    std::map<std::string, std::string> values;
    // Whether all is there that was there at the start. An event tells of the end of what is committed, but hardly ever in a
    // partition that is written to all the time; and the last record before `end` may be a transaction's marker, which nobody
    // sees.
    bool caught_up = false;
    const auto note_position = [&](std::int64_t position) {
      if (caught_up || position < end) return;
      caught_up = true;
      blind_since_.reset();
      take_whole(std::exchange(values, {}));
    };
    while (!stop.stop_requested()) {
      const MessageHandle message{rd_kafka_consume(topic, location_.partition, kSliceMs)};
      if (!message) {
        if (!caught_up) tell_if_blind(doing + ": no answer, or a transaction on it is still open");
        if (++idle % kLookAtPasswordEvery != 0) continue;
        if (const common::Secret* changed = changed_password(options_, logger_)) {
          if (auto set = client.set_password(*changed); !set) return set;
        }
        continue;
      }
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        note_position(message->offset);
        continue;
      }
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const common::Error error = to_error(message->err, doing, rd_kafka_message_errstr(message.get()));
        if (error.code == ErrorCode::kRetryable) continue;  // the client reconnects by itself
        return common::fail(error);
      }
      told_.reset();
      note_position(message->offset);
      if (message->key == nullptr) continue;
      std::string key{static_cast<const char*>(message->key), message->key_len};
      std::optional<std::string> value;
      if (message->payload != nullptr) value.emplace(static_cast<const char*>(message->payload), message->len);
      if (caught_up) {
        take_change(std::move(key), std::move(value));
      } else if (value) {
        values.insert_or_assign(std::move(key), std::move(*value));
      } else {
        values.erase(key);
      }
      note_position(message->offset + 1);
    }
    return {};
  }

  // The first time; after a trouble only what is another than before is told.
  void take_whole(std::map<std::string, std::string> values) {
    if (!known_) {
      known_ = values;
      post([values = std::move(values)](const Handlers& to) { to.caught_up(values); });
      return;
    }
    for (const auto& [key, value] : *known_) {
      if (!values.contains(key)) post([key](const Handlers& to) { to.changed(key, std::nullopt); });
    }
    for (const auto& [key, value] : values) {
      const auto before = known_->find(key);
      if (before != known_->end() && before->second == value) continue;
      post([key, value](const Handlers& to) { to.changed(key, value); });
    }
    known_ = std::move(values);
  }

  void take_change(std::string key, std::optional<std::string> value) {
    if (value) {
      known_->insert_or_assign(key, *value);
    } else {
      known_->erase(key);
    }
    post([key = std::move(key), value = std::move(value)](const Handlers& to) { to.changed(key, value); });
  }

  void tell(const common::Error& error) {
    if (error.code == ErrorCode::kCancelled || error.code == ErrorCode::kRetryable || told_ == error.code) return;
    told_ = error.code;
    post([error](const Handlers& to) { to.failed(error); });
  }

  // What mends itself is worth a word only when it has not for a while.
  void tell_if_blind(const std::string& why) {
    const auto now = std::chrono::steady_clock::now();
    if (!blind_since_) blind_since_ = now;
    if (now - *blind_since_ < kBlindAfter || told_) return;
    told_ = ErrorCode::kRetryable;
    post([error = common::Error{.code = ErrorCode::kRetryable, .message = why, .retry_after = std::nullopt}](const Handlers& to) {
      to.failed(error);
    });
  }

  template <class Call>
  void post(Call call) {
    const std::scoped_lock lock{mutex_};
    if (is_abandoned_) return;  // the executor may be gone
    boost::asio::post(executor_, [shared = handlers_, call = std::move(call)] {
      if (!shared->ended) call(shared->handlers);
    });
  }

  boost::asio::any_io_executor executor_;
  KafkaOptions options_;
  StateLocation location_;
  common::Logger logger_;
  std::shared_ptr<Shared> handlers_;  // its content belongs to the executor's thread
  std::atomic<bool> stop_ = false;
  std::stop_source stop_source_;
  std::mutex mutex_;  // of the pause between two attempts, and of what follows
  std::condition_variable left_;
  bool has_left_ = false;
  bool is_abandoned_ = false;
  std::optional<std::map<std::string, std::string>> known_;
  std::optional<ErrorCode> told_;
  std::optional<std::chrono::steady_clock::time_point> blind_since_;  // that what is committed cannot be read whole
  std::thread thread_;
};

PartitionFollower::PartitionFollower(boost::asio::any_io_executor executor, KafkaOptions options, StateLocation location,
                                     common::Logger logger, Handlers handlers)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options), std::move(location), std::move(logger),
                                   std::move(handlers))) {
  impl_->start();
}
PartitionFollower::~PartitionFollower() {
  impl_->leave();
}

}  // namespace connector::kafka
