#pragma once

// The connector as a running thing: wires the adapters to the engine, learns who we are, admits the streams, runs their lanes,
// and stops in the reverse order. One single-threaded io_context owns everything; `run` returns when it is over.

#include "common/log.h"
#include "common/result.h"
#include "connector/app/definitions.h"
#include "connector/app/options.h"
#include "connector/kafka/publisher.h"

#include <memory>

namespace connector::app {

class App final {
 public:
  // `producer_factory` is for tests that break the publisher on purpose; empty for the real one.
  App(AppOptions options, Definitions definitions, common::Logger logger, kafka::ProducerFactory producer_factory = {});
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Runs until SIGTERM or SIGINT (no error), or until it cannot go on: kConfigInvalid (listener, certificates, Kafka settings),
  // kStateRefused, kPermissionDenied, kFenced (another instance took over), kCancelled (second signal), kInternal. A service or
  // broker that is away is waited for, however long.
  common::Result<void> run();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace connector::app
