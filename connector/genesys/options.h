#pragma once

// The Genesys side of the configuration: where the service is, who we are to it, how much of it we may use. Plain values.

#include "common/http/client.h"
#include "common/instant.h"
#include "common/secret.h"
#include "connector/core/names.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>

namespace connector::genesys {

enum class ClientAuth : std::uint8_t { kBasic, kBody };  // where client id and secret go in the token request

struct ClientCredentialsGrant {};
struct RefreshTokenGrant {
  common::SecretSource refresh_token;
  std::filesystem::path token_store;  // a rotated refresh token is written here, atomically, mode 0600, and read from here first
};
using Grant = std::variant<ClientCredentialsGrant, RefreshTokenGrant>;

struct OAuthOptions {
  std::string token_url;  // empty: <login_url>/oauth/token
  ClientAuth client_auth = ClientAuth::kBasic;
  Grant grant = ClientCredentialsGrant{};
  double renew_at = 0.9;  // of the token's life
};

struct BudgetOptions {
  double share = 0.8;                                   // of what the service allows
  std::optional<double> max_requests_per_minute;        // absolute cap
  std::optional<std::uint64_t> max_requests_per_month;  // used by `plan`, exported; not enforced here
  double assumed_per_minute = 300;  // until a header or the limits endpoint says better (docs/genesys-api.md, "Rate limits")
  std::array<double, core::kAllLanes.size()> weights{8, 4, 2, 1};  // live, follow, settle, backfill
  double floor = 0.05;                                             // of the rate, for every lane that has work
};

struct RetryOptions {
  common::Duration initial{500};
  common::Duration max{60'000};
  common::Duration deadline{600'000};  // of one logical request; then the window is retried later
};

struct BreakerOptions {
  std::uint32_t failures = 5;     // in a row
  common::Duration open{30'000};  // first; doubles up to max_open while probes fail
  common::Duration max_open{300'000};
};

struct GenesysOptions {
  std::string api_url;          // https://api.<domain>; from `region` or given
  std::string login_url;        // https://login.<domain>
  std::string region;           // as configured, for the log; empty with explicit URLs
  std::string organization_id;  // for a service that tells none; empty: it is asked
  std::string client_id;
  common::SecretSource client_secret;
  OAuthOptions oauth;
  BudgetOptions budget;
  RetryOptions retry;
  BreakerOptions breaker;
  common::http::ClientOptions http;
  bool proxy_from_environment = true;  // HTTPS_PROXY and the like count: false with a proxy of our own, or `proxy: none`
};

}  // namespace connector::genesys
