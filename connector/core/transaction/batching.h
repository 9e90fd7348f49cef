#pragma once

// When a transaction begins: late enough to carry company, early enough to be fresh. Pure.

#include "common/clock.h"
#include "common/instant.h"

#include <cstddef>

namespace connector::core {

struct BatchPolicy {
  common::Duration commit_interval{200};  // how long a decided page may wait for company
  std::size_t commit_bytes = 8UL << 20U;  // … or until this much is waiting
};

// What waits for one stream.
struct WaitingPages {
  common::SteadyTime oldest;  // when the first of them came
  std::size_t bytes = 0;
  bool hurry = false;  // somebody waits for their commit, the memory is full, or the task stops
};

// When the transaction may begin; not after `oldest` if it may begin at once.
inline common::SteadyTime begin_at(const WaitingPages& waiting, const BatchPolicy& policy) {
  if (waiting.hurry || waiting.bytes >= policy.commit_bytes) return waiting.oldest;
  return waiting.oldest + policy.commit_interval;
}

// Whether one more group joins the transaction: the first always does.
inline bool takes_another(std::size_t taken_bytes, std::size_t group_bytes, const BatchPolicy& policy) {
  return taken_bytes == 0 || taken_bytes + group_bytes <= policy.commit_bytes;
}

}  // namespace connector::core
