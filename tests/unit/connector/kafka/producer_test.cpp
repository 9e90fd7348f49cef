// The producer on librdkafka's mock cluster, with errors injected into single requests.

#include "connector/kafka/producer.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
// After rdkafka.h, which it needs.
#include <librdkafka/rdkafka_mock.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>

namespace connector::kafka {
namespace {

using common::ErrorCode;
using common::Result;

// A mock cluster owned by a client of its own, so that the producer under test is made the usual way.
class MockCluster {
 public:
  MockCluster() {
    std::array<char, 256> reason{};
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", nullptr, 0);
    owner_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size()));
    if (!owner_) throw std::runtime_error(reason.data());
    cluster_ = rd_kafka_mock_cluster_new(owner_.get(), 1);
    for (const char* topic : {"acme.conversations", "acme-offsets", "acme-dead-letters", "acme-progress"}) {
      rd_kafka_mock_topic_create(cluster_, topic, 1, 1);
    }
  }
  ~MockCluster() { rd_kafka_mock_cluster_destroy(cluster_); }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;
  [[nodiscard]] std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  void fail_next(std::int16_t api_key, rd_kafka_resp_err_t code) {
    rd_kafka_mock_push_request_errors(cluster_, api_key, 1, code);
  }

 private:
  std::unique_ptr<rd_kafka_t, decltype([](rd_kafka_t* handle) { rd_kafka_destroy(handle); })> owner_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

constexpr std::int16_t kProduce = 0;
constexpr std::int16_t kAddPartitionsToTxn = 24;
constexpr std::int16_t kEndTxn = 26;

class ProducerTest : public testing::Test {
 protected:
  // One for all tests, as ending it takes a second; each test has a transactional id of its own.
  static void SetUpTestSuite() { cluster = std::make_unique<MockCluster>(); }
  static void TearDownTestSuite() { cluster.reset(); }

  ProducerTest() {
    options.bootstrap_servers = cluster->bootstrap();
    options.transactional_id_prefix = testing::UnitTest::GetInstance()->current_test_info()->name();
    options.transaction_timeout = common::Duration{10'000};
    remake();
    page.source = {.stream = core::StreamName{"conversations"}, .lane = core::Lane::kLive};
  }
  ~ProducerTest() override { run(producer->close()); }

  void remake() {
    auto made = make_producer({.options = options,
                               .name = core::ConnectorName{"acme"},
                               .partition = 0,
                               .topics = {{core::StreamName{"conversations"}, "acme.conversations"}},
                               .offsets_topic = "acme-offsets",
                               .dead_letter_topic = "acme-dead-letters",
                               .progress_topic = "acme-progress",
                               .smallest_max_message_bytes = 1'000'000,
                               .logger = {}});
    if (!made) throw std::runtime_error(made.error().message);
    producer = std::move(*made);
  }
  core::TransactionBatch batch(std::size_t records) {
    core::TransactionBatch made;
    made.stream = core::StreamName{"conversations"};
    core::Page one;
    one.source = page.source;
    for (std::size_t i = 0; i < records; ++i) one.records.push_back({.key = "key", .value = "value"});
    made.fates.assign(records, core::RecordFate::kPublish);
    made.pages.push_back(std::move(one));
    made.state.push_back({.key = "ledger-key", .value = "ledger"});
    made.dead_letter_limit = 1'000;
    return made;
  }
  Result<void> run(boost::asio::awaitable<Result<void>> step) {
    Result<void> result;
    boost::asio::co_spawn(io, std::move(step), [&](const std::exception_ptr& failure, Result<void> value) {
      if (failure) std::rethrow_exception(failure);
      result = std::move(value);
    });
    io.restart();
    io.run();
    return result;
  }
  void run(boost::asio::awaitable<void> step) {
    boost::asio::co_spawn(io, std::move(step), [](const std::exception_ptr& failure) {
      if (failure) std::rethrow_exception(failure);
    });
    io.restart();
    io.run();
  }
  // A resumable step until it is decided.
  template <class Step>
  Result<void> decided(Step step) {
    for (int attempt = 0; attempt < 100; ++attempt) {
      auto result = run(step());
      if (result || result.error().code != ErrorCode::kRetryable) return result;
    }
    return common::fail(ErrorCode::kInternal, "not decided after 100 attempts");
  }
  Result<std::vector<std::int64_t>> ends() {
    Result<std::vector<std::int64_t>> found;
    boost::asio::co_spawn(io, producer->end_offsets(core::StreamName{"conversations"}),
                          [&](const std::exception_ptr& failure, Result<std::vector<std::int64_t>> value) {
                            if (failure) std::rethrow_exception(failure);
                            found = std::move(value);
                          });
    io.restart();
    io.run();
    return found;
  }
  Result<void> init() {
    return decided([this] { return producer->init(); });
  }
  Result<void> commit() {
    return decided([this] { return producer->commit(); });
  }
  Result<void> abort() {
    return decided([this] { return producer->abort(); });
  }
  Result<void> publish(const core::TransactionBatch& contents) {
    if (auto begun = run(producer->begin()); !begun) return begun;
    if (auto produced = run(producer->produce(contents)); !produced) return produced;
    return commit();
  }

  static std::unique_ptr<MockCluster> cluster;
  boost::asio::io_context io;
  KafkaOptions options;
  core::Page page;
  std::unique_ptr<core::TransactionalProducer> producer;
};

std::unique_ptr<MockCluster> ProducerTest::cluster;

TEST_F(ProducerTest, CommitsTransactionAfterTransaction) {
  ASSERT_TRUE(init());
  const auto contents = batch(1'000);

  for (int i = 0; i < 3; ++i) {
    const auto published = publish(contents);
    ASSERT_TRUE(published) << published.error().message;
  }
}

TEST_F(ProducerTest, AnAbortLetsTheNextTransactionPass) {
  ASSERT_TRUE(init());
  const auto contents = batch(10);
  ASSERT_TRUE(run(producer->begin()));
  ASSERT_TRUE(run(producer->produce(contents)));

  ASSERT_TRUE(abort());

  const auto published = publish(contents);
  EXPECT_TRUE(published) << published.error().message;
}

TEST_F(ProducerTest, ARefusedBatchNamesItsRecords) {
  ASSERT_TRUE(init());
  const auto contents = batch(5);
  cluster->fail_next(kProduce, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);

  const auto published = publish(contents);

  ASSERT_FALSE(published);
  // The refused request is the records' or the ledger's, whichever was sent first: never a silent success.
  EXPECT_TRUE(published.error().code == ErrorCode::kOversize || published.error().code == ErrorCode::kStateRefused);
  if (published.error().code == ErrorCode::kOversize) {
    EXPECT_EQ(producer->refused_records(), (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  }
  EXPECT_TRUE(abort());
}

TEST_F(ProducerTest, FencedByTheCoordinatorIsFenced) {
  ASSERT_TRUE(init());
  cluster->fail_next(kEndTxn, RD_KAFKA_RESP_ERR_PRODUCER_FENCED);

  const auto published = publish(batch(1));

  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, ErrorCode::kFenced);
}

TEST_F(ProducerTest, ARefusedPartitionMakesTheTopicUnusable) {
  ASSERT_TRUE(init());
  cluster->fail_next(kAddPartitionsToTxn, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);

  const auto published = publish(batch(1));

  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, ErrorCode::kTopicUnusable) << published.error().message;
}

TEST_F(ProducerTest, ACoordinatorThatMovesIsFollowed) {
  ASSERT_TRUE(init());
  cluster->fail_next(kEndTxn, RD_KAFKA_RESP_ERR_NOT_COORDINATOR);

  const auto published = publish(batch(1));

  EXPECT_TRUE(published) << published.error().message;
}

TEST_F(ProducerTest, StoppingEndsProducing) {
  ASSERT_TRUE(init());
  ASSERT_TRUE(run(producer->begin()));
  producer->request_stop();

  const auto produced = run(producer->produce(batch(10)));

  ASSERT_FALSE(produced);
  EXPECT_EQ(produced.error().code, ErrorCode::kCancelled);
  ASSERT_TRUE(abort());
}

TEST_F(ProducerTest, SuspectsAndDeadLettersAreProducedToo) {
  ASSERT_TRUE(init());
  auto contents = batch(6);
  contents.fates = {core::RecordFate::kPublish, core::RecordFate::kSuspect,  core::RecordFate::kSuspect,
                    core::RecordFate::kSuspect, core::RecordFate::kOversize, core::RecordFate::kRefused};
  contents.suspect_chunk = 2;
  contents.pages.front().dead_letters.push_back({.reason = "no_key", .detail = "d", .key = {}, .bytes = "bytes", .index = 9});

  const auto published = publish(contents);

  EXPECT_TRUE(published) << published.error().message;
}

TEST_F(ProducerTest, TheEndOfATopicLiesBehindWhatWasPublished) {
  ASSERT_TRUE(init());
  const auto before = ends();
  ASSERT_TRUE(before) << before.error().message;
  ASSERT_EQ(before->size(), 1U);

  ASSERT_TRUE(publish(batch(7)));

  const auto after = ends();
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_GE(after->front(), before->front() + 7);
}

TEST_F(ProducerTest, AFullQueueWaitsForReportsAndDropsNothing) {
  run(producer->close());
  options.librdkafka = {{"queue.buffering.max.messages", "10"}, {"linger.ms", "0"}};
  remake();
  ASSERT_TRUE(init());
  const auto before = ends();
  ASSERT_TRUE(before) << before.error().message;

  const auto published = publish(batch(200));

  ASSERT_TRUE(published) << published.error().message;
  const auto after = ends();
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_GE(after->front(), before->front() + 200);
}

TEST_F(ProducerTest, AProgressTopicThatRefusesItsRecordIsUnusable) {
  ASSERT_TRUE(init());
  auto contents = batch(0);
  contents.pages.clear();
  contents.state.clear();
  contents.progress = {.key = "conversations", .value = "{}"};
  cluster->fail_next(kProduce, RD_KAFKA_RESP_ERR_INVALID_RECORD);

  const auto published = publish(contents);

  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, ErrorCode::kTopicUnusable) << published.error().message;
  ASSERT_TRUE(abort());
}

TEST_F(ProducerTest, AnUnknownStreamIsTheCallersMistake) {
  ASSERT_TRUE(init());
  ASSERT_TRUE(run(producer->begin()));
  auto contents = batch(1);
  contents.stream = core::StreamName{"unheard-of"};

  const auto produced = run(producer->produce(contents));

  ASSERT_FALSE(produced);
  EXPECT_EQ(produced.error().code, ErrorCode::kInternal);
  ASSERT_TRUE(abort());
}

TEST_F(ProducerTest, ClosingDropsWhatIsInFlight) {
  ASSERT_TRUE(init());
  ASSERT_TRUE(run(producer->begin()));
  {
    const auto contents = batch(1'000);
    ASSERT_TRUE(run(producer->produce(contents)));
    run(producer->close());
  }  // the bytes go only now
  remake();
  EXPECT_TRUE(init());
}

TEST_F(ProducerTest, AtLeastOnceAwaitsRecordsThenLedger) {
  options.delivery = Delivery::kAtLeastOnce;
  remake();
  ASSERT_TRUE(init());

  const auto published = publish(batch(100));

  EXPECT_TRUE(published) << published.error().message;
}

TEST_F(ProducerTest, AtLeastOnceWritesNoLedgerForLostRecords) {
  options.delivery = Delivery::kAtLeastOnce;
  remake();
  ASSERT_TRUE(init());
  // The only request yet is the records': the ledger has not been handed over.
  cluster->fail_next(kProduce, RD_KAFKA_RESP_ERR_INVALID_RECORD);

  const auto published = publish(batch(3));

  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, ErrorCode::kRequestRejected) << published.error().message;
  EXPECT_FALSE(producer->refused_records().empty());
}

}  // namespace
}  // namespace connector::kafka
