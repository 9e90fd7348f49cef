#pragma once

// A backfill in its ledger: that it has begun, what it has cost, how it has ended; and its end before it is done. Its windows are
// read as the settle lane's. A part of one lane, and on its executor. Internal to connector/source.

#include "connector/source/lane.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <vector>

namespace connector::source {

class BackfillRun final {
 public:
  // `lane` outlives it.
  BackfillRun(Lane& lane, core::BackfillOrder order);

  using Awaited = boost::asio::awaitable<common::Result<void>>;

  Awaited begin();
  // By the ledger, after begin(): it has not ended.
  [[nodiscard]] bool is_running() const { return lane_.working().backfill()->is_running(); }
  // Nothing of it runs any more.
  Awaited end(core::BackfillState state);
  // Its jobs are deleted at the service first. Tried until it is done or this is cancelled.
  Awaited cancel();
  // What it has cost so far, told with whatever else the ledger is told.
  void add_usage(std::vector<core::LedgerChange>& changes) const;

  [[nodiscard]] const core::BackfillOrder& order() const { return order_; }

 private:
  [[nodiscard]] std::uint64_t set_aside() const;

  Lane& lane_;
  StreamContext& stream_;
  core::BackfillOrder order_;
  // Its requests are those of its former lives, and this source's since this one began.
  std::uint64_t carried_requests_ = 0;
  std::uint64_t requests_before_;
};

}  // namespace connector::source
