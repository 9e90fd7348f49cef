#pragma once

// What the service tells about the organisation, the token and its limits (docs/genesys-api.md sections 4.1 and 6), read out of
// its answers. Pure functions.

#include "common/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace connector::genesys {

struct Organization {
  std::string id;
  std::string name;
};

struct TokenInfo {
  Organization organization;
  std::string client_id;
  std::string client_name;
  std::string grant_type;
  std::string client_state;    // active, disabled, inactive
  std::string date_to_delete;  // of the client, if it is going to be deleted
};

// The organisation's effective limits that concern us; each may be unknown.
struct Limits {
  std::optional<double> requests_per_minute;         // per client credentials token
  std::optional<double> job_submissions_per_second;  // details.jobs.rate.per.second
  std::optional<double> concurrent_jobs;             // details.jobs.concurrent.access.max
};

common::Result<Organization> parse_organization(std::string_view body);
common::Result<TokenInfo> parse_token_info(std::string_view body);
// Adds what one namespace's listing says; kMalformedResponse if it is none.
common::Result<void> add_limits(std::string_view body, Limits& limits);

}  // namespace connector::genesys
