#pragma once

// One librdkafka handle with what every handle needs: a thread that polls it (error events, logs, delivery reports, token
// refresh), the reason why brokers cannot be used, and an end that never hangs. The handle's functions are thread-safe; create
// and close belong to one thread at a time, and close must not run beside another call on the handle.

#include "common/log.h"
#include "common/result.h"
#include "common/secret.h"
#include "connector/kafka/handles.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace connector::kafka {

// Told about every delivery report, on the polling thread or on the one that commits.
class DeliverySink {
 public:
  virtual ~DeliverySink() = default;
  virtual void delivered(const rd_kafka_message_t& message) noexcept = 0;
};

class Client {
 public:
  // kConfigInvalid carries librdkafka's text. `sink` may be null and outlives the client.
  static common::Result<std::unique_ptr<Client>> create(rd_kafka_type_t type, ConfHandle conf, common::Logger logger,
                                                        DeliverySink* sink = nullptr);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] rd_kafka_t* get() const { return handle_.get(); }

  // What an operator must mend, as the error events said since last asked.
  std::optional<std::string> take_trouble();
  // The next connection uses this password. kConfigInvalid if SASL is not in use.
  common::Result<void> set_password(const common::Secret& password);
  // A call succeeded: an error event that comes later is worth a log line again.
  void recovered();
  // Drops what is queued or in flight (every record gets its report), then destroys: milliseconds, a second at most.
  void close();

 private:
  Client(common::Logger logger, DeliverySink* sink) : logger_(std::move(logger)), sink_(sink) {}
  static void on_error(rd_kafka_t* handle, int code, const char* reason, void* opaque);
  static void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text);
  static void on_delivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque);
  void note_error(rd_kafka_resp_err_t code, const std::string& reason);
  void poll(const std::stop_token& stop);

  common::Logger logger_;
  DeliverySink* sink_;
  std::mutex mutex_;  // guards the two below: written by the polling thread
  std::optional<std::string> trouble_;
  std::set<std::pair<rd_kafka_resp_err_t, bool>> logged_;  // and whether it needs an operator
  ClientHandle handle_;
  QueueHandle main_queue_;  // to wake the polling thread
  std::jthread poller_;
};

}  // namespace connector::kafka
