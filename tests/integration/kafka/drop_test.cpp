// Pages that were taken and dropped: their stream was stopped alone and runs again before its lane has noticed. And submits that
// wait for room: whoever waits can be stopped.

#include "connector/kafka/producer.h"
#include "tests/integration/kafka/harness.h"

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/this_coro.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace tests::integration {
namespace {

namespace core = connector::core;
using common::ErrorCode;
using common::Result;
using support::shared_broker;

// What the producers of a test are told to do wrong.
struct Misbehaviour {
  bool refuse_topic = false;    // once
  bool never_commits = false;   // as long as it is set
  bool refuse_records = false;  // once: a batch is refused, and the reports of its records trickle in
};

class Misbehaving final : public core::TransactionalProducer {
 public:
  Misbehaving(std::unique_ptr<core::TransactionalProducer> inner, std::shared_ptr<Misbehaviour> told)
      : inner_(std::move(inner)), told_(std::move(told)) {}

  boost::asio::awaitable<Result<void>> init() override { return inner_->init(); }
  boost::asio::awaitable<Result<void>> begin() override { return inner_->begin(); }
  boost::asio::awaitable<Result<void>> produce(const core::TransactionBatch& batch) override {
    if (std::exchange(told_->refuse_topic, false)) co_return common::fail(ErrorCode::kTopicUnusable, "scripted");
    co_return co_await inner_->produce(batch);
  }
  boost::asio::awaitable<Result<void>> commit() override {
    if (told_->never_commits) co_return common::fail(ErrorCode::kRetryable, "scripted");
    if (std::exchange(told_->refuse_records, false)) {
      refused_ = {0};
      co_return common::fail(ErrorCode::kOversize, "scripted");
    }
    co_return co_await inner_->commit();
  }
  boost::asio::awaitable<Result<void>> abort() override {
    if (!refused_.empty()) refused_ = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    return inner_->abort();
  }
  boost::asio::awaitable<Result<std::vector<std::int64_t>>> end_offsets(core::StreamName stream) override {
    return inner_->end_offsets(std::move(stream));
  }
  boost::asio::awaitable<void> close() override { return inner_->close(); }
  [[nodiscard]] std::vector<std::size_t> refused_records() const override { return refused_; }
  std::optional<std::string> take_trouble() override { return inner_->take_trouble(); }
  void set_password(const common::Secret& password) override { inner_->set_password(password); }
  void request_stop() override { inner_->request_stop(); }

 private:
  std::unique_ptr<core::TransactionalProducer> inner_;
  std::shared_ptr<Misbehaviour> told_;
  std::vector<std::size_t> refused_;
};

class Drop : public testing::Test {
 protected:
  Drop() {
    options.factory =
        [told = told](const connector::kafka::ProducerSetup& setup) -> Result<std::unique_ptr<core::TransactionalProducer>> {
      auto made = connector::kafka::make_producer(setup);
      if (!made) return common::fail(made.error());
      return std::make_unique<Misbehaving>(std::move(*made), told);
    };
  }

  // Page `number` of one window that is published page by page; the first one opens it.
  static PageGroup page_of_window(std::uint32_t number) {
    PageGroup group = page(kStream, 0, (number - 1) * 10, 10);
    core::Page& made = group.front();
    made.changes.clear();
    if (number == 1) made.changes.emplace_back(core::WindowOpened{.window = made.window, .position = core::AtStart{}});
    made.changes.emplace_back(
        core::PageRead{.window = made.window, .next = core::AtPage{number + 1}, .records = 10, .page = number});
    return group;
  }

  static inline const StreamName kStream{"conversations"};
  Loop loop;
  InstanceOptions options = plain_options(shared_broker());
  const std::string bootstrap = shared_broker().bootstrap();
  std::shared_ptr<Misbehaviour> told = std::make_shared<Misbehaviour>();
};

TEST_F(Drop, NothingIsTakenAfterADroppedPageUntilItsLaneKnows) {
  Instance instance{loop, options};
  instance.start_and_run();
  told->refuse_topic = true;
  ASSERT_TRUE(instance.submit(page_of_window(1)));
  ASSERT_TRUE(loop.until([&] { return instance.publisher->stream_trouble(kStream).has_value(); }));
  ASSERT_TRUE(loop.until([&] { return loop.wait(instance.publisher->reset_stream(kStream)).has_value(); }));

  // The lane has two jobs under way and has not looked up: neither gets a page in.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto submitted = instance.submit(page_of_window(2));
    ASSERT_FALSE(submitted);
    EXPECT_EQ(submitted.error().code, ErrorCode::kTopicUnusable);
  }
  const auto flushed = instance.flush();
  ASSERT_FALSE(flushed) << "something was not committed, and flush did not say so";
  EXPECT_EQ(flushed.error().code, ErrorCode::kTopicUnusable);
  EXPECT_FALSE(instance.ended());

  // Now it knows: it begins again where the committed ledger stands.
  EXPECT_TRUE(instance.publisher->committed(Instance::live("conversations")).is_untouched());
  ASSERT_TRUE(instance.submit(page_of_window(1)));
  ASSERT_TRUE(instance.submit(page_of_window(2)));
  ASSERT_TRUE(instance.flush());
  EXPECT_FALSE(instance.ended());
  expect_each_once(bootstrap, instance.topic(), 20);
}

TEST_F(Drop, AStreamWithNothingDroppedGoesOnAtOnce) {
  options.streams = {"conversations", "users"};
  Instance instance{loop, options};
  instance.start_and_run();
  told->refuse_topic = true;
  ASSERT_TRUE(instance.submit(page_of_window(1)));
  ASSERT_TRUE(loop.until([&] { return instance.publisher->stream_trouble(kStream).has_value(); }));

  ASSERT_TRUE(instance.submit(page(StreamName{"users"}, 0, 0, 10)));
  ASSERT_TRUE(instance.flush("users"));
  expect_each_once(bootstrap, instance.topic("users"), 10);
}

// The commit fails with the first report, the others follow until the transaction is aborted: judged too early, the first record
// of the refused batch would be taken for the one at fault.
TEST_F(Drop, RecordsAreJudgedWhenEveryReportIsIn) {
  Instance instance{loop, options};
  instance.start_and_run();
  told->refuse_records = true;

  ASSERT_TRUE(instance.submit(page(kStream, 0, 0, 10)));
  ASSERT_TRUE(instance.flush());

  EXPECT_EQ(instance.metrics.total("dead_letters"), 0);
  // (While the broker is still busy with the claim's end, it refuses to end what it has not begun: then the producer goes
  // instead.)
  EXPECT_EQ(instance.metrics.count("transaction_done", "aborted") + instance.metrics.count("producer_started", "fatal"), 1U);
  expect_each_once(bootstrap, instance.topic(), 10);
}

TEST_F(Drop, SpareStorageIsBoundedByTheMemory) {
  options.kafka.memory_bytes = 100'000;
  Instance instance{loop, options};
  instance.start_and_run();
  ASSERT_TRUE(instance.submit(page(kStream, 0, 0, 10)));
  ASSERT_TRUE(instance.submit(page(kStream, 1, 10, 10, 5'000)));
  ASSERT_TRUE(instance.flush());

  const std::string kept = instance.publisher->take_spare_storage();
  EXPECT_GT(kept.capacity(), 2'000U) << "a small page's storage is of use again";
  EXPECT_LT(kept.capacity(), 25'000U);
  EXPECT_LT(instance.publisher->take_spare_storage().capacity(), 2'000U) << "a large page's storage is given back";
}

// The cancellation came before the wait for room: it must end that wait all the same, or a stop would hang for as long as the
// brokers are away.
TEST_F(Drop, ASubmitThatWasCancelledBeforeItWaitsEnds) {
  options.kafka.memory_bytes = 4'000;
  Instance instance{loop, options};
  instance.start_and_run();
  told->never_commits = true;
  ASSERT_TRUE(instance.submit(page(kStream, 0, 0, 10)));

  boost::asio::cancellation_signal cancel;
  std::optional<Result<void>> ended;
  boost::asio::co_spawn(
      loop.io,
      [](Instance& to, boost::asio::cancellation_signal& signal) -> boost::asio::awaitable<Result<void>> {
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        signal.emit(boost::asio::cancellation_type::terminal);
        co_return co_await to.publisher->submit(page(kStream, 1, 10, 10));
      }(instance, cancel),
      boost::asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr& failure, Result<void> result) {
        if (failure) std::rethrow_exception(failure);
        ended = std::move(result);
      }));

  EXPECT_TRUE(loop.until([&] { return ended.has_value(); }, std::chrono::seconds{5}));
  told->never_commits = false;
  ASSERT_TRUE(loop.until([&] { return ended.has_value(); }));
  ASSERT_FALSE(*ended);
  EXPECT_EQ(ended->error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tests::integration
