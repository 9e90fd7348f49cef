#pragma once

// The books of what lanes handed over and what is not committed yet: who waits for room, what waits for a transaction, which
// stream's transaction begins next, what was dropped, and the storage that may be used again. Sizes are bytes of page buffers
// (their capacity). Pure: who waits is woken by the caller.

#include "common/clock.h"
#include "connector/core/names.h"
#include "connector/core/ports/publisher.h"
#include "connector/core/transaction/batching.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace connector::core {

struct PageQueuePolicy {
  BatchPolicy batching;
  std::size_t memory_bytes = 40UL << 20U;  // of pages held; a group that is larger is taken alone
};

// The stream whose transaction may begin first, and when; not after `now` if it may begin at once.
struct NextTransaction {
  StreamName stream;
  common::SteadyTime begin_at;
};

enum class Pace : std::uint8_t { kUsual, kHurry };
enum class PageFate : std::uint8_t { kCommitted, kDropped };

class PageQueue {
 public:
  using Ticket = std::uint64_t;

  static constexpr std::size_t kMaxLedgerOnlyPages = 1'000;  // in one transaction: they have no bytes that would bound it
  static constexpr std::size_t kMaxSpare = 8;
  static constexpr std::size_t kSpareShare =
      3;  // spare storage takes at most this part of the memory: a full page of a job by default

  explicit PageQueue(const PageQueuePolicy& policy) : policy_(policy) {}

  // --- room: a group waits in line, then enters or leaves

  // First come, first served: a large group is not starved by small ones.
  Ticket line_up(const PageGroup& group);
  [[nodiscard]] bool may_enter(Ticket ticket) const;
  // `group` is the one that lined up with `ticket`, which may enter.
  void enter(Ticket ticket, PageGroup group, common::SteadyTime now);
  void leave(Ticket ticket);

  // --- transactions: one at a time, of one stream

  // Somebody waits for the stream's commits: they are not put off meanwhile.
  void begin_flush(const StreamName& stream) { ++flushing_[stream]; }
  void end_flush(const StreamName& stream);
  [[nodiscard]] std::optional<NextTransaction> next(Pace pace) const;
  // The pages of whole groups, oldest first: the first always, then as many as may keep it company.
  std::vector<Page> take(const StreamName& stream);
  // The fate of pages taken is known and nobody points into them any more.
  void release(std::vector<Page> pages, PageFate fate);
  // Drops what waits for a transaction of this stream.
  void drop(const StreamName& stream);

  // --- what is known of a source partition, and the memory

  // Pages handed over and neither committed nor dropped.
  [[nodiscard]] std::size_t pending(const SourcePartition& source) const;
  // A source partition of the group whose lane has yet to learn that pages it handed over are gone. The group must not line up:
  // pages that follow a dropped one would leave a gap that no ledger may cover.
  [[nodiscard]] std::optional<SourcePartition> dropped_among(const PageGroup& group) const;
  // True once after pages of the source partition were dropped and none is pending: the lane knows now.
  bool tell_dropped(const SourcePartition& source);
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }
  // Storage of a released page; empty if none is spare.
  std::string take_spare_storage();

 private:
  struct InLine {
    Ticket ticket = 0;
    std::size_t bytes = 0;
    std::size_t largest_page = 0;
  };
  struct Waiting {
    PageGroup group;
    std::size_t bytes = 0;
    common::SteadyTime came;
  };
  struct StreamQueue {
    std::deque<Waiting> groups;
    std::size_t bytes = 0;
  };

  void forget(const SourcePartition& source);
  void keep_storage(std::string storage);

  PageQueuePolicy policy_;
  std::deque<InLine> line_;
  Ticket next_ticket_ = 0;
  std::size_t waiting_bytes_ = 0;  // of groups in line
  std::map<StreamName, StreamQueue> queues_;
  std::size_t held_bytes_ = 0;  // of groups that entered, until their pages are released or dropped
  std::map<StreamName, std::size_t> flushing_;
  std::map<SourcePartition, std::size_t> pending_;
  std::set<SourcePartition> dropped_;
  std::vector<std::string> spare_;
  std::size_t spare_bytes_ = 0;
};

}  // namespace connector::core
