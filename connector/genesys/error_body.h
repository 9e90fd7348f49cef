#pragma once

// What a failed answer of the service means: its ErrorBody (docs/genesys-api.md section 4.3) and the one place where a status and
// a text become an ErrorCode. Pure functions.

#include "common/http/message.h"
#include "common/instant.h"
#include "common/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace connector::genesys {

// The limit that a 429 ran into, if the service names it.
struct ExceededLimit {
  std::string key;
  std::string name_space;
};

struct ErrorBody {
  std::string message;
  std::string code;
  std::string context_id;
  std::string parameters;  // of the message, as JSON; empty without
  std::optional<ExceededLimit> limit;
};

// An ErrorBody is small: what is larger (a page that came with a wrong status) is not parsed.
inline constexpr std::size_t kMostErrorBody = 64UL << 10U;

// Nothing unless the text is a JSON object with a `message` or a `code`.
std::optional<ErrorBody> parse_error_body(std::string_view body);

// The id under which the service's support finds the request: contextId of the body, else the ININ-Correlation-Id header.
std::string correlation_id(const common::http::Headers& headers, const std::optional<ErrorBody>& body);

// What a body that is no ErrorBody is, without repeating it: "an HTML page titled …, 1234 bytes", "an empty body".
std::string summarise_body(std::string_view body);

// Precondition: status outside 200 … 299. `what` names the request ("POST /api/v2/…"); `now` is the clock of the service as far
// as it is known. The message has status, code, text, correlation id and, where there is one, the remedy.
common::Error classify(int status, const common::http::Headers& headers, const std::optional<ErrorBody>& error,
                       std::string_view body, std::string_view what, common::Instant now);

}  // namespace connector::genesys
