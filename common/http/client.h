#pragma once

// HTTP/1.1 client: TLS, keep-alive pool, proxy, gzip, a bound on every phase. The port; the Beast adapter is made by
// make_client(). One single-threaded executor; not thread-safe. No retry, no redirect, no cookie: policies belong to the callers.

#include "common/http/message.h"
#include "common/log.h"
#include "common/result.h"
#include "common/secret.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace common::http {

struct Timeouts {
  Duration resolve{5'000};
  Duration connect{5'000};     // per address tried
  Duration handshake{10'000};  // TLS, and the proxy's CONNECT answer
  Duration send{30'000};
  Duration first_byte{60'000};  // from the end of the request to the answer's header
  Duration idle_read{30'000};   // between two reads of the body
  Duration total{300'000};      // of everything
};

struct TlsOptions {
  std::optional<std::filesystem::path> ca_file;  // besides nothing else: replaces the system's store; unset: the system's store
  std::optional<std::filesystem::path> client_certificate;  // PEM chain
  std::optional<std::filesystem::path> client_key;          // PEM
};

struct ProxyOptions {
  std::string url;  // http://host:port; credentials are separate
  std::optional<std::string> username;
  SecretSource password;
  std::vector<std::string> no_proxy;  // host, .suffix, *, IP, CIDR (v4), host:port: as curl reads it
  std::string origin;                 // for the log: "configuration", "HTTPS_PROXY"
};

struct ClientOptions {
  Timeouts timeouts;
  TlsOptions tls;
  std::optional<ProxyOptions> proxy;
  std::string user_agent;
  std::size_t max_connections_per_host = 8;
  Duration max_idle{55'000};  // an idle connection older than this is not reused
  std::size_t max_header_bytes = 64UL << 10U;
  bool accept_gzip = true;
};

class Client {
 public:
  virtual ~Client() = default;
  // One exchange. Errors: kRetryable (resolve, connect, TLS transport, timeout, reset, truncated body, bad chunking),
  // kConfigInvalid (certificate not trusted, host name wrong, URL not understood), kOversize (body above the bound),
  // kMalformedResponse (not HTTP, bad gzip), kCancelled. Any status is a success here. A connection that had been idle and dies
  // before the first byte of an answer is replaced once, silently.
  virtual boost::asio::awaitable<Result<Response>> send(Request request) = 0;
};

// kConfigInvalid if a certificate, key or CA file cannot be used.
Result<std::unique_ptr<Client>> make_client(boost::asio::any_io_executor executor, ClientOptions options, Logger logger);

// The proxy the environment names for https/http URLs (HTTPS_PROXY, https_proxy, HTTP_PROXY is ignored when REQUEST_METHOD is
// set, NO_PROXY), from name → value pairs given by main.
Result<std::optional<ProxyOptions>> proxy_from_environment(const std::vector<std::pair<std::string, std::string>>& environment,
                                                           bool https);
bool bypasses_proxy(const ProxyOptions& proxy, const Endpoint& target);

}  // namespace common::http
