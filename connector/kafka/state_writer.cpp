#include "connector/kafka/state_writer.h"

#include "connector/core/task/claim.h"
#include "connector/core/transaction/machine.h"
#include "connector/core/transaction/read_back.h"
#include "connector/kafka/blocking.h"
#include "connector/kafka/control_store.h"
#include "connector/kafka/current_producer.h"
#include "connector/kafka/incarnation.h"
#include "connector/kafka/transaction.h"

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <random>
#include <utility>

namespace connector::kafka {

using boost::asio::awaitable;
using common::ErrorCode;
using common::Result;
using core::Action;
using core::Decision;

namespace {

constexpr common::Duration kReadPatience{10'000};  // of silence
constexpr std::int32_t kTask = 0;

}  // namespace

class StateWriter::Impl {
 public:
  Impl(StateWriterSetup setup, common::Clock& clock)
      : setup_(std::move(setup)),
        clock_(clock),
        location_{.name = setup_.name, .topic = setup_.offsets_topic, .partition = kTask},
        random_(setup_.seed),
        machine_({.transaction_timeout = setup_.kafka.transaction_timeout}, random_),
        producer_(setup_.factory),
        deadline_(clock.steady_now() + setup_.patience) {
    owner_.incarnation = make_incarnation(random_);
  }
  ~Impl() { worker_.join(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  awaitable<Result<StoredOffsets>> take_over() {
    const Decision decision = co_await drive(machine_.start());
    if (decision.action != Action::kIdle) co_return common::fail(reason_of(decision));
    co_return found_;
  }

  awaitable<Result<void>> write(std::vector<StateChange> changes, DigestsMemory digests) {
    planned_on_ = found_;
    claim_is_all_ = changes.empty();
    core::Claim claim{.incarnation = owner_.incarnation, .host = host_name(), .claimed_at = clock_.utc_now()};
    if (const auto before = readable_state(location_, found_).claim; before && digests == DigestsMemory::kKeep) {
      claim.digests = before->digests;
    }
    in_hand_ = claim_transaction(setup_.name, kTask, claim);
    const Decision claimed = co_await drive(machine_.offer());
    if (claimed.action != Action::kPublished) co_return common::fail(reason_of(claimed));
    owner_.claimed = true;
    owner_.inherited = core::incarnations_in(readable_state(location_, found_));

    if (changes.empty()) co_return Result<void>{};
    in_hand_ = {};
    in_hand_.number = 1;
    for (StateChange& change : changes) {
      if (change.ledger) {
        in_hand_.ledgers.emplace(std::move(change.source), std::move(*change.ledger));
      } else {
        in_hand_.batch.state.push_back({.key = ledger_key(setup_.name, change.source), .value = std::nullopt});
        // With its ledger gone nobody would know that the request has been taken, and begin it anew.
        if (change.source.lane == core::Lane::kBackfill && !setup_.control_topic.empty()) {
          in_hand_.batch.control.push_back({.key = backfill_key(setup_.name, change.source.stream), .value = std::nullopt});
        }
      }
    }
    stamp_ledgers(in_hand_, setup_.name, owner_.incarnation);
    const Decision written = co_await drive(machine_.offer());
    if (written.action != Action::kPublished) co_return common::fail(reason_of(written));
    co_return Result<void>{};
  }

  awaitable<void> close() { co_await producer_.close(); }

 private:
  awaitable<Decision> drive(Decision decision) {
    for (;;) {
      if (decision.error) last_error_ = decision.error;
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
          if (auto moved = moved_since_planned()) co_return *moved;
          break;
        default: {
          const Result<void> result = co_await perform(decision);
          decision = machine_.step(result, clock_.steady_now());
        }
      }
    }
  }

  awaitable<Result<void>> perform(const Decision& decision) {
    switch (decision.action) {
      case Action::kCreate:
        co_await producer_.retire(in_hand_.batch);
        co_return create();
      case Action::kInit: {
        auto done = co_await producer_.init();
        if (!done) {
          if (auto trouble = producer_.take_trouble()) done = common::fail(done.error().code, *trouble);
        }
        co_return done;
      }
      case Action::kBegin:
        co_return co_await producer_.begin();
      case Action::kProduce:
        co_return co_await producer_.produce(in_hand_.batch);
      case Action::kCommit:
        co_return co_await producer_.commit();
      case Action::kAbort:
        co_return co_await producer_.abort();
      case Action::kWait:
        if (clock_.steady_now() >= deadline_) machine_.stop();
        co_return co_await clock_.sleep_for(decision.delay);
      default:
        co_return common::fail(ErrorCode::kInternal, "no such step");
    }
  }

  Result<void> create() {
    // Nothing but state is written: the other two topics need not exist.
    return producer_.create({.options = setup_.kafka,
                             .name = setup_.name,
                             .partition = kTask,
                             .topics = {},
                             .offsets_topic = setup_.offsets_topic,
                             .digests_topic = setup_.offsets_topic,
                             .dead_letter_topic = setup_.offsets_topic,
                             .control_topic = setup_.control_topic,
                             .smallest_max_message_bytes = setup_.max_message_bytes,
                             .logger = setup_.logger});
  }

  awaitable<Result<core::ReadBackFinding>> read_back() {
    auto stored = co_await run_blocking(
        worker_, [this] { return read_offsets(setup_.kafka, location_, setup_.logger, kReadPatience, stop_); });
    if (!stored) co_return common::fail(stored.error());
    const core::StoredState state = readable_state(location_, *stored);
    const auto in_doubt = machine_.has_batch() ? std::optional{in_hand_.number} : std::nullopt;
    const auto finding = core::assess(state, owner_, in_doubt);
    if (!owner_.claimed && !finding.applied) found_ = std::move(*stored);
    co_return finding;
  }

  // Somebody may become the owner between take_over() and our claim. It is not made then: whoever runs would end by it.
  std::optional<Decision> moved_since_planned() const {
    if (!planned_on_ || owner_.claimed || found_ == *planned_on_) return std::nullopt;
    return Decision{.action = Action::kFailed,
                    .error = common::Error{.code = ErrorCode::kStateRefused,
                                           .message = "a connector of this name is running and has written its state meanwhile; "
                                                      "nothing was changed: stop it, then try again"}};
  }

  common::Error reason_of(const Decision& decision) const {
    const std::string why = last_error_ ? ": " + last_error_->message : std::string{};
    // Whatever ended it: a rival that came before the change could be seen says nothing about it.
    if (machine_.in_doubt() && (in_hand_.number > 0 || claim_is_all_)) {
      return {.code = ErrorCode::kOutcomeUnknown,
              .message = "Kafka did not say whether the change was made" + why + "; `offsets get` shows it",
              .retry_after = std::nullopt};
    }
    if (decision.action != Action::kStopped && decision.error) return *decision.error;
    return {.code = ErrorCode::kTopicUnusable, .message = "Kafka did not answer in time" + why, .retry_after = std::nullopt};
  }

  StateWriterSetup setup_;
  common::Clock& clock_;
  StateLocation location_;
  std::mt19937_64 random_;
  core::TransactionMachine machine_;
  core::Ownership owner_;
  StoredOffsets found_;                      // before our claim
  std::optional<StoredOffsets> planned_on_;  // as it was when the change was planned; from write() on
  Transaction in_hand_;
  bool claim_is_all_ = false;  // the change is in the claim
  std::optional<common::Error> last_error_;
  std::atomic<bool> stop_ = false;
  boost::asio::thread_pool worker_{1};
  CurrentProducer producer_;
  common::SteadyTime deadline_;
};

StateWriter::StateWriter(StateWriterSetup setup, common::Clock& clock) : impl_(std::make_unique<Impl>(std::move(setup), clock)) {}
StateWriter::~StateWriter() = default;
awaitable<Result<StoredOffsets>> StateWriter::take_over() {
  return impl_->take_over();
}
awaitable<Result<void>> StateWriter::write(std::vector<StateChange> changes, DigestsMemory digests) {
  return impl_->write(std::move(changes), digests);
}
awaitable<void> StateWriter::close() {
  return impl_->close();
}

}  // namespace connector::kafka
