#pragma once

// What a person or a script is told of a backfill, from its ledger: a bar that moves on a terminal, a line now and then in a
// pipe.

#include "common/json.h"
#include "connector/cli/surroundings.h"
#include "connector/core/ledger/ledger.h"

#include <chrono>
#include <optional>
#include <string>

namespace connector::cli {

// "conversations: 42.3 % of …, 13 windows, 12345 records, 812 requests, 12 % of the quota, 1h20m left"
std::string progress_of(const std::string& stream, const core::Ledger& ledger);
// "[#####-----]": `width` characters between the brackets.
std::string bar_of(double done, std::size_t width);
// A part of its range expired before its turn came: done, it has not brought all that was asked for.
bool has_lost(const core::Ledger& ledger);
// Of a backfill that has ended.
std::string end_of(const std::string& stream, const core::Ledger& ledger);
// Of one that has ended, or is watched no longer: 6 where it is done but for what was lost.
int exit_code_of(const core::Ledger& ledger);
common::json::Object to_json(const std::string& stream, const core::Ledger& ledger);

class BackfillReport {
 public:
  BackfillReport(std::string stream, const Surroundings& surroundings)
      : stream_(std::move(stream)), surroundings_(surroundings) {}
  void tell(const core::Ledger& ledger);
  // Ends the line of the bar.
  void close();

 private:
  std::string stream_;
  const Surroundings& surroundings_;
  std::optional<common::Instant> told_;  // the ledger's clock
  bool on_line_ = false;
};

}  // namespace connector::cli
