#pragma once

// Judges what came through: given what the service held, what the ledgers claim and what a read_committed consumer finds, lists
// every violation of the guarantees G1 (nothing lost, nothing stale in the end), G2 (no ledger ahead of its records), G4 (once
// per content) and G5 (no step back). Pure, so that it is tested itself.

#include "common/instant.h"
#include "connector/core/ledger/interval_set.h"
#include "connector/core/names.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace tests::crash {

// A conversation that the service held for good.
struct Truth {
  std::string key;
  common::Instant start;
};

// A conversation as it will be for good, in the job's form.
struct Final {
  std::string key;
  std::string value;
};

// In the order of the topic: of one key, that of publishing.
struct Delivered {
  connector::core::Lane lane = connector::core::Lane::kLive;
  std::string key;
  std::string form;    // header gk.form
  std::string window;  // header gk.window
  std::string value;
  bool is_tombstone = false;
};

struct Claimed {
  connector::core::Lane lane = connector::core::Lane::kLive;
  connector::core::IntervalSet complete;
};

struct Violation {
  std::string kind;  // "lost" (a tombstone of what exists, too), "twice", "step back", "wrong key"; "missing", "stale"
  std::string detail;
};

// `wanted`: keys that a job showed open and that are still to be read by id; nothing of them is published yet, nor forgotten.
std::vector<Violation> find_violations(const std::vector<Truth>& truth, const std::vector<Claimed>& ledgers,
                                       const std::vector<Delivered>& records, const std::set<std::string>& wanted = {});

// Conversations whose last record is not what the service holds of them.
std::vector<Violation> find_differences(const std::vector<Final>& truth, const std::vector<Delivered>& records);

}  // namespace tests::crash
