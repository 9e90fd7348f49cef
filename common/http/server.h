#pragma once

// A small HTTP/1.1 server for metrics, health and (later) the REST API: bounded header and body, keep-alive, idle timeout, a
// bound on connections. Runs on one executor; the handler is a coroutine called on it. Slow or hostile clients cost one
// connection, never the loop.

#include "common/http/message.h"
#include "common/log.h"
#include "common/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace common::http {

struct ServerRequest {
  Method method = Method::kGet;
  std::string path;   // decoded, without the query
  std::string query;  // raw, without `?`
  Headers headers;
  std::string body;
};
struct ServerResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";  // left out when empty
  std::string body;
  Headers headers;
};
using Handler = std::function<boost::asio::awaitable<ServerResponse>(ServerRequest)>;

struct ServerOptions {
  std::string listen = "127.0.0.1:0";  // host:port, [v6]:port; port 0 picks a free one
  std::size_t max_connections = 64;
  std::size_t max_body_bytes = 1UL << 20U;
  Duration idle{30'000};
};

class Server {
 public:
  virtual ~Server() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  // Closes the listener and every connection; the destructor does too.
  virtual void stop() = 0;
};

// Binds at once (kConfigInvalid names the address and the reason) and serves until stopped.
Result<std::unique_ptr<Server>> make_server(boost::asio::any_io_executor executor, ServerOptions options, Handler handler,
                                            Logger logger);

}  // namespace common::http
