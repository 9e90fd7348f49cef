#include "connector/kafka/state_store.h"
#include "tests/integration/kafka/harness.h"
#include "tests/integration/kafka/hooked_producer.h"

#include <gtest/gtest.h>

namespace tests::integration {
namespace {

using common::ErrorCode;
using support::shared_broker;

class RoundTrip : public testing::Test {
 protected:
  Loop loop;
  InstanceOptions options = plain_options(shared_broker());
  const std::string bootstrap = shared_broker().bootstrap();
};

TEST_F(RoundTrip, RecordsAndTheirLedgerBecomeVisibleTogether) {
  Instance instance{loop, options};
  instance.start_and_run();

  instance.submit_pages(5, 100);
  ASSERT_TRUE(instance.flush());

  expect_each_once(bootstrap, instance.topic(), 500);
  const auto ledger = visible_ledger(bootstrap, instance.offsets_topic());
  ASSERT_TRUE(ledger);
  EXPECT_EQ(*ledger, instance.publisher->committed(Instance::live("conversations")));
  EXPECT_EQ(ledger->complete_until(), window(4).end);
  EXPECT_EQ(ledger->stamp().incarnation, instance.publisher->incarnation());
  EXPECT_EQ(instance.metrics.total("records_published"), 500);
  EXPECT_EQ(instance.metrics.count("transaction_done", "aborted"), 0U);
}

TEST_F(RoundTrip, ARecordCarriesItsBytesHeadersAndReadTime) {
  Instance instance{loop, options};
  instance.start_and_run();
  auto group = page(StreamName{"conversations"}, 0, 0, 1);
  const std::string value{group.front().records.front().value};

  ASSERT_TRUE(instance.submit(std::move(group)));
  ASSERT_TRUE(instance.flush());

  const auto records = read_committed(bootstrap, instance.topic());
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].key, "k-0");
  EXPECT_EQ(records[0].value, value);
  EXPECT_EQ(records[0].timestamp, common::parse_instant("2026-05-04T09:12:03.386Z")->time_since_epoch().count());
  const std::map<std::string, std::string> headers{{"gk.stream", "conversations"},
                                                   {"gk.lane", "live"},
                                                   {"gk.form", "query"},
                                                   {"gk.window", common::format_interval(window(0))},
                                                   {"gk.read-at", "2026-05-04T09:12:03.386Z"},
                                                   {"gk.correlation-id", "corr-1"},
                                                   {"gk.version", "1"}};
  EXPECT_EQ(records[0].headers, headers);
}

// What the application decides about state of other settings is stored with the next transaction: here, to read all again.
TEST_F(RoundTrip, AReplacedLedgerIsStoredWithTheNextTransaction) {
  {
    Instance first{loop, options};
    first.start_and_run();
    first.submit_pages(3, 10);
    ASSERT_TRUE(first.flush());
  }
  options.seed = 2;
  Instance second{loop, options};
  const auto restored = second.start();
  ASSERT_TRUE(restored) << restored.error().message;
  const SourcePartition live = Instance::live("conversations");
  auto identity = restored->ledgers.at(live).identity();
  identity.content = "1:other";

  second.publisher->replace(live, connector::core::Ledger{identity, window(0).start});
  second.run();
  second.submit_pages(1, 10);
  ASSERT_TRUE(second.flush());

  const auto ledger = visible_ledger(bootstrap, second.offsets_topic());
  ASSERT_TRUE(ledger);
  EXPECT_EQ(ledger->identity(), identity);
  EXPECT_EQ(ledger->complete_until(), window(0).end);
}

TEST_F(RoundTrip, AnExceptionEndsThePublisherAndNobodyWaitsForIt) {
  options.factory = HookedProducer::factory(
      [](connector::core::TransactionalProducer& inner, const HookedProducer::Batch& batch) -> HookedProducer::Step {
        if (!batch.pages.empty()) throw std::logic_error("a bug");
        co_return co_await inner.commit();
      });
  Instance instance{loop, options};
  const auto restored = instance.start();
  ASSERT_TRUE(restored) << restored.error().message;
  ASSERT_TRUE(instance.publisher->adopt(Instance::live("conversations"),
                                        connector::core::Ledger{{.cluster_id = restored->cluster_id}, window(0).start}));
  std::string thrown;
  boost::asio::co_spawn(loop.io, instance.publisher->run(),
                        [&](const std::exception_ptr& exception, const common::Result<void>&) {
                          try {
                            if (exception) std::rethrow_exception(exception);
                          } catch (const std::logic_error& bug) {
                            thrown = bug.what();
                          }
                        });

  instance.submit_pages(1, 10);
  const auto flushed = instance.flush();

  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, common::ErrorCode::kInternal);
  instance.stop();
  EXPECT_EQ(thrown, "a bug");
  EXPECT_TRUE(read_committed(bootstrap, instance.topic()).empty());
}

TEST_F(RoundTrip, TheNextIncarnationGoesOnWhereTheLastCommitted) {
  std::string first_incarnation;
  {
    Instance first{loop, options};
    first.start_and_run();
    first.submit_pages(3, 10);
    ASSERT_TRUE(first.flush());
    first_incarnation = first.publisher->incarnation();
    first.stop();
    EXPECT_TRUE(*first.result);
    EXPECT_EQ(first.publisher->state(), connector::core::TaskState::kStopped);
  }

  options.seed = 2;
  Instance second{loop, options};
  const auto restored = second.start();

  ASSERT_TRUE(restored) << restored.error().message;
  ASSERT_TRUE(restored->previous);
  EXPECT_EQ(restored->previous->incarnation, first_incarnation);
  ASSERT_TRUE(restored->ledgers.contains(Instance::live("conversations")));
  EXPECT_EQ(restored->ledgers.at(Instance::live("conversations")).complete_until(), window(2).end);
  const auto& facts = restored->topics.at(StreamName{"conversations"});
  EXPECT_FALSE(facts.empty);
  EXPECT_FALSE(facts.created);
  EXPECT_EQ(facts.partitions, 3);
  EXPECT_EQ(facts.id, restored->ledgers.at(Instance::live("conversations")).identity().topic_id);
  second.stop();
}

TEST_F(RoundTrip, StateIsKeptInConnectsOwnFormat) {
  Instance instance{loop, options};
  instance.start_and_run();
  instance.submit_pages(1, 1);
  ASSERT_TRUE(instance.flush());

  const auto state = read_committed(bootstrap, instance.offsets_topic());

  ASSERT_EQ(state.size(), 3U) << "the claim, again with the digests' mark, a ledger";
  EXPECT_EQ(state[0].key, "[\"" + options.name + R"(",{"task":0}])");
  EXPECT_EQ(state[1].key, state[0].key);
  EXPECT_EQ(state[2].key, "[\"" + options.name + R"(",{"stream":"conversations","lane":"live"}])");
}

TEST_F(RoundTrip, TheStopPublishesWhatWasSubmitted) {
  Instance instance{loop, options};
  instance.start_and_run();
  instance.submit_pages(20, 50);

  instance.stop();

  expect_each_once(bootstrap, instance.topic(), 1'000);
  const auto refused = instance.submit(page(StreamName{"conversations"}, 99, 0, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCancelled);
}

TEST_F(RoundTrip, AbortedTransactionsLeaveNothingVisible) {
  Instance instance{loop, options};
  instance.start_and_run();
  instance.submit_pages(1, 10);
  ASSERT_TRUE(instance.flush());

  instance.submit_pages(1, 50'000, 100);
  // Pushed before it can finish: what was produced of it is aborted or given up, never half seen.
  instance.stop(std::chrono::milliseconds{0});

  const auto records = read_committed(bootstrap, instance.topic());
  const auto ledger = visible_ledger(bootstrap, instance.offsets_topic());
  ASSERT_TRUE(ledger);
  const bool all = records.size() == 50'010;
  EXPECT_TRUE(all || records.size() == 10U) << records.size();
  EXPECT_EQ(ledger->complete_until(), window(all ? 1 : 0).end);
}

TEST_F(RoundTrip, MemoryIsBoundedByBackpressure) {
  options.kafka.memory_bytes = 1'000'000;
  Instance instance{loop, options};
  instance.start_and_run();

  instance.submit_pages(40, 100, 2'000);
  ASSERT_TRUE(instance.flush());

  double most = 0;
  for (const auto& call : instance.metrics.calls) {
    if (call.method == "bytes_in_flight") most = std::max(most, call.number);
  }
  EXPECT_LE(most, 1'000'000);
  EXPECT_GT(most, 300'000);
  EXPECT_FALSE(instance.publisher->take_spare_storage().capacity() == 0);
  expect_each_once(bootstrap, instance.topic(), 4'000);
}

TEST_F(RoundTrip, APageLargerThanTheMemoryIsTakenAlone) {
  options.kafka.memory_bytes = 10'000;
  Instance instance{loop, options};
  instance.start_and_run();

  instance.submit_pages(3, 100, 1'000);
  ASSERT_TRUE(instance.flush());

  expect_each_once(bootstrap, instance.topic(), 300);
}

TEST_F(RoundTrip, AGroupIsOneTransaction) {
  options.kafka.commit_bytes = 1;
  Instance instance{loop, options};
  instance.start_and_run();
  auto group = page(StreamName{"conversations"}, 0, 0, 10);
  auto more = page(StreamName{"conversations"}, 1, 10, 10);
  group.push_back(std::move(more.front()));

  ASSERT_TRUE(instance.submit(std::move(group)));
  ASSERT_TRUE(instance.flush());

  EXPECT_EQ(instance.metrics.count("transaction_done"), 1U);
  expect_each_once(bootstrap, instance.topic(), 20);
}

TEST_F(RoundTrip, DeadLettersCarryTheReasonAndTheBytes) {
  Instance instance{loop, options};
  instance.start_and_run();
  auto group = page(StreamName{"conversations"}, 0, 0, 2);
  group.front().dead_letters.push_back(
      {.reason = "no_key", .detail = "no /conversationId", .key = {}, .bytes = group.front().records.back().value, .index = 7});
  group.front().records.pop_back();

  ASSERT_TRUE(instance.submit(std::move(group)));
  ASSERT_TRUE(instance.flush());

  const auto letters = read_committed(bootstrap, instance.dead_letter_topic());
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].headers.at("gk.reason"), "no_key");
  EXPECT_EQ(letters[0].headers.at("gk.index"), "7");
  EXPECT_EQ(letters[0].headers.at("gk.position"), "page 1");
  EXPECT_NE(letters[0].value.find("k-1"), std::string::npos);
  EXPECT_EQ(instance.metrics.total("dead_letters", "no_key"), 1);
}

TEST_F(RoundTrip, AtLeastOnceWritesRecordsThenLedger) {
  options.kafka.delivery = connector::kafka::Delivery::kAtLeastOnce;
  Instance instance{loop, options};
  instance.start_and_run();

  instance.submit_pages(5, 100);
  ASSERT_TRUE(instance.flush());

  expect_each_once(bootstrap, instance.topic(), 500);
  EXPECT_EQ(visible_ledger(bootstrap, instance.offsets_topic())->complete_until(), window(4).end);
}

TEST_F(RoundTrip, ANonCompactedOffsetsTopicIsRefused) {
  make_topic(bootstrap, options.name + "-offsets", 1, {{"cleanup.policy", "delete"}});
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kStateRefused);
  EXPECT_NE(started.error().message.find("cleanup.policy=delete"), std::string::npos) << started.error().message;
  EXPECT_NE(started.error().message.find("compact"), std::string::npos);
}

TEST_F(RoundTrip, AnOffsetsTopicOfAnotherLayoutIsRefused) {
  make_topic(bootstrap, options.name + "-offsets", 4, {{"cleanup.policy", "compact"}});
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kStateRefused);
  EXPECT_NE(started.error().message.find("4 partitions"), std::string::npos) << started.error().message;
}

TEST_F(RoundTrip, MissingTopicsThatMayNotBeMadeAreNamed) {
  options.kafka.topics.create = false;
  Instance instance{loop, options};

  const auto started = instance.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kConfigInvalid);
  EXPECT_NE(started.error().message.find(options.name + "-offsets"), std::string::npos) << started.error().message;
}

TEST_F(RoundTrip, ATopicThatDiffersIsOnlyWarnedAbout) {
  make_topic(bootstrap, options.name + "-offsets", 1, {{"cleanup.policy", "compact"}});
  Instance instance{loop, options};

  ASSERT_TRUE(instance.start());

  EXPECT_NE(instance.log().find("segment.bytes is"), std::string::npos);
  instance.stop();
}

}  // namespace
}  // namespace tests::integration
