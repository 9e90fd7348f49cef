#include "connector/kafka/contact.h"

#include <utility>

namespace connector::kafka {

using common::Error;
using core::TaskEvent;
using core::TaskState;

namespace {

constexpr common::Duration kLostAfter{2'000};  // retries that last this long are an outage, not a hiccup

}  // namespace

Contact::Contact(std::string bootstrap_servers, common::Duration start_grace, common::Clock& clock, core::Metrics& metrics,
                 common::Logger logger)
    : bootstrap_servers_(std::move(bootstrap_servers)),
      clock_(clock),
      metrics_(metrics),
      logger_(std::move(logger)),
      grace_(start_grace) {}

void Contact::tell(TaskEvent event) {
  const auto before = life_.state();
  if (life_.on(event) != before) tell_state();
}

void Contact::retrying(const Error& error) {
  const auto now = clock_.steady_now();
  if (!retrying_since_) {
    retrying_since_ = now;
    logger_.debug("Kafka: trying again", {{"error", error.message}});
  }
  const bool outage = now - *retrying_since_ >= kLostAfter;
  if (!outage || life_.state() == TaskState::kWaitingForKafka) return;
  logger_.warn("Waiting for Kafka; nothing is lost, it continues by itself",
               {{"error_code", std::string{common::to_string(error.code)}}, {"error", error.message}});
  tell(TaskEvent::kKafkaLost);
}

void Contact::regained() {
  retrying_since_.reset();
  if (life_.state() != TaskState::kWaitingForKafka) return;
  logger_.info("Kafka answers again");
  tell(TaskEvent::kKafkaBack);
}

std::optional<Error> Contact::lasting_trouble(std::optional<std::string> trouble) {
  const bool told = trouble.has_value();
  if (trouble) last_trouble_ = std::move(*trouble);
  if (!grace_.failed(told, clock_.steady_now())) return std::nullopt;
  return Error{.code = common::ErrorCode::kConfigInvalid,
               .message = "Kafka at " + bootstrap_servers_ + " cannot be used: " + last_trouble_ +
                          ". Check kafka.bootstrap_servers and the security settings in kafka.librdkafka"};
}

}  // namespace connector::kafka
