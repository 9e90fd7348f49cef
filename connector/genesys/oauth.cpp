#include "connector/genesys/oauth.h"

#include "common/json.h"
#include "connector/genesys/error_body.h"
#include "connector/genesys/rate_headers.h"
#include "connector/genesys/redact.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <string_view>
#include <variant>
#include <vector>

namespace connector::genesys {
namespace {

using common::ErrorCode;
using common::fail;

// The shortest life that can be configured for a client (docs/genesys-api.md section 1.2): the safe assumption where an answer
// leaves `expires_in` out.
constexpr common::Duration kShortestLife{300'000};
constexpr std::int64_t kLongestLifeSeconds = 366L * 86'400;

std::string base64(std::string_view text) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string encoded;
  for (std::size_t at = 0; at < text.size(); at += 3) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const unsigned bits = byte(at) << 16U | byte(at + 1) << 8U | byte(at + 2);
    encoded += kAlphabet[bits >> 18U & 63U];
    encoded += kAlphabet[bits >> 12U & 63U];
    encoded += at + 1 < text.size() ? kAlphabet[bits >> 6U & 63U] : '=';
    encoded += at + 2 < text.size() ? kAlphabet[bits & 63U] : '=';
  }
  return encoded;
}

bool is_bearer(std::string_view type) {
  constexpr std::string_view kBearer = "bearer";
  return std::ranges::equal(type, kBearer, [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
}

using Redaction = std::function<std::string(std::string)>;

// {"error", "description", "error_description"}: not the platform's ErrorBody.
std::string describe_refusal(std::string_view body, const Redaction& redaction) {
  const auto json = common::json::parse(body);
  if (!json) {
    return summarise_body(redaction(std::string(body)));
  }
  std::string text = common::json::find_string(*json, "error").value_or("");
  for (const std::string_view key : {"error_description", "description", "message"}) {
    if (const auto description = common::json::find_string(*json, key); description && !description->empty()) {
      text += (text.empty() ? "" : ": ") + *description;
      break;
    }
  }
  constexpr std::size_t kMost = 300;
  text = redaction(std::move(text));  // before it is cut: half a secret would not be recognised
  text.resize(std::min(text.size(), kMost));
  std::ranges::replace_if(text, [](unsigned char letter) { return std::iscntrl(letter) != 0; }, ' ');
  return text.empty() ? summarise_body(redaction(std::string(body))) : text;
}

common::Error refusal(const GenesysOptions& options, const common::http::Response& response, const Redaction& redaction,
                      common::Instant now) {
  const int status = response.status;
  const std::string where = token_url(options);
  common::Error error;
  error.message =
      "token request to " + where + ": HTTP " + std::to_string(status) + ": " + describe_refusal(response.body, redaction);
  if (const std::string id = redaction(correlation_id(response.headers, std::nullopt)); !id.empty()) {
    error.message += " (contextId " + id + ")";
  }
  if (status == 429) {
    error.code = ErrorCode::kRateLimited;
    error.retry_after = parse_retry_after(response.headers, now);
  } else if (status == 408 || status >= 500) {
    error.code = ErrorCode::kRetryable;
    error.retry_after = parse_retry_after(response.headers, now);
  } else if (status < 400 || status == 404 || status == 405 || status == 407) {
    error.code = ErrorCode::kConfigInvalid;
    error.message +=
        "; no token is given there: check genesys.region, genesys.login_url or genesys.oauth.token_url, and the proxy";
  } else if (std::holds_alternative<RefreshTokenGrant>(options.oauth.grant)) {
    error.code = ErrorCode::kCredentialsInvalid;
    error.message +=
        "; client id " + options.client_id +
        " is refused: check genesys.client_id and genesys.client_secret, and whether the refresh token was revoked or "
        "used elsewhere";
  } else {
    error.code = ErrorCode::kCredentialsInvalid;
    error.message += "; client id " + options.client_id +
                     " is refused: check genesys.client_id, genesys.client_secret and that genesys.region is the organisation's";
  }
  return error;
}

common::Result<TokenAnswer> parse_success(const common::http::Response& response, const std::string& where) {
  const auto json = common::json::parse(response.body);
  if (!json || !json->is_object()) {
    return fail(ErrorCode::kMalformedResponse, "token answer of " + where + ": " + summarise_body(response.body));
  }
  std::vector<std::string> wrong;
  TokenAnswer answer;
  if (auto token = common::json::find_string(*json, "access_token"); token && !token->empty()) {
    answer.access_token = common::Secret(*std::move(token));
  } else {
    wrong.emplace_back("access_token is missing");
  }
  if (const auto type = common::json::find_string(*json, "token_type"); type && !is_bearer(*type)) {
    wrong.emplace_back("token_type is not bearer");
  }
  answer.life = kShortestLife;
  if (const auto* given = common::json::find(*json, "expires_in"); given != nullptr) {
    const auto seconds = common::json::find_int(*json, "expires_in");
    if (!seconds || *seconds <= 0) {
      wrong.emplace_back("expires_in is not a positive number");
    } else {
      answer.life = std::chrono::seconds{std::min(*seconds, kLongestLifeSeconds)};
    }
  }
  if (auto refresh = common::json::find_string(*json, "refresh_token"); refresh && !refresh->empty()) {
    answer.refresh_token = common::Secret(*std::move(refresh));
  }
  if (!wrong.empty()) {
    std::string message = "token answer of " + where + ":";
    for (const std::string& one : wrong) {
      message += " " + one + ";";
    }
    message.pop_back();
    return fail(ErrorCode::kMalformedResponse, std::move(message));
  }
  return answer;
}

}  // namespace

std::string token_url(const GenesysOptions& options) {
  return options.oauth.token_url.empty() ? common::http::join_url(options.login_url, "/oauth/token") : options.oauth.token_url;
}

common::Secret basic_credentials(const std::string& client_id, const common::Secret& secret) {
  return common::Secret(base64(client_id + ":" + secret.reveal()));
}

common::http::Request token_request(const GenesysOptions& options, const common::Secret& client_secret,
                                    const common::Secret& refresh_token) {
  constexpr std::size_t kMostAnswer = 256UL << 10U;
  common::http::Request request;
  request.method = common::http::Method::kPost;
  request.url = token_url(options);
  request.max_response_bytes = kMostAnswer;
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  request.headers.add("Accept", "application/json");
  if (std::holds_alternative<RefreshTokenGrant>(options.oauth.grant)) {
    request.body = "grant_type=refresh_token&refresh_token=" + common::http::percent_encode(refresh_token.reveal());
  } else {
    request.body = "grant_type=client_credentials";
  }
  if (options.oauth.client_auth == ClientAuth::kBasic) {
    request.headers.add("Authorization", "Basic " + basic_credentials(options.client_id, client_secret).reveal());
  } else {
    request.body += "&client_id=" + common::http::percent_encode(options.client_id) +
                    "&client_secret=" + common::http::percent_encode(client_secret.reveal());
  }
  return request;
}

common::Result<TokenAnswer> parse_token_answer(const GenesysOptions& options, const common::Secret& client_secret,
                                               const common::Secret& refresh_token, const common::http::Response& response,
                                               common::Instant now) {
  if (response.status >= 200 && response.status < 300) {
    return parse_success(response, token_url(options));
  }
  const Redaction redaction = [&](std::string text) {
    return redact(std::move(text),
                  {client_secret.reveal(), refresh_token.reveal(), basic_credentials(options.client_id, client_secret).reveal()});
  };
  return fail(refusal(options, response, redaction, now));
}

}  // namespace connector::genesys
