#pragma once

// A core::Publisher in memory: applies every group to the committed ledger at once, as one transaction, and keeps what it
// published. It can refuse, drop or hold back, as Kafka makes the real one do. Contradictions are kept, not swallowed: a test
// ends with `EXPECT_THAT(publisher.contradictions, IsEmpty())`.

#include "connector/core/ports/publisher.h"

#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tests::support {

struct PublishedRecord {
  std::string key;
  std::string value;
  std::string window;
  std::size_t transaction = 0;
  friend bool operator==(const PublishedRecord&, const PublishedRecord&) = default;
};

class FakePublisher final : public connector::core::Publisher {
 public:
  boost::asio::awaitable<common::Result<void>> submit(connector::core::PageGroup group) override;
  boost::asio::awaitable<common::Result<void>> flush(connector::core::SourcePartition source) override;
  [[nodiscard]] const connector::core::Ledger& committed(const connector::core::SourcePartition& source) const override;
  [[nodiscard]] const connector::core::StreamDigests* digests(const connector::core::StreamName& /*stream*/) const override {
    return known_digests;
  }
  std::string take_spare_storage() override { return {}; }

  void adopt(const connector::core::SourcePartition& source, connector::core::Ledger ledger) {
    ledgers[source] = std::move(ledger);
  }
  [[nodiscard]] std::vector<std::string> keys() const;
  [[nodiscard]] std::size_t times(const std::string& key) const;

  // Called before a group is taken; an error refuses it (and drops it).
  std::function<std::optional<common::Error>(const connector::core::PageGroup&)> on_submit;
  std::function<std::optional<common::Error>()> on_flush;  // an error: the stream is stopped
  std::size_t drop = 0;  // as many groups are taken and never committed, as if their stream had been stopped and started again
  const connector::core::StreamDigests* known_digests = nullptr;  // null: every record is published
  bool hang = false;                                              // submit() waits for memory that never comes
  bool late = false;                                              // nothing is committed before commit(); flush() waits for that
  void commit();

  std::map<connector::core::SourcePartition, connector::core::Ledger> ledgers;
  std::vector<PublishedRecord> records;
  std::vector<std::string> dead_letters;    // "reason@index"
  std::vector<std::string> contradictions;  // changes that the ledger refused
  std::size_t transactions = 0;
  std::size_t flushes = 0;

 private:
  void apply(const connector::core::PageGroup& group);

  std::vector<connector::core::PageGroup> waiting_;
  std::vector<boost::asio::steady_timer*> flushing_;
};

}  // namespace tests::support
