#include "common/http/server.h"

#include "common/http/phase_timer.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <exception>
#include <optional>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace common::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t kMaxHeaderBytes = 16U << 10U;
constexpr Duration kAcceptPause{100};  // after a failed accept (no file descriptor left): do not spin

std::string to_text(beast::string_view view) {
  return std::string(view.data(), view.size());
}

std::optional<Method> to_method(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get:
      return Method::kGet;
    case beast::http::verb::post:
      return Method::kPost;
    case beast::http::verb::put:
      return Method::kPut;
    case beast::http::verb::patch:
      return Method::kPatch;
    case beast::http::verb::delete_:
      return Method::kDelete;
    case beast::http::verb::head:
      return Method::kHead;
    default:
      return std::nullopt;
  }
}

// Nothing if an escape is broken or names a zero byte.
std::optional<std::string> decode_path(std::string_view path) {
  std::string decoded;
  for (std::size_t at = 0; at < path.size(); ++at) {
    if (path[at] != '%') {
      decoded += path[at];
      continue;
    }
    const auto digits = path.substr(at + 1, 2);
    unsigned value = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc{} || stop != digits.data() + 2 || value == 0) {
      return std::nullopt;
    }
    decoded += static_cast<char>(value);
    at += 2;
  }
  return decoded;
}

enum class AfterAnswer : std::uint8_t { kKeepAlive, kClose };

std::string render_head(const ServerResponse& response, AfterAnswer after) {
  const bool bodiless = response.status / 100 == 1 || response.status == 204 || response.status == 304;
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ' +
                     to_text(beast::http::obsolete_reason(static_cast<beast::http::status>(response.status))) + "\r\n";
  if (!response.content_type.empty() && !bodiless) {
    head.append("Content-Type: ").append(response.content_type).append("\r\n");
  }
  for (const auto& [name, value] : response.headers) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (!bodiless) {
    head.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
  }
  if (after == AfterAnswer::kClose) {
    head += "Connection: close\r\n";
  }
  return head + "\r\n";
}

ServerResponse refusal(int status, std::string text) {
  return {.status = status, .body = std::move(text) + '\n'};
}

// What a request that could not be read is answered with; nothing if there is nobody to tell.
std::optional<ServerResponse> answer_to(const error_code& error) {
  namespace http = beast::http;
  if (error == http::error::header_limit) {
    return refusal(431, "header too large");
  }
  if (error == http::error::body_limit) {
    return refusal(413, "body too large");
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error.category() != http::make_error_code(http::error::bad_method).category()) {
    return std::nullopt;
  }
  return refusal(400, "not a valid HTTP request");
}

// "host:port" or "[v6]:port".
Result<tcp::endpoint> parse_listen(const std::string& listen) {
  const auto refuse = [&](const std::string& why) {
    return fail(ErrorCode::kConfigInvalid, "cannot listen on \"" + listen + "\": " + why);
  };
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos) {
    return refuse("must be host:port or [v6]:port");
  }
  std::string host = listen.substr(0, colon);
  const std::string_view digits = std::string_view(listen).substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  unsigned port = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || stop != digits.data() + digits.size() || port > 65'535) {
    return refuse("the port must be a number up to 65535");
  }
  error_code failure;
  auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, failure);
  if (failure) {
    return refuse("the host must be an IP address of this machine, or 0.0.0.0 or [::] for all of them");
  }
  return tcp::endpoint(address, static_cast<std::uint16_t>(port));
}

// Everything the coroutines use. They hold it, so that it outlives the Server's owner by the few turns of the loop they need to
// end.
struct State {
  State(const asio::any_io_executor& executor, ServerOptions server_options, Handler request_handler, Logger server_logger)
      : options(std::move(server_options)),
        handler(std::move(request_handler)),
        logger(std::move(server_logger)),
        acceptor(executor),
        pause(executor) {}

  ServerOptions options;
  Handler handler;
  Logger logger;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::unordered_set<tcp::socket*> connections;  // of the coroutines that serve them
  bool stopped = false;
};
using SharedState = std::shared_ptr<State>;

void stop(State& state) {
  state.stopped = true;
  error_code ignored;  // closing is all we want
  state.acceptor.close(ignored);
  state.pause.cancel();
  for (auto* socket : state.connections) {
    socket->close(ignored);
  }
}

// Takes a connection into the set that stop() closes, for as long as its coroutine lives.
class Registration {
 public:
  Registration(SharedState state, tcp::socket& socket) : state_(std::move(state)), socket_(socket) {
    state_->connections.insert(&socket_);
  }
  ~Registration() { state_->connections.erase(&socket_); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  SharedState state_;
  tcp::socket& socket_;
};

asio::awaitable<bool> answer(tcp::socket& socket, PhaseTimer& timer, Duration limit, const ServerResponse& response,
                             bool head_only, AfterAnswer after) {
  const std::string head = render_head(response, after);
  const bool has_body = !head_only && response.status != 204 && response.status != 304;
  const std::array buffers{asio::const_buffer(asio::buffer(head)),
                           has_body ? asio::const_buffer(asio::buffer(response.body)) : asio::const_buffer()};
  timer.start(socket, limit);
  const auto [error, size] = co_await asio::async_write(socket, buffers, kToTuple);
  timer.stop();
  co_return !error;
}

// A client that still sends would lose our answer to the reset its bytes cause: take some of them first, for a moment.
asio::awaitable<void> linger(tcp::socket& socket, PhaseTimer& timer) {
  constexpr std::size_t kMost = 1UL << 20U;
  constexpr Duration kPatience{500};
  error_code ignored;  // a peer that is gone needs no farewell
  socket.shutdown(tcp::socket::shutdown_send, ignored);
  std::array<char, 4096> dropped{};
  timer.start(socket, kPatience);
  for (std::size_t total = 0; total < kMost;) {
    const auto [error, size] = co_await socket.async_read_some(asio::buffer(dropped), kToTuple);
    if (error) {
      break;
    }
    total += size;
  }
  timer.stop();
}

asio::awaitable<ServerResponse> call_handler(const State& state, ServerRequest request) {
  std::string failure;
  try {
    co_return co_await state.handler(std::move(request));
  } catch (const std::exception& error) {
    failure = error.what();
  }
  state.logger.error("HTTP handler failed", {{.key = "reason", .value = failure}});
  co_return refusal(500, "internal error");
}

asio::awaitable<void> serve(SharedState state, tcp::socket socket) {
  const Registration registration(state, socket);
  beast::flat_buffer buffer;
  const auto idle = state->options.idle;
  while (!state->stopped) {
    // A new timer for each request: its total bounds the reading of one request, however slowly it trickles in.
    PhaseTimer timer(co_await asio::this_coro::executor, idle);
    beast::http::request_parser<beast::http::string_body> parser;
    parser.header_limit(kMaxHeaderBytes);
    parser.body_limit(state->options.max_body_bytes);
    timer.start(socket, idle);
    auto [error, size] = co_await beast::http::async_read_header(socket, buffer, parser, kToTuple);
    if (!error && beast::iequals(parser.get()[beast::http::field::expect], "100-continue")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      std::tie(error, size) = co_await asio::async_write(socket, asio::buffer(kContinue), kToTuple);
    }
    if (!error) {
      std::tie(error, size) = co_await beast::http::async_read(socket, buffer, parser, kToTuple);
    }
    timer.stop();
    PhaseTimer answer_timer(co_await asio::this_coro::executor, idle);
    if (error) {
      auto response = answer_to(error);
      if (timer.expired() || !response) {
        break;
      }
      if (co_await answer(socket, answer_timer, idle, *response, false, AfterAnswer::kClose)) {
        co_await linger(socket, answer_timer);
      }
      break;
    }

    auto message = parser.release();
    const auto after = message.keep_alive() ? AfterAnswer::kKeepAlive : AfterAnswer::kClose;
    const auto method = to_method(message.method());
    const std::string target = to_text(message.target());
    const auto question = std::min(target.find('?'), target.size());
    const auto path = decode_path(std::string_view(target).substr(0, question));
    ServerResponse response;
    if (!method) {
      response = refusal(405, "method not supported");
    } else if (!path || !path->starts_with('/')) {
      response = refusal(400, "path not understood");
    } else {
      ServerRequest request{.method = *method, .path = *path, .query = target.substr(std::min(question + 1, target.size()))};
      for (const auto& field : message) {
        request.headers.add(to_text(field.name_string()), to_text(field.value()));
      }
      request.body = std::move(message.body());
      response = co_await call_handler(*state, std::move(request));
    }
    PhaseTimer write_timer(co_await asio::this_coro::executor, idle);
    if (!co_await answer(socket, write_timer, idle, response, method == Method::kHead, after) || after == AfterAnswer::kClose) {
      break;
    }
  }
  error_code ignored;  // a peer that is gone needs no farewell
  socket.shutdown(tcp::socket::shutdown_both, ignored);
}

void log_failure(const SharedState& state, const std::exception_ptr& failure) {
  if (!failure) {
    return;
  }
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    state->logger.error("HTTP connection ended by an exception", {{.key = "reason", .value = error.what()}});
  }
}

asio::awaitable<void> accept_connections(SharedState state) {
  const auto executor = co_await asio::this_coro::executor;
  while (!state->stopped) {
    if (state->connections.size() >= state->options.max_connections) {
      // Others wait in the kernel's queue until one leaves; looked at again soon rather than woken, which no attacker can
      // amplify.
      state->pause.expires_after(kAcceptPause);
      co_await state->pause.async_wait(kToTuple);
      continue;
    }
    auto [error, socket] = co_await state->acceptor.async_accept(kToTuple);
    if (error) {
      if (!state->stopped && error != asio::error::connection_aborted) {
        state->logger.warn("HTTP listener cannot accept", {{.key = "reason", .value = error.message()}});
        state->pause.expires_after(kAcceptPause);
        co_await state->pause.async_wait(kToTuple);
      }
      continue;
    }
    error_code ignored;  // only tunes the connection
    socket.set_option(tcp::no_delay(true), ignored);
    // Owned through the state's set: stop() closes the socket, which ends the coroutine.
    asio::co_spawn(executor, serve(state, std::move(socket)),
                   [state](const std::exception_ptr& failure) { log_failure(state, failure); });
  }
}

class BeastServer final : public Server {
 public:
  explicit BeastServer(SharedState state) : state_(std::move(state)), port_(state_->acceptor.local_endpoint().port()) {
    // Ends when stop() closes the acceptor.
    asio::co_spawn(state_->acceptor.get_executor(), accept_connections(state_),
                   [state = state_](const std::exception_ptr& failure) { log_failure(state, failure); });
  }
  ~BeastServer() override { http::stop(*state_); }
  BeastServer(const BeastServer&) = delete;
  BeastServer& operator=(const BeastServer&) = delete;

  [[nodiscard]] std::uint16_t port() const override { return port_; }
  void stop() override { http::stop(*state_); }

 private:
  SharedState state_;  // shared with the coroutines
  std::uint16_t port_;
};

}  // namespace

Result<std::unique_ptr<Server>> make_server(asio::any_io_executor executor, ServerOptions options, Handler handler,
                                            Logger logger) {
  const auto endpoint = parse_listen(options.listen);
  if (!endpoint) {
    return fail(endpoint.error());
  }
  const std::string listen = options.listen;
  auto state = std::make_shared<State>(executor, std::move(options), std::move(handler), std::move(logger));
  error_code error;
  auto& acceptor = state->acceptor;
  acceptor.open(endpoint->protocol(), error);
  if (!error) {
    acceptor.set_option(asio::socket_base::reuse_address(true), error);
  }
  if (!error) {
    acceptor.bind(*endpoint, error);
  }
  if (!error) {
    acceptor.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    return fail(ErrorCode::kConfigInvalid, "cannot listen on \"" + listen + "\": " + error.message());
  }
  return std::make_unique<BeastServer>(std::move(state));
}

}  // namespace common::http
