#pragma once

// Changes a task's stored state from outside a connector (`offsets set`, `reset`, `import`): becomes the owner first, as a
// connector's start does, and so fences one that runs. Without transactions (at_least_once) nobody is fenced. Used once; on the
// one executor.

#include "common/clock.h"
#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/names.h"
#include "connector/kafka/options.h"
#include "connector/kafka/producer.h"
#include "connector/kafka/state_store.h"

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::kafka {

// A ledger that takes the place of the stored one. None: a tombstone, the lane begins as one that has never run.
struct StateChange {
  core::SourcePartition source;
  std::optional<core::Ledger> ledger;
};

// Whether the next start looks for the digests that go with the state: kForget accepts that they are lost.
enum class DigestsMemory : std::uint8_t { kKeep, kForget };

struct StateWriterSetup {
  core::ConnectorName name;
  KafkaOptions kafka;
  std::string offsets_topic;          // exists
  std::size_t max_message_bytes = 0;  // of that topic
  std::string control_topic;          // empty: there is none that may be written
  common::Duration patience{60'000};  // for everything
  common::Logger logger;
  std::uint64_t seed = 0;  // for the jitter and the incarnation's id
  ProducerFactory factory;
};

class StateWriter {
 public:
  // `clock` outlives it.
  StateWriter(StateWriterSetup setup, common::Clock& clock);
  ~StateWriter();
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;

  // Fences every other owner and reads what is stored then; nobody has lost the task yet, a connector that runs goes on by
  // itself. kTopicUnusable: Kafka does not answer; kPermissionDenied, kConfigInvalid.
  boost::asio::awaitable<common::Result<StoredOffsets>> take_over();
  // Claims the task and then writes the changes, if there are any, in one transaction. kFenced: another instance took over
  // meanwhile. Any error but kOutcomeUnknown: nothing was changed.
  boost::asio::awaitable<common::Result<void>> write(std::vector<StateChange> changes,
                                                     DigestsMemory digests = DigestsMemory::kKeep);
  // Before its end, whatever happened.
  boost::asio::awaitable<void> close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace connector::kafka
