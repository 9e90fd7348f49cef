#pragma once

// What the client needs of a proxy beyond client.h. Private to common/http.

#include "common/http/client.h"
#include "common/http/message.h"
#include "common/result.h"
#include "common/secret.h"

#include <string>

namespace common::http {

// kConfigInvalid unless it is http://host:port.
Result<Endpoint> proxy_endpoint(const ProxyOptions& proxy);

// The value of Proxy-Authorization.
std::string basic_credentials(const std::string& username, const Secret& password);

}  // namespace common::http
