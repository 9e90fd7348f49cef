// Streams that stop for their dead letters, or drop what is too large, against a real broker.

#include "connector/core/dead_letters/guard.h"
#include "tests/integration/kafka/harness.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>

namespace tests::integration {
namespace {

using common::ErrorCode;
using connector::core::OnOversize;
using support::shared_broker;

class DeadLetters : public testing::Test {
 protected:
  // Ten small records and one of 30 kB, of window `number`, as one group.
  static PageGroup with_a_large_one(std::uint64_t number, std::uint64_t first) {
    auto group = page(kStream, number, first, 10, 1'000);
    auto large = page(kStream, number + 1, first + 10, 1, 30'000);
    group.push_back(std::move(large.front()));
    return group;
  }
  // Records of 4 kB; compressed, every third is of more than 2 kB, the others of next to nothing.
  static PageGroup compressible(std::uint64_t number, std::uint64_t first, std::uint64_t count) {
    auto group = page(kStream, number, first, count, 4'000);
    std::mt19937 random(static_cast<std::uint32_t>(first));  // the same every time
    std::string& buffer = *group.front().buffer;
    std::uint64_t record = first;
    for (const auto& slice : group.front().records) {
      if (record++ % 3 != 0) continue;
      const auto at = static_cast<std::size_t>(slice.value.data() - buffer.data());
      for (std::size_t i = at; i < at + slice.value.size(); ++i) {
        if (buffer[i] == 'x') buffer[i] = "0123456789abcdef"[random() % 16];
      }
    }
    return group;
  }
  [[nodiscard]] std::size_t letters(const Instance& instance) const {
    return read_committed(bootstrap, instance.dead_letter_topic()).size();
  }

  static inline const StreamName kStream{"conversations"};
  Loop loop;
  InstanceOptions options = plain_options(shared_broker());
  const std::string bootstrap = shared_broker().bootstrap();
};

TEST_F(DeadLetters, ATooLargeRecordStopsItsStreamUntilItsTopicTakesIt) {
  make_topic(bootstrap, options.name + ".conversations", 1, {{"max.message.bytes", "20000"}});
  options.dead_letters.on_oversize = OnOversize::kFail;
  options.tuning.dead_letter_pause = common::Duration{0};
  Instance instance{loop, options};
  instance.start_and_run();

  ASSERT_TRUE(instance.submit(with_a_large_one(0, 0)));
  const auto flushed = instance.flush();

  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, ErrorCode::kTopicUnusable);
  EXPECT_NE(flushed.error().message.find("max.message.bytes"), std::string::npos) << flushed.error().message;
  EXPECT_EQ(instance.publisher->committed(Instance::live("conversations")).complete_until(), window(0).start);
  EXPECT_TRUE(read_committed(bootstrap, instance.topic()).empty());
  EXPECT_EQ(letters(instance), 0U);

  set_topic_config(bootstrap, instance.topic(), "max.message.bytes", "100000");
  ASSERT_TRUE(loop.wait(instance.publisher->reset_stream(kStream)));
  ASSERT_TRUE(instance.submit(with_a_large_one(0, 0)));
  ASSERT_TRUE(instance.flush());

  expect_each_once(bootstrap, instance.topic(), 11);
  EXPECT_EQ(letters(instance), 0U);
}

// The limit shrinks while we run, so that only the broker knows that the record is too large.
TEST_F(DeadLetters, ARecordThatTheBrokerFindsTooLargeStopsItsStreamToo) {
  make_topic(bootstrap, options.name + ".conversations", 1);
  options.dead_letters.on_oversize = OnOversize::kFail;
  Instance instance{loop, options};
  instance.start_and_run();
  set_topic_config(bootstrap, instance.topic(), "max.message.bytes", "20000");

  ASSERT_TRUE(instance.submit(with_a_large_one(0, 0)));
  const auto flushed = instance.flush();

  ASSERT_FALSE(flushed);
  EXPECT_NE(flushed.error().message.find("on_oversize"), std::string::npos) << flushed.error().message;
  EXPECT_TRUE(read_committed(bootstrap, instance.topic()).empty());
  EXPECT_EQ(letters(instance), 0U);
}

TEST_F(DeadLetters, WhatIsTooLargeCanBeDropped) {
  make_topic(bootstrap, options.name + ".conversations", 1, {{"max.message.bytes", "20000"}});
  options.dead_letters.on_oversize = OnOversize::kDrop;
  Instance instance{loop, options};
  instance.start_and_run();

  ASSERT_TRUE(instance.submit(with_a_large_one(0, 0)));
  ASSERT_TRUE(instance.flush());

  expect_each_once(bootstrap, instance.topic(), 10);
  EXPECT_EQ(letters(instance), 0U);
  EXPECT_EQ(instance.metrics.total("records_dropped", "oversize"), 1);
}

// What compression makes of a record only the broker tells, of one request after the other.
TEST_F(DeadLetters, WhatIsTooLargeThoughItIsCompressedDoesNotHoldUpTheOthers) {
  make_topic(bootstrap, options.name + ".conversations", 3, {{"max.message.bytes", "2000"}});
  options.kafka.librdkafka["compression.type"] = "gzip";
  Instance instance{loop, options};
  instance.start_and_run();

  ASSERT_TRUE(instance.submit(compressible(0, 0, 24)));
  ASSERT_TRUE(instance.flush());

  EXPECT_EQ(letters(instance), 8U);
  EXPECT_EQ(read_committed(bootstrap, instance.topic()).size(), 16U);
}

TEST_F(DeadLetters, TheTransactionThatReachesTheThresholdIsNotCommitted) {
  make_topic(bootstrap, options.name + ".conversations", 1, {{"max.message.bytes", "20000"}});
  options.dead_letters.stop = {.stop_after = 2, .of_last = 100};
  Instance instance{loop, options};
  instance.start_and_run();
  ASSERT_TRUE(instance.submit(with_a_large_one(0, 0)));
  ASSERT_TRUE(instance.flush());
  ASSERT_EQ(letters(instance), 1U);

  ASSERT_TRUE(instance.submit(with_a_large_one(2, 11)));
  const auto flushed = instance.flush();

  ASSERT_FALSE(flushed);
  EXPECT_NE(flushed.error().message.find("stop_after"), std::string::npos) << flushed.error().message;
  EXPECT_EQ(letters(instance), 1U);
  expect_each_once(bootstrap, instance.topic(), 10);
  EXPECT_EQ(instance.publisher->committed(Instance::live("conversations")).complete_until(), window(1).end);
  const auto too_early = loop.wait(instance.publisher->reset_stream(kStream));
  ASSERT_FALSE(too_early) << "it is tried again after a pause";
  EXPECT_NE(too_early.error().message.find("stop_after"), std::string::npos);
}

}  // namespace
}  // namespace tests::integration
