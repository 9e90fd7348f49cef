#include "connector/kafka/publisher.h"

#include "connector/core/task/start_grace.h"
#include "connector/core/transaction/batching.h"
#include "connector/core/transaction/machine.h"
#include "connector/core/transaction/read_back.h"
#include "connector/core/transaction/refusal_search.h"
#include "connector/kafka/blocking.h"
#include "connector/kafka/conf.h"
#include "connector/kafka/producer.h"
#include "connector/kafka/record_headers.h"
#include "connector/kafka/signal.h"
#include "connector/kafka/state_store.h"
#include "connector/kafka/state_topics.h"
#include "connector/kafka/topic_admin.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cassert>
#include <deque>
#include <random>
#include <set>
#include <utility>

namespace connector::kafka {

using boost::asio::awaitable;
using common::Error;
using common::ErrorCode;
using common::Result;
using common::SteadyTime;
using core::Action;
using core::Decision;
using core::SourcePartition;
using core::StreamName;
using core::TaskEvent;

namespace {

constexpr common::Duration kAdminTimeout{5'000};
constexpr common::Duration kFirstContact{500};         // one attempt to reach any broker
constexpr common::Duration kReadBackPatience{10'000};  // of silence, then it is asked again
constexpr common::Duration kLostAfter{2'000};          // retries that last this long are an outage, not a hiccup
constexpr std::int32_t kTask = 0;                      // one task, owner of partition 0
constexpr int kStatePartitions = 1;
constexpr std::size_t kRecordFraming = 100;        // lengths, offsets and the batch header around one record
constexpr std::size_t kDeadLetterFraming = 4'096;  // headers and key of a dead letter
constexpr std::size_t kMaxSpare = 8;
constexpr std::size_t kSpareShare = 3;  // spare storage takes at most this part of kafka.memory: a full page of a job by default

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

std::string random_id(std::mt19937_64& random) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  for (int word = 0; word < 2; ++word) {
    std::uint64_t bits = random();
    for (int digit = 0; digit < 16; ++digit, bits >>= 4U) id += kDigits[bits & 15U];
  }
  return id;
}

std::size_t bytes_of(const core::PageGroup& group) {
  std::size_t bytes = 0;
  for (const core::Page& page : group) bytes += page.buffer ? page.buffer->capacity() : 0;
  return bytes;
}

std::size_t largest_page(const core::PageGroup& group) {
  std::size_t bytes = 0;
  for (const core::Page& page : group) bytes = std::max(bytes, page.buffer ? page.buffer->capacity() : 0);
  return bytes;
}

awaitable<bool> cancelled() {
  co_return (co_await boost::asio::this_coro::cancellation_state).cancelled() != boost::asio::cancellation_type::none;
}

}  // namespace

class KafkaPublisher::Impl {
 public:
  Impl(boost::asio::any_io_executor executor, core::ConnectorName name, KafkaOptions options, std::vector<StreamTopic> streams,
       common::Clock& clock, core::Metrics& metrics, common::Logger logger, std::uint64_t seed, ProducerFactory factory,
       PublisherTuning tuning)
      : name_(std::move(name)),
        options_(std::move(options)),
        streams_(std::move(streams)),
        clock_(clock),
        metrics_(metrics),
        logger_(std::move(logger)),
        factory_(factory ? std::move(factory) : ProducerFactory{&make_producer}),
        tuning_(tuning),
        random_(seed),
        machine_({.transaction_timeout = options_.transaction_timeout,
                  .backoff_first = tuning.backoff_first,
                  .backoff_cap = tuning.backoff_cap},
                 random_),
        grace_(tuning.start_grace),
        batching_{.commit_interval = options_.commit_interval, .commit_bytes = options_.commit_bytes},
        work_(executor),
        room_(executor),
        done_(executor) {
    owner_.incarnation = random_id(random_);
    StateTopics names = state_topics(name_, options_.topics);
    offsets_topic_ = std::move(names.offsets);
    dead_letter_topic_ = std::move(names.dead_letters);
  }

  ~Impl() {
    read_stop_.store(true);
    if (admin_) admin_->request_stop();
    worker_.join();
  }

  awaitable<Result<RestoredState>> start() {
    active_ = true;
    metrics_.task_state(core::to_string(life_.state()));
    auto started = co_await start_task();
    if (!started) {
      finish(started.error());
      co_await shut();
      active_ = false;
      done_.notify();
      co_return common::fail(started.error());
    }
    if (stopping_) {
      finish(std::nullopt);
      co_await shut();
      active_ = false;
      done_.notify();
      co_return common::fail(ErrorCode::kCancelled, "stopped while starting");
    }
    active_ = false;
    co_return std::move(*started);
  }

  awaitable<Result<void>> run() {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    if (ended_) co_return common::fail(final_.value_or(Error{.code = ErrorCode::kCancelled, .message = "stopped"}));
    active_ = true;
    const Result<void> result = co_await publish_until_stopped();
    finish(result ? std::optional<Error>{} : std::optional<Error>{result.error()});
    co_await shut();
    active_ = false;
    done_.notify();
    co_return result;
  }

  awaitable<void> stop(common::Duration patience) {
    stopping_ = true;
    machine_.stop();
    tell(TaskEvent::kStopRequested);
    work_.notify();
    room_.notify();
    if (!active_) {
      finish(std::nullopt);
      co_await shut();
      co_return;
    }
    if (!owner_.claimed) push();  // nothing was submitted yet that patience could save
    // run() or start() ends by itself or is pushed when the patience is over; both look at the flags at least twice a second.
    const auto deadline = clock_.steady_now() + patience;
    while (active_) {
      if (clock_.steady_now() >= deadline) push();
      co_await done_.wait_until(hard_stop_ ? SteadyTime::max() : deadline);
      if (co_await cancelled()) push();
    }
  }

  Result<void> adopt(const SourcePartition& source, core::Ledger initial) {
    if (committed_.contains(source)) {
      return common::fail(ErrorCode::kInternal, "stream " + source.stream.str() + " has a ledger already");
    }
    committed_[source] = std::move(initial);
    return {};
  }

  [[nodiscard]] std::optional<Error> stream_trouble(const StreamName& stream) const {
    const auto found = troubles_.find(stream);
    if (found == troubles_.end()) return std::nullopt;
    return found->second;
  }

  awaitable<Result<void>> reset_stream(StreamName stream) {
    if (!troubles_.contains(stream)) co_return Result<void>{};
    if (ended_ || stopping_) co_return common::fail(ErrorCode::kCancelled, "the task stops");
    auto described = co_await look_afresh({topic_of(stream)});
    if (!described) co_return common::fail(described.error());
    if (auto usable = judge(stream, described->front()); !usable) {
      troubles_[stream] = usable.error();
      co_return usable;
    }
    if (!facts_.contains(stream)) {
      if (auto known = co_await learn(stream, described->front(), false); !known) co_return known;
    }
    troubles_.erase(stream);
    renew_producer_ = true;  // the present one does not know the topic
    work_.notify();
    metrics_.stream_stopped(stream, false);
    logger_.info("Stream continues", {{"stream", stream.str()}});
    co_return Result<void>{};
  }

  [[nodiscard]] core::TaskState state() const { return life_.state(); }
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  [[nodiscard]] const std::string& incarnation() const { return owner_.incarnation; }
  [[nodiscard]] std::optional<TopicFacts> topic(const StreamName& stream) const {
    const auto found = facts_.find(stream);
    if (found == facts_.end()) return std::nullopt;
    return found->second;
  }

  awaitable<Result<void>> submit(core::PageGroup group) {
    if (group.empty()) co_return Result<void>{};
    const StreamName stream = group.front().source.stream;
    const std::size_t bytes = bytes_of(group);
    const std::size_t next_page = largest_page(group);
    // First come, first served: a large group is not starved by small ones.
    const std::uint64_t ticket = next_ticket_++;
    tickets_.push_back(ticket);
    waiting_bytes_ += bytes;
    for (;;) {
      if (auto refused = refusal(group); !refused) {
        leave(ticket, bytes);
        co_return refused;
      }
      if (tickets_.front() == ticket && fits(next_page)) break;
      // Before the wait as well as after it: a cancellation that came earlier would not end it.
      if (!co_await cancelled()) {
        work_.notify();  // whoever waits for room makes the waiting transaction hurry
        co_await room_.wait();
      }
      if (co_await cancelled()) {
        leave(ticket, bytes);
        co_return common::fail(ErrorCode::kCancelled, "cancelled while waiting for room");
      }
    }
    leave(ticket, bytes);
    held_bytes_ += bytes;
    metrics_.bytes_in_flight(held_bytes_);
    for (const core::Page& page : group) ++pending_[page.source];
    Queue& queue = queues_[stream];
    queue.bytes += bytes;
    queue.groups.push_back({.group = std::move(group), .bytes = bytes, .came = clock_.steady_now()});
    work_.notify();
    co_return Result<void>{};
  }

  awaitable<Result<void>> flush(SourcePartition source) {
    ++flushing_[source.stream];
    work_.notify();
    Result<void> result;
    while (pending(source) > 0) {
      if (co_await cancelled()) {
        result = common::fail(ErrorCode::kCancelled, "cancelled while waiting for a commit");
        break;
      }
      if (result = lost(source.stream); !result) break;
      co_await room_.wait();
    }
    if (result && pending(source) == 0) result = lost(source.stream);
    --flushing_[source.stream];
    // Whoever asks learns here that pages were dropped, and begins again where the committed ledger stands.
    if (pending(source) == 0 && dropped_.erase(source) != 0 && result) result = told_dropped(source);
    co_return result;
  }

  [[nodiscard]] const core::Ledger& committed(const SourcePartition& source) const {
    static const core::Ledger kNone;
    const auto found = committed_.find(source);
    assert(found != committed_.end() && "restored or adopted before it is asked for");
    return found == committed_.end() ? kNone : found->second;
  }

  std::string take_spare_storage() {
    if (spare_.empty()) return {};
    std::string storage = std::move(spare_.back());
    spare_.pop_back();
    spare_bytes_ -= storage.capacity();
    return storage;
  }

 private:
  struct Waiting {
    core::PageGroup group;
    std::size_t bytes = 0;
    SteadyTime came;
  };
  struct Queue {
    std::deque<Waiting> groups;
    std::size_t bytes = 0;
  };
  // What is in the transaction, beside the pages themselves.
  struct InHand {
    core::TransactionBatch batch;
    std::map<SourcePartition, core::Ledger> ledgers;  // as they are once it is committed
    std::uint64_t number = 0;                         // 0: the claim
    std::size_t bytes = 0;
    SteadyTime began;
  };

  // --- start -------------------------------------------------------------------------------------------------------------

  awaitable<Result<RestoredState>> start_task() {
    auto admin = TopicAdmin::create(options_, name_, logger_.named("kafka"));
    if (!admin) co_return common::fail(admin.error());
    admin_ = std::move(*admin);
    if (auto reached = co_await reach_cluster(); !reached) co_return common::fail(reached.error());
    for (;;) {
      auto ensured = co_await ensure_topics();
      if (ensured) break;
      if (auto goes_on = co_await retry_start(ensured.error()); !goes_on) co_return common::fail(goes_on.error());
    }
    starting_ = true;
    Decision decision = co_await drive(machine_.start());
    if (decision.action != Action::kIdle) co_return common::fail(reason_of(decision));
    in_hand_ = claim();
    decision = co_await drive(machine_.offer());
    if (decision.action != Action::kPublished) co_return common::fail(reason_of(decision));
    starting_ = false;
    in_hand_ = {};
    owner_.claimed = true;
    owner_.inherited = core::incarnations_in(found_);
    committed_ = found_.ledgers;
    tell(TaskEvent::kOwned);
    logger_.info("Task owned", {{"incarnation", owner_.incarnation},
                                {"cluster_id", cluster_id_},
                                {"previous_host", found_.claim ? found_.claim->host : std::string{}},
                                {"ledgers", static_cast<std::int64_t>(found_.ledgers.size())}});
    compare_ledger_ids();
    next_check_ = clock_.steady_now() + tuning_.topic_check_every;
    co_return RestoredState{
        .ledgers = found_.ledgers, .previous = found_.claim, .cluster_id = cluster_id_, .topics = running_topics()};
  }

  awaitable<Result<void>> reach_cluster() {
    for (;;) {
      refresh_password();
      auto id = co_await run_blocking(worker_, [this] { return admin_->cluster_id(kFirstContact); });
      if (id) {
        cluster_id_ = *id;
        admin_->recovered();
        regained();
        co_return Result<void>{};
      }
      if (auto goes_on = co_await retry_start(id.error()); !goes_on) co_return goes_on;
    }
  }

  // The attempt failed: whether and when to make another.
  awaitable<Result<void>> retry_start(const Error& error) {
    if (stopping_) co_return common::fail(ErrorCode::kCancelled, "stopped while starting");
    if (error.code != ErrorCode::kRetryable && error.code != ErrorCode::kOutcomeUnknown) co_return common::fail(error);
    if (auto lasting = lasting_trouble(admin_->take_trouble()); lasting) co_return common::fail(std::move(*lasting));
    retrying(error);
    co_await pause(tuning_.backoff_first * 2);
    co_return Result<void>{};
  }

  // What needs an operator has lasted for the whole grace.
  std::optional<Error> lasting_trouble(std::optional<std::string> trouble) {
    if (trouble) last_trouble_ = std::move(*trouble);
    if (!grace_.failed(trouble.has_value(), clock_.steady_now())) return std::nullopt;
    return Error{.code = ErrorCode::kConfigInvalid,
                 .message = "Kafka at " + options_.bootstrap_servers + " cannot be used: " + last_trouble_ +
                            ". Check kafka.bootstrap_servers and the security settings in kafka.librdkafka"};
  }

  awaitable<Result<void>> ensure_topics() {
    std::vector<std::string> names{offsets_topic_, dead_letter_topic_};
    for (const auto& stream : streams_) names.push_back(stream.topic);
    auto described = co_await describe(names);
    if (!described) co_return common::fail(described.error());
    std::vector<bool> made(names.size(), false);
    bool any_made = false;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const TopicDescription& topic = (*described)[i];
      if (topic.exists || !topic.describable || !options_.topics.create) continue;
      const core::TopicSettings settings = settings_of(i);
      auto done =
          co_await run_blocking(worker_, [this, &topic, &settings] { return admin_->make(topic.name, settings, kAdminTimeout); });
      if (!done) {
        // A stream's topic that cannot be made stops that stream; without the state topics there is no task.
        if (i < 2 || done.error().code == ErrorCode::kRetryable) co_return done;
        logger_.error("Topic could not be made", {{"topic", topic.name}, {"error", done.error().message}});
        continue;
      }
      logger_.info("Topic made", {{"topic", topic.name}});
      made[i] = any_made = true;
    }
    if (any_made) {
      described = co_await describe(names);
      if (!described) co_return common::fail(described.error());
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (made[i] && !(*described)[i].exists) {
          co_return common::fail(ErrorCode::kRetryable, "topic " + names[i] + " was made but is not known everywhere yet");
        }
      }
    }
    if (auto usable = check_state_topics((*described)[0], (*described)[1]); !usable) co_return usable;
    smallest_max_message_ = std::min((*described)[0].max_message_bytes(), (*described)[1].max_message_bytes());
    dead_letter_max_ = (*described)[1].max_message_bytes();
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      const TopicDescription& topic = (*described)[i + 2];
      if (auto usable = judge(streams_[i].stream, topic); !usable) {
        stop_stream(streams_[i].stream, usable.error());
        continue;
      }
      if (auto known = co_await learn(streams_[i].stream, topic, made[i + 2]); !known) co_return known;
      // An earlier attempt of this start may have found it unusable.
      if (troubles_.erase(streams_[i].stream) != 0) metrics_.stream_stopped(streams_[i].stream, false);
    }
    co_return Result<void>{};
  }

  core::TopicSettings settings_of(std::size_t index) const {
    core::TopicSettings settings = index == 0   ? options_.topics.offsets
                                   : index == 1 ? options_.topics.dead_letters
                                                : streams_[index - 2].settings;
    if (settings.replication_factor == -1) settings.replication_factor = options_.topics.replication_factor;
    if (index == 0) {
      settings.partitions = kStatePartitions;
      for (auto& [property, value] : offsets_topic_config()) settings.config.try_emplace(property, value);
    }
    return settings;
  }

  Result<void> check_state_topics(const TopicDescription& offsets, const TopicDescription& dead_letters) {
    for (const TopicDescription* topic : {&offsets, &dead_letters}) {
      if (!topic->describable) {
        return common::fail(ErrorCode::kPermissionDenied, "topic " + topic->name + " may not be seen: allow Write" +
                                                              (topic == &offsets ? " and Read" : "") +
                                                              " on it to the connector's principal");
      }
      if (!topic->exists) {
        return common::fail(ErrorCode::kConfigInvalid,
                            "topic " + topic->name + " does not exist: make it, or set kafka.topics.create to true");
      }
      if (!topic->writable) {
        return common::fail(ErrorCode::kPermissionDenied,
                            "topic " + topic->name + " may not be written: allow Write on it to the connector's principal");
      }
    }
    if (!offsets.readable) {
      return common::fail(ErrorCode::kPermissionDenied,
                          "topic " + offsets.name + " may not be read: allow Read on it to the connector's principal");
    }
    if (auto sound = check_offsets_topic(offsets, kStatePartitions); !sound) return sound;
    if (offsets.config.empty()) {
      logger_.warn("Settings of the offsets topic may not be read; compaction is not proven", {{"topic", offsets.name}});
    }
    for (const auto& difference : differences(offsets, offsets_topic_config())) {
      logger_.warn("Offsets topic differs from the recommendation", {{"topic", offsets.name}, {"difference", difference}});
    }
    return {};
  }

  // Whether the stream can publish to its topic.
  Result<void> judge(const StreamName& stream, const TopicDescription& topic) const {
    const std::string what = "topic " + topic.name + " of stream " + stream.str();
    if (!topic.describable) return common::fail(ErrorCode::kTopicUnusable, what + " may not be seen: allow Write on it");
    if (!topic.exists) {
      return common::fail(ErrorCode::kTopicUnusable, what + " does not exist: make it, or set kafka.topics.create to true");
    }
    if (!topic.writable) return common::fail(ErrorCode::kTopicUnusable, what + " may not be written: allow Write on it");
    const auto known = facts_.find(stream);
    std::string expected = known != facts_.end() ? known->second.id : std::string{};
    for (const auto& [source, ledger] : committed_) {
      if (source.stream == stream && !ledger.identity().topic_id.empty()) expected = ledger.identity().topic_id;
    }
    if (!expected.empty() && topic.id != expected) {
      return common::fail(ErrorCode::kTopicUnusable,
                          what + " was deleted and made again (its id is " + topic.id + ", the ledger knows " + expected +
                              "): what it held is gone. Give the stream another name to read everything again, or restore the "
                              "topic");
    }
    return {};
  }

  awaitable<Result<void>> learn(StreamName stream, const TopicDescription& topic, bool made) {
    // A topic made just now has no leader for a moment, and nothing in it either.
    Result<bool> empty = true;
    if (!admin_) co_return common::fail(ErrorCode::kCancelled, "the task stops");
    if (!made) empty = co_await run_blocking(worker_, [admin = admin_, &topic] { return admin->is_empty(topic, kAdminTimeout); });
    if (!empty) co_return common::fail(empty.error());
    smallest_max_message_ = std::min(smallest_max_message_, topic.max_message_bytes());
    facts_[stream] = TopicFacts{.name = topic.name,
                                .id = topic.id,
                                .created = made,
                                .empty = *empty,
                                .partitions = topic.partitions,
                                .max_message_bytes = topic.max_message_bytes()};
    co_return Result<void>{};
  }

  void compare_ledger_ids() {
    for (const auto& [source, ledger] : committed_) {
      const auto known = facts_.find(source.stream);
      const std::string& expected = ledger.identity().topic_id;
      if (known == facts_.end() || expected.empty() || known->second.id == expected || troubles_.contains(source.stream))
        continue;
      const TopicDescription now{.name = known->second.name, .exists = true, .id = known->second.id};
      stop_stream(source.stream, judge(source.stream, now).error());
    }
  }

  std::map<StreamName, TopicFacts> running_topics() const {
    std::map<StreamName, TopicFacts> topics = facts_;
    for (const auto& [stream, trouble] : troubles_) topics.erase(stream);
    return topics;
  }

  InHand claim() const {
    const core::Claim claim{.incarnation = owner_.incarnation, .host = host_name(), .claimed_at = clock_.utc_now()};
    InHand hand;
    hand.batch.state.push_back({.key = claim_key(name_, kTask), .value = claim.serialize()});
    hand.began = clock_.steady_now();
    return hand;
  }

  // --- run ---------------------------------------------------------------------------------------------------------------

  awaitable<Result<void>> publish_until_stopped() {
    for (;;) {
      if (co_await cancelled()) push();
      if (hard_stop_) co_return Result<void>{};
      if (renew_producer_ && !stopping_) {
        const Decision renewed = co_await drive(machine_.renew());
        if (renewed.action == Action::kStopped) co_return Result<void>{};
        if (renewed.action != Action::kIdle) co_return common::fail(reason_of(renewed));
        continue;
      }
      const auto now = clock_.steady_now();
      const auto next = next_stream();
      if (!next && stopping_) co_return Result<void>{};
      if (now >= next_check_ && !stopping_) {
        co_await check_topics();
        next_check_ = clock_.steady_now() + tuning_.topic_check_every;
        continue;
      }
      if (!next || next->second > now) {
        co_await work_.wait_until(next ? std::min(next->second, next_check_) : next_check_);
        continue;
      }
      auto hand = take(next->first);
      if (!hand) co_return common::fail(hand.error());
      in_hand_ = std::move(*hand);
      const Decision decision = co_await drive(machine_.offer());
      if (decision.action == Action::kPublished) {
        published(decision.after_doubt);
      } else if (decision.action == Action::kRejected) {
        if (auto goes_on = co_await rejected(*decision.error); !goes_on) co_return goes_on;
      } else if (decision.action == Action::kStopped) {
        co_return Result<void>{};
      } else {
        co_return common::fail(reason_of(decision));
      }
    }
  }

  // The stream whose transaction may begin first, and when.
  std::optional<std::pair<StreamName, SteadyTime>> next_stream() const {
    std::optional<std::pair<StreamName, SteadyTime>> best;
    for (const auto& [stream, queue] : queues_) {
      if (queue.groups.empty()) continue;
      const auto waiting = flushing_.find(stream);
      const bool hurry = stopping_ || !tickets_.empty() || (waiting != flushing_.end() && waiting->second > 0);
      const auto at = core::begin_at({.oldest = queue.groups.front().came, .bytes = queue.bytes, .hurry = hurry}, batching_);
      if (!best || at < best->second) best = {stream, at};
    }
    return best;
  }

  Result<InHand> take(const StreamName& stream) {
    InHand hand;
    hand.number = ++commit_number_;
    hand.began = clock_.steady_now();
    hand.batch.stream = stream;
    Queue& queue = queues_[stream];
    while (!queue.groups.empty() && core::takes_another(hand.bytes, queue.groups.front().bytes, batching_)) {
      Waiting next = std::move(queue.groups.front());
      queue.groups.pop_front();
      queue.bytes -= next.bytes;
      hand.bytes += next.bytes;
      for (core::Page& page : next.group) hand.batch.pages.push_back(std::move(page));
      if (next.bytes == 0 && hand.batch.pages.size() >= kMaxLedgerOnlyPages) break;
    }
    for (const core::Page& page : hand.batch.pages) {
      auto [ledger, fresh] = hand.ledgers.try_emplace(page.source);
      if (fresh) ledger->second = committed(page.source);
      for (const core::LedgerChange& change : page.changes) {
        if (auto applied = ledger->second.apply(change); !applied) {
          return common::fail(common::with_context(applied.error(), "ledger of stream " + stream.str()));
        }
      }
    }
    for (auto& [source, ledger] : hand.ledgers) {
      ledger.set_stamp({.incarnation = owner_.incarnation, .number = hand.number});
      hand.batch.state.push_back({.key = ledger_key(name_, source), .value = ledger.serialize()});
    }
    measure(hand.batch);
    return hand;
  }

  // Records that their topic cannot take are known beforehand unless compression makes them smaller.
  void measure(core::TransactionBatch& batch) const {
    const auto facts = facts_.find(batch.stream);
    const std::size_t topic_limit = facts != facts_.end() ? facts->second.max_message_bytes : smallest_max_message_;
    const std::size_t limit = compresses(options_) ? kMaxRecordBytes / 2 : std::min(topic_limit, kMaxRecordBytes / 2);
    std::size_t records = 0;
    for (const core::Page& page : batch.pages) records += page.records.size();
    batch.fates.reserve(records);
    for (const core::Page& page : batch.pages) {
      const std::size_t around = header_bytes(page) + kRecordFraming;
      for (const core::RecordSlice& record : page.records) {
        const bool fits = record.key.size() + record.value.size() + around <= limit;
        batch.fates.push_back(fits ? core::RecordFate::kPublish : core::RecordFate::kOversize);
      }
    }
    batch.dead_letter_limit = dead_letter_max_ > 2 * kDeadLetterFraming ? dead_letter_max_ - kDeadLetterFraming : 0;
  }

  void published(bool after_doubt) {
    using core::TransactionOutcome;
    struct Sums {
      std::uint64_t records = 0;
      std::uint64_t bytes = 0;
      std::map<std::string, std::uint64_t> letters;
    };
    std::map<SourcePartition, Sums> sums;
    std::size_t place = 0;
    for (const core::Page& page : in_hand_.batch.pages) {
      Sums& sum = sums[page.source];
      for (const core::RecordSlice& record : page.records) {
        const core::RecordFate fate = in_hand_.batch.fates[place++];
        if (fate == core::RecordFate::kOversize) {
          ++sum.letters["oversize"];
        } else if (fate == core::RecordFate::kRefused) {
          ++sum.letters["broker_refused"];
        } else {
          ++sum.records;
          sum.bytes += record.value.size();
        }
      }
      for (const core::DeadLetter& letter : page.dead_letters) ++sum.letters[letter.reason];
    }
    for (const auto& [source, sum] : sums) {
      metrics_.records_published(source, sum.records, sum.bytes);
      for (const auto& [reason, count] : sum.letters) {
        metrics_.dead_letters(source, reason, count);
        logger_.warn("Records went to the dead-letter topic", {{"stream", source.stream.str()},
                                                               {"lane", std::string{core::to_string(source.lane)}},
                                                               {"reason", reason},
                                                               {"count", static_cast<std::int64_t>(count)}});
      }
    }
    for (auto& [source, ledger] : in_hand_.ledgers) committed_[source] = std::move(ledger);
    const auto took = std::chrono::duration_cast<common::Duration>(clock_.steady_now() - in_hand_.began);
    metrics_.transaction_done(after_doubt ? TransactionOutcome::kUnknownApplied : TransactionOutcome::kCommitted, took);
    logger_.debug("Committed", {{"stream", in_hand_.batch.stream.str()},
                                {"number", static_cast<std::int64_t>(in_hand_.number)},
                                {"records", static_cast<std::int64_t>(place)},
                                {"milliseconds", static_cast<std::int64_t>(took.count())}});
    regained();
    release_hand();
  }

  // The pages' fate is known and librdkafka holds no pointer into them any more: commit or abort succeeded, or the producer is
  // gone.
  void release_hand() {
    for (core::Page& page : in_hand_.batch.pages) {
      forget(page.source);
      if (!page.buffer || spare_.size() >= kMaxSpare) continue;
      if (spare_bytes_ + page.buffer->capacity() > options_.memory_bytes / kSpareShare) continue;
      spare_bytes_ += page.buffer->capacity();
      page.buffer->clear();
      spare_.push_back(std::move(*page.buffer));
    }
    held_bytes_ -= in_hand_.bytes;
    in_hand_ = {};
    metrics_.bytes_in_flight(held_bytes_);
    room_.notify();
  }

  awaitable<Result<void>> rejected(const Error& error) {
    const StreamName stream = in_hand_.batch.stream;
    stop_stream(stream, error);
    for (const core::Page& page : in_hand_.batch.pages) dropped_.insert(page.source);
    release_hand();
    // The refusal does not name the topic. If it was the offsets topic, no stream can go on.
    auto described = co_await look_afresh({offsets_topic_, dead_letter_topic_});
    if (!described) co_return Result<void>{};  // not reachable just now: the next transaction will tell
    if (auto usable = check_state_topics((*described)[0], (*described)[1]); !usable) co_return usable;
    co_return Result<void>{};
  }

  void stop_stream(const StreamName& stream, const Error& error) {
    troubles_[stream] = error;
    // A librdkafka before 2.10 keeps a dangling pointer once it has seen a topic under two ids (its issue #4964), and crashes:
    // the producer goes before it asks for that topic's metadata again.
    renew_producer_ = true;
    metrics_.stream_stopped(stream, true);
    logger_.error(
        "Stream stopped; the others go on",
        {{"stream", stream.str()}, {"error_code", std::string{common::to_string(error.code)}}, {"error", error.message}});
    Queue& queue = queues_[stream];
    for (Waiting& waiting : queue.groups) {
      held_bytes_ -= waiting.bytes;
      drop(waiting.group);
    }
    queue = {};
    room_.notify();
  }

  // Topic ids (a topic made again takes records without a word) and the password file.
  awaitable<void> check_topics() {
    refresh_password();
    std::vector<std::string> names;
    std::vector<StreamName> asked;
    for (const auto& [stream, facts] : facts_) {
      if (troubles_.contains(stream)) continue;
      names.push_back(facts.name);
      asked.push_back(stream);
    }
    if (names.empty()) co_return;
    auto described = co_await look_afresh(names);
    if (!described) co_return;  // brokers away: commits tell that louder, and the check comes again
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (auto usable = judge(asked[i], (*described)[i]); !usable) stop_stream(asked[i], usable.error());
    }
  }

  // --- performing what the machine decides -----------------------------------------------------------------------------------

  // Until the batch's fate is known or the task ends.
  awaitable<Decision> drive(Decision decision) {
    for (;;) {
      if (decision.error) cause_ = decision.error->code;
      if (co_await cancelled()) push();
      switch (decision.action) {
        case Action::kIdle:
        case Action::kPublished:
        case Action::kRejected:
        case Action::kFenced:
        case Action::kFailed:
        case Action::kStopped:
          co_return decision;
        case Action::kReadClaim:
        case Action::kReadBack:
          decision = machine_.step(co_await read_back(), clock_.steady_now());
          break;
        default: {
          Result<void> result;
          if (hard_stop_) {
            result = common::fail(ErrorCode::kCancelled, "stopped");
          } else {
            result = co_await perform(decision);
          }
          decision = machine_.step(result, clock_.steady_now());
        }
      }
    }
  }

  awaitable<Result<void>> perform(const Decision& decision) {
    switch (decision.action) {
      case Action::kCreate:
        co_return co_await create_producer();
      case Action::kInit:
        co_return co_await init_producer();
      case Action::kBegin:
        refusal_.reset();
        co_return co_await producer_->begin();
      case Action::kProduce:
        co_return note_refusal(co_await producer_->produce(in_hand_.batch));
      case Action::kCommit:
        co_return note_refusal(co_await producer_->commit());
      case Action::kAbort: {
        auto aborted = co_await producer_->abort();
        if (aborted) {
          const auto took = std::chrono::duration_cast<common::Duration>(clock_.steady_now() - in_hand_.began);
          metrics_.transaction_done(core::TransactionOutcome::kAborted, took);
        }
        if (const auto refusal = refusal_; refusal && aborted && !narrow_refused()) {
          co_return common::fail(ErrorCode::kTopicUnusable, refusal->message + "; no single record is at fault");
        }
        co_return aborted;
      }
      case Action::kWait:
        if (decision.error) retrying(*decision.error);
        co_await pause(decision.delay);
        co_return Result<void>{};
      default:
        co_return common::fail(ErrorCode::kInternal, "no such step");
    }
  }

  awaitable<Result<void>> create_producer() {
    if (producer_) {
      co_await producer_->close();
      narrow_refused();
      producer_.reset();
    }
    refresh_password();
    ProducerSetup setup{.options = options_,
                        .name = name_,
                        .partition = kTask,
                        .topics = {},
                        .offsets_topic = offsets_topic_,
                        .dead_letter_topic = dead_letter_topic_,
                        .smallest_max_message_bytes = smallest_max_message_,
                        .logger = logger_.named("kafka")};
    for (const auto& stream : streams_) {
      if (!troubles_.contains(stream.stream)) setup.topics[stream.stream] = stream.topic;
    }
    renew_producer_ = false;
    auto made = factory_(setup);
    if (!made) co_return common::fail(made.error());
    producer_ = std::move(*made);
    const std::string_view reason = !cause_                         ? "start"
                                    : *cause_ == ErrorCode::kFenced ? "fenced"
                                    : machine_.in_doubt()           ? "outcome_unknown"
                                                                    : "fatal";
    metrics_.producer_started(reason);
    logger_.info("Producer made", {{"reason", std::string{reason}}});
    next_check_ = {};  // a new producer has new metadata: compare the topic ids before long
    co_return Result<void>{};
  }

  awaitable<Result<void>> init_producer() {
    refresh_password();
    auto done = co_await producer_->init();
    if (done) {
      regained();
      co_return done;
    }
    auto trouble = producer_->take_trouble();
    if (trouble) done = common::fail(done.error().code, done.error().message + ": " + *trouble);
    if (starting_ && done.error().code == ErrorCode::kRetryable) {
      if (auto lasting = lasting_trouble(std::move(trouble)); lasting) co_return common::fail(std::move(*lasting));
    }
    co_return done;
  }

  awaitable<Result<core::ReadBackFinding>> read_back() {
    if (hard_stop_) co_return common::fail(ErrorCode::kCancelled, "stopped");
    const StateLocation location{.name = name_, .topic = offsets_topic_, .partition = kTask};
    auto stored = co_await run_blocking(worker_, [this, options = options_, location] {
      return read_state(options, location, logger_.named("kafka"), kReadBackPatience, read_stop_);
    });
    if (!stored) co_return common::fail(stored.error());
    const bool asked = machine_.has_batch();
    const auto finding = core::assess(*stored, owner_, asked ? std::optional<std::uint64_t>{in_hand_.number} : std::nullopt);
    if (asked && machine_.in_doubt() && !finding.foreign && !finding.applied) {
      metrics_.transaction_done(core::TransactionOutcome::kUnknownNotApplied,
                                std::chrono::duration_cast<common::Duration>(clock_.steady_now() - in_hand_.began));
    }
    if (!owner_.claimed && !finding.applied)
      found_ = std::move(*stored);  // what we take over, as long as another may still write
    co_return finding;
  }

  Result<void> note_refusal(Result<void> result) {
    const bool refused =
        !result && (result.error().code == ErrorCode::kOversize || result.error().code == ErrorCode::kRequestRejected);
    if (refused) refusal_ = result.error();
    return result;
  }

  // The broker refused records: the next attempt knows better which. Only when the transaction is closed or its producer is: a
  // failed commit returns while reports still come, and the first of them alone would condemn the wrong record.
  bool narrow_refused() {
    if (!std::exchange(refusal_, std::nullopt)) return false;
    return core::narrow(in_hand_.batch, producer_->refused_records());
  }

  // --- waiting, stopping, telling ----------------------------------------------------------------------------------------------

  awaitable<void> pause(common::Duration delay) {
    const auto until = clock_.steady_now() + delay;
    while (!stopping_ && clock_.steady_now() < until) {
      co_await work_.wait_until(until);
      if (co_await cancelled()) push();
    }
  }

  // No patience any more: running calls return as soon as they can, and nothing else is begun.
  void push() {
    if (hard_stop_) return;
    hard_stop_ = stopping_ = true;
    machine_.stop();
    tell(TaskEvent::kStopRequested);
    read_stop_.store(true);
    if (admin_) admin_->request_stop();
    if (producer_) producer_->request_stop();
    work_.notify();
    room_.notify();
  }

  void finish(std::optional<Error> error) {
    if (ended_) return;
    ended_ = true;
    if (!error || error->code == ErrorCode::kCancelled) {
      tell(TaskEvent::kEnded);
    } else {
      tell(error->code == ErrorCode::kFenced ? TaskEvent::kFenced : TaskEvent::kFailed);
    }
    final_ = std::move(error);
  }

  awaitable<void> shut() {
    if (producer_) {
      co_await producer_->close();
      producer_.reset();
    }
    if (admin_) {
      admin_->request_stop();
      co_await run_blocking(worker_, [admin = std::exchange(admin_, nullptr)] {
        admin->close();
        return true;
      });
    }
    ended_ = true;
    room_.notify();
  }

  void tell(TaskEvent event) {
    const auto before = life_.state();
    if (life_.on(event) != before) metrics_.task_state(core::to_string(life_.state()));
  }

  void retrying(const Error& error) {
    const auto now = clock_.steady_now();
    if (!retrying_since_) {
      retrying_since_ = now;
      logger_.debug("Kafka: trying again", {{"error", error.message}});
    }
    const bool outage = now - *retrying_since_ >= kLostAfter;
    if (!outage || life_.state() == core::TaskState::kWaitingForKafka) return;
    logger_.warn("Waiting for Kafka; nothing is lost, it continues by itself",
                 {{"error_code", std::string{common::to_string(error.code)}}, {"error", error.message}});
    tell(TaskEvent::kKafkaLost);
  }

  void regained() {
    retrying_since_.reset();
    if (life_.state() != core::TaskState::kWaitingForKafka) return;
    logger_.info("Kafka answers again");
    tell(TaskEvent::kKafkaBack);
  }

  void refresh_password() {
    const auto found = options_.librdkafka.find("sasl.password");
    if (found == options_.librdkafka.end()) return;
    auto* source = std::get_if<common::SecretSource>(&found->second);
    if (source == nullptr || !source->file()) return;
    const auto changed = source->refresh();
    if (!changed) {
      logger_.warn("The Kafka password file cannot be read; the old password stays", {{"error", changed.error().message}});
      return;
    }
    if (!*changed) return;
    logger_.info("The Kafka password file has changed");
    if (admin_) {
      if (auto set = admin_->set_password(source->value()); !set) {
        logger_.warn("The new Kafka password could not be set", {{"error", set.error().message}});
      }
    }
    if (producer_) producer_->set_password(source->value());
  }

  awaitable<Result<std::vector<TopicDescription>>> describe(std::vector<std::string> topics) {
    if (!admin_) co_return common::fail(ErrorCode::kCancelled, "the task stops");  // run() ended beside a reset_stream()
    co_return co_await run_blocking(
        worker_, [admin = admin_, topics = std::move(topics)] { return admin->describe(topics, kAdminTimeout); });
  }

  // With a new handle, which cannot have seen the topics under other ids (see stop_stream).
  awaitable<Result<std::vector<TopicDescription>>> look_afresh(std::vector<std::string> topics) {
    if (stopping_) co_return common::fail(ErrorCode::kCancelled, "the task stops");
    auto admin = TopicAdmin::create(options_, name_, logger_.named("kafka"));
    if (!admin) co_return common::fail(admin.error());
    auto old = std::exchange(admin_, std::shared_ptr<TopicAdmin>{std::move(*admin)});
    co_await run_blocking(worker_, [old = std::move(old)]() mutable {
      old->close();
      return true;
    });
    co_return co_await describe(std::move(topics));
  }

  const std::string& topic_of(const StreamName& stream) const {
    static const std::string kNone;
    for (const auto& known : streams_) {
      if (known.stream == stream) return known.topic;
    }
    return kNone;
  }

  Error reason_of(const Decision& decision) const {
    if (decision.error) return *decision.error;
    return Error{.code = ErrorCode::kCancelled, .message = "stopped"};
  }

  // Whether a submit is still of use. Pages that follow a dropped one would leave a gap that no ledger may cover, so none is
  // taken until the lane has heard of it from flush().
  Result<void> refusal(const core::PageGroup& group) const {
    if (stopping_ || ended_) return lost_with_task();
    if (auto stopped = lost(group.front().source.stream); !stopped) return stopped;
    for (const core::Page& page : group) {
      if (dropped_.contains(page.source)) return told_dropped(page.source);
    }
    return {};
  }

  static Result<void> told_dropped(const SourcePartition& source) {
    return common::fail(ErrorCode::kTopicUnusable, "pages of stream " + source.stream.str() + ", lane " +
                                                       std::string{core::to_string(source.lane)} +
                                                       ", were dropped when the stream was stopped; they are read again");
  }

  Result<void> lost(const StreamName& stream) const {
    if (ended_) return lost_with_task();
    if (const auto trouble = troubles_.find(stream); trouble != troubles_.end()) return common::fail(trouble->second);
    return {};
  }

  Result<void> lost_with_task() const {
    if (final_) return common::fail(*final_);
    return common::fail(ErrorCode::kCancelled, "the task stops");
  }

  // What waits is in memory like what is held, and a lane that may go on reads a page more.
  [[nodiscard]] bool fits(std::size_t next_page) const {
    return held_bytes_ == 0 || held_bytes_ + waiting_bytes_ + next_page <= options_.memory_bytes;
  }

  void leave(std::uint64_t ticket, std::size_t bytes) {
    std::erase(tickets_, ticket);
    waiting_bytes_ -= bytes;
    room_.notify();  // the next in line may be waiting for this one only
  }

  std::size_t pending(const SourcePartition& source) const {
    const auto found = pending_.find(source);
    return found == pending_.end() ? 0 : found->second;
  }

  void drop(const core::PageGroup& group) {
    for (const core::Page& page : group) {
      forget(page.source);
      dropped_.insert(page.source);
    }
  }

  void forget(const SourcePartition& source) {
    const auto found = pending_.find(source);
    if (found == pending_.end()) return;
    if (--found->second == 0) pending_.erase(found);
  }

  static constexpr std::size_t kMaxLedgerOnlyPages = 1'000;

  core::ConnectorName name_;
  KafkaOptions options_;  // its password changes with the file
  std::vector<StreamTopic> streams_;
  common::Clock& clock_;
  core::Metrics& metrics_;
  common::Logger logger_;
  ProducerFactory factory_;
  PublisherTuning tuning_;
  std::string offsets_topic_;
  std::string dead_letter_topic_;

  std::mt19937_64 random_;
  core::TransactionMachine machine_;
  core::TaskLife life_;
  core::StartGrace grace_;
  core::BatchPolicy batching_;
  core::Ownership owner_;
  core::StoredState found_;  // what was there before our claim
  std::string cluster_id_;
  std::string last_trouble_;
  std::map<StreamName, TopicFacts> facts_;
  std::map<StreamName, Error> troubles_;  // streams stopped alone
  std::size_t smallest_max_message_ = 0;
  std::size_t dead_letter_max_ = 0;

  std::map<SourcePartition, core::Ledger> committed_;
  std::map<StreamName, Queue> queues_;
  std::map<SourcePartition, std::size_t> pending_;  // pages not committed yet
  std::set<SourcePartition> dropped_;               // sources whose lane has yet to learn that pages it handed over are gone
  std::map<StreamName, std::size_t> flushing_;
  std::deque<std::uint64_t> tickets_;  // submits waiting for room
  std::size_t waiting_bytes_ = 0;
  std::uint64_t next_ticket_ = 0;
  std::size_t held_bytes_ = 0;
  std::vector<std::string> spare_;
  std::size_t spare_bytes_ = 0;
  InHand in_hand_;
  std::uint64_t commit_number_ = 0;
  std::optional<ErrorCode> cause_;  // of the last trouble the machine spoke of
  std::optional<Error> refusal_;    // of records, in the attempt under way
  std::optional<SteadyTime> retrying_since_;
  SteadyTime next_check_;

  bool active_ = false;  // start() or run() is under way
  bool starting_ = false;
  bool renew_producer_ = false;
  bool stopping_ = false;
  bool hard_stop_ = false;
  bool ended_ = false;
  std::optional<Error> final_;

  Signal work_;  // run() is its only waiter
  Signal room_;  // of submits and flushes
  Signal done_;  // stop() waits for start() or run() to end
  std::atomic<bool> read_stop_ = false;
  std::shared_ptr<TopicAdmin> admin_;  // shared with the call under way on the worker, as it may be replaced meanwhile
  std::unique_ptr<core::TransactionalProducer> producer_;
  boost::asio::thread_pool worker_{1};  // administration and reading back
};

KafkaPublisher::KafkaPublisher(boost::asio::any_io_executor executor, core::ConnectorName name, KafkaOptions options,
                               std::vector<StreamTopic> streams, common::Clock& clock, core::Metrics& metrics,
                               common::Logger logger, std::uint64_t seed, ProducerFactory factory, PublisherTuning tuning)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(name), std::move(options), std::move(streams), clock, metrics,
                                   std::move(logger), seed, std::move(factory), tuning)) {}
KafkaPublisher::~KafkaPublisher() = default;

awaitable<Result<RestoredState>> KafkaPublisher::start() {
  return impl_->start();
}
awaitable<Result<void>> KafkaPublisher::run() {
  return impl_->run();
}
awaitable<void> KafkaPublisher::stop(common::Duration patience) {
  return impl_->stop(patience);
}
Result<void> KafkaPublisher::adopt(const SourcePartition& source, core::Ledger initial) {
  return impl_->adopt(source, std::move(initial));
}
std::optional<Error> KafkaPublisher::stream_trouble(const StreamName& stream) const {
  return impl_->stream_trouble(stream);
}
awaitable<Result<void>> KafkaPublisher::reset_stream(StreamName stream) {
  return impl_->reset_stream(std::move(stream));
}
core::TaskState KafkaPublisher::state() const {
  return impl_->state();
}
const std::string& KafkaPublisher::cluster_id() const {
  return impl_->cluster_id();
}
const std::string& KafkaPublisher::incarnation() const {
  return impl_->incarnation();
}
std::optional<TopicFacts> KafkaPublisher::topic(const StreamName& stream) const {
  return impl_->topic(stream);
}
awaitable<Result<void>> KafkaPublisher::submit(core::PageGroup group) {
  return impl_->submit(std::move(group));
}
awaitable<Result<void>> KafkaPublisher::flush(SourcePartition source) {
  return impl_->flush(std::move(source));
}
const core::Ledger& KafkaPublisher::committed(const SourcePartition& source) const {
  return impl_->committed(source);
}
std::string KafkaPublisher::take_spare_storage() {
  return impl_->take_spare_storage();
}

}  // namespace connector::kafka
