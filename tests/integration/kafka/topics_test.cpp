// Topics that vanish, are made again, refuse records or may not be written: the stream concerned stops alone.

#include "tests/integration/kafka/harness.h"
#include "tests/integration/kafka/hooked_producer.h"

#include <gtest/gtest.h>

#include <set>

namespace tests::integration {
namespace {

using common::ErrorCode;
using std::chrono::milliseconds;
using support::shared_broker;

class Topics : public testing::Test {
 protected:
  Topics() {
    options.streams = {"conversations", "users"};
    options.tuning.topic_check_every = common::Duration{300};
  }
  [[nodiscard]] static bool stopped(const Instance& instance, const std::string& stream) {
    return instance.publisher->stream_trouble(StreamName{stream}).has_value();
  }
  // The other stream publishes as if nothing had happened.
  void expect_other_stream_goes_on(Instance& instance) {
    const auto submitted = instance.submit(page(StreamName{"users"}, instance.next_window++, 0, 10));
    ASSERT_TRUE(submitted) << submitted.error().message;
    const auto flushed = instance.flush("users");
    ASSERT_TRUE(flushed) << flushed.error().message;
    expect_each_once(bootstrap, instance.topic("users"), 10);
    EXPECT_FALSE(instance.ended());
  }

  Loop loop;
  InstanceOptions options = plain_options(shared_broker());
  const std::string bootstrap = shared_broker().bootstrap();
};

TEST_F(Topics, ADeletedTopicStopsItsStreamAlone) {
  options.tuning.topic_check_every = common::Duration{600'000};
  options.kafka.librdkafka["message.timeout.ms"] = "5000";
  Instance instance{loop, options};
  instance.start_and_run();
  instance.submit_pages(1, 10);
  ASSERT_TRUE(instance.flush());

  delete_topic(bootstrap, instance.topic());
  ASSERT_TRUE(instance.submit(page(StreamName{"conversations"}, instance.next_window++, 100, 10)));
  const auto flushed = instance.flush();

  // By whichever report it comes: the batch is not published and the ledger has not moved.
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, ErrorCode::kTopicUnusable) << flushed.error().message;
  EXPECT_EQ(instance.publisher->committed(Instance::live("conversations")).complete_until(), window(0).end);
  EXPECT_EQ(instance.metrics.count("stream_stopped", "conversations"), 1U);
  const auto refused = instance.submit(page(StreamName{"conversations"}, instance.next_window++, 200, 10));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTopicUnusable);
  expect_other_stream_goes_on(instance);
}

TEST_F(Topics, ATopicMadeAgainIsNoticedWhileRunning) {
  Instance instance{loop, options};
  instance.start_and_run();
  instance.submit_pages(1, 10);
  ASSERT_TRUE(instance.flush());
  const auto old_id = instance.publisher->topic(StreamName{"conversations"})->id;

  delete_topic(bootstrap, instance.topic());
  make_topic(bootstrap, instance.topic(), 3);

  ASSERT_TRUE(loop.until([&] { return stopped(instance, "conversations"); }));
  const auto trouble = instance.publisher->stream_trouble(StreamName{"conversations"});
  EXPECT_EQ(trouble->code, ErrorCode::kTopicUnusable);
  // Seen between deletion and making, it is missing; seen after, its id tells.
  const auto again = loop.wait(instance.publisher->reset_stream(StreamName{"conversations"}));
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("deleted and made again"), std::string::npos) << again.error().message;
  EXPECT_NE(again.error().message.find(old_id), std::string::npos);
  expect_other_stream_goes_on(instance);
}

TEST_F(Topics, ATopicMadeAgainIsNoticedAtTheNextStart) {
  {
    Instance first{loop, options};
    first.start_and_run();
    first.submit_pages(1, 10);
    ASSERT_TRUE(first.flush());
    first.stop();
    delete_topic(bootstrap, first.topic());
    ASSERT_NO_THROW(make_topic(bootstrap, first.topic(), 3));
  }

  options.seed = 2;
  Instance second{loop, options};
  second.start_and_run();

  ASSERT_TRUE(stopped(second, "conversations"));
  EXPECT_NE(second.publisher->stream_trouble(StreamName{"conversations"})->message.find("deleted and made again"),
            std::string::npos);
  expect_other_stream_goes_on(second);
}

TEST_F(Topics, AMissingTopicStopsItsStreamUntilItIsMade) {
  for (const char* state : {"-offsets", "-digests"}) {
    make_topic(bootstrap, options.name + state, 1, {{"cleanup.policy", "compact"}});
  }
  make_topic(bootstrap, options.name + "-dead-letters", 1);
  make_topic(bootstrap, options.name + ".users", 1);
  options.kafka.topics.create = false;
  Instance instance{loop, options};
  instance.start_and_run();
  ASSERT_TRUE(stopped(instance, "conversations"));
  expect_other_stream_goes_on(instance);

  make_topic(bootstrap, instance.topic(), 2);

  // A topic just made has no leader for a moment.
  ASSERT_TRUE(loop.until([&] { return loop.wait(instance.publisher->reset_stream(StreamName{"conversations"})).has_value(); }));
  instance.next_window = 50;
  instance.submit_pages(1, 10);
  ASSERT_TRUE(instance.flush());
  expect_each_once(bootstrap, instance.topic(), 10);
}

class ProgressTrouble : public Topics {
 protected:
  ProgressTrouble() {
    options.streams = {"conversations"};
    options.kafka.topics.progress.enabled = true;
    options.kafka.topics.progress.every = common::Duration{10};
    options.tuning.progress_pause = common::Duration{500};
  }
  [[nodiscard]] std::size_t told(const Instance& instance) const {
    return read_committed(bootstrap, instance.progress_topic()).size();
  }
  void publish(Instance& instance) {
    instance.submit_pages(1, 10);
    const auto flushed = instance.flush();
    ASSERT_TRUE(flushed) << flushed.error().message;
  }
  static std::size_t warnings(const Instance& instance) {
    const std::string log = instance.log();
    std::size_t found = 0;
    for (auto at = log.find("Progress cannot be written"); at != std::string::npos;
         at = log.find("Progress cannot be written", at + 1))
      ++found;
    return found;
  }
};

TEST_F(ProgressTrouble, ItsTopicDeletedStopsNoStreamAndItIsToldAgainWhenItIsBack) {
  options.kafka.librdkafka["message.timeout.ms"] = "5000";
  Instance instance{loop, options};
  instance.start_and_run();
  publish(instance);
  ASSERT_TRUE(loop.until([&] { return told(instance) > 0; }));

  delete_topic(bootstrap, instance.progress_topic());
  publish(instance);
  ASSERT_TRUE(loop.until([&] { return warnings(instance) > 0; }));
  for (int page = 0; page < 3; ++page) publish(instance);
  EXPECT_FALSE(stopped(instance, "conversations"));
  EXPECT_FALSE(instance.ended());

  make_topic(bootstrap, instance.progress_topic(), 1);
  publish(instance);
  ASSERT_TRUE(loop.until([&] { return told(instance) > 0; })) << "told again";
  EXPECT_EQ(warnings(instance), 1U);
  expect_each_once(bootstrap, instance.topic(), 60);
}

// As it is when the right to write it was revoked, or its leader does not answer.
class ProgressRefused : public ProgressTrouble, public testing::WithParamInterface<ErrorCode> {};

TEST_P(ProgressRefused, HoldsNoStreamUpAndIsNotRepeatedAtOnce) {
  int attempts = 0;
  bool refuses = true;
  options.factory = HookedProducer::factory(
      [&](connector::core::TransactionalProducer& inner, const HookedProducer::Batch& batch) -> HookedProducer::Step {
        if (!batch.progress || !refuses) co_return co_await inner.commit();
        ++attempts;
        co_return common::fail(GetParam(), "the progress topic refuses it");
      });
  options.tuning.progress_pause = common::Duration{600'000};
  Instance instance{loop, options};
  instance.start_and_run();

  for (int page = 0; page < 5; ++page) publish(instance);

  ASSERT_TRUE(loop.until([&] { return warnings(instance) == 1; }));
  for (int page = 0; page < 5; ++page) publish(instance);
  EXPECT_EQ(attempts, 1);
  EXPECT_FALSE(stopped(instance, "conversations"));
  EXPECT_FALSE(instance.ended());
  expect_each_once(bootstrap, instance.topic(), 100);
  refuses = false;
}

INSTANTIATE_TEST_SUITE_P(Errors, ProgressRefused,
                         testing::Values(ErrorCode::kTopicUnusable, ErrorCode::kAbortTransaction, ErrorCode::kOversize,
                                         ErrorCode::kOutcomeUnknown),
                         [](const auto& info) {
                           std::string name{common::to_string(info.param)};
                           std::erase(name, '_');
                           return name;
                         });

TEST_F(Topics, ARecordLargerThanItsTopicTakesIsADeadLetter) {
  make_topic(bootstrap, options.name + ".conversations", 2, {{"max.message.bytes", "20000"}});
  Instance instance{loop, options};
  instance.start_and_run();
  auto group = page(StreamName{"conversations"}, 0, 0, 10, 1'000);
  auto large = page(StreamName{"conversations"}, 1, 10, 1, 30'000);
  group.push_back(std::move(large.front()));

  ASSERT_TRUE(instance.submit(std::move(group)));
  ASSERT_TRUE(instance.flush());

  expect_each_once(bootstrap, instance.topic(), 10);
  const auto letters = read_committed(bootstrap, instance.dead_letter_topic());
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].key, "k-10");
  EXPECT_EQ(letters[0].headers.at("gk.reason"), "oversize");
  EXPECT_EQ(letters[0].value.size(), std::stoul(letters[0].headers.at("gk.size")));
  EXPECT_EQ(instance.metrics.count("transaction_done", "aborted"), 0U);
}

TEST_F(Topics, ManyRecordsBelowTheTopicsLimitAreNeverBatchedAboveIt) {
  make_topic(bootstrap, options.name + ".conversations", 1, {{"max.message.bytes", "20000"}});
  Instance instance{loop, options};
  instance.start_and_run();

  instance.submit_pages(2, 50, 5'000);
  ASSERT_TRUE(instance.flush());

  expect_each_once(bootstrap, instance.topic(), 100);
  EXPECT_EQ(instance.metrics.count("transaction_done", "aborted"), 0U);
}

// The limit shrinks while we run, so only the broker knows: the batch is narrowed down to the records at fault.
TEST_F(Topics, ARecordTheBrokerRefusesIsFoundAndBecomesADeadLetter) {
  make_topic(bootstrap, options.name + ".conversations", 1);
  Instance instance{loop, options};
  instance.start_and_run();
  set_topic_config(bootstrap, instance.topic(), "max.message.bytes", "20000");
  auto group = page(StreamName{"conversations"}, 0, 0, 5, 3'000);
  auto large = page(StreamName{"conversations"}, 1, 5, 1, 30'000);
  group.push_back(std::move(large.front()));
  auto rest = page(StreamName{"conversations"}, 2, 6, 5, 3'000);
  group.push_back(std::move(rest.front()));

  ASSERT_TRUE(instance.submit(std::move(group)));
  ASSERT_TRUE(instance.flush());

  std::set<std::string> keys;
  for (const auto& record : read_committed(bootstrap, instance.topic())) {
    EXPECT_TRUE(keys.insert(record.key).second) << record.key << " twice";
  }
  EXPECT_EQ(keys.size(), 10U);
  EXPECT_FALSE(keys.contains("k-5"));
  const auto letters = read_committed(bootstrap, instance.dead_letter_topic());
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].key, "k-5");
  EXPECT_EQ(letters[0].headers.at("gk.reason"), "oversize");
  EXPECT_GE(instance.metrics.count("transaction_done", "aborted"), 1U);
  EXPECT_EQ(instance.metrics.total("dead_letters", "oversize"), 1);
}

TEST_F(Topics, ADeadLetterTooLargeForItsTopicIsCut) {
  make_topic(bootstrap, options.name + "-dead-letters", 1, {{"max.message.bytes", "10000"}});
  Instance instance{loop, options};
  instance.start_and_run();
  auto group = page(StreamName{"conversations"}, 0, 0, 1, 2'000'000);

  ASSERT_TRUE(instance.submit(std::move(group)));
  ASSERT_TRUE(instance.flush());

  const auto letters = read_committed(bootstrap, instance.dead_letter_topic());
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_LT(letters[0].value.size(), 10'000U);
  EXPECT_GT(letters[0].value.size(), 4'000U);
  EXPECT_GT(std::stoul(letters[0].headers.at("gk.size")), 2'000'000U);
}

}  // namespace
}  // namespace tests::integration
