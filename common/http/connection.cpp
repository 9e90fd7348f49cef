#include "common/http/connection.h"

#include "common/http/response_reader.h"
#include "common/http/tls.h"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <utility>

namespace common::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToTuple = asio::as_tuple(asio::use_awaitable);

// A cancellation that arrived between two operations reaches neither: it is asked for before each.
asio::awaitable<bool> cancelled() {
  co_return (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
}

// Shared with the resolver's handler: getaddrinfo cannot be interrupted, so that a timeout or a cancellation leaves it behind.
struct Resolution {
  explicit Resolution(const asio::any_io_executor& executor) : resolver(executor), wake(executor) {}
  tcp::resolver resolver;
  asio::steady_timer wake;
  error_code error;
  std::vector<tcp::endpoint> addresses;
  bool done = false;
};

asio::awaitable<Result<std::vector<tcp::endpoint>>> resolve(const Endpoint& endpoint, Duration limit, PhaseTimer& timer) {
  error_code error;
  if (const auto address = asio::ip::make_address(endpoint.host, error); !error) {
    co_return std::vector{tcp::endpoint(address, endpoint.port)};
  }
  const auto resolution = std::make_shared<Resolution>(co_await asio::this_coro::executor);
  resolution->wake.expires_at(timer.deadline_for(limit));
  resolution->resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), tcp::resolver::numeric_service,
                                     [resolution](const error_code& failure, const tcp::resolver::results_type& results) {
                                       resolution->done = true;
                                       resolution->error = failure;
                                       for (const auto& result : results) {
                                         resolution->addresses.push_back(result.endpoint());
                                       }
                                       resolution->wake.cancel();
                                     });
  const auto [woken] = co_await resolution->wake.async_wait(kToTuple);
  if (!resolution->done) {
    resolution->resolver.cancel();
    if (woken) {
      co_return fail(ErrorCode::kCancelled, "resolving " + endpoint.host + ": cancelled");
    }
    co_return fail(ErrorCode::kRetryable, "resolving " + endpoint.host + ": " + timer.describe() + "; check the name servers");
  }
  if (resolution->error) {
    co_return fail(ErrorCode::kRetryable, "resolving " + endpoint.host + ": " + resolution->error.message());
  }
  co_return std::move(resolution->addresses);
}

asio::awaitable<Result<tcp::socket>> connect(const Endpoint& endpoint, const std::vector<tcp::endpoint>& addresses,
                                             Duration limit, PhaseTimer& timer) {
  const auto executor = co_await asio::this_coro::executor;
  Error last{.code = ErrorCode::kRetryable, .message = "connecting to " + authority(endpoint) + ": it has no address"};
  for (const auto& address : addresses) {
    if (co_await cancelled()) {
      co_return fail(ErrorCode::kCancelled, "connecting to " + authority(endpoint) + ": cancelled");
    }
    tcp::socket socket(executor);
    timer.start(socket, limit);
    const auto [error] = co_await socket.async_connect(address, kToTuple);
    timer.stop();
    if (!error) {
      error_code ignored;  // both only tune the connection
      socket.set_option(tcp::no_delay(true), ignored);
      socket.set_option(asio::socket_base::keep_alive(true), ignored);
      co_return std::move(socket);
    }
    const std::string peer = authority(endpoint) + " (" + address.address().to_string() + ')';
    last = transport_error(timer, "connecting to", peer, error);
    if (last.code == ErrorCode::kCancelled || !timer.next_attempt()) {
      break;
    }
  }
  co_return fail(std::move(last));
}

asio::awaitable<Result<void>> tunnel(Connection& connection, const Route& route, PhaseTimer& timer) {
  const std::string target = authority(route.target);
  const std::string peer = authority(*route.proxy);
  std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!route.user_agent.empty()) {
    request += "User-Agent: " + route.user_agent + "\r\n";
  }
  if (!route.proxy_authorization.empty()) {
    request += "Proxy-Authorization: " + route.proxy_authorization + "\r\n";
  }
  request += "\r\n";

  timer.start(connection.socket(), route.timeouts.handshake);
  const auto [write_error, written] = co_await connection.write({asio::buffer(request), asio::const_buffer()});
  if (write_error) {
    co_return fail(transport_error(timer, "asking the proxy", peer, write_error));
  }
  // Method HEAD: nothing but a header follows a CONNECT; a refusal's body is not of interest.
  ResponseReader reader(Method::kHead, {.max_header_bytes = route.max_header_bytes, .max_body_bytes = 0}, {});
  while (!reader.done()) {
    if (co_await cancelled()) {
      co_return fail(ErrorCode::kCancelled, "asking the proxy " + peer + ": cancelled");
    }
    const auto space = reader.prepare();
    const auto [error, size] = co_await connection.read_some(asio::buffer(space.data(), space.size()));
    if (error) {
      co_return fail(transport_error(timer, "waiting for the proxy", peer, error));
    }
    if (auto read = reader.commit(size); !read) {
      co_return fail(with_context(std::move(read.error()), "proxy " + peer));
    }
  }
  const bool surplus = reader.surplus();
  const int status = reader.take().status;
  const std::string refusal = "proxy " + peer + " refuses the way to " + target + " (status " + std::to_string(status) + ")";
  if (status == 407) {
    co_return fail(ErrorCode::kConfigInvalid,
                   refusal + (route.proxy_authorization.empty() ? "; set the proxy's user name and password"
                                                                : "; check the proxy's user name and password"));
  }
  if (status >= 400 && status < 500 && status != 408 && status != 429) {
    co_return fail(ErrorCode::kConfigInvalid, refusal + "; allow the host and port there");
  }
  if (status / 100 != 2) {
    co_return fail(ErrorCode::kRetryable, refusal);
  }
  if (surplus) {
    co_return fail(ErrorCode::kRetryable, "proxy " + peer + " sent bytes behind its answer");
  }
  co_return Result<void>{};
}

}  // namespace

Connection::Connection(tcp::socket socket, Endpoint endpoint) : socket_(std::move(socket)), endpoint_(std::move(endpoint)) {}

asio::awaitable<Connection::Transferred> Connection::read_some(asio::mutable_buffer buffer) {
  return tls_ ? tls_->async_read_some(buffer, kToTuple) : socket_.async_read_some(buffer, kToTuple);
}

asio::awaitable<Connection::Transferred> Connection::write(std::array<asio::const_buffer, 2> buffers) {
  return tls_ ? asio::async_write(*tls_, buffers, kToTuple) : asio::async_write(socket_, buffers, kToTuple);
}

asio::awaitable<std::tuple<error_code>> Connection::handshake() {
  return tls_->async_handshake(asio::ssl::stream_base::client, kToTuple);
}

Result<void> Connection::use_tls(std::shared_ptr<asio::ssl::context> context) {
  context_ = std::move(context);
  tls_.emplace(socket_, *context_);
  return expect_host(tls_->native_handle(), endpoint_.host);
}

bool Connection::quiet() {
  char byte = 0;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::string Connection::tls_version() {
  return tls_ ? SSL_get_version(tls_->native_handle()) : "";
}

std::string authority(const Endpoint& endpoint) {
  const auto host = endpoint.host.contains(':') ? '[' + endpoint.host + ']' : endpoint.host;
  return host + ':' + std::to_string(endpoint.port);
}

Error transport_error(const PhaseTimer& timer, std::string_view what, std::string_view peer, const error_code& error) {
  Error failure{.code = ErrorCode::kRetryable, .message = std::string(what) + ' ' + std::string(peer) + ": "};
  if (timer.expired()) {
    failure.message += timer.describe();
  } else if (error == asio::error::operation_aborted) {
    failure.code = ErrorCode::kCancelled;
    failure.message += "cancelled";
  } else if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) {
    failure.message += "the connection was closed";
  } else {
    failure.message += error.message();
  }
  return failure;
}

asio::awaitable<Result<std::unique_ptr<Connection>>> open_connection(const Route& route,
                                                                     std::shared_ptr<asio::ssl::context> context,
                                                                     PhaseTimer& timer) {
  if (co_await cancelled()) {
    co_return fail(ErrorCode::kCancelled, "connecting to " + authority(route.target) + ": cancelled");
  }
  const Endpoint& first = route.proxy ? *route.proxy : route.target;
  const auto addresses = co_await resolve(first, route.timeouts.resolve, timer);
  if (!addresses) {
    co_return fail(addresses.error());
  }
  auto socket = co_await connect(first, *addresses, route.timeouts.connect, timer);
  if (!socket) {
    co_return fail(std::move(socket.error()));
  }
  auto connection = std::make_unique<Connection>(std::move(*socket), route.target);
  if (!route.target.tls) {
    co_return std::move(connection);
  }
  if (route.proxy) {
    auto tunnelled = co_await tunnel(*connection, route, timer);
    timer.stop();
    if (!tunnelled) {
      co_return fail(std::move(tunnelled.error()));
    }
  }
  if (auto prepared = connection->use_tls(std::move(context)); !prepared) {
    co_return fail(std::move(prepared.error()));
  }
  if (co_await cancelled()) {
    co_return fail(ErrorCode::kCancelled, "TLS handshake with " + authority(route.target) + ": cancelled");
  }
  timer.start(connection->socket(), route.timeouts.handshake);
  const auto [error] = co_await connection->handshake();
  timer.stop();
  if (error) {
    auto explained = explain_tls_failure(error, connection->ssl(), authority(route.target));
    co_return fail(explained && !timer.expired() ? std::move(*explained)
                                                 : transport_error(timer, "TLS handshake with", authority(route.target), error));
  }
  co_return std::move(connection);
}

}  // namespace common::http
