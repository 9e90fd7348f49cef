#pragma once

// Where a stream begins, once `now` has become an instant. The application resolves it when a stream runs for the first time;
// later the ledger's own start counts. Plain value.

#include "common/instant.h"

namespace connector::source {

struct ResolvedStart {
  common::Instant instant;
};

}  // namespace connector::source
