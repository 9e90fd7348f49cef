#pragma once

// Whose the task is: the claim that this incarnation begins with, what the state topics held before it, and what reading the
// task's partition back has shown since (docs/adr/0003-claim.md, docs/adr/0009-digests-mark.md). It reads; what it has to write
// are transactions like any other. On the one executor; partitions are read on the worker's thread.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/task/claim.h"
#include "connector/core/transaction/read_back.h"
#include "connector/kafka/options.h"
#include "connector/kafka/task_digests.h"
#include "connector/kafka/task_topics.h"
#include "connector/kafka/transaction.h"

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace connector::kafka {

class TaskClaim {
 public:
  static constexpr std::int32_t kTask = 0;  // one task, owner of partition 0

  // The references outlive it; the worker is joined before it is destroyed.
  TaskClaim(const core::ConnectorName& name, const KafkaOptions& options, const TaskTopics& topics,
            boost::asio::thread_pool& worker, common::Logger logger, std::string incarnation);

  [[nodiscard]] const std::string& incarnation() const { return owner_.incarnation; }
  // The claim is known to be committed.
  [[nodiscard]] bool is_committed() const { return owner_.claimed; }
  // What was there before it, as read_back() found it last.
  [[nodiscard]] const core::StoredState& found() const { return found_; }

  // Reads the task's partition of the offsets topic. `in_doubt`: the number of the transaction whose outcome is not known. Errors
  // as of read_state.
  boost::asio::awaitable<common::Result<core::ReadBackFinding>> read_back(std::optional<std::uint64_t> in_doubt);
  // Reads the digests, not before the claim is committed: until then another instance may have been owner once more and have
  // added to them. kStateRefused: they are not those that go with what was found.
  boost::asio::awaitable<common::Result<std::unique_ptr<TaskDigests>>> restore_digests();
  // What is read just now ends soon: kCancelled.
  void request_stop() { stop_.store(true); }

  // After the read back that found no rival.
  Transaction begin(common::Instant now);
  void committed();
  // After restore_digests().
  [[nodiscard]] Transaction mark() const { return mark_transaction(name_, kTask, claim_); }

 private:
  const core::ConnectorName& name_;
  const KafkaOptions& options_;
  const TaskTopics& topics_;
  boost::asio::thread_pool& worker_;
  common::Logger logger_;
  core::Ownership owner_;
  core::StoredState found_;
  core::Claim claim_;
  std::atomic<bool> stop_ = false;
};

}  // namespace connector::kafka
