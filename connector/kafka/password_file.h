#pragma once

// The password of Kafka's SASL may come from a file that is replaced while we run.

#include "common/log.h"
#include "common/secret.h"
#include "connector/kafka/options.h"

namespace connector::kafka {

// Reads the file again, if there is one. The new password, owned by `options`, or null: not changed, or not readable, which is
// logged; the old one stays.
const common::Secret* changed_password(KafkaOptions& options, common::Logger& logger);

}  // namespace connector::kafka
