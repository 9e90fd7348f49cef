#pragma once

// Judges what came through: given what the service held, what the ledgers claim and what a read_committed consumer finds, lists
// every violation of the guarantees G1 (nothing lost), G2 (no ledger ahead of its records) and of "no page twice". Pure, so that
// it is tested itself.

#include "common/instant.h"
#include "connector/core/ledger/interval_set.h"
#include "connector/core/names.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tests::crash {

// A conversation that the service held for good.
struct Truth {
  std::string key;
  common::Instant start;
};

struct Delivered {
  connector::core::Lane lane = connector::core::Lane::kLive;
  std::string key;
  std::string window;  // header gk.window
  std::string value;
};

struct Claimed {
  connector::core::Lane lane = connector::core::Lane::kLive;
  connector::core::IntervalSet complete;
};

struct Violation {
  std::string kind;  // "lost", "twice", "wrong key"
  std::string detail;
};

std::vector<Violation> find_violations(const std::vector<Truth>& truth, const std::vector<Claimed>& ledgers,
                                       const std::vector<Delivered>& records);

}  // namespace tests::crash
