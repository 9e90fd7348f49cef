#pragma once

// The life of a task as operators see it (health, metrics, log). Pure: one event in, the new state out.

#include <cstdint>
#include <string_view>

namespace connector::core {

enum class TaskState : std::uint8_t {
  kStarting,
  kWaitingForKafka,  // the brokers cannot be reached or do not answer; nothing is lost, it continues by itself
  kRunning,
  kStopping,
  kStopped,
  kFenced,  // another instance owns the task
  kFailed,
};
std::string_view to_string(TaskState state);  // "starting", "waiting_for_kafka" …

enum class TaskEvent : std::uint8_t { kOwned, kKafkaLost, kKafkaBack, kStopRequested, kEnded, kFenced, kFailed };
inline constexpr int kTaskEventCount = 7;

class TaskLife {
 public:
  // Terminal states keep; a stop that was asked for cannot be undone by a recovery. A fencing or failure met while stopping is
  // told, as the operator must know it.
  TaskState on(TaskEvent event);
  [[nodiscard]] TaskState state() const { return state_; }
  [[nodiscard]] bool ended() const {
    return state_ == TaskState::kStopped || state_ == TaskState::kFenced || state_ == TaskState::kFailed;
  }

 private:
  TaskState state_ = TaskState::kStarting;
  bool owned_ = false;
};

}  // namespace connector::core
