// One writer: rivals, expired transactions, and commits whose answer is lost.

#include "tests/integration/kafka/harness.h"
#include "tests/support/kafka_proxy.h"

#include <gtest/gtest.h>
#include "connector/kafka/producer.h"

namespace tests::integration {
namespace {

using common::ErrorCode;
using connector::core::TaskState;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Fencing : public testing::Test {
 protected:
  Loop loop;
  InstanceOptions options = plain_options(support::shared_broker());
  const std::string bootstrap = support::shared_broker().bootstrap();
};

TEST_F(Fencing, TheYoungerInstanceEndsTheOlder) {
  Instance older{loop, options};
  older.start_and_run();
  older.submit_pages(2, 10);
  ASSERT_TRUE(older.flush());

  options.seed = 2;
  Instance younger{loop, options};
  younger.next_window = older.next_window;
  younger.next_record = older.next_record;
  younger.start_and_run();
  const auto submitted = older.submit(page(StreamName{"conversations"}, 90, 9'000, 10));
  ASSERT_TRUE(submitted) << submitted.error().message;
  ASSERT_TRUE(loop.until([&] { return older.ended(); }));

  ASSERT_FALSE(*older.result);
  EXPECT_EQ(older.result->error().code, ErrorCode::kFenced);
  EXPECT_EQ(older.publisher->state(), TaskState::kFenced);
  const auto flushed = older.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, ErrorCode::kFenced);
  younger.submit_pages(2, 10);
  ASSERT_TRUE(younger.flush());
  EXPECT_FALSE(younger.ended());
  expect_each_once(bootstrap, younger.topic(), 40);
}

TEST_F(Fencing, OfTwoThatStartTogetherOneRemains) {
  Instance one{loop, options};
  options.seed = 2;
  Instance two{loop, options};
  int started = 0;
  for (Instance* instance : {&one, &two}) {
    boost::asio::co_spawn(loop.io, instance->publisher->start(), [&started, instance](const std::exception_ptr&, auto result) {
      ++started;
      if (result) instance->run();
    });
  }
  ASSERT_TRUE(loop.until([&] { return started == 2; }));
  const auto owners = [&] {
    return (one.publisher->state() == TaskState::kRunning) + (two.publisher->state() == TaskState::kRunning);
  };
  EXPECT_GE(owners(), 1);

  // Whoever lost learns it with its next transaction.
  for (Instance* instance : {&one, &two}) {
    if (instance->publisher->state() != TaskState::kRunning) continue;
    const auto source = Instance::live("conversations");
    (void)instance->publisher->adopt(source, connector::core::Ledger{{}, window(0).start});
    boost::asio::co_spawn(loop.io, instance->publisher->submit(page(StreamName{"conversations"}, 0, 0, 5)),
                          [](const std::exception_ptr&, auto) {});
  }
  ASSERT_TRUE(loop.until(
      [&] { return owners() == 1 && (one.metrics.total("records_published") + two.metrics.total("records_published")) == 5; }));
  expect_each_once(bootstrap, one.topic(), 5);
}

TEST_F(Fencing, AnExpiredTransactionIsNotTakenForARival) {
  // The broker ends transactions that stay open too long and then answers exactly as if a rival had come.
  support::KafkaBrokerOptions broker_options;
  broker_options.properties = {"transaction.abort.timed.out.transaction.cleanup.interval.ms=500"};
  support::KafkaBroker broker{broker_options};
  options = plain_options(broker);
  options.kafka.transaction_timeout = common::Duration{3'000};
  // A producer that dawdles between produce and commit, once.
  struct Dawdler final : connector::core::TransactionalProducer {
    std::unique_ptr<connector::core::TransactionalProducer> inner;
    common::SystemClock* clock;
    bool* dawdle;
    boost::asio::awaitable<common::Result<void>> init() override { return inner->init(); }
    boost::asio::awaitable<common::Result<void>> begin() override { return inner->begin(); }
    boost::asio::awaitable<common::Result<void>> produce(const connector::core::TransactionBatch& batch) override {
      return inner->produce(batch);
    }
    boost::asio::awaitable<common::Result<void>> commit() override {
      if (std::exchange(*dawdle, false)) (void)co_await clock->sleep_for(common::Duration{8'000});
      co_return co_await inner->commit();
    }
    boost::asio::awaitable<common::Result<void>> abort() override { return inner->abort(); }
    boost::asio::awaitable<common::Result<std::vector<std::int64_t>>> end_offsets(connector::core::StreamName stream) override {
      return inner->end_offsets(std::move(stream));
    }
    boost::asio::awaitable<void> close() override { return inner->close(); }
    [[nodiscard]] std::vector<std::size_t> refused_records() const override { return inner->refused_records(); }
    std::optional<std::string> take_trouble() override { return inner->take_trouble(); }
    void set_password(const common::Secret& password) override { inner->set_password(password); }
    void request_stop() override { inner->request_stop(); }
  };
  common::SystemClock clock;
  bool dawdle = false;
  options.factory = [&](const connector::kafka::ProducerSetup& setup)
      -> common::Result<std::unique_ptr<connector::core::TransactionalProducer>> {
    auto made = connector::kafka::make_producer(setup);
    if (!made) return common::fail(made.error());
    auto wrapped = std::make_unique<Dawdler>();
    wrapped->inner = std::move(*made);
    wrapped->clock = &clock;
    wrapped->dawdle = &dawdle;
    return wrapped;
  };
  Instance instance{loop, options};
  instance.start_and_run();
  dawdle = true;

  instance.submit_pages(1, 10);
  ASSERT_TRUE(instance.flush());

  EXPECT_EQ(instance.metrics.count("producer_started", "fenced"), 1U);
  EXPECT_EQ(instance.publisher->state(), TaskState::kRunning);
  expect_each_once(broker.bootstrap(), instance.topic(), 10);
}

class LostCommits : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    proxy = std::make_unique<support::KafkaProxy>();
    support::KafkaBrokerOptions options;
    options.properties = {"advertised.listeners=PLAINTEXT://127.0.0.1:" + std::to_string(proxy->port())};
    broker = std::make_unique<support::KafkaBroker>(options);
    proxy->forward_to(broker->bootstrap());
  }
  static void TearDownTestSuite() {
    broker.reset();
    proxy.reset();
  }

  static std::unique_ptr<support::KafkaProxy> proxy;
  static std::unique_ptr<support::KafkaBroker> broker;
  Loop loop;
  InstanceOptions options = plain_options(*broker);
};

std::unique_ptr<support::KafkaProxy> LostCommits::proxy;
std::unique_ptr<support::KafkaBroker> LostCommits::broker;

TEST_F(LostCommits, AnswersLostNowAndThenLeaveEveryRecordOnce) {
  Instance instance{loop, options};
  instance.start_and_run();

  for (int round = 0; round < 5; ++round) {
    proxy->lose_answers(support::kEndTxn, 1);
    instance.submit_pages(1, 20);
    ASSERT_TRUE(instance.flush());
  }

  EXPECT_EQ(proxy->lost(), 5U);
  expect_each_once(broker->bootstrap(), instance.topic(), 100);
}

TEST_F(LostCommits, RequestsLostNowAndThenLeaveEveryRecordOnce) {
  Instance instance{loop, options};
  instance.start_and_run();
  const auto before = proxy->lost();

  for (int round = 0; round < 5; ++round) {
    proxy->lose_requests(support::kEndTxn, 1);
    instance.submit_pages(1, 20);
    ASSERT_TRUE(instance.flush());
  }

  EXPECT_EQ(proxy->lost(), before + 5U);
  expect_each_once(broker->bootstrap(), instance.topic(), 100);
}

// Every answer is lost for longer than the transaction timeout: the commit was applied, nobody said so, and only reading back
// tells.
TEST_F(LostCommits, ACommitThatIsNeverAnsweredIsFoundByReadingBack) {
  options.kafka.transaction_timeout = common::Duration{3'000};
  Instance instance{loop, options};
  instance.start_and_run();
  proxy->lose_answers(support::kEndTxn, 1'000'000);

  instance.submit_pages(1, 20);
  ASSERT_TRUE(loop.until([&] {
    return instance.metrics.count("producer_started", "outcome_unknown") + instance.metrics.count("producer_started", "fenced") >
           0;
  }));
  proxy->lose_answers(support::kEndTxn, 0);
  ASSERT_TRUE(instance.flush());

  EXPECT_EQ(instance.metrics.count("transaction_done", "unknown_applied"), 1U);
  expect_each_once(broker->bootstrap(), instance.topic(), 20);
}

TEST_F(LostCommits, ACommitThatNeverArrivesIsFoundByReadingBackAndRedone) {
  options.kafka.transaction_timeout = common::Duration{3'000};
  Instance instance{loop, options};
  instance.start_and_run();
  proxy->lose_requests(support::kEndTxn, 1'000'000);

  instance.submit_pages(1, 20);
  ASSERT_TRUE(loop.until([&] {
    return instance.metrics.count("producer_started", "outcome_unknown") + instance.metrics.count("producer_started", "fenced") >
           0;
  }));
  proxy->lose_requests(support::kEndTxn, 0);
  ASSERT_TRUE(instance.flush());

  EXPECT_EQ(instance.metrics.count("transaction_done", "unknown_applied"), 0U);
  expect_each_once(broker->bootstrap(), instance.topic(), 20);
}

}  // namespace
}  // namespace tests::integration
