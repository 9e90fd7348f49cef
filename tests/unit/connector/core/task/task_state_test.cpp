#include "connector/core/task/task_state.h"

#include <gtest/gtest.h>

#include <vector>

namespace connector::core {
namespace {

using E = TaskEvent;
using S = TaskState;

struct Life {
  const char* name;
  std::vector<E> events;
  S ends;
};

class TaskLifeCase : public testing::TestWithParam<Life> {};

TEST_P(TaskLifeCase, EndsWhereItShould) {
  TaskLife life;
  EXPECT_EQ(life.state(), S::kStarting);

  for (const E event : GetParam().events) life.on(event);

  EXPECT_EQ(life.state(), GetParam().ends) << to_string(life.state());
}

INSTANTIATE_TEST_SUITE_P(
    Cases, TaskLifeCase,
    testing::Values(Life{"owned", {E::kOwned}, S::kRunning}, Life{"broker_down_at_start", {E::kKafkaLost}, S::kWaitingForKafka},
                    Life{"broker_back_before_owning", {E::kKafkaLost, E::kKafkaBack}, S::kStarting},
                    Life{"broker_lost_and_back", {E::kOwned, E::kKafkaLost, E::kKafkaBack}, S::kRunning},
                    Life{"stop", {E::kOwned, E::kStopRequested, E::kEnded}, S::kStopped},
                    Life{"stop_is_not_undone", {E::kOwned, E::kStopRequested, E::kKafkaBack, E::kOwned}, S::kStopping},
                    Life{"stop_while_broker_is_lost", {E::kKafkaLost, E::kStopRequested, E::kKafkaLost}, S::kStopping},
                    Life{"fenced", {E::kOwned, E::kFenced}, S::kFenced},
                    Life{"fenced_while_stopping", {E::kOwned, E::kStopRequested, E::kFenced}, S::kFenced},
                    Life{"failed", {E::kFailed}, S::kFailed}),
    [](const auto& info) { return std::string{info.param.name}; });

TEST(TaskLife, TerminalStatesKeepWhateverComes) {
  for (const E terminal : {E::kEnded, E::kFenced, E::kFailed}) {
    TaskLife life;
    const S state = life.on(terminal);
    EXPECT_TRUE(life.ended());
    for (int event = 0; event < kTaskEventCount; ++event) EXPECT_EQ(life.on(static_cast<E>(event)), state);
  }
}

}  // namespace
}  // namespace connector::core
