#pragma once

// The connector as a running thing: wires the adapters to the engine, learns who we are, admits the streams, runs their lanes,
// and stops in the reverse order. One single-threaded io_context owns everything; `run` returns when it is over. It runs for
// good, or until what was due at its start is done, or for one backfill alone.

#include "common/log.h"
#include "common/result.h"
#include "connector/app/definitions.h"
#include "connector/app/options.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/names.h"
#include "connector/kafka/publisher.h"

#include <functional>
#include <memory>
#include <variant>

namespace connector::app {

struct RunForGood {};
// Ends by itself when every lane has done what was due when it began.
struct RunUntilComplete {};
// Only this backfill of this stream, to its end; nobody is listened to, neither for metrics nor for requests.
struct RunBackfill {
  core::StreamName stream;
  core::BackfillOrder order;
  std::function<void(const core::Ledger& ledger)> tell;  // once a second
};
using RunMode = std::variant<RunForGood, RunUntilComplete, RunBackfill>;

class App final {
 public:
  // `producer_factory` is for tests that break the publisher on purpose; empty for the real one.
  App(AppOptions options, Definitions definitions, common::Logger logger, kafka::ProducerFactory producer_factory = {},
      RunMode mode = RunForGood{});
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Runs until SIGTERM or SIGINT (no error; kCancelled if there was something to complete), or until it cannot go on:
  // kConfigInvalid (listener, certificates, Kafka settings), kStateRefused, kPermissionDenied, kFenced (another instance took
  // over), kCancelled (second signal), kInternal. A service or broker that is away is waited for, however long.
  common::Result<void> run();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace connector::app
