#include "connector/core/transaction/page_queue.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

namespace connector::core {

namespace {

std::size_t bytes_of(const Page& page) {
  return page.buffer ? page.buffer->capacity() : 0;
}

std::size_t bytes_of(const std::vector<Page>& pages) {
  std::size_t bytes = 0;
  for (const Page& page : pages) bytes += bytes_of(page);
  return bytes;
}

std::size_t largest_page(const PageGroup& group) {
  std::size_t bytes = 0;
  for (const Page& page : group) bytes = std::max(bytes, bytes_of(page));
  return bytes;
}

}  // namespace

PageQueue::Ticket PageQueue::line_up(const PageGroup& group) {
  line_.push_back({.ticket = next_ticket_++, .bytes = bytes_of(group), .largest_page = largest_page(group)});
  waiting_bytes_ += line_.back().bytes;
  return line_.back().ticket;
}

bool PageQueue::may_enter(Ticket ticket) const {
  if (line_.empty() || line_.front().ticket != ticket) return false;
  // What waits is in memory like what is held, and a lane that may go on reads a page more.
  return held_bytes_ == 0 || held_bytes_ + waiting_bytes_ + line_.front().largest_page <= policy_.memory_bytes;
}

void PageQueue::enter(Ticket ticket, PageGroup group, common::SteadyTime now) {
  assert(may_enter(ticket) && !group.empty());
  const std::size_t bytes = line_.front().bytes;
  leave(ticket);
  held_bytes_ += bytes;
  for (const Page& page : group) ++pending_[page.source];
  StreamQueue& queue = queues_[group.front().source.stream];
  queue.bytes += bytes;
  queue.groups.push_back({.group = std::move(group), .bytes = bytes, .came = now});
}

void PageQueue::leave(Ticket ticket) {
  const auto place = std::ranges::find(line_, ticket, &InLine::ticket);
  if (place == line_.end()) return;
  waiting_bytes_ -= place->bytes;
  line_.erase(place);
}

void PageQueue::end_flush(const StreamName& stream) {
  const auto found = flushing_.find(stream);
  if (found != flushing_.end() && --found->second == 0) flushing_.erase(found);
}

std::optional<NextTransaction> PageQueue::next(Pace pace) const {
  std::optional<NextTransaction> best;
  for (const auto& [stream, queue] : queues_) {
    if (queue.groups.empty()) continue;
    // Whoever waits for room makes the waiting transactions hurry.
    const bool hurry = pace == Pace::kHurry || !line_.empty() || flushing_.contains(stream);
    const auto at = begin_at({.oldest = queue.groups.front().came, .bytes = queue.bytes, .hurry = hurry}, policy_.batching);
    if (!best || at < best->begin_at) best = {.stream = stream, .begin_at = at};
  }
  return best;
}

std::vector<Page> PageQueue::take(const StreamName& stream) {
  std::vector<Page> pages;
  std::size_t bytes = 0;
  StreamQueue& queue = queues_[stream];
  while (!queue.groups.empty() && takes_another(bytes, queue.groups.front().bytes, policy_.batching)) {
    Waiting next = std::move(queue.groups.front());
    queue.groups.pop_front();
    queue.bytes -= next.bytes;
    bytes += next.bytes;
    std::ranges::move(next.group, std::back_inserter(pages));
    if (next.bytes == 0 && pages.size() >= kMaxLedgerOnlyPages) break;
  }
  return pages;
}

void PageQueue::release(std::vector<Page> pages, PageFate fate) {
  held_bytes_ -= bytes_of(pages);
  for (Page& page : pages) {
    forget(page.source);
    if (fate == PageFate::kDropped) dropped_.insert(page.source);
    if (page.buffer) keep_storage(std::move(*page.buffer));
  }
}

void PageQueue::drop(const StreamName& stream) {
  const auto found = queues_.find(stream);
  if (found == queues_.end()) return;
  for (const Waiting& waiting : found->second.groups) {
    held_bytes_ -= waiting.bytes;
    for (const Page& page : waiting.group) {
      forget(page.source);
      dropped_.insert(page.source);
    }
  }
  queues_.erase(found);
}

std::size_t PageQueue::pending(const SourcePartition& source) const {
  const auto found = pending_.find(source);
  return found == pending_.end() ? 0 : found->second;
}

std::optional<SourcePartition> PageQueue::dropped_among(const PageGroup& group) const {
  for (const Page& page : group) {
    if (dropped_.contains(page.source)) return page.source;
  }
  return std::nullopt;
}

bool PageQueue::tell_dropped(const SourcePartition& source) {
  return pending(source) == 0 && dropped_.erase(source) != 0;
}

std::string PageQueue::take_spare_storage() {
  if (spare_.empty()) return {};
  std::string storage = std::move(spare_.back());
  spare_.pop_back();
  spare_bytes_ -= storage.capacity();
  return storage;
}

void PageQueue::forget(const SourcePartition& source) {
  const auto found = pending_.find(source);
  if (found != pending_.end() && --found->second == 0) pending_.erase(found);
}

void PageQueue::keep_storage(std::string storage) {
  if (spare_.size() >= kMaxSpare || spare_bytes_ + storage.capacity() > policy_.memory_bytes / kSpareShare) return;
  spare_bytes_ += storage.capacity();
  storage.clear();
  spare_.push_back(std::move(storage));
}

}  // namespace connector::core
