#pragma once

// Everything one connector is told: the options of its modules side by side. Filled by config/, handed to the verbs by main.
// Plain values.

#include <vector>

#include "common/instant.h"
#include "common/log.h"
#include "connector/core/names.h"
#include "connector/genesys/options.h"
#include "connector/kafka/options.h"
#include "connector/observability/options.h"
#include "connector/source/options.h"

namespace connector::app {

struct AppOptions {
  core::ConnectorName name;
  genesys::GenesysOptions genesys;
  kafka::KafkaOptions kafka;
  std::vector<source::StreamOptions> streams;
  observability::MetricsOptions metrics;
  common::LogOptions log;
  common::Duration shutdown_grace{25'000};  // SIGTERM to exit
  bool core_dumps = false;                  // a core file would hold secrets
};

}  // namespace connector::app
