#pragma once

// The life of the access token as decisions: when to ask for one, who asks (one at a time), how long to wait after a failure.
// No I/O, no clock; token_provider.h performs it. The token outlives most processes (24 h by default), so nothing runs in the
// background: it is looked at before every attempt.

#include "common/clock.h"
#include "common/result.h"
#include "common/secret.h"

#include <cstdint>
#include <optional>
#include <variant>

namespace connector::genesys {

struct Token {
  common::Secret value;
  std::uint64_t generation = 0;  // rises with every new token: tells whose 401 it was
};

class TokenMachine {
 public:
  // `renew_at`: the fraction of its life after which a token is renewed; it is used meanwhile and if renewal fails.
  explicit TokenMachine(double renew_at) : renew_at_(renew_at) {}

  struct Use {};           // token() is good
  struct Fetch {};         // the caller asks for a token now and reports: on_fetched, on_failed or on_abandoned
  struct WaitForFetch {};  // another caller is asking
  struct WaitUntil {       // asking failed; not again before
    common::SteadyTime at;
    common::Error error;
  };
  struct Refused {  // the credentials are refused: an operator must act; asked again slowly
    common::SteadyTime again_at;
    common::Error error;
  };
  using Action = std::variant<Use, Fetch, WaitForFetch, WaitUntil, Refused>;

  Action ask(common::SteadyTime now);
  void on_fetched(common::Secret value, common::Duration life, common::SteadyTime now);
  void on_failed(common::Error error, double chance, common::SteadyTime now);  // `chance` uniform in [0, 1)
  void on_abandoned();                                                         // cancelled while asking
  void on_credentials_changed();                                               // a new secret: no reason to wait any longer

  // 401 for a request that bore the token of `generation`: it is not used again. The service refusing token after token slows
  // the renewals down.
  void on_rejected(std::uint64_t generation, common::SteadyTime now);
  void on_accepted() { rejected_in_a_row_ = 0; }

  [[nodiscard]] const Token& token() const { return token_.value(); }
  [[nodiscard]] bool has_token() const { return token_.has_value(); }
  // ask(now) would be Use: there is a token that is good and nothing to renew, or somebody renews it, or it is too early to try
  // that again.
  [[nodiscard]] bool is_at_hand(common::SteadyTime now) const {
    return token_ && now < expires_ && (now < renew_ || fetching_ || now < next_attempt_);
  }

 private:
  double renew_at_;
  std::optional<Token> token_;
  std::uint64_t generation_ = 0;
  common::SteadyTime renew_;
  common::SteadyTime expires_;
  bool fetching_ = false;
  common::SteadyTime next_attempt_ = common::SteadyTime::min();
  std::optional<common::Error> error_;  // of the last attempt, if it failed
  std::uint32_t failures_ = 0;
  std::uint32_t rejected_in_a_row_ = 0;
};

}  // namespace connector::genesys
