#include "tests/support/fake_publisher.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace tests::support {

namespace asio = boost::asio;

using connector::core::Ledger;
using connector::core::Page;
using connector::core::PageGroup;
using connector::core::SourcePartition;

asio::awaitable<common::Result<void>> FakePublisher::submit(PageGroup group) {
  if (hang) {
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return common::fail(common::ErrorCode::kCancelled, "submit cancelled");
  }
  if (const auto hook = on_submit) {  // a copy: the hook may replace itself
    if (auto refused = hook(group)) co_return common::fail(std::move(*refused));
  }
  if (drop > 0) {
    --drop;
    co_return common::Result<void>{};
  }
  if (late) {
    waiting_.push_back(std::move(group));
    co_return common::Result<void>{};
  }
  apply(group);
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_return common::Result<void>{};
}

void FakePublisher::commit() {
  for (const PageGroup& group : std::exchange(waiting_, {})) apply(group);
  for (asio::steady_timer* flush : std::exchange(flushing_, {})) flush->cancel();
}

void FakePublisher::apply(const PageGroup& group) {
  ++transactions;
  for (const Page& page : group) {
    Ledger& ledger = ledgers[page.source];
    for (const auto& change : page.changes) {
      if (auto applied = ledger.apply(change); !applied) contradictions.push_back(applied.error().message);
    }
    ledger.set_stamp({.incarnation = "fake", .number = transactions});
    for (const auto& record : page.records) {
      records.push_back({.key = std::string(record.key),
                         .value = std::string(record.value),
                         .window = common::format_interval(page.window),
                         .transaction = transactions});
    }
    for (const auto& letter : page.dead_letters) dead_letters.push_back(letter.reason + "@" + std::to_string(letter.index));
  }
}

asio::awaitable<common::Result<void>> FakePublisher::flush(SourcePartition /*source*/) {
  ++flushes;
  while (!waiting_.empty()) {
    asio::steady_timer committed(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    flushing_.push_back(&committed);
    co_await committed.async_wait(asio::as_tuple(asio::use_awaitable));
    std::erase(flushing_, &committed);
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      co_return common::fail(common::ErrorCode::kCancelled, "flush cancelled");
    }
  }
  if (on_flush) {
    if (auto stopped = on_flush()) co_return common::fail(std::move(*stopped));
  }
  co_return common::Result<void>{};
}

const Ledger& FakePublisher::committed(const SourcePartition& source) const {
  static const Ledger kNone;
  const auto found = ledgers.find(source);
  return found == ledgers.end() ? kNone : found->second;
}

std::vector<std::string> FakePublisher::keys() const {
  std::vector<std::string> keys;
  for (const PublishedRecord& record : records) keys.push_back(record.key);
  return keys;
}

std::size_t FakePublisher::times(const std::string& key) const {
  return static_cast<std::size_t>(std::ranges::count(records, key, &PublishedRecord::key));
}

}  // namespace tests::support
