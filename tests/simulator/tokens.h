#pragma once

// The token endpoint and what its tokens are worth: client credentials in Basic (or the form, if allowed), refresh grant with
// rotation, expiry, revocation. One thread; bounded: expired tokens are forgotten.

#include "common/http/message.h"
#include "tests/simulator/options.h"
#include "tests/simulator/problem.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tests::simulator {

using FormFields = std::map<std::string, std::string, std::less<>>;
// Of application/x-www-form-urlencoded text or a query string; the first of a repeated name wins.
FormFields parse_form(std::string_view text);

class Tokens {
 public:
  struct Answer {
    int status = 200;
    std::string body;
  };

  Tokens(TokenOptions options, std::uint64_t seed);

  // POST /oauth/token.
  Answer grant(const common::http::Headers& headers, std::string_view body, Instant now);
  // The client behind the request's bearer token, or the 401.
  Outcome<std::string> authenticate(const common::http::Headers& headers, Instant now) const;
  // The token itself, for counting; empty without one.
  static std::string bearer(const common::http::Headers& headers);
  void revoke(std::string_view token);
  void revoke_all();

 private:
  struct Issued {
    std::string client_id;
    Instant expires;
  };
  Answer issue(const std::string& client_id, bool with_refresh_token, Instant now);

  TokenOptions options_;
  std::uint64_t seed_;
  std::uint64_t issued_count_ = 0;
  std::map<std::string, Issued, std::less<>> issued_;
  std::map<std::string, std::string, std::less<>> refresh_tokens_;  // token → client
};

}  // namespace tests::simulator
