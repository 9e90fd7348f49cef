#include "tests/support/scripted_server.h"

#include <openssl/ssl.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <future>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>

namespace tests::support {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToTuple = asio::as_tuple(asio::use_awaitable);

std::string to_text(auto view) {
  return std::string(view.data(), view.size());
}

std::string gzip_compress(std::string_view plain) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16;  // largest window, gzip instead of zlib framing
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2 failed");
  }
  std::string packed(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int outcome = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (outcome != Z_STREAM_END) {
    throw std::runtime_error("deflate failed");
  }
  return packed;
}

std::string chunk_encode(std::string_view body) {
  constexpr std::size_t kChunk = 256UL << 10U;
  std::string encoded;
  encoded.reserve(body.size() + (body.size() / kChunk + 2) * 16);
  while (!body.empty()) {
    const auto piece = body.substr(0, kChunk);
    std::array<char, 16> size{};
    const int length = std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
    encoded.append(size.data(), static_cast<std::size_t>(length)).append(piece).append("\r\n");
    body.remove_prefix(piece.size());
  }
  return encoded + "0\r\n\r\n";
}

// A reply as it goes on the wire. `body` looks into `owned` or into the reply's shared body, which must outlive it.
struct WireReply {
  std::string head;
  std::string owned;
  std::string_view body;
};

WireReply to_wire(const Reply& reply, std::string_view method, bool close) {
  WireReply wire;
  std::string_view content = reply.shared_body ? std::string_view(*reply.shared_body) : std::string_view(reply.body);
  if (reply.gzip) {
    wire.owned = gzip_compress(content);
    content = wire.owned;
  }
  const std::size_t content_length = content.size();
  if (reply.chunked) {
    wire.owned = chunk_encode(content);
    content = wire.owned;
  } else if (!reply.gzip && !reply.shared_body) {
    wire.owned = content;
    content = wire.owned;
  }
  const bool bodiless_status = reply.status / 100 == 1 || reply.status == 204 || reply.status == 304;

  const auto reason = beast::http::obsolete_reason(static_cast<beast::http::status>(reply.status));
  wire.head = "HTTP/1.1 " + std::to_string(reply.status) + ' ' + to_text(reason) + "\r\n";
  for (const auto& header : reply.headers) {
    wire.head.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  if (reply.gzip) {
    wire.head += "Content-Encoding: gzip\r\n";
  }
  if (!bodiless_status) {
    wire.head += reply.chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: " + std::to_string(content_length) + "\r\n";
  }
  if (close) {
    wire.head += "Connection: close\r\n";
  }
  wire.head += "\r\n";
  if (!bodiless_status && method != "HEAD") {
    wire.body = content;
  }
  return wire;
}

std::unique_ptr<asio::ssl::context> make_tls_context(const TlsFiles& files) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  context->use_certificate_chain_file(files.certificate_chain.string());
  context->use_private_key_file(files.private_key.string(), asio::ssl::context::pem);
  if (files.client_ca) {
    context->load_verify_file(files.client_ca->string());
    context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    static constexpr std::string_view kSessions = "scripted";  // resuming a verified session needs a name for it
    SSL_CTX_set_session_id_context(context->native_handle(), reinterpret_cast<const unsigned char*>(kSessions.data()),
                                   static_cast<unsigned>(kSessions.size()));
  }
  if (files.tls1_1_only) {
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(context->native_handle(), TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(context->native_handle(), "DEFAULT@SECLEVEL=0");  // TLS 1.1 signs with SHA-1
  }
  return context;
}

void close_quietly(tcp::socket& socket) {
  error_code ignored;  // a socket that is gone already is what we want
  socket.close(ignored);
}

void close_with_reset(tcp::socket& socket) {
  error_code ignored;  // a socket that is gone already is what we want
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

// One accepted connection: plain, or TLS on top of the same socket.
struct Connection {
  Connection(tcp::socket accepted, asio::ssl::context* tls_context, std::uint64_t connection_number)
      : socket(std::move(accepted)), number(connection_number) {
    if (tls_context != nullptr) {
      tls.emplace(socket, *tls_context);
    }
  }

  tcp::socket socket;
  std::optional<asio::ssl::stream<tcp::socket&>> tls;
  std::uint64_t number;
  std::string sni;
};

asio::awaitable<void> sleep_for(std::chrono::milliseconds duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(kToTuple);
}

template <class Stream>
asio::awaitable<bool> write_all(Stream& stream, std::string_view head, std::string_view body) {
  const std::array buffers{asio::buffer(head), asio::buffer(body)};
  // Asio's default is 64 KiB a call, which costs a large page hundreds of turns of the loop.
  const auto in_large_steps = [](const error_code& error, std::size_t) {
    return error ? std::size_t{0} : std::size_t{4UL << 20U};
  };
  const auto [error, written] = co_await asio::async_write(stream, buffers, in_large_steps, kToTuple);
  co_return !error;
}

// Reads and drops until the client gives up.
template <class Stream>
asio::awaitable<void> hold_until_closed(Stream& stream) {
  std::array<char, 1024> dropped{};
  for (;;) {
    const auto [error, size] = co_await stream.async_read_some(asio::buffer(dropped), kToTuple);
    if (error) {
      co_return;
    }
  }
}

// Performs the reply; returns whether the connection goes on.
template <class Stream>
asio::awaitable<bool> perform(Connection& connection, Stream& stream, const Reply& reply, std::string_view method, bool close) {
  if (reply.delay.count() > 0) {
    co_await sleep_for(reply.delay);
  }
  const WireReply wire = to_wire(reply, method, close);
  const auto before_fault = wire.body.substr(0, reply.fault_after);
  switch (reply.fault) {
    case Fault::kNone:
      co_return co_await write_all(stream, wire.head, wire.body) && !close;
    case Fault::kResetBeforeAnswer:
      close_with_reset(connection.socket);
      co_return false;
    case Fault::kCloseBeforeAnswer:
      close_quietly(connection.socket);
      co_return false;
    case Fault::kTruncateBody:
      co_await write_all(stream, wire.head, before_fault);
      close_quietly(connection.socket);  // no TLS close_notify either
      co_return false;
    case Fault::kResetInBody:
      co_await write_all(stream, wire.head, before_fault);
      // A reset discards what the client has not read yet; give it the moment it needs to see the header.
      co_await sleep_for(std::chrono::milliseconds{20});
      close_with_reset(connection.socket);
      co_return false;
    case Fault::kLongerThanLength:
      co_return co_await write_all(stream, wire.head, std::string(wire.body) + "surplus") && !close;
    case Fault::kNeverAnswer:
      co_await hold_until_closed(stream);
      co_return false;
    case Fault::kStallInBody:
      co_await write_all(stream, wire.head, before_fault);
      co_await hold_until_closed(stream);
      co_return false;
    case Fault::kDripBody: {
      const std::size_t piece = reply.fault_after == 0 ? 16 : reply.fault_after;
      bool open = co_await write_all(stream, wire.head, {});
      for (std::size_t at = 0; open && at < wire.body.size(); at += piece) {
        co_await sleep_for(reply.drip_every);
        open = co_await write_all(stream, wire.body.substr(at, piece), {});
      }
      co_return open && !close;
    }
    case Fault::kGarbage:
      co_await write_all(stream, "\x01\x02 SSH-2.0-nothing like HTTP\r\n\r\n", {});
      co_return false;
  }
  std::unreachable();
}

}  // namespace

struct ScriptedServer::Impl {
  Impl(ScriptedServerOptions server_options, Handler request_handler)
      : options(std::move(server_options)), handler(std::move(request_handler)), acceptor(io) {
    if (options.tls) {
      tls_context = make_tls_context(*options.tls);
    }
    listen();
    thread = std::thread([this] { io.run(); });
  }

  ~Impl() {
    on_thread([this] { close_everything(); });
    io.stop();
    thread.join();
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Runs `action` on the server's thread and waits for it; a handler that stops its own server is there already.
  template <class Action>
  void on_thread(Action action) {
    if (std::this_thread::get_id() == thread.get_id()) {
      action();
      return;
    }
    std::packaged_task<void()> task(action);
    auto done = task.get_future();
    asio::post(io, std::move(task));
    done.get();
  }

  void listen() {
    const tcp::endpoint endpoint(asio::ip::make_address(options.address), options.port);
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen();
    options.port = acceptor.local_endpoint().port();  // the same one after start_again
    // Detached: ends when close_everything() closes the acceptor, or with the io_context.
    asio::co_spawn(io, accept_connections(), [](const std::exception_ptr& failure) {
      if (failure) {
        std::rethrow_exception(failure);
      }
    });
  }

  void close_everything() {
    error_code ignored;  // closing twice is allowed
    acceptor.close(ignored);
    for (auto& [number, connection] : open_connections) {
      close_with_reset(connection->socket);
    }
  }

  asio::awaitable<void> accept_connections() {
    for (;;) {
      auto [error, socket] = co_await acceptor.async_accept(kToTuple);
      if (error == asio::error::operation_aborted || !acceptor.is_open()) {
        co_return;
      }
      if (error) {
        continue;  // the client was gone before we accepted it
      }
      const auto number = ++accepted;
      socket.set_option(tcp::no_delay(true), error);  // fails only on a socket that is dead already
      // Shared by the registry, which closes it, and its coroutine, which uses it.
      auto connection = std::make_shared<Connection>(std::move(socket), tls_context.get(), number);
      open_connections.emplace(number, connection);
      asio::co_spawn(io, serve(connection), [this, number](const std::exception_ptr& failure) {
        open_connections.erase(number);
        if (failure) {
          std::rethrow_exception(failure);
        }
      });
    }
  }

  asio::awaitable<void> serve(std::shared_ptr<Connection> connection) {
    if (!connection->tls) {
      co_await exchange(*connection, connection->socket);
      co_return;
    }
    const auto [error] = co_await connection->tls->async_handshake(asio::ssl::stream_base::server, kToTuple);
    if (error) {
      co_return;  // the client refused us, or we it: its story to tell
    }
    if (const char* name = SSL_get_servername(connection->tls->native_handle(), TLSEXT_NAMETYPE_host_name)) {
      connection->sni = name;
    }
    co_await exchange(*connection, *connection->tls);
    co_await say_goodbye(*connection);
  }

  // close_notify, without waiting long for the client's.
  static asio::awaitable<void> say_goodbye(Connection& connection) {
    if (!connection.socket.is_open()) {
      co_return;
    }
    asio::steady_timer patience(connection.socket.get_executor(), std::chrono::milliseconds{100});
    patience.async_wait([&connection](const error_code& error) {
      if (!error) {
        error_code ignored;  // closed meanwhile
        connection.socket.cancel(ignored);
      }
    });
    co_await connection.tls->async_shutdown(kToTuple);
    patience.cancel();
    // The wait's handler refers to the connection: let it run before we return.
    co_await asio::post(connection.socket.get_executor(), asio::use_awaitable);
  }

  template <class Stream>
  asio::awaitable<void> exchange(Connection& connection, Stream& stream) {
    beast::flat_buffer buffer;
    for (;;) {
      beast::http::request_parser<beast::http::string_body> parser;
      parser.body_limit(64UL << 20U);
      parser.header_limit(64U << 10U);
      auto [error, size] = co_await beast::http::async_read_header(stream, buffer, parser, kToTuple);
      if (!error && parser.get()[beast::http::field::expect] == "100-continue") {
        co_await write_all(stream, "HTTP/1.1 100 Continue\r\n\r\n", {});
      }
      if (!error) {
        std::tie(error, size) = co_await beast::http::async_read(stream, buffer, parser, kToTuple);
      }
      if (error) {
        if (error.category() == beast::http::make_error_code(beast::http::error::bad_version).category() &&
            error != beast::http::error::end_of_stream && error != beast::http::error::partial_message) {
          const Reply refusal{.status = 400, .body = error.message(), .close = true};
          co_await perform(connection, stream, refusal, "GET", true);
        }
        co_return;
      }

      const bool keep_alive = parser.get().keep_alive();
      const auto request = to_received(parser.release(), connection);
      const Reply reply = answer(request);
      if (!connection.socket.is_open()) {
        co_return;  // the handler stopped the server
      }
      if (!co_await perform(connection, stream, reply, request.method, reply.close || !keep_alive)) {
        co_return;
      }
    }
  }

  static ReceivedRequest to_received(beast::http::request<beast::http::string_body> message, const Connection& connection) {
    ReceivedRequest request;
    request.method = to_text(message.method_string());
    request.target = to_text(message.target());
    for (const auto& field : message) {
      request.headers.add(to_text(field.name_string()), to_text(field.value()));
    }
    request.body = std::move(message.body());
    request.connection = connection.number;
    request.sni = connection.sni;
    return request;
  }

  Reply answer(const ReceivedRequest& request) const {
    try {
      return handler(request);
    } catch (const std::exception& failure) {
      return Reply{.status = 500, .body = std::string("the handler threw: ") + failure.what()};
    }
  }

  ScriptedServerOptions options;
  Handler handler;
  std::unique_ptr<asio::ssl::context> tls_context;
  std::atomic<std::uint64_t> accepted{0};
  asio::io_context io{1};  // outlives every socket below
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  tcp::acceptor acceptor;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> open_connections;
  std::thread thread;
};

ScriptedServer::ScriptedServer(ScriptedServerOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}

ScriptedServer::~ScriptedServer() = default;

std::uint16_t ScriptedServer::port() const {
  return impl_->options.port;
}

std::string ScriptedServer::url() const {
  const auto& address = impl_->options.address;
  const auto host = address.contains(':') ? '[' + address + ']' : address;
  return (impl_->options.tls ? "https://" : "http://") + host + ':' + std::to_string(port());
}

void ScriptedServer::stop() {
  impl_->on_thread([this] { impl_->close_everything(); });
}

void ScriptedServer::start_again() {
  impl_->on_thread([this] { impl_->listen(); });
}

std::uint64_t ScriptedServer::connections() const {
  return impl_->accepted;
}

}  // namespace tests::support
