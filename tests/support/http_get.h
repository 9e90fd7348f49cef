#pragma once

// One blocking exchange for tests that ask a simulator or a metrics listener something.

#include "common/http/client.h"

#include <string>

namespace tests::support {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

using HttpTrust = common::http::TlsOptions;

// Throws std::runtime_error if there is no answer.
HttpAnswer http_exchange(common::http::Request request, const HttpTrust& trust = {});
HttpAnswer http_get(const std::string& url, const HttpTrust& trust = {});
HttpAnswer http_post(const std::string& url, const std::string& json, const HttpTrust& trust = {});

}  // namespace tests::support
