#pragma once

// One TCP connection of the client, plain or TLS, to the service itself or through a proxy, and how it comes to be.
// Private to common/http; single-threaded.

#include "common/http/client.h"
#include "common/http/message.h"
#include "common/http/phase_timer.h"
#include "common/result.h"

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace common::http {

class Connection {
 public:
  using Transferred = std::tuple<boost::system::error_code, std::size_t>;

  Connection(boost::asio::ip::tcp::socket socket, Endpoint endpoint);

  // Non-coroutines on purpose: the awaitable is the operation itself, without a frame around every read.
  boost::asio::awaitable<Transferred> read_some(boost::asio::mutable_buffer buffer);
  boost::asio::awaitable<Transferred> write(std::array<boost::asio::const_buffer, 2> buffers);
  boost::asio::awaitable<std::tuple<boost::system::error_code>> handshake();
  // Before the handshake. kConfigInvalid if the host cannot be named in one.
  Result<void> use_tls(std::shared_ptr<boost::asio::ssl::context> context);

  // False once the peer closed it or sent what nobody asked for.
  [[nodiscard]] bool quiet();
  // "TLSv1.3", empty without TLS.
  [[nodiscard]] std::string tls_version();
  [[nodiscard]] SSL* ssl() { return tls_ ? tls_->native_handle() : nullptr; }
  boost::asio::ip::tcp::socket& socket() { return socket_; }
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

  SteadyTime idle_since;

 private:
  boost::asio::ip::tcp::socket socket_;
  Endpoint endpoint_;
  std::shared_ptr<boost::asio::ssl::context> context_;  // shared with TlsContexts, which may replace it
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
};

// Everything that opening a connection needs to know.
struct Route {
  Endpoint target;
  std::optional<Endpoint> proxy;
  std::string proxy_authorization;  // with proxy; may be empty
  std::string user_agent;
  Timeouts timeouts;
  std::size_t max_header_bytes = 0;
};

// Resolves, tries every address, tunnels, shakes hands. `context` is null without TLS. Errors as in client.h.
boost::asio::awaitable<Result<std::unique_ptr<Connection>>> open_connection(const Route& route,
                                                                            std::shared_ptr<boost::asio::ssl::context> context,
                                                                            PhaseTimer& timer);

// `api.x:443`, `[::1]:443`.
std::string authority(const Endpoint& endpoint);
// `<what> <peer>: <why>`: a timeout, a cancellation or a transport failure; `error` is what the operation ended with.
Error transport_error(const PhaseTimer& timer, std::string_view what, std::string_view peer,
                      const boost::system::error_code& error);

}  // namespace common::http
