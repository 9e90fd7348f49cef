#pragma once

// One blocking exchange for tests that ask a simulator or a metrics listener something.

#include <string>

namespace tests::support {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// Throws std::runtime_error if there is no answer.
HttpAnswer http_get(const std::string& url);
HttpAnswer http_post(const std::string& url, const std::string& json);

}  // namespace tests::support
