#pragma once

// What the task's partition of the offsets topic holds, and what it says about an owner and its batch in doubt. Pure.

#include "common/result.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/names.h"
#include "connector/core/task/claim.h"
#include "connector/core/transaction/machine.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace connector::core {

using Ledgers = std::map<SourcePartition, Ledger>;

struct StoredState {
  std::optional<Claim> claim;  // the youngest
  Ledgers ledgers;
};

// Who we are while we own the task.
struct Ownership {
  std::string incarnation;
  bool claimed = false;             // our claim is known to be committed
  std::set<std::string> inherited;  // incarnations whose ledgers were there when we claimed
};

// `in_doubt`: the commit number of the batch whose outcome is not known; 0 for the claim itself.
ReadBackFinding assess(const StoredState& stored, const Ownership& owner, std::optional<std::uint64_t> in_doubt);

// Every incarnation that `stored` names.
std::set<std::string> incarnations_in(const StoredState& stored);

}  // namespace connector::core
