#pragma once

// The token endpoint on the wire (docs/genesys-api.md section 1): the request of each grant, and what its answer means. Pure
// functions.

#include "common/http/message.h"
#include "common/instant.h"
#include "common/result.h"
#include "common/secret.h"
#include "connector/genesys/options.h"

#include <optional>
#include <string>

namespace connector::genesys {

struct TokenAnswer {
  common::Secret access_token;
  common::Duration life{};
  std::optional<common::Secret> refresh_token;  // a rotated one
};

std::string token_url(const GenesysOptions& options);
// `Basic` credentials: base64 of "id:secret".
common::Secret basic_credentials(const std::string& client_id, const common::Secret& secret);
// `refresh_token` is used by that grant only.
common::http::Request token_request(const GenesysOptions& options, const common::Secret& client_secret,
                                    const common::Secret& refresh_token);
// kCredentialsInvalid (naming the client id), kConfigInvalid (no token endpoint there), kRateLimited, kRetryable,
// kMalformedResponse. No message repeats a secret, whatever the peer wrote.
common::Result<TokenAnswer> parse_token_answer(const GenesysOptions& options, const common::Secret& client_secret,
                                               const common::Secret& refresh_token, const common::http::Response& response,
                                               common::Instant now);

}  // namespace connector::genesys
