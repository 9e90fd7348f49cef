#pragma once

// What `check` can prove about our access to the service, what it found wrong, and what nobody can prove from outside. Each with
// its remedy. Performs real requests through GenesysApi.

#include "common/result.h"
#include "connector/core/names.h"
#include "connector/core/ports/api.h"
#include "connector/genesys/genesys_api.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace connector::genesys {

enum class CheckStatus : std::uint8_t { kProven, kFailed, kNotProvable };

struct CheckItem {
  CheckStatus status = CheckStatus::kProven;
  std::string subject;                                    // "token", "organisation", "stream conversations"
  std::string detail;                                     // what was seen; for failures and unknowns with the remedy
  common::ErrorCode code = common::ErrorCode::kInternal;  // if failed
};

// One minimal query of a stream, made by the source engine: it proves the permission, nothing of its answer is kept.
struct StreamProbe {
  core::StreamName stream;
  core::ApiRequest request;
  std::vector<std::string> permissions;  // any of these is needed
};

// Stops at the first failure that makes the rest pointless (no token, no service). For short answers give `api` a short
// retry deadline.
boost::asio::awaitable<std::vector<CheckItem>> check_access(GenesysApi& api, std::vector<StreamProbe> probes);

}  // namespace connector::genesys
