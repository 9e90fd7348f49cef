#pragma once

// One administrative request: sent, awaited in short slices that look at a stop flag, its answer or error returned. Blocking; any
// thread but the handle's poller.

#include "common/instant.h"
#include "common/result.h"
#include "connector/kafka/error.h"
#include "connector/kafka/handles.h"

#include <atomic>
#include <functional>
#include <string_view>

namespace connector::kafka {

// `send` gives the request to librdkafka with the options and the queue. kRetryable when no answer came within `timeout`,
// kCancelled when `stop` was raised.
inline common::Result<EventHandle> admin_call(rd_kafka_t* handle, rd_kafka_admin_op_t operation, std::string_view doing,
                                              common::Duration timeout, const std::atomic<bool>& stop,
                                              const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send) {
  constexpr int kSliceMs = 50;
  const AdminOptionsHandle options{rd_kafka_AdminOptions_new(handle, operation)};
  const int timeout_ms = static_cast<int>(timeout.count());
  if (const auto code = rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, nullptr, 0)) {
    return common::fail(to_error(code, doing));
  }
  const QueueHandle queue{rd_kafka_queue_new(handle)};
  send(options.get(), queue.get());
  // librdkafka itself ends the request at its timeout and puts the answer on the queue.
  while (!stop.load(std::memory_order_relaxed)) {
    EventHandle event{rd_kafka_queue_poll(queue.get(), kSliceMs)};
    if (!event) continue;
    if (const auto code = rd_kafka_event_error(event.get())) {
      return common::fail(to_error(code, doing, rd_kafka_event_error_string(event.get())));
    }
    return event;
  }
  return common::fail(common::ErrorCode::kCancelled, std::string{doing} + ": stopped");
}

}  // namespace connector::kafka
