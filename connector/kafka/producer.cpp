#include "connector/kafka/producer.h"

#include "connector/kafka/blocking.h"
#include "connector/kafka/client.h"
#include "connector/kafka/conf.h"
#include "connector/kafka/control_store.h"
#include "connector/kafka/deliveries.h"
#include "connector/kafka/error.h"
#include "connector/kafka/list_offsets.h"
#include "connector/kafka/record_headers.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <utility>

namespace connector::kafka {

using boost::asio::awaitable;
using common::Error;
using common::ErrorCode;
using common::Result;
using core::RecordFate;

namespace {

// Every blocking call returns within this, so that a stop is seen soon; an unfinished one is resumed by the next call.
constexpr int kInitMs = 500;
constexpr int kCallMs = 200;
constexpr int kMetadataMs = 1'000;
constexpr int kDrainSlices = 5;  // of kCallMs; then the brokers are slow or away, which the commit tells
constexpr std::size_t kDeadLetterKeyBytes = 1024;

class KafkaProducer final : public core::TransactionalProducer {
 public:
  KafkaProducer(const ProducerSetup& setup, std::unique_ptr<Deliveries> deliveries, std::unique_ptr<Client> client)
      : transactional_(setup.options.delivery == Delivery::kExactlyOnce),
        partition_(setup.partition),
        full_queue_slices_(setup.options.transaction_timeout / common::Duration{kCallMs}),
        logger_(setup.logger),
        deliveries_(std::move(deliveries)),
        client_(std::move(client)),
        batch_bytes_(batch_size(*client_)) {
    for (const auto& [stream, topic] : setup.topics) {
      topics_[stream].name = topic;
      topics_[stream].handle = open(topic);
    }
    offsets_ = open(setup.offsets_topic);
    digests_ = open(setup.digests_topic);
    dead_letters_ = open(setup.dead_letter_topic);
    if (!setup.progress_topic.empty()) progress_ = open(setup.progress_topic);
    if (!setup.control_topic.empty()) control_ = open(setup.control_topic);
  }
  ~KafkaProducer() override {
    pool_.join();
    drop();
  }
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  awaitable<Result<void>> init() override {
    co_return co_await run_blocking(pool_, [this] { return init_now(); });
  }
  awaitable<Result<void>> begin() override {
    co_return co_await run_blocking(pool_, [this] { return begin_now(); });
  }
  awaitable<Result<void>> produce(const core::TransactionBatch& batch) override {
    co_return co_await run_blocking(pool_, [this, &batch] { return produce_now(batch); });
  }
  awaitable<Result<void>> commit() override {
    co_return co_await run_blocking(pool_, [this] { return transactional_ ? commit_now() : acknowledge_now(); });
  }
  awaitable<Result<void>> abort() override {
    co_return co_await run_blocking(pool_, [this] { return abort_now(); });
  }
  awaitable<Result<std::vector<std::int64_t>>> end_offsets(core::StreamName stream) override {
    co_return co_await run_blocking(pool_, [this, stream = std::move(stream)] { return end_offsets_now(stream); });
  }
  awaitable<void> close() override {
    co_await run_blocking(pool_, [this] {
      drop();
      return true;
    });
  }

  [[nodiscard]] std::vector<std::size_t> refused_records() const override { return deliveries_->refused(); }
  std::optional<std::string> take_trouble() override { return client_->take_trouble(); }
  void set_password(const common::Secret& password) override {
    if (auto set = client_->set_password(password); !set) logger_.warn("The new Kafka password could not be set", {});
  }
  void request_stop() override { stop_.store(true, std::memory_order_relaxed); }

 private:
  struct OpenTopic {
    std::string name;
    TopicHandle handle;
    int partitions = 0;
  };

  static std::size_t batch_size(const Client& client) {
    std::array<char, 32> text{};
    std::size_t size = text.size();
    if (rd_kafka_conf_get(rd_kafka_conf(client.get()), "batch.size", text.data(), &size) != RD_KAFKA_CONF_OK) return 0;
    return static_cast<std::size_t>(std::strtoull(text.data(), nullptr, 10));
  }

  TopicHandle open(const std::string& topic) { return TopicHandle{rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr)}; }

  void drop() {
    published_to_ = nullptr;
    topics_.clear();
    offsets_.reset();
    digests_.reset();
    dead_letters_.reset();
    progress_.reset();
    control_.reset();
    client_->close();
  }

  [[nodiscard]] bool stopping() const { return stop_.load(std::memory_order_relaxed); }

  Result<void> init_now() {
    if (transactional_) {
      if (const ErrorHandle error{rd_kafka_init_transactions(client_->get(), kInitMs)}) {
        return common::fail(to_error(*error, "initialising the transactional producer"));
      }
    }
    // Each topic's metadata is asked for now: a transaction's first record to an unknown topic waits a second for it. What is
    // wrong with a topic shows when its stream publishes.
    for (auto& [stream, topic] : topics_) {
      auto partitions = load_metadata(topic.handle.get());
      if (!partitions) return common::fail(partitions.error());
      topic.partitions = *partitions;
    }
    for (rd_kafka_topic_t* topic : {offsets_.get(), digests_.get(), dead_letters_.get(), progress_.get(), control_.get()}) {
      if (topic == nullptr) continue;
      if (auto known = load_metadata(topic); !known) return common::fail(known.error());
    }
    client_->recovered();
    return {};
  }

  // The number of its partitions; 0 if there is something wrong with it.
  Result<int> load_metadata(rd_kafka_topic_t* topic) {
    const struct rd_kafka_metadata* raw = nullptr;
    const auto code = rd_kafka_metadata(client_->get(), 0, topic, &raw, kMetadataMs);
    const MetadataHandle metadata{raw};
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    return common::fail(ErrorCode::kRetryable, to_error(code, "asking for a topic's partitions").message);
  }

  Result<void> begin_now() {
    deliveries_->begin();
    batch_ = nullptr;
    unsent_ = Unsent::kDigests;
    if (!transactional_) return {};
    if (const ErrorHandle error{rd_kafka_begin_transaction(client_->get())}) {
      return common::fail(to_error(*error, "beginning a transaction"));
    }
    return {};
  }

  Result<void> produce_now(const core::TransactionBatch& batch) {
    const auto topic = topics_.find(batch.stream);
    published_to_ = topic == topics_.end() ? nullptr : &topic->second;
    if (topic == topics_.end() && !batch.pages.empty()) {
      return common::fail(ErrorCode::kInternal, "no topic is known for stream " + batch.stream.str());
    }
    std::size_t place = 0;
    std::size_t in_chunk = 0;  // suspects sent since the last pause
    for (const core::Page& page : batch.pages) {
      const HeadersHandle headers = page_headers(page);
      HeadersHandle headers_beyond;  // made for the first record that needs them
      const std::int64_t timestamp = page.read_at.time_since_epoch().count();
      for (std::size_t index = 0; index < page.records.size(); ++index, ++place) {
        const RecordFate fate = batch.fates[place];
        if (fate != RecordFate::kPublish && fate != RecordFate::kSuspect) continue;
        const bool suspect = fate == RecordFate::kSuspect;
        if (suspect ? in_chunk == batch.suspect_chunk || in_chunk == 0 : in_chunk > 0) {
          // A request of its own: everything before must be answered first.
          if (auto quiet = settle(); !quiet) return quiet;
          in_chunk = 0;
        }
        if (suspect) ++in_chunk;
        const core::RecordSlice& record = page.records[index];
        const bool beyond = !batch.beyond_horizon.empty() && batch.beyond_horizon[place];
        if (beyond && !headers_beyond) headers_beyond = page_headers(page, Horizon::kBeyond);
        if (auto sent = send(topic->second.handle.get(), RD_KAFKA_PARTITION_UA, record.key, record.value, timestamp,
                             beyond ? headers_beyond.get() : headers.get(), RecordKind::kRecord, place);
            !sent) {
          return sent;
        }
      }
      if (stopping()) return common::fail(ErrorCode::kCancelled, "stopped while producing");
    }
    if (in_chunk > 0) {
      if (auto quiet = settle(); !quiet) return quiet;
    }
    if (topic != topics_.end()) drain(topic->second);
    if (auto sent = send_dead_letters(batch); !sent) return sent;
    if (!transactional_) {
      batch_ = &batch;
      return {};
    }
    if (auto sent = send_digests(batch.digests); !sent) return sent;
    return send_state(batch);
  }

  Result<void> send_dead_letters(const core::TransactionBatch& batch) {
    std::size_t place = 0;
    std::size_t letters = 0;
    const auto cut = [&](std::string_view bytes) { return bytes.substr(0, batch.dead_letter_limit); };
    for (const core::Page& page : batch.pages) {
      const std::int64_t timestamp = page.read_at.time_since_epoch().count();
      for (const core::DeadLetter& letter : page.dead_letters) {
        const std::uint64_t size = letter.size.value_or(letter.bytes.size());
        const auto headers = dead_letter_headers(page, letter.reason, letter.detail, letter.index, size);
        if (auto sent = send(dead_letters_.get(), RD_KAFKA_PARTITION_UA, letter.key.substr(0, kDeadLetterKeyBytes),
                             cut(letter.bytes), timestamp, headers.get(), RecordKind::kDeadLetter, letters++);
            !sent) {
          return sent;
        }
      }
      for (std::size_t index = 0; index < page.records.size(); ++index, ++place) {
        const RecordFate fate = batch.fates[place];
        const auto reason = core::dead_letter_reason(fate);
        if (reason.empty()) continue;
        const core::RecordSlice& record = page.records[index];
        const auto detail = fate == RecordFate::kOversize ? "larger than its topic takes" : "the broker refused it";
        const auto headers = dead_letter_headers(page, reason, detail, index, record.value.size());
        if (auto sent = send(dead_letters_.get(), RD_KAFKA_PARTITION_UA, record.key.substr(0, kDeadLetterKeyBytes),
                             cut(record.value), timestamp, headers.get(), RecordKind::kDeadLetter, letters++);
            !sent) {
          return sent;
        }
      }
    }
    return {};
  }

  Result<void> send_digests(const std::vector<core::DigestRecord>& digests) {
    for (std::size_t i = 0; i < digests.size(); ++i) {
      const std::string_view value = digests[i].value ? std::string_view{*digests[i].value} : std::string_view{};
      if (auto sent = send(digests_.get(), partition_, digests[i].key, value, 0, nullptr, RecordKind::kDigest, i); !sent) {
        return sent;
      }
    }
    return {};
  }

  // Of the batch's own bytes, which are not copied. None: a tombstone.
  static std::string_view view_of(const std::optional<std::string>& value) {
    return value ? std::string_view{*value} : std::string_view{};
  }

  Result<void> send_state(const core::TransactionBatch& batch) {
    const std::vector<core::StateRecord>& state = batch.state;
    for (std::size_t i = 0; i < state.size(); ++i) {
      if (auto sent = send(offsets_.get(), partition_, state[i].key, view_of(state[i].value), 0, nullptr, RecordKind::kState, i);
          !sent) {
        return sent;
      }
    }
    for (std::size_t i = 0; control_ && i < batch.control.size(); ++i) {
      if (auto sent = send(control_.get(), kControlPartition, batch.control[i].key, view_of(batch.control[i].value), 0, nullptr,
                           RecordKind::kControl, i);
          !sent) {
        return sent;
      }
    }
    if (!batch.progress || !progress_) return {};
    return send(progress_.get(), RD_KAFKA_PARTITION_UA, batch.progress->key, view_of(batch.progress->value), 0, nullptr,
                RecordKind::kProgress, 0);
  }

  Result<void> send(rd_kafka_topic_t* topic, std::int32_t partition, std::string_view key, std::string_view value,
                    std::int64_t timestamp, const rd_kafka_headers_t* headers, RecordKind kind, std::size_t place) {
    std::array<rd_kafka_vu_t, 7> fields{};
    std::size_t count = 0;
    fields[count].vtype = RD_KAFKA_VTYPE_RKT;
    fields[count++].u.rkt = topic;
    fields[count].vtype = RD_KAFKA_VTYPE_PARTITION;
    fields[count++].u.i32 = partition;
    fields[count].vtype = RD_KAFKA_VTYPE_VALUE;
    // No copy and no free: the batch owns the bytes. librdkafka does not write through the pointer.
    fields[count].u.mem.ptr = const_cast<char*>(value.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    fields[count++].u.mem.size = value.size();
    if (!key.empty()) {
      fields[count].vtype = RD_KAFKA_VTYPE_KEY;
      fields[count].u.mem.ptr = const_cast<char*>(key.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
      fields[count++].u.mem.size = key.size();
    }
    fields[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    fields[count++].u.i64 = timestamp;
    fields[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
    fields[count++].u.ptr = Deliveries::tag(kind, place);
    HeadersHandle copy;
    if (headers != nullptr) {
      copy.reset(rd_kafka_headers_copy(headers));
      fields[count].vtype = RD_KAFKA_VTYPE_HEADERS;
      fields[count++].u.headers = copy.get();
    }
    for (std::int64_t full = 0;; ++full) {
      deliveries_->sent(value.size());
      const ErrorHandle error{rd_kafka_produceva(client_->get(), fields.data(), count)};
      if (!error) {
        [[maybe_unused]] const rd_kafka_headers_t* taken = copy.release();  // the message owns them now
        return {};
      }
      deliveries_->not_sent(value.size());
      if (rd_kafka_error_code(error.get()) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return common::fail(why_not_sent(*error, kind, place));
      if (stopping()) return common::fail(ErrorCode::kCancelled, "stopped while producing");
      if (full == full_queue_slices_) {
        return common::fail(ErrorCode::kAbortTransaction, "the producer's queue stayed full for the whole transaction timeout");
      }
      // Room comes with delivery reports, which this serves.
      rd_kafka_poll(client_->get(), kCallMs);
    }
  }

  // Requests that are full go out by themselves. An idempotent producer has one a partition under way, and while it flushes and
  // more waits behind that one its broker thread polls without a pause: a core that the broker could use. So the flush of the
  // commit comes when what is left may be less than a request for every partition.
  void drain(const OpenTopic& topic) {
    const std::size_t rest = batch_bytes_ * static_cast<std::size_t>(topic.partitions);
    for (int slice = 0; slice < kDrainSlices && !stopping(); ++slice) {
      if (deliveries_->wait_until_left(rest, std::chrono::milliseconds{kCallMs})) return;
    }
  }

  // The record was not even taken: by its size, by its topic, or because the transaction has failed already.
  Error why_not_sent(const rd_kafka_error_t& error, RecordKind kind, std::size_t place) {
    const auto code = rd_kafka_error_code(&error);
    if (code == RD_KAFKA_RESP_ERR__STATE || code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__FENCED) {
      if (auto failure = deliveries_->failure()) return std::move(*failure);
      Error reason = to_error(code, "producing", rd_kafka_error_string(&error));
      if (reason.code != ErrorCode::kFenced) {
        reason.code = code == RD_KAFKA_RESP_ERR__STATE ? ErrorCode::kAbortTransaction : ErrorCode::kOutcomeUnknown;
      }
      return reason;
    }
    deliveries_->note(kind, place, code);
    return deliveries_->failure().value_or(to_error(code, "producing", rd_kafka_error_string(&error)));
  }

  // Until every report is in.
  Result<void> settle() {
    for (std::int64_t slices = 0; deliveries_->outstanding() > 0; ++slices) {
      if (stopping()) return common::fail(ErrorCode::kCancelled, "stopped while producing");
      if (slices == full_queue_slices_) {
        return common::fail(ErrorCode::kAbortTransaction, "records were not acknowledged within the transaction timeout");
      }
      // In a transaction that has failed librdkafka sends nothing more, and what still waits would never be reported.
      if (transactional_ && deliveries_->failure()) {
        rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
      }
      rd_kafka_flush(client_->get(), kCallMs);
    }
    if (auto failure = deliveries_->failure()) return common::fail(std::move(*failure));
    return {};
  }

  Result<void> commit_now() {
    const ErrorHandle error{rd_kafka_commit_transaction(client_->get(), kCallMs)};
    if (!error) {
      note_partitions();
      client_->recovered();
      return {};
    }
    Error reason = to_error(*error, "committing the transaction");
    // Commit says only that messages failed; the reports say which and why, unless they are mere consequences (purged): then the
    // reason is the commit's own, as for a refused partition.
    const bool about_messages = reason.code == ErrorCode::kAbortTransaction || reason.code == ErrorCode::kOversize ||
                                reason.code == ErrorCode::kRequestRejected || reason.code == ErrorCode::kTopicUnusable;
    if (auto failure = deliveries_->failure(); about_messages && failure) {
      const bool consequence = failure->code == ErrorCode::kAbortTransaction;
      if (!consequence || reason.code == ErrorCode::kAbortTransaction) return common::fail(std::move(*failure));
    }
    return common::fail(std::move(reason));
  }

  // at_least_once: records first, then digests, then the ledger, each acknowledged.
  Result<void> acknowledge_now() {
    if (unsent_ == Unsent::kDigests) {
      if (auto records = acknowledged("the records are not acknowledged yet"); !records) return records;
      unsent_ = Unsent::kState;
      if (auto sent = batch_ != nullptr ? send_digests(batch_->digests) : Result<void>{}; !sent) return sent;
    }
    if (unsent_ == Unsent::kState) {
      if (auto digests = acknowledged("the digests are not acknowledged yet"); !digests) return digests;
      unsent_ = Unsent::kNothing;
      note_partitions();
      if (auto sent = batch_ != nullptr ? send_state(*batch_) : Result<void>{}; !sent) return sent;
    }
    return acknowledged("the ledger is not acknowledged yet");
  }

  Result<void> acknowledged(const char* if_not) {
    if (deliveries_->outstanding() > 0) rd_kafka_flush(client_->get(), kCallMs);
    if (auto outcome = deliveries_->outcome()) return std::move(*outcome);
    return common::fail(ErrorCode::kRetryable, if_not);
  }

  Result<void> abort_now() {
    // Without transactions there is nothing to take back; a fresh producer is the way to forget what was queued.
    if (!transactional_) return common::fail(ErrorCode::kOutcomeUnknown, "records were not all acknowledged");
    if (const ErrorHandle error{rd_kafka_abort_transaction(client_->get(), kCallMs)}) {
      return common::fail(to_error(*error, "aborting the transaction"));
    }
    return {};
  }

  // A topic may get more partitions while it is written to; librdkafka uses them as soon as it learns of them.
  void note_partitions() {
    if (published_to_ != nullptr) published_to_->partitions = std::max(published_to_->partitions, deliveries_->partitions_seen());
  }

  Result<std::vector<std::int64_t>> end_offsets_now(const core::StreamName& stream) {
    const auto topic = topics_.find(stream);
    if (topic == topics_.end() || topic->second.partitions == 0) {
      return common::fail(ErrorCode::kRetryable, "the topic of stream " + stream.str() + " is not known yet");
    }
    return list_offsets(client_->get(), topic->second.name, first_partitions(topic->second.partitions), TopicEdge::kEnd,
                        common::Duration{kMetadataMs}, stop_);
  }

  bool transactional_;
  std::int32_t partition_;
  std::int64_t full_queue_slices_;
  common::Logger logger_;
  std::atomic<bool> stop_ = false;
  // at_least_once: what is written when the records are acknowledged, and how far that is.
  enum class Unsent : std::uint8_t { kDigests, kState, kNothing };
  const core::TransactionBatch* batch_ = nullptr;
  Unsent unsent_ = Unsent::kDigests;
  std::unique_ptr<Deliveries> deliveries_;
  std::unique_ptr<Client> client_;
  std::size_t batch_bytes_;  // a produce request is full then
  std::map<core::StreamName, OpenTopic> topics_;
  OpenTopic* published_to_ = nullptr;  // in the transaction under way; one of topics_
  TopicHandle offsets_;
  TopicHandle digests_;
  TopicHandle dead_letters_;
  TopicHandle progress_;
  TopicHandle control_;
  boost::asio::thread_pool pool_{1};
};

}  // namespace

Result<std::unique_ptr<core::TransactionalProducer>> make_producer(const ProducerSetup& setup) {
  const bool transactional = setup.options.delivery == Delivery::kExactlyOnce;
  auto conf =
      make_conf(setup.options, {.role = transactional ? ClientRole::kTransactionalProducer : ClientRole::kIdempotentProducer,
                                .name = setup.name,
                                .transactional_id = transactional_id(setup.options, setup.name, setup.partition),
                                .smallest_max_message_bytes = setup.smallest_max_message_bytes});
  if (!conf) return common::fail(conf.error());
  auto deliveries = std::make_unique<Deliveries>();
  auto client = Client::create(RD_KAFKA_PRODUCER, std::move(*conf), setup.logger, deliveries.get());
  if (!client) return common::fail(client.error());
  return std::make_unique<KafkaProducer>(setup, std::move(deliveries), std::move(*client));
}

}  // namespace connector::kafka
