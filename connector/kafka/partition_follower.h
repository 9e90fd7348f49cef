#pragma once

// Follows one partition of a compacted topic for as long as it lives: what is there now, whole, and then every change as it is
// committed. A thread of its own reads; what it read is handed over on the executor, in order. It joins no group and writes
// nothing. Brokers that are away are waited for.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/kafka/options.h"
#include "connector/kafka/partition_reader.h"

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace connector::kafka {

class PartitionFollower {
 public:
  struct Handlers {
    // Once: the newest value of every key that has one.
    std::function<void(std::map<std::string, std::string> values)> caught_up;
    // Afterwards; no value: it was removed.
    std::function<void(std::string key, std::optional<std::string> value)> changed;
    // Something an operator must mend (the topic is not there, a permission), or kRetryable after half a minute in which the
    // partition could not be read to its end; once for each trouble. It is tried again.
    std::function<void(common::Error error)> failed;
  };

  // The handlers are called on `executor`, never after the destructor has begun.
  PartitionFollower(boost::asio::any_io_executor executor, KafkaOptions options, StateLocation location, common::Logger logger,
                    Handlers handlers);
  // Waits for the thread, half a second as a rule, three at most.
  ~PartitionFollower();
  PartitionFollower(const PartitionFollower&) = delete;
  PartitionFollower& operator=(const PartitionFollower&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // its thread's, too
};

}  // namespace connector::kafka
