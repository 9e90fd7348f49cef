#pragma once

// core::Api against the real service: every attempt passes breaker, budget and token, is sent, logged (logger `request`), counted
// and classified, and retried while that may help. The shell holds no policy: Budget, Breaker, RetryPolicy, TokenMachine and
// classify() decide. One executor.

#include "common/clock.h"
#include "common/http/client.h"
#include "common/log.h"
#include "connector/core/budget/budget.h"
#include "connector/core/ports/api.h"
#include "connector/core/ports/metrics.h"
#include "connector/core/retry/breaker.h"
#include "connector/core/retry/retry_policy.h"
#include "connector/genesys/error_body.h"
#include "connector/genesys/options.h"
#include "connector/genesys/organization.h"
#include "connector/genesys/token_provider.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace connector::genesys {

// The stream name under which the connector's own calls (organisation, limits, checks) are logged and counted.
inline constexpr std::string_view kOwnCalls = "_connector";

class GenesysApi final : public core::Api {
 public:
  // The references outlive the object, and the object every coroutine of send(). `seed` is for the jitter.
  GenesysApi(GenesysOptions options, common::http::Client& client, common::Clock& clock, core::Metrics& metrics,
             common::Logger logger, std::uint64_t seed);
  GenesysApi(const GenesysApi&) = delete;
  GenesysApi& operator=(const GenesysApi&) = delete;

  // As the port says. The deadline (genesys.retry.deadline) does not run while a request waits for its turn in the budget. A path
  // that is an absolute URL must be of api_url's host: the token goes nowhere else (kRequestRejected). After kCredentialsInvalid
  // retry_after says when the credentials are tried again.
  boost::asio::awaitable<common::Result<core::ApiResponse>> send(core::ApiRequest request) override;
  [[nodiscard]] common::Duration clock_skew() const override;
  [[nodiscard]] bool knows_time() const override { return newest_date_.has_value(); }
  [[nodiscard]] core::ApiUsage usage(const core::SourcePartition& source) const override;
  // The lane's part of the quota from now on.
  void set_weight(core::Lane lane, double weight) { budget_.set_weight(lane, weight); }

  boost::asio::awaitable<common::Result<Organization>> organization();
  boost::asio::awaitable<common::Result<TokenInfo>> token_info();
  // Reads the effective limits and lets the budget know. A namespace that may not be read is logged and left out.
  boost::asio::awaitable<common::Result<Limits>> load_limits();

  [[nodiscard]] const core::Budget& budget() const { return budget_; }
  [[nodiscard]] const GenesysOptions& options() const { return options_; }

 private:
  struct Turn {
    Token token;
    core::Budget::Grant grant;
    bool is_probe = false;
  };
  struct Attempt {
    common::Result<core::ApiResponse> result;
    std::string spare;  // the storage of a failed answer, for the next attempt
  };

  [[nodiscard]] common::Result<std::string> url_of(const core::ApiRequest& request) const;
  boost::asio::awaitable<common::Result<Turn>> wait_for_turn(const core::ApiRequest& request, core::RetryPolicy& policy);
  boost::asio::awaitable<Attempt> attempt(const core::ApiRequest& request, std::string url, std::string storage, Turn turn,
                                          std::uint32_t number);
  common::Result<core::ApiResponse> judge(const core::ApiRequest& request, common::http::Response& response, const Turn& turn,
                                          std::string& correlation);
  // The error of an answer outside 200 … 299; nothing in it repeats a secret.
  common::Error classify_answer(const core::ApiRequest& request, common::http::Response& response, const Turn& turn,
                                std::optional<ErrorBody> error_body, common::Instant now) const;
  void note_date(const common::http::Headers& headers, std::optional<common::Instant>& date);
  void report(core::SourcePartition source, const common::Result<core::ApiResponse>& result, int status,
              std::chrono::milliseconds latency, std::size_t wire_bytes);
  boost::asio::awaitable<common::Result<core::ApiResponse>> own_call(std::string path,
                                                                     std::vector<std::pair<std::string, std::string>> query = {});

  GenesysOptions options_;
  common::http::Client& client_;
  common::Clock& clock_;
  core::Metrics& metrics_;
  common::Logger logger_;
  common::Logger request_logger_;
  std::mt19937_64 random_;
  core::Budget budget_;
  core::Breaker breaker_;
  core::RetrySettings retry_;
  TokenProvider tokens_;
  std::map<core::SourcePartition, std::uint64_t> sent_;
  std::optional<common::Instant> newest_date_;
  common::SteadyTime newest_date_at_;
};

}  // namespace connector::genesys
