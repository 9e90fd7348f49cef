#include "connector/genesys/error_body.h"

#include "common/json.h"
#include "connector/genesys/rate_headers.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace connector::genesys {
namespace {

using common::ErrorCode;

constexpr std::size_t kMostText = 400;  // of the service's words in a message of ours

// One line, bounded, no control characters.
std::string tidy(std::string_view text, std::size_t most = kMostText) {
  std::string tidied;
  for (const char letter : text.substr(0, most)) {
    const bool space = static_cast<unsigned char>(letter) <= ' ' || letter == '\x7f';
    if (!space) {
      tidied += letter;
    } else if (!tidied.empty() && tidied.back() != ' ') {
      tidied += ' ';
    }
  }
  while (!tidied.empty() && tidied.back() == ' ') {
    tidied.pop_back();
  }
  return text.size() > most ? tidied + "…" : tidied;
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return lowered;
}

// Texts by which the service refuses a request for its size (docs/genesys-api.md section 3): no code of their own is known.
constexpr std::array<std::string_view, 6> kTooMuch{"pagination may not exceed",    "search interval as part of your query",
                                                   "query is too complex",         "too complex",
                                                   "exceeds the maximum interval", "query.too.complex"};

bool asks_too_much(const ErrorBody& error) {
  const std::string text = lower(error.message + " " + error.code);
  return std::ranges::any_of(kTooMuch, [&](std::string_view part) { return text.contains(part); });
}

bool names_a_cursor(const ErrorBody& error) {
  return lower(error.message).contains("cursor");
}

ErrorCode code_of(int status, const std::optional<ErrorBody>& error) {
  switch (status) {
    case 400:
      if (error && asks_too_much(*error)) {
        return ErrorCode::kTooComplex;
      }
      return error && names_a_cursor(*error) ? ErrorCode::kPositionInvalid : ErrorCode::kRequestRejected;
    case 401:
      return ErrorCode::kUnauthorized;
    case 403:
      return ErrorCode::kPermissionDenied;
    case 404:
    case 410:
      return ErrorCode::kPositionInvalid;
    case 407:
      return ErrorCode::kConfigInvalid;
    case 408:
      return ErrorCode::kRetryable;
    case 429:
      return ErrorCode::kRateLimited;
    case 501:
    case 505:
      return ErrorCode::kRequestRejected;  // as the vendor's own clients see it: asking again does not help
    default:
      return status >= 500 ? ErrorCode::kRetryable : ErrorCode::kRequestRejected;
  }
}

// Instead of a page the address of a file with it. (It lets in whoever has it: never told.)
bool points_to_a_file(int status, std::string_view body) {
  if (status < 300 || status >= 400 || body.empty() || body.size() > kMostErrorBody) {
    return false;
  }
  const auto json = common::json::parse(body);
  return json && common::json::find_string(*json, "downloadUrl").has_value();
}

// What to change; empty where waiting is all there is.
std::string_view remedy(int status, ErrorCode code) {
  if (code == ErrorCode::kTooComplex) {
    return "ask for a shorter interval or fewer results";
  }
  if (code == ErrorCode::kOversize) {
    return "the page is too large for an answer: ask for smaller ones (job_page_size), or for a shorter interval";
  }
  if (status >= 300 && status < 400) {
    return "the service redirects: check genesys.region or genesys.api_url";
  }
  switch (status) {
    case 401:
      return "the token is not accepted: check that genesys.region is the organisation's and that the client is active";
    case 403:
      return "give a role of the OAuth client the permission, in every division whose records are wanted";
    case 407:
      return "check the credentials in genesys.http.proxy";
    default:
      return "";
  }
}

}  // namespace

std::optional<ErrorBody> parse_error_body(std::string_view body) {
  if (body.empty() || body.size() > kMostErrorBody) {
    return std::nullopt;
  }
  const auto json = common::json::parse(body);
  if (!json) {
    return std::nullopt;
  }
  const auto text = [&](std::string_view key) { return common::json::find_string(*json, key).value_or(""); };
  ErrorBody error{
      .message = text("message"), .code = text("code"), .context_id = text("contextId"), .parameters = "", .limit = {}};
  if (error.message.empty()) {
    error.message = text("messageWithParams");
  }
  if (error.message.empty() && error.code.empty()) {
    return std::nullopt;
  }
  if (const auto* parameters = common::json::find(*json, "messageParams"); parameters != nullptr && parameters->is_object()) {
    error.parameters = parameters->as_object().empty() ? "" : common::json::serialize(*parameters);
  }
  if (const auto* limit = common::json::find(*json, "limit"); limit != nullptr && limit->is_object()) {
    error.limit = ExceededLimit{.key = common::json::find_string(*limit, "key").value_or(""),
                                .name_space = common::json::find_string(*limit, "namespace").value_or("")};
  }
  return error;
}

std::string correlation_id(const common::http::Headers& headers, const std::optional<ErrorBody>& body) {
  constexpr std::size_t kMostId = 100;
  if (body && !body->context_id.empty()) {
    return tidy(body->context_id, kMostId);
  }
  return tidy(headers.find("ININ-Correlation-Id").value_or(""), kMostId);
}

std::string summarise_body(std::string_view body) {
  if (body.empty()) {
    return "an empty body";
  }
  const std::string size = std::to_string(body.size()) + " bytes";
  const std::string beginning = lower(body.substr(0, 4096));
  if (beginning.contains("<html") || beginning.contains("<!doctype html")) {
    const std::size_t open = beginning.find("<title>");
    const std::size_t close = beginning.find("</title>");
    if (open != std::string::npos && close != std::string::npos && close > open) {
      return "an HTML page titled '" + tidy(body.substr(open + 7, close - open - 7), 80) + "', " + size;
    }
    return "an HTML page, " + size;
  }
  if (body.size() > kMostErrorBody) {
    return "too much for an error body, " + size;
  }
  return common::json::parse(body) ? "JSON that is no error body, " + size : "not JSON, " + size;
}

common::Error classify(int status, const common::http::Headers& headers, const std::optional<ErrorBody>& error,
                       std::string_view body, std::string_view what, common::Instant now) {
  common::Error classified;
  classified.code = !error && points_to_a_file(status, body) ? ErrorCode::kOversize : code_of(status, error);
  classified.message = std::string(what) + ": HTTP " + std::to_string(status);
  if (error) {
    classified.message += error->code.empty() ? "" : " " + tidy(error->code, 80);
    classified.message += ": " + tidy(error->message);
    // The permissions of a 403, the field of a 400: sometimes only here.
    if (!error->parameters.empty() && (error->message.contains("%s") || error->message.contains('{') || status == 403)) {
      classified.message += " " + tidy(error->parameters);
    }
    if (error->limit && !error->limit->key.empty()) {
      classified.message += " (limit " + tidy(error->limit->name_space, 60) + " " + tidy(error->limit->key, 100) + ")";
    }
  } else {
    classified.message += ": " + summarise_body(body);
  }
  if (const std::string id = correlation_id(headers, error); !id.empty()) {
    classified.message += " (contextId " + id + ")";
  }
  if (const std::string_view change = remedy(status, classified.code); !change.empty()) {
    classified.message += "; " + std::string(change);
  }
  if (classified.code == ErrorCode::kRateLimited || classified.code == ErrorCode::kRetryable) {
    classified.retry_after = parse_retry_after(headers, now);
  }
  return classified;
}

}  // namespace connector::genesys
