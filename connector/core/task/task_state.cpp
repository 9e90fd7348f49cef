#include "connector/core/task/task_state.h"

namespace connector::core {

std::string_view to_string(TaskState state) {
  switch (state) {
    case TaskState::kStarting:
      return "starting";
    case TaskState::kWaitingForKafka:
      return "waiting_for_kafka";
    case TaskState::kRunning:
      return "running";
    case TaskState::kStopping:
      return "stopping";
    case TaskState::kStopped:
      return "stopped";
    case TaskState::kFenced:
      return "fenced";
    case TaskState::kFailed:
      return "failed";
  }
  return "unknown";
}

TaskState TaskLife::on(TaskEvent event) {
  if (ended()) return state_;
  const bool stopping = state_ == TaskState::kStopping;
  switch (event) {
    case TaskEvent::kOwned:
      owned_ = true;
      if (!stopping) state_ = TaskState::kRunning;
      break;
    case TaskEvent::kKafkaLost:
      if (!stopping) state_ = TaskState::kWaitingForKafka;
      break;
    case TaskEvent::kKafkaBack:
      if (!stopping) state_ = owned_ ? TaskState::kRunning : TaskState::kStarting;
      break;
    case TaskEvent::kStopRequested:
      state_ = TaskState::kStopping;
      break;
    case TaskEvent::kEnded:
      state_ = TaskState::kStopped;
      break;
    case TaskEvent::kFenced:
      state_ = TaskState::kFenced;
      break;
    case TaskEvent::kFailed:
      state_ = TaskState::kFailed;
      break;
  }
  return state_;
}

}  // namespace connector::core
