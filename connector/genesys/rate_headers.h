#pragma once

// What the service's answers say about rates: `inin-ratelimit-*` and `Retry-After` (docs/genesys-api.md section 4.1). Pure
// functions; anything that makes no sense is taken for absent.

#include "common/http/message.h"
#include "common/instant.h"
#include "connector/core/budget/budget.h"

#include <chrono>
#include <optional>

namespace connector::genesys {

core::RateHeaders parse_rate_headers(const common::http::Headers& headers);
// Seconds, or an HTTP date relative to `now` (the service's clock if it sent one); never negative, an hour at most.
std::optional<std::chrono::milliseconds> parse_retry_after(const common::http::Headers& headers, common::Instant now);

}  // namespace connector::genesys
