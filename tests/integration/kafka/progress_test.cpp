// The progress topic as a read_committed consumer sees it, against a real broker.

#include "common/json.h"
#include "connector/kafka/topic_admin.h"
#include "tests/integration/kafka/harness.h"
#include "tests/integration/kafka/hooked_producer.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tests::integration {
namespace {

using common::Instant;
using connector::kafka::Delivery;
using support::shared_broker;

struct Told {
  Instant seen_until;
  std::vector<std::int64_t> offsets;
  std::string value;
};

std::vector<Told> told_in(const std::string& bootstrap, const std::string& topic) {
  std::vector<Told> all;
  for (const VisibleRecord& record : read_committed(bootstrap, topic)) {
    EXPECT_EQ(record.key, "conversations");
    const auto value = common::json::parse(record.value).value();
    EXPECT_EQ(common::json::find_int(value, "v"), 1);
    Told told{.seen_until = common::parse_instant(common::json::find_string(value, "seen_until").value()).value(),
              .offsets = {},
              .value = record.value};
    for (const auto& offset : value.at("offsets").as_array()) told.offsets.push_back(offset.as_int64());
    all.push_back(std::move(told));
  }
  return all;
}

// Whatever a consumer sees first of the progress and then of the data: the records are there, and before the offsets.
void expect_told_is_true(const std::string& bootstrap, const std::string& progress, const std::string& data,
                         std::uint64_t per_page) {
  const std::vector<Told> told = told_in(bootstrap, progress);
  const std::vector<VisibleRecord> records = read_committed(bootstrap, data);
  for (std::size_t i = 0; i < told.size(); ++i) {
    if (i > 0) {
      EXPECT_LE(told[i - 1].seen_until, told[i].seen_until) << "a watermark went back";
    }
    std::uint64_t covered = 0;
    for (const VisibleRecord& record : records) {
      const auto window = common::parse_interval(record.headers.at("gk.window")).value();
      if (window.end > told[i].seen_until) continue;
      ++covered;
      ASSERT_LT(static_cast<std::size_t>(record.partition), told[i].offsets.size());
      EXPECT_LT(record.offset, told[i].offsets[static_cast<std::size_t>(record.partition)]) << told[i].value;
    }
    const auto windows = static_cast<std::uint64_t>((told[i].seen_until - window(0).start) / std::chrono::minutes{1});
    EXPECT_EQ(covered, windows * per_page) << "a watermark without its records: " << told[i].value;
  }
}

class Progress : public testing::Test {
 protected:
  Progress() {
    options.kafka.topics.progress.enabled = true;
    options.kafka.topics.progress.every = common::Duration{10};
  }
  // Until the consumer sees that everything submitted so far is behind the watermark.
  void wait_until_told(Instance& instance) {
    const Instant end = window(instance.next_window).start;
    ASSERT_TRUE(loop.until([&] {
      const auto told = told_in(bootstrap, instance.progress_topic());
      return !told.empty() && told.back().seen_until == end;
    })) << "not told of "
        << common::format_instant(end);
  }
  [[nodiscard]] std::vector<Told> told(const Instance& instance) const { return told_in(bootstrap, instance.progress_topic()); }

  Loop loop;
  InstanceOptions options = plain_options(shared_broker());
  const std::string bootstrap = shared_broker().bootstrap();
};

class ProgressOf : public Progress, public testing::WithParamInterface<Delivery> {};

TEST_P(ProgressOf, IsNeverVisibleBeforeItsRecordsAndTellsWhereTheyEnd) {
  options.kafka.delivery = GetParam();
  // The commit of data is held back while the consumer looks: progress is due all the time.
  bool holds = false;
  int held = 0;  // how long, in steps that are half of the time between two tellings
  common::SystemClock clock;
  options.factory = HookedProducer::factory(
      [&](connector::core::TransactionalProducer& inner, const HookedProducer::Batch& batch) -> HookedProducer::Step {
        while (holds && !batch.pages.empty()) {
          ++held;
          if (auto slept = co_await clock.sleep_for(common::Duration{5}); !slept) co_return slept;
        }
        co_return co_await inner.commit();
      });
  Instance instance{loop, options};
  instance.start_and_run();

  for (int round = 0; round < 5; ++round) {
    const Instant before = window(instance.next_window).start;
    holds = true;
    instance.submit_pages(4, 20);
    for (int look = 0; look < 3; ++look) {
      held = 0;
      ASSERT_TRUE(loop.until([&] { return held > 6; }));
      // (The data cannot be read to its end now.)
      for (const Told& one : told(instance)) EXPECT_LE(one.seen_until, before) << "told before its records are committed";
    }
    holds = false;
    wait_until_told(instance);
    expect_told_is_true(bootstrap, instance.progress_topic(), instance.topic(), 20);
  }
  EXPECT_EQ(instance.metrics.last("watermark")->arguments, (std::vector<std::string>{"conversations", "seen_until"}));
}

INSTANTIATE_TEST_SUITE_P(Deliveries, ProgressOf, testing::Values(Delivery::kExactlyOnce, Delivery::kAtLeastOnce),
                         [](const auto& info) { return info.param == Delivery::kExactlyOnce ? "ExactlyOnce" : "AtLeastOnce"; });

TEST_F(Progress, MovesWithoutTrafficAndIsNotRepeatedWhileNothingMoves) {
  Instance instance{loop, options};
  instance.start_and_run();
  instance.submit_pages(1, 10);
  wait_until_told(instance);
  const Told before = told(instance).back();

  for (int idle = 0; idle < 3; ++idle) {
    instance.submit_pages(1, 0);
    wait_until_told(instance);
  }

  const std::vector<Told> all = told(instance);
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_NE(all[i - 1].value, all[i].value);
  EXPECT_EQ(all.back().seen_until, window(3).end);
  EXPECT_GE(all.back().offsets, before.offsets);
}

TEST_F(Progress, DoesNotGoBackInTheNextIncarnation) {
  {
    Instance instance{loop, options};
    instance.start_and_run();
    instance.submit_pages(3, 10);
    wait_until_told(instance);
  }
  options.seed = 2;
  Instance next{loop, options};
  next.next_window = 3;
  next.next_record = 30;
  next.start_and_run();
  const std::size_t first_life = told(next).size();

  ASSERT_TRUE(loop.until([&] { return told(next).size() > first_life; })) << "told once at the start";
  EXPECT_EQ(told(next).back().seen_until, window(2).end);
  next.submit_pages(1, 10);
  wait_until_told(next);
  expect_told_is_true(bootstrap, next.progress_topic(), next.topic(), 10);
}

TEST_F(Progress, IsTakenBackWithALedgerThatBeginsAnew) {
  {
    Instance first{loop, options};
    first.start_and_run();
    first.submit_pages(3, 10);
    wait_until_told(first);
  }
  options.seed = 2;
  Instance second{loop, options};
  const auto restored = second.start();
  ASSERT_TRUE(restored) << restored.error().message;
  const SourcePartition live = Instance::live("conversations");

  second.publisher->replace(live, connector::core::Ledger{restored->ledgers.at(live).identity(), window(0).start});
  EXPECT_EQ(second.metrics.last("watermark")->number, static_cast<double>(window(0).start.time_since_epoch().count()));
  const std::size_t first_life = told(second).size();
  second.run();
  second.submit_pages(1, 10);
  ASSERT_TRUE(loop.until([&] { return told(second).size() > first_life; }));

  EXPECT_EQ(told(second)[first_life].seen_until, window(0).end) << "as if everything up to the former mark had been read again";
}

TEST_F(Progress, IsOneCompactedPartitionUnlessConfiguredOtherwise) {
  Instance instance{loop, options};
  instance.start_and_run();

  auto admin = connector::kafka::TopicAdmin::create(options.kafka, connector::core::ConnectorName{options.name}, {});
  const auto described = (*admin)->describe({instance.progress_topic()}, common::Duration{10'000});
  ASSERT_TRUE(described) << described.error().message;
  EXPECT_EQ(described->front().partitions, 1);
  EXPECT_EQ(described->front().setting("cleanup.policy"), "compact");
}

TEST_F(Progress, ATopicThatIsMissingRefusesTheStartWithItsRemedy) {
  options.kafka.topics.create = false;
  for (const char* state : {"-offsets", "-digests"})
    make_topic(bootstrap, options.name + state, 1, {{"cleanup.policy", "compact"}});
  for (const char* topic : {"-dead-letters", ".conversations"}) make_topic(bootstrap, options.name + topic, 1);
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, common::ErrorCode::kConfigInvalid);
  EXPECT_NE(started.error().message.find(instance.progress_topic() + " does not exist: make it"), std::string::npos)
      << started.error().message;
}

TEST_F(Progress, SwitchedOffIsNotWritten) {
  options.kafka.topics.progress.enabled = false;
  Instance instance{loop, options};
  instance.start_and_run();
  instance.submit_pages(2, 10);
  ASSERT_TRUE(instance.flush());

  EXPECT_TRUE(read_committed(bootstrap, instance.progress_topic()).empty());
  EXPECT_EQ(instance.metrics.last("watermark")->number, static_cast<double>(window(1).end.time_since_epoch().count()));
}

}  // namespace
}  // namespace tests::integration
