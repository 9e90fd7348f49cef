#pragma once

// The service as the source engine sees it: one call in, one answered and classified call out. Behind it live budget, breaker,
// token, retries and logging (connector/genesys). One executor.

#include "common/http/message.h"
#include "common/instant.h"
#include "common/result.h"
#include "connector/core/names.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::core {

struct ApiRequest {
  SourcePartition source;  // whose weight pays for it, and the labels of log and metrics
  common::http::Method method = common::http::Method::kGet;
  std::string path;  // below api_url, or an absolute URL of the same host (next-uri)
  std::vector<std::pair<std::string, std::string>> query;
  common::http::Headers headers;
  std::string body;              // JSON, empty for none
  std::string response_storage;  // recycled
  std::string window;            // for the log line: "2026-01-01T00:00:00Z/…", may be empty
  std::string position;          // for the log line: "page 3", "job 1234 cursor …"
  bool takes_conflict = false;   // 409 is an answer: what is asked for cannot begin beside what the service is at
};

struct ApiResponse {
  int status = 200;  // 200 … 299; 409, if the request takes it
  common::http::Headers headers;
  std::string body;                     // padded as http::Response::body
  std::optional<common::Instant> date;  // the service's clock
  std::string correlation_id;
};

// What a source has cost, and what all are paid from.
struct ApiUsage {
  std::uint64_t requests = 0;  // sent since the start of the process, every attempt
  double permitted = 0;        // requests a minute that may be sent in all
};

class Api {
 public:
  virtual ~Api() = default;
  // Waits for budget, breaker and token, retries what may be retried until its deadline, and classifies what is left
  // (common::ErrorCode; the message carries status, code, message and contextId of the service). kPositionInvalid for 404 and
  // 410; kTooComplex for the service's depth and interval texts.
  virtual boost::asio::awaitable<common::Result<ApiResponse>> send(ApiRequest request) = 0;
  // The service's clock, by the newest Date and what has passed since, minus ours; zero before the first answer.
  [[nodiscard]] virtual common::Duration clock_skew() const = 0;
  // Whether any answer has told it.
  [[nodiscard]] virtual bool knows_time() const = 0;
  [[nodiscard]] virtual ApiUsage usage(const SourcePartition& source) const = 0;
};

}  // namespace connector::core
