#include "connector/kafka/password_file.h"

#include <variant>

namespace connector::kafka {

const common::Secret* changed_password(KafkaOptions& options, common::Logger& logger) {
  const auto found = options.librdkafka.find("sasl.password");
  if (found == options.librdkafka.end()) return nullptr;
  auto* source = std::get_if<common::SecretSource>(&found->second);
  if (source == nullptr || !source->file()) return nullptr;
  const auto changed = source->refresh();
  if (!changed) {
    logger.warn("The Kafka password file cannot be read; the old password stays", {{"error", changed.error().message}});
    return nullptr;
  }
  if (!*changed) return nullptr;
  logger.info("The Kafka password file has changed");
  return &source->value();
}

}  // namespace connector::kafka
