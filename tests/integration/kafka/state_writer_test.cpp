// The state changed from outside (`offsets set`, `reset`, `import`) while an instance runs, or comes meanwhile.

#include "connector/kafka/state_writer.h"
#include "tests/integration/kafka/harness.h"
#include "tests/integration/kafka/hooked_producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tests::integration {
namespace {

using common::ErrorCode;
using connector::core::TransactionalProducer;
using connector::core::TransactionBatch;
using connector::kafka::StateChange;
using connector::kafka::StateWriter;
using testing::HasSubstr;

class StateWriters : public testing::Test {
 protected:
  StateWriters() { instance.start_and_run(); }
  ~StateWriters() override {
    if (writer) loop.wait(writer->close());
  }
  void publish() {
    instance.submit_pages(1, 10);
    ASSERT_TRUE(instance.flush());
  }
  // Ready to write.
  void take_over(connector::kafka::ProducerFactory factory = {}) {
    writer =
        std::make_unique<StateWriter>(connector::kafka::StateWriterSetup{.name = connector::core::ConnectorName{options.name},
                                                                         .kafka = options.kafka,
                                                                         .offsets_topic = instance.offsets_topic(),
                                                                         .max_message_bytes = 1'000'000,
                                                                         .logger = {},
                                                                         .seed = 7,
                                                                         .factory = std::move(factory)},
                                      clock);
    const auto found = loop.wait(writer->take_over());
    ASSERT_TRUE(found) << found.error().message;
  }
  // Of the lane's ledger, to one that has read nothing.
  common::Result<void> write() {
    std::vector<StateChange> changes;
    changes.push_back({.source = Instance::live("conversations"), .ledger = connector::core::Ledger{{}, window(0).start}});
    return loop.wait(writer->write(std::move(changes)));
  }

  Loop loop;
  common::SystemClock clock;
  InstanceOptions options = plain_options(support::shared_broker());
  const std::string bootstrap = support::shared_broker().bootstrap();
  Instance instance{loop, options};
  std::unique_ptr<StateWriter> writer;
};

TEST_F(StateWriters, AChangeThatIsRefusedBecauseAConnectorRunsLeavesItRunning) {
  publish();
  take_over();
  publish();  // fenced, and owner again

  const auto written = write();

  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kStateRefused) << written.error().message;
  EXPECT_THAT(written.error().message, HasSubstr("is running"));
  publish();
  EXPECT_FALSE(instance.ended()) << "nobody has claimed its task";
  expect_each_once(bootstrap, instance.topic(), 30);
}

TEST_F(StateWriters, AChangeWithNobodyInItsWayIsMade) {
  publish();
  instance.stop();
  take_over();

  const auto written = write();

  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(visible_ledger(bootstrap, instance.offsets_topic())->complete_until(), window(0).start);
}

// It was made, nobody said so, and before it could be read back another one has become the owner.
TEST_F(StateWriters, WhetherAChangeWasMadeIsNotDeniedWhenARivalCameBeforeItCouldBeSeen) {
  publish();
  instance.stop();
  options.seed = 2;
  Instance rival{loop, options};
  bool changed = false;
  take_over(HookedProducer::factory([&](TransactionalProducer& inner, const TransactionBatch& batch) -> HookedProducer::Step {
    const bool is_change = batch.state.front().key.find("conversations") != std::string::npos;
    auto committed = co_await inner.commit();
    if (!committed || !is_change) co_return committed;
    changed = true;
    auto started = co_await rival.publisher->start();
    if (!started) co_return common::fail(started.error());
    co_return common::fail(ErrorCode::kFenced, "the answer is lost, and the next attempt is a zombie's");
  }));

  const auto written = write();

  EXPECT_TRUE(changed);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kOutcomeUnknown) << written.error().message;
  EXPECT_THAT(written.error().message, HasSubstr("offsets get"));
  rival.stop();
}

}  // namespace
}  // namespace tests::integration
