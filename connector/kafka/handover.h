#pragma once

// The lanes' side of the publisher: takes their pages when there is room, keeps the committed ledgers, and says what became of
// what was handed over. The bookkeeping is core::PageQueue's; this is who waits and what is told. On the one executor.

#include "common/clock.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/ports/metrics.h"
#include "connector/core/ports/publisher.h"
#include "connector/core/transaction/page_queue.h"
#include "connector/core/transaction/read_back.h"
#include "connector/kafka/signal.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace connector::kafka {

class Handover {
 public:
  // `work` is notified when there is more to publish or somebody is in a hurry. The references outlive it.
  Handover(const boost::asio::any_io_executor& executor, const core::PageQueuePolicy& policy, common::Clock& clock,
           core::Metrics& metrics, common::Logger logger, Signal& work);

  // --- for lanes: see core::Publisher and KafkaPublisher

  boost::asio::awaitable<common::Result<void>> submit(core::PageGroup group);
  boost::asio::awaitable<common::Result<void>> flush(core::SourcePartition source);
  [[nodiscard]] const core::Ledger& committed(const core::SourcePartition& source) const;
  std::string take_spare_storage() { return queue_.take_spare_storage(); }
  common::Result<void> adopt(const core::SourcePartition& source, core::Ledger initial);
  void replace(const core::SourcePartition& source, core::Ledger ledger) { committed_[source] = std::move(ledger); }

  // --- for the publisher

  [[nodiscard]] std::optional<core::NextTransaction> next() const;
  std::vector<core::Page> take(const core::StreamName& stream) { return queue_.take(stream); }
  // The fate of the transaction's pages is known and librdkafka holds no pointer into them any more: commit or abort succeeded,
  // or the producer is gone.
  void release(std::vector<core::Page> pages, core::PageFate fate);

  [[nodiscard]] const core::Ledgers& ledgers() const { return committed_; }
  void set_ledgers(core::Ledgers ledgers) { committed_ = std::move(ledgers); }
  void advance(core::Ledgers ledgers);

  // Nothing of the stream is taken until it is resumed, and what waits is dropped.
  void stop_stream(const core::StreamName& stream, const common::Error& error);
  // Only the reason changes, of a stream that is stopped.
  void set_trouble(const core::StreamName& stream, common::Error error) { troubles_[stream] = std::move(error); }
  void resume_stream(const core::StreamName& stream);
  [[nodiscard]] bool is_stopped(const core::StreamName& stream) const { return troubles_.contains(stream); }
  [[nodiscard]] std::optional<common::Error> trouble(const core::StreamName& stream) const;

  // No more pages; what waits is in a hurry.
  void stop();
  // Nothing more is committed, because of `reason` if there is one. Whoever waits learns it at the next `wake`.
  void end(std::optional<common::Error> reason);
  void wake() { room_.notify(); }
  // What is told to whoever asks after the end.
  [[nodiscard]] common::Result<void> lost_with_task() const;

 private:
  [[nodiscard]] common::Result<void> refusal(const core::PageGroup& group) const;
  [[nodiscard]] common::Result<void> lost(const core::StreamName& stream) const;
  void leave(core::PageQueue::Ticket ticket);

  common::Clock& clock_;
  core::Metrics& metrics_;
  common::Logger logger_;
  core::PageQueue queue_;
  core::Ledgers committed_;
  std::map<core::StreamName, common::Error> troubles_;  // streams stopped alone
  bool stopping_ = false;
  bool ended_ = false;
  std::optional<common::Error> reason_;
  Signal& work_;
  Signal room_;  // of submits and flushes
};

}  // namespace connector::kafka
