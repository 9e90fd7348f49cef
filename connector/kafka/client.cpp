#include "connector/kafka/client.h"

#include "connector/kafka/error.h"

#include <array>
#include <string_view>
#include <utility>

namespace connector::kafka {

using common::ErrorCode;
using common::Result;

Result<std::unique_ptr<Client>> Client::create(rd_kafka_type_t type, ConfHandle conf, common::Logger logger, DeliverySink* sink) {
  std::unique_ptr<Client> client{new Client(std::move(logger), sink)};
  rd_kafka_conf_set_opaque(conf.get(), client.get());
  rd_kafka_conf_set_error_cb(conf.get(), &Client::on_error);
  rd_kafka_conf_set_log_cb(conf.get(), &Client::on_log);
  if (sink != nullptr) rd_kafka_conf_set_dr_msg_cb(conf.get(), &Client::on_delivery);
  std::array<char, 512> reason{};
  client->handle_.reset(rd_kafka_new(type, conf.get(), reason.data(), reason.size()));
  if (!client->handle_) {
    return common::fail(ErrorCode::kConfigInvalid, std::string{"kafka.librdkafka: "} + reason.data());
  }
  [[maybe_unused]] const rd_kafka_conf_t* consumed = conf.release();  // owned by the handle now
  client->main_queue_.reset(rd_kafka_queue_get_main(client->handle_.get()));
  client->poller_ = std::jthread{[raw = client.get()](const std::stop_token& stop) { raw->poll(stop); }};
  return client;
}

Client::~Client() {
  close();
}

void Client::poll(const std::stop_token& stop) {
  while (!stop.stop_requested()) rd_kafka_poll(handle_.get(), 500);
}

void Client::close() {
  if (!handle_) return;
  // With the poller gone flush serves the reports on this thread.
  poller_.request_stop();
  rd_kafka_queue_yield(main_queue_.get());
  if (poller_.joinable()) poller_.join();
  if (rd_kafka_type(handle_.get()) == RD_KAFKA_PRODUCER && rd_kafka_outq_len(handle_.get()) > 0) {
    rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_flush(handle_.get(), 200);
  }
  main_queue_.reset();
  handle_.reset();
}

std::optional<std::string> Client::take_trouble() {
  const std::scoped_lock lock{mutex_};
  return std::exchange(trouble_, std::nullopt);
}

Result<void> Client::set_password(const common::Secret& password) {
  // The user name stays: read back what the handle was configured with.
  std::array<char, 512> user{};
  std::size_t size = user.size();
  if (rd_kafka_conf_get(rd_kafka_conf(handle_.get()), "sasl.username", user.data(), &size) != RD_KAFKA_CONF_OK) {
    return common::fail(ErrorCode::kConfigInvalid, "kafka.librdkafka.sasl.username must be set beside sasl.password");
  }
  const ErrorHandle error{rd_kafka_sasl_set_credentials(handle_.get(), user.data(), password.reveal().c_str())};
  if (error) return common::fail(ErrorCode::kConfigInvalid, std::string{"sasl.password: "} + rd_kafka_error_string(error.get()));
  return {};
}

void Client::recovered() {
  const std::scoped_lock lock{mutex_};
  logged_.clear();
  trouble_.reset();
}

void Client::on_error(rd_kafka_t* handle, int code, const char* reason, void* opaque) {
  auto* client = static_cast<Client*>(opaque);
  auto real_code = static_cast<rd_kafka_resp_err_t>(code);
  std::string text{reason != nullptr ? reason : ""};
  if (real_code == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> fatal{};
    real_code = rd_kafka_fatal_error(handle, fatal.data(), fatal.size());
    text = fatal.data();
  }
  client->note_error(real_code, text);
}

void Client::note_error(rd_kafka_resp_err_t code, const std::string& reason) {
  bool first = false;
  {
    const std::scoped_lock lock{mutex_};
    if (needs_operator(code, reason)) trouble_ = reason;
    first = logged_.insert({code, needs_operator(code, reason)}).second;
  }
  // A connection that breaks is mended by the library; how long that takes is told by whoever waits for it.
  const bool tell = needs_operator(code, reason) || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
  if (first) {
    logger_.log(tell ? common::LogLevel::kWarn : common::LogLevel::kDebug, "Kafka client error",
                {{"error", rd_kafka_err2name(code)}, {"detail", reason.c_str()}});
  }
}

// On librdkafka's own threads: one line, no lock of ours.
void Client::on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  const auto* client = static_cast<const Client*>(rd_kafka_opaque(handle));
  // Errors reach the operator once through error events; the library's own lines repeat them with every attempt.
  if (client != nullptr) {
    client->logger_.debug("librdkafka", {{"level", level}, {"facility", facility}, {"text", text}});
  }
}

void Client::on_delivery(rd_kafka_t* /*handle*/, const rd_kafka_message_t* message, void* opaque) {
  static_cast<Client*>(opaque)->sink_->delivered(*message);
}

}  // namespace connector::kafka
