#include "connector/genesys/token_provider.h"

#include "connector/genesys/oauth.h"
#include "connector/genesys/redact.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>
#include <variant>

namespace connector::genesys {

using common::ErrorCode;
using common::fail;
using common::Result;

TokenProvider::TokenProvider(const GenesysOptions& options, common::http::Client& client, common::Clock& clock,
                             core::Metrics& metrics, common::Logger logger, std::uint64_t seed)
    : options_(options),
      client_(client),
      clock_(clock),
      metrics_(metrics),
      logger_(std::move(logger)),
      random_(seed),
      machine_(options.oauth.renew_at),
      client_secret_(options.client_secret) {
  if (const auto* grant = std::get_if<RefreshTokenGrant>(&options.oauth.grant)) {
    configured_refresh_token_ = grant->refresh_token;
    store_.emplace(grant->token_store);
  }
}

boost::asio::awaitable<Result<Token>> TokenProvider::token(common::SteadyTime deadline) {
  for (;;) {
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) {
      co_return fail(ErrorCode::kCancelled, "waiting for a token was cancelled");
    }
    const common::SteadyTime now = clock_.steady_now();
    const TokenMachine::Action action = machine_.ask(now);
    if (std::holds_alternative<TokenMachine::Use>(action)) {
      co_return machine_.token();
    }
    if (std::holds_alternative<TokenMachine::Fetch>(action)) {
      co_await fetch();
      continue;
    }
    if (std::holds_alternative<TokenMachine::WaitForFetch>(action)) {
      co_await fetched_.wait();  // bounded by the bounds of the other caller's request
      continue;
    }
    if (const auto* refused = std::get_if<TokenMachine::Refused>(&action)) {
      if (secrets_changed()) {
        machine_.on_credentials_changed();
        continue;
      }
      common::Error error = refused->error;
      error.retry_after = std::chrono::ceil<std::chrono::milliseconds>(refused->again_at - now);
      co_return fail(std::move(error));
    }
    const auto& wait = std::get<TokenMachine::WaitUntil>(action);
    if (wait.at > deadline) {
      co_return fail(wait.error);
    }
    if (auto slept = co_await clock_.sleep_until(wait.at); !slept) {
      co_return fail(slept.error());
    }
  }
}

// Precondition: the machine said Fetch. Always reports back, whatever happens to the coroutine.
boost::asio::awaitable<void> TokenProvider::fetch() {
  struct Flight {
    TokenProvider& provider;
    bool reported = false;
    ~Flight() {
      if (!reported) {
        provider.machine_.on_abandoned();
      }
      provider.fetched_.notify_all();
    }
  } flight{.provider = *this};

  Result<TokenAnswer> answer = co_await request_token();
  if (!answer && answer.error().code == ErrorCode::kCancelled) {
    co_return;
  }
  flight.reported = true;
  metrics_.token_renewed(answer.has_value());
  const common::SteadyTime now = clock_.steady_now();
  if (!answer) {
    const common::Error& error = answer.error();
    const bool operator_must_act = error.code == ErrorCode::kCredentialsInvalid || error.code == ErrorCode::kConfigInvalid ||
                                   error.code == ErrorCode::kStateRefused;
    logger_.log(operator_must_act ? common::LogLevel::kError : common::LogLevel::kWarn, "no access token could be had",
                {{"client_id", options_.client_id},
                 {"error_code", common::to_string(error.code)},
                 {"stage", "token"},
                 {"error", error.message}});
    machine_.on_failed(error, std::uniform_real_distribution<>(0, 1)(random_), now);
    co_return;
  }
  if (answer->refresh_token) {
    keep_refresh_token(*std::move(answer->refresh_token));
  }
  machine_.on_fetched(std::move(answer->access_token), answer->life, now);
  metrics_.token(clock_.utc_now() + answer->life);
  logger_.info("access token renewed",
               {{"client_id", options_.client_id},
                {"expires_in_seconds", std::chrono::duration_cast<std::chrono::seconds>(answer->life).count()}});
}

boost::asio::awaitable<Result<TokenAnswer>> TokenProvider::request_token() {
  read_secrets_again();
  if (auto loaded = load_refresh_token(); !loaded) {
    co_return fail(loaded.error());
  }
  for (;;) {
    const common::Secret secret = client_secret_.value();
    const common::Secret refresh = refresh_token_.value_or(common::Secret{});
    auto response = co_await client_.send(token_request(options_, secret, refresh));
    if (!response) {
      co_return fail(common::with_context(response.error(), "token request to " + token_url(options_)));
    }
    auto answer = parse_token_answer(options_, secret, refresh, *response, clock_.utc_now());
    // A stored token that is no longer good must not keep out one that the operator has just configured.
    const common::Secret& configured = configured_refresh_token_.value();
    if (!answer && answer.error().code == ErrorCode::kCredentialsInvalid && store_ && !configured.empty() &&
        configured != refresh) {
      logger_.warn("the stored refresh token is refused, trying the configured one", {{"token_store", store_->path().string()}});
      refresh_token_ = configured;
      continue;
    }
    co_return answer;
  }
}

// The store comes first: a rotated token makes its predecessor, which the configuration still names, worthless.
Result<void> TokenProvider::load_refresh_token() {
  if (!store_ || refresh_token_) {
    return {};
  }
  auto stored = store_->load();
  if (!stored) {
    return fail(stored.error());
  }
  refresh_token_ = stored->has_value() ? **stored : configured_refresh_token_.value();
  return {};
}

void TokenProvider::keep_refresh_token(common::Secret rotated) {
  if (!store_ || refresh_token_ == rotated) {
    return;
  }
  refresh_token_ = std::move(rotated);
  if (auto saved = store_->save(*refresh_token_); !saved) {
    // We go on with it in memory; a restart could not.
    logger_.error("the new refresh token could not be stored: a restart will need a fresh one",
                  {{"error_code", common::to_string(saved.error().code)}, {"stage", "token"}, {"error", saved.error().message}});
  }
}

void TokenProvider::read_secrets_again() {
  const auto refresh = [&](common::SecretSource& source) {
    const auto changed = source.refresh();
    if (!changed) {
      logger_.warn(
          "a secret could not be read again, the known one is used",
          {{"error_code", common::to_string(changed.error().code)}, {"stage", "token"}, {"error", changed.error().message}});
    }
    return changed.value_or(false);
  };
  refresh(client_secret_);
  if (store_ && refresh(configured_refresh_token_)) {
    refresh_token_ = configured_refresh_token_.value();
  }
}

bool TokenProvider::secrets_changed() {
  // Failing to read is reported by the next attempt; here only news counts.
  bool changed = client_secret_.refresh().value_or(false);
  if (store_ && configured_refresh_token_.refresh().value_or(false)) {
    refresh_token_ = configured_refresh_token_.value();
    changed = true;
  }
  return changed;
}

void TokenProvider::rejected(std::uint64_t generation) {
  machine_.on_rejected(generation, clock_.steady_now());
}

std::string TokenProvider::redacted(std::string text, const Token& used) const {
  const common::Secret none;
  const common::Secret& secret = client_secret_.value();
  return redact(std::move(text),
                {used.value.reveal(), (machine_.has_token() ? machine_.token().value : none).reveal(), secret.reveal(),
                 (refresh_token_ ? *refresh_token_ : none).reveal(), basic_credentials(options_.client_id, secret).reveal()});
}

}  // namespace connector::genesys
