#pragma once

// A publisher without Kafka that decides as the product's does, for streams that are read for days against a simulated service.
// One thread.

#include "connector/core/ledger/ledger.h"
#include "connector/core/ports/publisher.h"
#include "connector/kafka/task_digests.h"
#include "connector/kafka/transaction.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace connector::app {

// Decides and keeps as the product's publisher does: digests over whole transactions, ledgers with them.
class DecidingPublisher final : public core::Publisher {
 public:
  explicit DecidingPublisher(const kafka::StreamTopic& topic) : topic_(topic), digests_({topic}) {}

  boost::asio::awaitable<common::Result<void>> submit(core::PageGroup group) override {
    kafka::Transaction transaction;
    transaction.batch.stream = topic_.stream;
    transaction.batch.pages = std::move(group);
    core::Ledgers changed = ledgers;
    for (const core::Page& page : transaction.batch.pages) {
      for (const core::LedgerChange& change : page.changes) {
        if (auto applied = changed[page.source].apply(change); !applied) contradictions.push_back(applied.error().message);
      }
      changed[page.source].set_stamp({.incarnation = "i", .number = ++transactions_});
    }
    kafka::measure(transaction, {.record = 1'000'000, .dead_letter = 1'000'000});
    digests_.decide(transaction, ledgers);
    std::size_t place = 0;
    for (const core::Page& page : transaction.batch.pages) {
      dead_letters += page.dead_letters.size();
      for (const core::RecordSlice& record : page.records) {
        if (transaction.batch.fates[place++] != core::RecordFate::kPublish) continue;
        topic[std::string(record.key)].emplace_back(record.value);
      }
    }
    digests_.apply(transaction);
    ledgers = std::move(changed);
    co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
    co_return common::Result<void>{};
  }
  boost::asio::awaitable<common::Result<void>> flush(core::SourcePartition /*source*/) override {
    co_return common::Result<void>{};
  }
  [[nodiscard]] const core::Ledger& committed(const core::SourcePartition& source) const override {
    static const core::Ledger kNone;
    const auto found = ledgers.find(source);
    return found == ledgers.end() ? kNone : found->second;
  }
  [[nodiscard]] const core::StreamDigests* digests(const core::StreamName& stream) const override { return digests_.of(stream); }
  std::string take_spare_storage() override { return {}; }

  // A whole round of the sweep.
  void expire(common::Instant now) {
    for (std::size_t steps = digests_.steps_a_round() + 1; steps > 0; --steps) {
      if (auto expired = digests_.expire(ledgers, now)) digests_.apply(*expired);
    }
  }
  [[nodiscard]] std::size_t remembered() const { return digests_.of(topic_.stream)->committed().size(); }

  core::Ledgers ledgers;
  std::map<std::string, std::vector<std::string>> topic;  // values by key, in order
  std::size_t dead_letters = 0;
  std::vector<std::string> contradictions;

 private:
  kafka::StreamTopic topic_;
  kafka::TaskDigests digests_;
  std::uint64_t transactions_ = 0;
};

}  // namespace connector::app
