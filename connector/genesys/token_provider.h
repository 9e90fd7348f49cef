#pragma once

// Gives the access token: the shell around TokenMachine that performs the token requests, reads a rotated secret file again and
// keeps a rotated refresh token. One executor. The token and the secrets never reach a log line.

#include "common/clock.h"
#include "common/http/client.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/ports/metrics.h"
#include "connector/genesys/event.h"
#include "connector/genesys/options.h"
#include "connector/genesys/token_machine.h"
#include "connector/genesys/token_store.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

namespace connector::genesys {

class TokenProvider {
 public:
  // The references outlive the provider.
  TokenProvider(const GenesysOptions& options, common::http::Client& client, common::Clock& clock, core::Metrics& metrics,
                common::Logger logger, std::uint64_t seed);

  // A token that is good as far as is known; at once while there is one. Otherwise asks for one (one caller does, the others
  // wait) and again with growing delays until `deadline`. kCredentialsInvalid and kConfigInvalid come at once, with retry_after =
  // when the credentials will be tried again (earlier if their file changes). kCancelled.
  boost::asio::awaitable<common::Result<Token>> token(common::SteadyTime deadline);

  // token() would return at once.
  [[nodiscard]] bool is_at_hand() const { return machine_.is_at_hand(clock_.steady_now()); }
  void rejected(std::uint64_t generation);  // the service answered 401 to it
  void accepted() { machine_.on_accepted(); }

  // `text` without the secrets known here and without `used`, the token of the request it is about.
  [[nodiscard]] std::string redacted(std::string text, const Token& used) const;

 private:
  boost::asio::awaitable<void> fetch();
  boost::asio::awaitable<common::Result<struct TokenAnswer>> request_token();
  void read_secrets_again();
  bool secrets_changed();
  common::Result<void> load_refresh_token();
  void keep_refresh_token(common::Secret rotated);

  const GenesysOptions& options_;
  common::http::Client& client_;
  common::Clock& clock_;
  core::Metrics& metrics_;
  common::Logger logger_;
  std::mt19937_64 random_;

  TokenMachine machine_;
  Event fetched_;
  common::SecretSource client_secret_;
  common::SecretSource configured_refresh_token_;
  std::optional<TokenStore> store_;
  std::optional<common::Secret> refresh_token_;  // the newest known
};

}  // namespace connector::genesys
