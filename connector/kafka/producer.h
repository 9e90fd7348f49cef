#pragma once

// The producer on librdkafka: transactional, or only idempotent for at_least_once, where `commit` first waits for the records'
// acknowledgement and then writes and awaits the digests, and then the ledgers. One handle for its whole life; blocking calls on
// its own thread, a polling thread always beside it. Payloads are not copied: the batch stays put until commit or abort succeeded
// or close returned.

#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/ports/transactional_producer.h"
#include "connector/kafka/options.h"

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace connector::kafka {

struct ProducerSetup {
  const KafkaOptions& options;  // outlives the factory call only
  core::ConnectorName name;
  std::int32_t partition = 0;  // the task's
  std::map<core::StreamName, std::string> topics;
  std::string offsets_topic;
  std::string digests_topic;
  std::string dead_letter_topic;
  std::string progress_topic;  // empty: none
  std::string control_topic;   // empty: none
  std::size_t smallest_max_message_bytes = 0;
  common::Logger logger;
};

// kConfigInvalid if librdkafka refuses the configuration.
common::Result<std::unique_ptr<core::TransactionalProducer>> make_producer(const ProducerSetup& setup);
// Tests wrap `make_producer` in one of their own.
using ProducerFactory = std::function<common::Result<std::unique_ptr<core::TransactionalProducer>>(const ProducerSetup&)>;

}  // namespace connector::kafka
