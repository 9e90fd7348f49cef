#include "connector/kafka/publisher.h"

#include "connector/core/digest/sweep_pace.h"
#include "connector/core/transaction/machine.h"
#include "connector/kafka/cancelled.h"
#include "connector/kafka/conf.h"
#include "connector/kafka/contact.h"
#include "connector/kafka/current_producer.h"
#include "connector/kafka/digests_memory.h"
#include "connector/kafka/handover.h"
#include "connector/kafka/incarnation.h"
#include "connector/kafka/password_file.h"
#include "connector/kafka/published_report.h"
#include "connector/kafka/signal.h"
#include "connector/kafka/task_claim.h"
#include "connector/kafka/task_digests.h"
#include "connector/kafka/task_progress.h"
#include "connector/kafka/task_topics.h"
#include "connector/kafka/transaction.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <exception>
#include <map>
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

constexpr common::Duration kSweepEvery{5'000};  // a step of the search for digests that are not needed any more
constexpr common::Duration kSweepSoon{100};     // … where there have been some: a step takes a few milliseconds

}  // namespace

class KafkaPublisher::Impl {
 public:
  Impl(const boost::asio::any_io_executor& executor, core::ConnectorName name, KafkaOptions options,
       std::vector<StreamTopic> streams, common::Clock& clock, core::Metrics& metrics, common::Logger logger, std::uint64_t seed,
       ProducerFactory factory, PublisherTuning tuning)
      : name_(std::move(name)),
        options_(std::move(options)),
        clock_(clock),
        metrics_(metrics),
        logger_(std::move(logger)),
        tuning_(tuning),
        random_(seed),
        machine_({.transaction_timeout = options_.transaction_timeout,
                  .backoff_first = tuning.backoff_first,
                  .backoff_cap = tuning.backoff_cap},
                 random_),
        contact_(options_.bootstrap_servers, tuning.start_grace, clock, metrics, logger_),
        work_(executor),
        done_(executor),
        handover_(executor,
                  {.batching = {.commit_interval = options_.commit_interval, .commit_bytes = options_.commit_bytes},
                   .memory_bytes = options_.memory_bytes},
                  clock, metrics, logger_, work_),
        topics_(options_, name_, std::move(streams), worker_, logger_),
        claim_(name_, options_, topics_, worker_, logger_, make_incarnation(random_)),
        digests_memory_(topics_.streams(), options_.digests_memory_bytes, metrics, logger_),
        progress_(topics_.streams(), options_.topics.progress, metrics),
        producer_(std::move(factory)) {
    for (const StreamTopic& stream : topics_.streams()) dead_letters_.set_rules(stream.stream, stream.dead_letters);
  }

  ~Impl() {
    claim_.request_stop();
    topics_.request_stop();
    worker_.join();
  }

  awaitable<Result<RestoredState>> start() {
    active_ = true;
    contact_.tell_state();
    auto started = co_await start_task();
    if (started && stopping_) started = common::fail(ErrorCode::kCancelled, "stopped while starting");
    if (!started) {
      finish(started.error());
      co_await shut();
    }
    active_ = false;
    if (!started) done_.notify();
    co_return started;
  }

  awaitable<Result<void>> run() {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    if (ended_) co_return handover_.lost_with_task();
    active_ = true;
    Result<void> result;
    std::exception_ptr thrown;
    try {
      result = co_await publish_until_stopped();
    } catch (...) {
      // Whoever waits for a commit or for room learns that there will be none; then it is the caller's.
      thrown = std::current_exception();
      result = common::fail(ErrorCode::kInternal, "the publisher ended by an exception; this is a bug: please report it");
    }
    finish(result ? std::optional<Error>{} : std::optional<Error>{result.error()});
    co_await shut();
    active_ = false;
    done_.notify();
    if (thrown) std::rethrow_exception(thrown);
    co_return result;
  }

  awaitable<void> stop(common::Duration patience) {
    begin_stop();
    if (!active_) {
      finish(std::nullopt);
      co_await shut();
      co_return;
    }
    if (!claim_.is_committed()) push();  // nothing was submitted yet that patience could save
    // run() or start() ends by itself or is pushed when the patience is over; both look at the flags at least twice a second.
    const auto deadline = clock_.steady_now() + patience;
    while (active_) {
      if (clock_.steady_now() >= deadline) push();
      co_await done_.wait_until(hard_stop_ ? SteadyTime::max() : deadline);
      if (co_await cancelled()) push();
    }
  }

  awaitable<Result<void>> reset_stream(StreamName stream) {
    if (!handover_.is_stopped(stream)) co_return Result<void>{};
    if (ended_ || stopping_) co_return common::fail(ErrorCode::kCancelled, "the task stops");
    if (const auto held = held_.find(stream); held != held_.end() && clock_.steady_now() < held->second) {
      co_return common::fail(*handover_.trouble(stream));
    }
    held_.erase(stream);
    const auto unusable = co_await topics_.look_again({stream}, handover_.ledgers());
    if (!unusable) co_return common::fail(unusable.error());
    if (!unusable->empty()) {
      handover_.set_trouble(stream, unusable->front().error);
      co_return common::fail(unusable->front().error);
    }
    handover_.resume_stream(stream);
    renew_producer_ = true;  // the present one does not know the topic
    work_.notify();
    co_return Result<void>{};
  }

  void tell_time_by(std::function<common::Instant()> service_now) { service_now_ = std::move(service_now); }

  void replace(const SourcePartition& source, core::Ledger ledger) {
    progress_.replaced(source, ledger);
    handover_.replace(source, std::move(ledger));
  }

  [[nodiscard]] core::TaskState state() const { return contact_.state(); }
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  [[nodiscard]] const std::string& incarnation() const { return claim_.incarnation(); }
  [[nodiscard]] const TaskTopics& topics() const { return topics_; }
  [[nodiscard]] const core::StreamDigests* digests(const StreamName& stream) const {
    return digests_ ? digests_->of(stream) : nullptr;
  }
  [[nodiscard]] std::size_t repaired_keys() const { return repaired_.size(); }
  Handover& handover() { return handover_; }

 private:
  // --- start -------------------------------------------------------------------------------------------------------------

  awaitable<Result<RestoredState>> start_task() {
    if (auto opened = topics_.open(); !opened) co_return common::fail(opened.error());
    if (auto reached = co_await reach_cluster(); !reached) co_return common::fail(reached.error());
    for (;;) {
      auto unusable = co_await topics_.ensure();
      if (unusable) {
        stop_streams(*unusable);
        break;
      }
      if (auto goes_on = co_await retry_start(unusable.error()); !goes_on) co_return common::fail(goes_on.error());
    }
    starting_ = true;
    Decision decision = co_await drive(machine_.start());
    if (decision.action != Action::kIdle) co_return common::fail(reason_of(decision));
    in_hand_ = claim_.begin(clock_.utc_now());
    in_hand_.began = clock_.steady_now();
    decision = co_await drive(machine_.offer());
    if (decision.action != Action::kPublished) co_return common::fail(reason_of(decision));
    starting_ = false;
    in_hand_ = {};
    claim_.committed();
    for (;;) {
      auto restored = co_await restore_digests();
      if (restored) break;
      if (auto goes_on = co_await retry_start(restored.error()); !goes_on) co_return common::fail(goes_on.error());
    }
    if (auto marked = co_await mark_digests(); !marked) co_return common::fail(marked.error());
    const core::StoredState& found = claim_.found();
    handover_.set_ledgers(found.ledgers);
    progress_.committed(handover_.ledgers());
    contact_.tell(TaskEvent::kOwned);
    logger_.info("Task owned", {{"incarnation", claim_.incarnation()},
                                {"cluster_id", cluster_id_},
                                {"previous_host", found.claim ? found.claim->host : std::string{}},
                                {"ledgers", static_cast<std::int64_t>(found.ledgers.size())}});
    stop_streams(topics_.made_again(handover_.ledgers()));
    next_check_ = clock_.steady_now() + tuning_.topic_check_every;
    co_return RestoredState{
        .ledgers = found.ledgers, .previous = found.claim, .cluster_id = cluster_id_, .topics = running_topics()};
  }

  awaitable<Result<void>> reach_cluster() {
    for (;;) {
      refresh_password();
      auto id = co_await topics_.cluster_id();
      if (id) {
        cluster_id_ = *id;
        contact_.regained();
        co_return Result<void>{};
      }
      if (auto goes_on = co_await retry_start(id.error()); !goes_on) co_return goes_on;
    }
  }

  // The attempt failed: whether and when to make another.
  awaitable<Result<void>> retry_start(const Error& error) {
    if (stopping_) co_return common::fail(ErrorCode::kCancelled, "stopped while starting");
    if (error.code != ErrorCode::kRetryable && error.code != ErrorCode::kOutcomeUnknown) co_return common::fail(error);
    if (auto lasting = contact_.lasting_trouble(topics_.take_trouble()); lasting) co_return common::fail(std::move(*lasting));
    contact_.retrying(error);
    co_await pause(tuning_.backoff_first * 2);
    co_return Result<void>{};
  }

  awaitable<Result<void>> restore_digests() {
    const auto began = clock_.steady_now();
    auto digests = co_await claim_.restore_digests();
    if (!digests) co_return common::fail(digests.error());
    digests_ = std::move(*digests);
    const auto took = std::chrono::duration_cast<common::Duration>(clock_.steady_now() - began);
    if (auto fits = digests_memory_.check_start(*digests_); !fits) co_return fits;
    logger_.info("Digests restored", {{"keys", digests_->keys()}, {"milliseconds", static_cast<std::int64_t>(took.count())}});
    digests_memory_.tell(*digests_);
    co_return Result<void>{};
  }

  awaitable<Result<void>> mark_digests() {
    in_hand_ = claim_.mark();
    in_hand_.number = ++commit_number_;  // in no ledger: when in doubt it is written again, which changes nothing
    in_hand_.began = clock_.steady_now();
    const Decision decision = co_await drive(machine_.offer());
    if (decision.action != Action::kPublished) co_return common::fail(reason_of(decision));
    in_hand_ = {};
    co_return Result<void>{};
  }

  std::map<StreamName, TopicFacts> running_topics() const {
    std::map<StreamName, TopicFacts> running = topics_.facts();
    std::erase_if(running, [this](const auto& topic) { return handover_.is_stopped(topic.first); });
    return running;
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
      const auto next = handover_.next();
      if (!next && stopping_) co_return Result<void>{};
      if (now >= next_check_ && !stopping_) {
        co_await check_topics();
        next_check_ = clock_.steady_now() + tuning_.topic_check_every;
        continue;
      }
      if (const auto moved = progress_.due(now); moved && !stopping_) {
        const bool taken = co_await take_progress(*moved);
        if (!taken) continue;
      } else {
        const bool sweeps = !stopping_ && sweep_pace_.is_due(now, next && next->begin_at <= now);
        if (!sweeps || !sweep(now)) {
          if (!next || next->begin_at > now) {
            const auto until = std::min({next_check_, sweep_pace_.next(), progress_.next_due()});
            co_await work_.wait_until(next ? std::min(next->begin_at, until) : until);
            continue;
          }
          if (auto taken = take(next->stream); !taken) co_return taken;
        }
      }
      Decision decision = co_await drive(machine_.offer());
      if (decision.action == Action::kRejected && leave_requests(*decision.error)) {
        decision = co_await drive(machine_.offer());
      }
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

  Result<void> take(const StreamName& stream) {
    in_hand_ = {};
    in_hand_.number = ++commit_number_;
    in_hand_.began = clock_.steady_now();
    in_hand_.batch.stream = stream;
    in_hand_.batch.pages = handover_.take(stream);
    if (auto moved = move_ledgers(in_hand_, name_, handover_.ledgers(), claim_.incarnation()); !moved) return moved;
    // Records that their topic cannot take are known beforehand unless compression makes them smaller.
    const std::size_t limit =
        compresses(options_) ? kMaxRecordBytes / 2 : std::min(topics_.max_message(stream), kMaxRecordBytes / 2);
    const bool drops = dead_letters_.rules_of(stream).on_oversize == core::OnOversize::kDrop;
    in_hand_.batch.too_large = drops ? core::RecordFate::kDropped : core::RecordFate::kOversize;
    measure(in_hand_, {.record = limit, .dead_letter = topics_.dead_letter_max_message()});
    digests_->decide(in_hand_, handover_.ledgers());
    return {};
  }

  // False: nothing has expired.
  bool sweep(SteadyTime now) {
    digests_memory_.tell(*digests_);
    const bool found = take_expired();
    if (found) {
      sweep_pace_.found(now, digests_->steps_a_round());
    } else {
      sweep_pace_.found_nothing(now);
    }
    return found;
  }

  bool take_expired() {
    auto expired = digests_->expire(handover_.ledgers(), service_now_());
    if (!expired) return false;
    const StreamName& stream = expired->batch.stream;
    const auto source = std::ranges::find(handover_.ledgers(), stream, [](const auto& ledger) { return ledger.first.stream; });
    if (source == handover_.ledgers().end() || handover_.is_stopped(stream)) {
      digests_->discard(*expired);
      return false;
    }
    in_hand_ = std::move(*expired);
    in_hand_.number = ++commit_number_;
    in_hand_.began = clock_.steady_now();
    in_hand_.ledgers.insert(*source);
    stamp_ledgers(in_hand_, name_, claim_.incarnation());
    return true;
  }

  // A transaction of its own: it begins when the markers of what it speaks of stand in every partition (the coordinator takes no
  // sooner), so that no read_committed reader sees a watermark before its records. False: not now.
  awaitable<bool> take_progress(StreamName stream) {
    progress_.begin(stream, clock_.steady_now());
    if (handover_.is_stopped(stream)) co_return false;
    auto ends = co_await producer_.end_offsets(stream);
    if (!ends) {
      logger_.debug("Progress is not written now", {{"stream", stream.str()}, {"error", ends.error().message}});
      co_return false;
    }
    // By a ledger's stamp the outcome is known when the commit does not tell.
    const auto source = std::ranges::find_if(handover_.ledgers(), [&](const auto& ledger) {
      return ledger.first.stream == stream && !ledger.second.stamp().incarnation.empty();
    });
    if (source == handover_.ledgers().end() || handover_.is_stopped(stream) || stopping_) co_return false;
    in_hand_ = {};
    in_hand_.number = ++commit_number_;
    in_hand_.began = clock_.steady_now();
    in_hand_.batch.stream = stream;
    in_hand_.batch.progress = progress_.record(stream, std::move(*ends));
    progress_tried_ = false;
    in_hand_.ledgers.insert(*source);
    stamp_ledgers(in_hand_, name_, claim_.incarnation());
    co_return true;
  }

  void published(bool after_doubt) {
    using core::TransactionOutcome;
    report_published(in_hand_.batch, metrics_, logger_);
    add_repaired(in_hand_.batch, repaired_);
    dead_letters_.commit(in_hand_.batch);
    digests_->apply(in_hand_);
    handover_.advance(std::move(in_hand_.ledgers));
    progress_.committed(in_hand_.batch.stream, handover_.ledgers());
    if (in_hand_.batch.progress) progress_.written(in_hand_.batch.stream);
    const auto took = since_begin();
    metrics_.transaction_done(after_doubt ? TransactionOutcome::kUnknownApplied : TransactionOutcome::kCommitted, took);
    logger_.debug("Committed", {{"stream", in_hand_.batch.stream.str()},
                                {"number", static_cast<std::int64_t>(in_hand_.number)},
                                {"records", static_cast<std::int64_t>(in_hand_.batch.fates.size())},
                                {"milliseconds", static_cast<std::int64_t>(took.count())}});
    contact_.regained();
    release_hand(core::PageFate::kCommitted);
  }

  awaitable<Result<void>> rejected(const Error& error) {
    if (in_hand_.batch.progress) co_return co_await progress_rejected(error);
    stop_stream(in_hand_.batch.stream, error);
    digests_->discard(in_hand_);
    release_hand(core::PageFate::kDropped);
    if (stopping_) co_return Result<void>{};
    // The refusal does not name the topic. If it was the offsets topic, no stream can go on.
    co_return co_await topics_.look_again_at_state();
  }

  // The ledger says what became of a request; that it leaves the control topic is for tidiness, and no stream stops for that.
  bool leave_requests(const Error& error) {
    if (in_hand_.batch.control.empty()) return false;
    logger_.warn("A request that was dealt with may not leave the control topic; it is passed over from now on",
                 {{"topic", topics_.state().control},
                  {"error_code", std::string{common::to_string(error.code)}},
                  {"error", error.message}});
    in_hand_.batch.control.clear();
    renew_producer_ = true;  // as in stop_stream
    return true;
  }

  // Nobody's data waits for what only tells of it: it is dropped, and told again when its topic can be used.
  awaitable<Result<void>> progress_rejected(const Error& error) {
    if (progress_.hold(clock_.steady_now() + tuning_.progress_pause)) {
      logger_.warn("Progress cannot be written; the streams go on", {{"topic", topics_.state().progress},
                                                                     {"error_code", std::string{common::to_string(error.code)}},
                                                                     {"error", error.message}});
    }
    renew_producer_ = true;  // as in stop_stream: its topic may come back under another id
    release_hand(core::PageFate::kDropped);
    if (stopping_) co_return Result<void>{};
    co_return co_await topics_.look_again_at_state();
  }

  awaitable<void> look_again_at_progress() {
    if (!progress_.may_resume(clock_.steady_now()) || !co_await topics_.can_tell_progress()) co_return;
    progress_.resume();
    renew_producer_ = true;  // the present one does not know the topic
  }

  common::Duration since_begin() const {
    return std::chrono::duration_cast<common::Duration>(clock_.steady_now() - in_hand_.began);
  }

  void release_hand(core::PageFate fate) { handover_.release(std::exchange(in_hand_, {}).batch.pages, fate); }

  void stop_stream(const StreamName& stream, const Error& error) {
    handover_.stop_stream(stream, error);
    // A librdkafka before 2.10 keeps a dangling pointer once it has seen a topic under two ids (its issue #4964), and crashes:
    // the producer goes before it asks for that topic's metadata again.
    renew_producer_ = true;
  }

  void stop_streams(const std::vector<UnusableTopic>& unusable) {
    for (const auto& [stream, error] : unusable) {
      if (!handover_.is_stopped(stream)) stop_stream(stream, error);
    }
  }

  // Topic ids (a topic made again takes records without a word) and the password file.
  awaitable<void> check_topics() {
    refresh_password();
    co_await look_again_at_progress();
    std::vector<StreamName> running;
    for (const auto& [stream, facts] : running_topics()) running.push_back(stream);
    if (running.empty()) co_return;
    const auto unusable = co_await topics_.look_again(std::move(running), handover_.ledgers());
    if (unusable) stop_streams(*unusable);  // else brokers away: commits tell that louder, and the check comes again
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
        co_return co_await producer_.begin();
      case Action::kProduce:
        if (in_hand_.batch.progress && std::exchange(progress_tried_, true)) {
          co_return common::fail(ErrorCode::kTopicUnusable, "no second attempt is made at telling the progress");
        }
        if (auto allowed = dead_letters_.allow(in_hand_.batch); !allowed) {
          held_[in_hand_.batch.stream] = clock_.steady_now() + tuning_.dead_letter_pause;
          co_return allowed;
        }
        co_return co_await producer_.produce(in_hand_.batch);
      case Action::kCommit:
        co_return co_await producer_.commit();
      case Action::kAbort: {
        auto aborted = co_await producer_.abort();
        if (!aborted) co_return aborted;
        metrics_.transaction_done(core::TransactionOutcome::kAborted, since_begin());
        auto narrowed = producer_.narrow_refused(in_hand_.batch);
        if (digests_) digests_->decide(in_hand_, handover_.ledgers());
        co_return narrowed;
      }
      case Action::kWait:
        if (decision.error) contact_.retrying(*decision.error);
        co_await pause(decision.delay);
        co_return Result<void>{};
      default:
        co_return common::fail(ErrorCode::kInternal, "no such step");
    }
  }

  awaitable<Result<void>> create_producer() {
    co_await producer_.retire(in_hand_.batch);
    if (digests_) digests_->decide(in_hand_, handover_.ledgers());  // what was refused may be known now
    refresh_password();
    ProducerSetup setup{.options = options_,
                        .name = name_,
                        .partition = TaskClaim::kTask,
                        .topics = {},
                        .offsets_topic = topics_.state().offsets,
                        .digests_topic = topics_.state().digests,
                        .dead_letter_topic = topics_.state().dead_letters,
                        .progress_topic = topics_.state().progress,
                        .control_topic = topics_.state().control,
                        .smallest_max_message_bytes = topics_.smallest_max_message(),
                        .logger = logger_.named("kafka")};
    for (const StreamTopic& stream : topics_.streams()) {
      if (!handover_.is_stopped(stream.stream)) setup.topics[stream.stream] = stream.topic;
    }
    renew_producer_ = false;
    if (auto made = producer_.create(setup); !made) co_return made;
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
    auto done = co_await producer_.init();
    if (done) {
      contact_.regained();
      co_return done;
    }
    auto trouble = producer_.take_trouble();
    if (trouble) done = common::fail(done.error().code, done.error().message + ": " + *trouble);
    if (starting_ && done.error().code == ErrorCode::kRetryable) {
      if (auto lasting = contact_.lasting_trouble(std::move(trouble)); lasting) co_return common::fail(std::move(*lasting));
    }
    co_return done;
  }

  awaitable<Result<core::ReadBackFinding>> read_back() {
    if (hard_stop_) co_return common::fail(ErrorCode::kCancelled, "stopped");
    const bool asked = machine_.has_batch();
    const auto finding = co_await claim_.read_back(asked ? std::optional<std::uint64_t>{in_hand_.number} : std::nullopt);
    if (finding && asked && machine_.in_doubt() && !finding->foreign && !finding->applied) {
      metrics_.transaction_done(core::TransactionOutcome::kUnknownNotApplied, since_begin());
    }
    co_return finding;
  }

  // --- waiting, stopping, telling ----------------------------------------------------------------------------------------------

  awaitable<void> pause(common::Duration delay) {
    const auto until = clock_.steady_now() + delay;
    while (!stopping_ && clock_.steady_now() < until) {
      co_await work_.wait_until(until);
      if (co_await cancelled()) push();
    }
  }

  void begin_stop() {
    stopping_ = true;
    machine_.stop();
    contact_.tell(TaskEvent::kStopRequested);
    handover_.stop();
  }

  // No patience any more: running calls return as soon as they can, and nothing else is begun.
  void push() {
    if (hard_stop_) return;
    hard_stop_ = true;
    begin_stop();
    claim_.request_stop();
    topics_.request_stop();
    producer_.request_stop();
  }

  void finish(std::optional<Error> error) {
    if (ended_) return;
    ended_ = true;
    if (!error || error->code == ErrorCode::kCancelled) {
      contact_.tell(TaskEvent::kEnded);
    } else {
      contact_.tell(error->code == ErrorCode::kFenced ? TaskEvent::kFenced : TaskEvent::kFailed);
    }
    handover_.end(std::move(error));
  }

  awaitable<void> shut() {
    co_await producer_.close();
    co_await topics_.close();
    handover_.wake();
  }

  void refresh_password() {
    const common::Secret* changed = changed_password(options_, logger_);
    if (changed == nullptr) return;
    topics_.set_password(*changed);
    producer_.set_password(*changed);
  }

  Error reason_of(const Decision& decision) const {
    if (decision.error) return *decision.error;
    return Error{.code = ErrorCode::kCancelled, .message = "stopped"};
  }

  core::ConnectorName name_;
  KafkaOptions options_;  // its password changes with the file
  common::Clock& clock_;
  core::Metrics& metrics_;
  common::Logger logger_;
  PublisherTuning tuning_;

  std::mt19937_64 random_;
  core::TransactionMachine machine_;
  Contact contact_;
  std::string cluster_id_;

  Transaction in_hand_;
  std::uint64_t commit_number_ = 0;
  std::optional<ErrorCode> cause_;  // of the last trouble the machine spoke of
  SteadyTime next_check_;
  bool progress_tried_ = false;  // that of the batch in hand
  core::SweepPace sweep_pace_{kSweepEvery, kSweepSoon};

  bool active_ = false;  // start() or run() is under way
  bool starting_ = false;
  bool renew_producer_ = false;
  bool stopping_ = false;
  bool hard_stop_ = false;
  bool ended_ = false;

  Signal work_;  // run() is its only waiter
  Signal done_;  // stop() waits for start() or run() to end
  Handover handover_;
  boost::asio::thread_pool worker_{1};  // administration and reading back
  TaskTopics topics_;
  TaskClaim claim_;
  DigestsMemory digests_memory_;
  std::unique_ptr<TaskDigests> digests_;  // from their restoration on
  std::function<common::Instant()> service_now_ = [this] { return clock_.utc_now(); };
  core::DeadLetterGuard dead_letters_;
  std::map<StreamName, SteadyTime> held_;  // streams that their dead letters stopped: until when
  std::set<std::string> repaired_;
  TaskProgress progress_;
  CurrentProducer producer_;
};

KafkaPublisher::KafkaPublisher(boost::asio::any_io_executor executor, core::ConnectorName name, KafkaOptions options,
                               std::vector<StreamTopic> streams, common::Clock& clock, core::Metrics& metrics,
                               common::Logger logger, std::uint64_t seed, ProducerFactory factory, PublisherTuning tuning)
    : impl_(std::make_unique<Impl>(executor, std::move(name), std::move(options), std::move(streams), clock, metrics,
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
  return impl_->handover().adopt(source, std::move(initial));
}
void KafkaPublisher::tell_time_by(std::function<common::Instant()> service_now) {
  impl_->tell_time_by(std::move(service_now));
}
void KafkaPublisher::replace(const SourcePartition& source, core::Ledger ledger) {
  impl_->replace(source, std::move(ledger));
}
std::optional<Error> KafkaPublisher::stream_trouble(const StreamName& stream) const {
  return impl_->handover().trouble(stream);
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
  return impl_->topics().facts_of(stream);
}
awaitable<Result<void>> KafkaPublisher::submit(core::PageGroup group) {
  return impl_->handover().submit(std::move(group));
}
awaitable<Result<void>> KafkaPublisher::flush(SourcePartition source) {
  return impl_->handover().flush(std::move(source));
}
const core::Ledger& KafkaPublisher::committed(const SourcePartition& source) const {
  return impl_->handover().committed(source);
}
const core::StreamDigests* KafkaPublisher::digests(const StreamName& stream) const {
  return impl_->digests(stream);
}
std::size_t KafkaPublisher::repaired_keys() const {
  return impl_->repaired_keys();
}
std::string KafkaPublisher::take_spare_storage() {
  return impl_->handover().take_spare_storage();
}

}  // namespace connector::kafka
