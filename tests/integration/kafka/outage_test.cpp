// Brokers that die, freeze and come back under a running publisher, on a broker of its own.

#include "tests/integration/kafka/harness.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace tests::integration {
namespace {

using common::ErrorCode;
using connector::core::TaskState;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Outage : public testing::Test {
 protected:
  static void SetUpTestSuite() { broker = std::make_unique<support::KafkaBroker>(); }
  static void TearDownTestSuite() { broker.reset(); }
  void SetUp() override { broker->wait_until_ready(); }

  // Submits pages in the background of whatever the test does to the broker.
  void feed(Instance& instance, std::uint64_t pages, std::uint64_t per_page) {
    fed = false;
    boost::asio::co_spawn(
        loop.io,
        [](Instance& to, std::uint64_t count, std::uint64_t size) -> boost::asio::awaitable<void> {
          for (std::uint64_t i = 0; i < count; ++i) {
            auto group = page(StreamName{"conversations"}, to.next_window++, to.next_record, size, 1'000);
            to.next_record += size;
            const auto submitted = co_await to.publisher->submit(std::move(group));
            if (!submitted) throw std::runtime_error(submitted.error().message);
          }
        }(instance, pages, per_page),
        [this](const std::exception_ptr& failure) {
          if (failure) std::rethrow_exception(failure);
          fed = true;
        });
  }

  [[nodiscard]] static double committed(const Instance& instance) { return instance.metrics.total("records_published"); }

  static std::unique_ptr<support::KafkaBroker> broker;
  Loop loop;
  InstanceOptions options = plain_options(*broker);
  bool fed = false;
};

std::unique_ptr<support::KafkaBroker> Outage::broker;

TEST_F(Outage, BrokersKilledAgainAndAgainLeaveEveryRecordOnce) {
  options.kafka.commit_bytes = 300'000;
  options.kafka.memory_bytes = 2'000'000;
  Instance instance{loop, options};
  instance.start_and_run();
  feed(instance, 400, 100);
  std::mt19937 random{5};

  for (int kill = 0; kill < 3; ++kill) {
    const double goal = committed(instance) + 2'000;
    ASSERT_TRUE(loop.until([&] { return committed(instance) >= goal; }));
    // Some turns of the loop more, so that the kill meets another step each time.
    const std::size_t turns = random() % 20;
    for (std::size_t turn = 0; turn < turns; ++turn) {
      loop.io.restart();
      loop.io.run_one_for(milliseconds{5});
    }
    broker->kill();
    broker->start();
    loop.until([] { return false; }, milliseconds{500});  // the publisher meets the outage
    broker->wait_until_ready();
  }
  ASSERT_TRUE(loop.until([&] { return fed; }));
  ASSERT_TRUE(instance.flush());

  expect_each_once(broker->bootstrap(), instance.topic(), 40'000);
  EXPECT_EQ(*visible_ledger(broker->bootstrap(), instance.offsets_topic()),
            instance.publisher->committed(Instance::live("conversations")));
}

TEST_F(Outage, ABrokerKilledDuringTheCommitLeavesOneOutcome) {
  Instance instance{loop, options};
  instance.start_and_run();
  // Frozen before the commit, so that its request is under way when the broker dies.
  broker->pause();
  ASSERT_TRUE(instance.submit(page(StreamName{"conversations"}, 0, 0, 100)));
  loop.until([] { return false; }, milliseconds{700});
  broker->kill();
  broker->restart();

  ASSERT_TRUE(instance.flush());

  expect_each_once(broker->bootstrap(), instance.topic(), 100);
}

TEST_F(Outage, AFrozenBrokerDelaysAndLosesNothing) {
  Instance instance{loop, options};
  instance.start_and_run();
  feed(instance, 25, 100);
  ASSERT_TRUE(loop.until([&] { return committed(instance) >= 500; }));

  broker->pause();
  feed(instance, 25, 100);
  ASSERT_TRUE(loop.until([&] { return instance.publisher->state() == TaskState::kWaitingForKafka; }, seconds{20}));
  broker->resume();

  ASSERT_TRUE(loop.until([&] { return fed && instance.next_record == 5'000; }));
  ASSERT_TRUE(instance.flush());
  EXPECT_EQ(instance.publisher->state(), TaskState::kRunning);
  expect_each_once(broker->bootstrap(), instance.topic(), 5'000);
}

TEST_F(Outage, AStartWithoutABrokerWaitsSaysSoAndGoesOn) {
  broker->kill();
  Instance instance{loop, options};
  std::optional<bool> started;
  boost::asio::co_spawn(loop.io, instance.publisher->start(),
                        [&](const std::exception_ptr&, auto result) { started = result.has_value(); });
  ASSERT_TRUE(loop.until([&] { return instance.publisher->state() == TaskState::kWaitingForKafka; }, seconds{20}));
  EXPECT_NE(instance.log().find("Waiting for Kafka"), std::string::npos);

  broker->restart();

  ASSERT_TRUE(loop.until([&] { return started.has_value(); }));
  EXPECT_TRUE(*started);
  EXPECT_EQ(instance.publisher->state(), TaskState::kRunning);
  instance.stop();
}

TEST_F(Outage, AStartThatWaitsCanBeStopped) {
  broker->kill();
  Instance instance{loop, options};
  std::optional<ErrorCode> ended;
  boost::asio::co_spawn(loop.io, instance.publisher->start(), [&](const std::exception_ptr&, auto result) {
    ended = result ? ErrorCode::kInternal : result.error().code;
  });
  ASSERT_TRUE(loop.until([&] { return instance.publisher->state() == TaskState::kWaitingForKafka; }, seconds{20}));

  const auto before = std::chrono::steady_clock::now();
  instance.stop(seconds{5});

  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds{4});
  EXPECT_EQ(ended, ErrorCode::kCancelled);
  EXPECT_EQ(instance.publisher->state(), TaskState::kStopped);
  broker->restart();
}

TEST_F(Outage, AStopIsPromptWithTheBrokerDead) {
  Instance instance{loop, options};
  instance.start_and_run();
  broker->kill();
  ASSERT_TRUE(instance.submit(page(StreamName{"conversations"}, 0, 0, 2'000, 1'000)));
  loop.until([] { return false; }, milliseconds{500});  // the commit is in flight

  const auto before = std::chrono::steady_clock::now();
  instance.stop(milliseconds{500});

  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds{4});
  EXPECT_TRUE(*instance.result);
  broker->restart();
}

TEST_F(Outage, AStopIsPromptWithTheBrokerFrozen) {
  Instance instance{loop, options};
  instance.start_and_run();
  broker->pause();
  ASSERT_TRUE(instance.submit(page(StreamName{"conversations"}, 0, 0, 2'000, 1'000)));
  loop.until([] { return false; }, milliseconds{500});

  const auto before = std::chrono::steady_clock::now();
  instance.stop(milliseconds{500});

  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds{4});
  broker->resume();
}

TEST_F(Outage, AtLeastOnceLosesNothingWhenTheBrokerDies) {
  options.kafka.delivery = connector::kafka::Delivery::kAtLeastOnce;
  options.kafka.commit_bytes = 300'000;
  options.kafka.memory_bytes = 2'000'000;
  Instance instance{loop, options};
  instance.start_and_run();
  feed(instance, 100, 100);
  ASSERT_TRUE(loop.until([&] { return committed(instance) >= 2'000; }));

  broker->kill();
  broker->restart();
  ASSERT_TRUE(loop.until([&] { return fed; }));
  ASSERT_TRUE(instance.flush());

  std::set<std::string> keys;
  for (const auto& record : read_committed(broker->bootstrap(), instance.topic())) keys.insert(record.key);
  EXPECT_EQ(keys.size(), 10'000U);
}

}  // namespace
}  // namespace tests::integration
