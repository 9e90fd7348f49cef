#include "common/http/client.h"

#include "common/http/connection.h"
#include "common/http/proxy.h"
#include "common/http/response_reader.h"
#include "common/http/tls.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <deque>
#include <map>
#include <tuple>

namespace common::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto kToTuple = asio::as_tuple(asio::use_awaitable);

// What the pool is keyed by.
struct EndpointOrder {
  bool operator()(const Endpoint& left, const Endpoint& right) const {
    return std::tie(left.host, left.port, left.tls) < std::tie(right.host, right.port, right.tls);
  }
};

// The connections of every endpoint: at most `max` in use or idle each. Who finds all in use waits in line.
class Pool {
 public:
  Pool(std::size_t max, Duration max_idle) : max_(max), max_idle_(max_idle) {}

  struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : wake(executor) {}
    asio::steady_timer wake;
    bool granted = false;
  };

  // Null: a place is taken for the caller. Else the place in line to wait at.
  std::shared_ptr<Waiter> enter(const Endpoint& endpoint, const asio::any_io_executor& executor) {
    auto& host = hosts_[endpoint];
    if (host.in_use < max_) {
      ++host.in_use;
      return nullptr;
    }
    // Shared: the line keeps it until it is granted or gone.
    return host.line.emplace_back(std::make_shared<Waiter>(executor));
  }
  void leave(const Endpoint& endpoint) {
    auto& host = hosts_[endpoint];
    if (host.line.empty()) {
      --host.in_use;
      return;
    }
    host.line.front()->granted = true;  // the place is handed over
    host.line.front()->wake.cancel();
    host.line.pop_front();
  }
  void give_up(const Endpoint& endpoint, const std::shared_ptr<Waiter>& waiter) { std::erase(hosts_[endpoint].line, waiter); }

  // The most recently used idle connection that is still good, or null.
  std::unique_ptr<Connection> take_idle(const Endpoint& endpoint, SteadyTime now) {
    auto& idle = hosts_[endpoint].idle;
    while (!idle.empty()) {
      auto connection = std::move(idle.back());
      idle.pop_back();
      if (now - connection->idle_since <= max_idle_ && connection->quiet()) {
        return connection;
      }
    }
    return nullptr;
  }
  void put_idle(std::unique_ptr<Connection> connection, SteadyTime now) {
    connection->idle_since = now;
    auto& idle = hosts_[connection->endpoint()].idle;
    idle.push_back(std::move(connection));
  }
  void drop_idle(const Endpoint& endpoint) { hosts_[endpoint].idle.clear(); }

 private:
  struct Host {
    std::size_t in_use = 0;
    std::vector<std::unique_ptr<Connection>> idle;
    std::deque<std::shared_ptr<Waiter>> line;
  };
  std::size_t max_;
  Duration max_idle_;
  std::map<Endpoint, Host, EndpointOrder> hosts_;  // a handful: login host, API host
};

// A taken place in the pool. Holds the pool, because a coroutine may be destroyed after the client.
class Place {
 public:
  Place(std::shared_ptr<Pool> pool, Endpoint endpoint) : pool_(std::move(pool)), endpoint_(std::move(endpoint)) {}
  Place(Place&& other) noexcept = default;
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (pool_) {
      pool_->leave(endpoint_);
    }
  }

 private:
  std::shared_ptr<Pool> pool_;
  Endpoint endpoint_;
};

bool is_field_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

bool is_field_value(std::string_view value) {
  return std::ranges::all_of(value, [](unsigned char c) { return c == '\t' || (c >= ' ' && c != 0x7F); });
}

// What would let a header end early and smuggle a second one in, or contradict what the client itself says.
Result<void> check_headers(const Headers& headers) {
  static const Headers kOwn{{"Host", ""},       {"User-Agent", ""},        {"Accept-Encoding", ""},    {"Content-Length", ""},
                            {"Connection", ""}, {"Transfer-Encoding", ""}, {"Proxy-Authorization", ""}};
  for (const auto& [name, value] : headers) {
    if (!is_field_name(name)) {
      return fail(ErrorCode::kConfigInvalid, "a header's name has characters that are not allowed in one");
    }
    if (!is_field_value(value)) {
      return fail(ErrorCode::kConfigInvalid, "header " + name + " has a control character in its value");
    }
    if (kOwn.find(name)) {
      return fail(ErrorCode::kConfigInvalid, "header " + name + " is set by the HTTP client and cannot be given");
    }
  }
  return {};
}

class BeastClient final : public Client {
 public:
  BeastClient(asio::any_io_executor executor, ClientOptions options, TlsContexts contexts, std::optional<Endpoint> proxy,
              Logger logger)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        contexts_(std::move(contexts)),
        proxy_(std::move(proxy)),
        logger_(std::move(logger)),
        pool_(std::make_shared<Pool>(options_.max_connections_per_host, options_.max_idle)) {}

  asio::awaitable<Result<Response>> send(Request request) override {
    // Asio throws what a coroutine without throw_if_cancelled(false) meets after its cancellation.
    try {
      co_return co_await send_checked(std::move(request));
    } catch (const boost::system::system_error& error) {
      const bool cancelled = error.code() == asio::error::operation_aborted;
      co_return fail(cancelled ? ErrorCode::kCancelled : ErrorCode::kInternal,
                     "HTTP request: " + (cancelled ? std::string("cancelled") : error.code().message()));
    }
  }

 private:
  // How an exchange on one connection ended.
  struct Outcome {
    Result<Response> response;
    bool reusable = false;
    bool died_unanswered = false;  // by the transport, before the first byte of an answer
  };

  asio::awaitable<Result<Response>> send_checked(Request request) {
    const auto url = split_url(request.url);
    if (!url) {
      co_return fail(url.error());
    }
    if (auto headers = check_headers(request.headers); !headers) {
      co_return fail(std::move(headers.error()));
    }
    PhaseTimer timer(executor_, options_.timeouts.total);
    const auto place = co_await take_place(url->endpoint, timer);
    if (!place) {
      co_return fail(place.error());
    }
    const std::string route_note = std::string(to_string(request.method)) + ' ' + authority(url->endpoint);

    auto connection = pool_->take_idle(url->endpoint, clock_.steady_now());
    if (connection) {
      auto outcome = co_await exchange(*connection, *url, request, timer);
      timer.stop();  // before the connection goes: it may not close what is gone
      if (!outcome.died_unanswered) {
        if (outcome.response) {
          outcome.response->reused_connection = true;
        }
        co_return conclude(std::move(outcome), std::move(connection));
      }
      // The service closed it while it was idle; the others are likely no better.
      pool_->drop_idle(url->endpoint);
      connection.reset();
    }
    auto opened = co_await open(url->endpoint, timer);
    if (!opened) {
      co_return fail(std::move(opened.error()));
    }
    auto outcome = co_await exchange(**opened, *url, request, timer);
    timer.stop();
    co_return conclude(std::move(outcome), std::move(*opened));
  }

  Result<Response> conclude(Outcome outcome, std::unique_ptr<Connection> connection) {
    if (outcome.reusable) {
      pool_->put_idle(std::move(connection), clock_.steady_now());
    }
    return std::move(outcome.response);
  }

  asio::awaitable<Result<Place>> take_place(const Endpoint& endpoint, PhaseTimer& timer) {
    if (const auto waiter = pool_->enter(endpoint, executor_)) {
      waiter->wake.expires_at(timer.deadline_for(options_.timeouts.total));
      const auto [woken] = co_await waiter->wake.async_wait(kToTuple);
      if (!waiter->granted) {
        pool_->give_up(endpoint, waiter);
        if (woken) {
          co_return fail(ErrorCode::kCancelled, "waiting for a connection to " + authority(endpoint) + ": cancelled");
        }
        co_return fail(ErrorCode::kRetryable, "waiting for a connection to " + authority(endpoint) + ": " + timer.describe());
      }
    }
    co_return Place(pool_, endpoint);
  }

  asio::awaitable<Result<std::unique_ptr<Connection>>> open(const Endpoint& endpoint, PhaseTimer& timer) {
    const Route route{.target = endpoint,
                      .proxy = proxy_for(endpoint),
                      .proxy_authorization = endpoint.tls && proxy_for(endpoint) ? proxy_authorization() : std::string(),
                      .user_agent = options_.user_agent,
                      .timeouts = options_.timeouts,
                      .max_header_bytes = options_.max_header_bytes};
    auto connection = co_await open_connection(route, endpoint.tls ? contexts_.current() : nullptr, timer);
    if (connection) {
      logger_.debug("connection opened", {{.key = "host", .value = authority(endpoint)},
                                          {.key = "proxy", .value = route.proxy ? authority(*route.proxy) : std::string()},
                                          {.key = "tls", .value = (*connection)->tls_version()}});
    }
    co_return std::move(connection);
  }

  std::optional<Endpoint> proxy_for(const Endpoint& endpoint) const {
    return proxy_ && !bypasses_proxy(*options_.proxy, endpoint) ? proxy_ : std::nullopt;
  }

  // The password's file is read again each time: whoever rotates it need not restart us.
  std::string proxy_authorization() {
    auto& proxy = *options_.proxy;
    if (!proxy.username) {
      return {};
    }
    if (auto refreshed = proxy.password.refresh(); !refreshed) {
      logger_.warn("proxy password cannot be read again; the old one stays",
                   {{.key = "reason", .value = refreshed.error().message}});
    }
    return basic_credentials(*proxy.username, proxy.password.value());
  }

  std::string render_head(const SplitUrl& url, const Request& request) {
    const bool default_port = url.endpoint.port == (url.endpoint.tls ? 443 : 80);
    std::string host = authority(url.endpoint);
    if (default_port) {
      host.resize(host.rfind(':'));
    }
    const bool through_proxy = !url.endpoint.tls && proxy_for(url.endpoint);

    std::string head;
    head.reserve(512 + url.target.size());
    head.append(to_string(request.method)).append(" ");
    if (through_proxy) {
      head.append("http://").append(host);
    }
    head.append(url.target).append(" HTTP/1.1\r\nHost: ").append(host).append("\r\n");
    if (!options_.user_agent.empty()) {
      head.append("User-Agent: ").append(options_.user_agent).append("\r\n");
    }
    if (through_proxy) {
      if (const auto authorization = proxy_authorization(); !authorization.empty()) {
        head.append("Proxy-Authorization: ").append(authorization).append("\r\n");
      }
    }
    if (options_.accept_gzip) {
      head += "Accept-Encoding: gzip\r\n";
    }
    const bool may_have_body = request.method != Method::kGet && request.method != Method::kHead;
    if (!request.body.empty() || (may_have_body && request.method != Method::kDelete)) {
      head.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
    }
    for (const auto& [name, value] : request.headers) {
      head.append(name).append(": ").append(value).append("\r\n");
    }
    return head + "\r\n";
  }

  // One request and its answer. Leaves `request.response_storage` alone unless a byte of an answer arrived.
  asio::awaitable<Outcome> exchange(Connection& connection, const SplitUrl& url, Request& request, PhaseTimer& timer) {
    const std::string peer = authority(url.endpoint);
    const auto& timeouts = options_.timeouts;
    if (co_await is_cancelled()) {
      co_return Outcome{.response = fail(ErrorCode::kCancelled, "request to " + peer + ": cancelled")};
    }
    const std::string head = render_head(url, request);
    const auto began = clock_.steady_now();
    timer.start(connection.socket(), timeouts.send);
    const auto [write_error, written] = co_await connection.write({asio::buffer(head), asio::buffer(request.body)});
    const bool refused_early = write_error == asio::error::broken_pipe || write_error == asio::error::connection_reset;
    if (write_error && !refused_early) {
      co_return transport_failure(connection, timer, "sending to", peer, write_error, false);
    }

    // A peer that stopped listening may have said why: an early answer or a TLS alert is still to be read.
    ResponseReader reader(request.method,
                          {.max_header_bytes = options_.max_header_bytes, .max_body_bytes = request.max_response_bytes},
                          std::move(request.response_storage));
    timer.start(connection.socket(), timeouts.first_byte);
    while (!reader.done()) {
      if (co_await is_cancelled()) {
        co_return Outcome{.response = fail(ErrorCode::kCancelled, "request to " + peer + ": cancelled")};
      }
      const auto space = reader.prepare();
      const auto [error, size] = co_await connection.read_some(asio::buffer(space.data(), space.size()));
      // asio::error::eof is the peer's clean end (with TLS: close_notify); anything else never completes a body.
      const auto read = !error ? reader.commit(size) : error == asio::error::eof ? reader.finish_at_end() : Result<void>{};
      if (!read) {
        const bool unanswered = error && !reader.started();
        if (unanswered) {
          request.response_storage = reader.take().body;
        }
        co_return Outcome{.response = fail(with_context(read.error(), "answer of " + peer)), .died_unanswered = unanswered};
      }
      if (error && !reader.done()) {
        const bool unanswered = !reader.started();
        if (unanswered) {
          request.response_storage = reader.take().body;
        }
        co_return transport_failure(connection, timer, unanswered ? "waiting for the answer of" : "reading the answer of", peer,
                                    error, unanswered);
      }
      timer.start(connection.socket(), reader.header_done() ? timeouts.idle_read : timeouts.first_byte);
    }

    const bool reusable = reader.reusable() && !refused_early;
    Response response = reader.take();
    response.latency = std::chrono::floor<std::chrono::milliseconds>(clock_.steady_now() - began);
    if (response.status == 407 && !url.endpoint.tls && proxy_for(url.endpoint)) {
      co_return Outcome{
          .response = fail(ErrorCode::kConfigInvalid, "request to " + peer +
                                                          ": the proxy asks for credentials (status 407); set its user name "
                                                          "and password")};
    }
    co_return Outcome{.response = std::move(response), .reusable = reusable};
  }

  static Outcome transport_failure(Connection& connection, PhaseTimer& timer, std::string_view what, const std::string& peer,
                                   const error_code& error, bool unanswered) {
    auto failure = transport_error(timer, what, peer, error);
    const bool died = failure.code == ErrorCode::kRetryable && !timer.expired();
    if (died && connection.ssl() != nullptr) {
      if (auto explained = explain_tls_failure(error, connection.ssl(), peer)) {
        return Outcome{.response = fail(std::move(*explained))};
      }
    }
    return Outcome{.response = fail(std::move(failure)), .died_unanswered = died && unanswered};
  }

  static asio::awaitable<bool> is_cancelled() {
    co_return (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
  }

  asio::any_io_executor executor_;
  ClientOptions options_;
  TlsContexts contexts_;
  std::optional<Endpoint> proxy_;
  Logger logger_;
  SystemClock clock_;
  std::shared_ptr<Pool> pool_;  // shared with the places taken in it
};

}  // namespace

Result<std::unique_ptr<Client>> make_client(asio::any_io_executor executor, ClientOptions options, Logger logger) {
  auto contexts = TlsContexts::make(options.tls, logger);
  if (!contexts) {
    return fail(std::move(contexts.error()));
  }
  if (!is_field_value(options.user_agent)) {
    return fail(ErrorCode::kConfigInvalid, "the user agent has a control character");
  }
  if (options.max_connections_per_host == 0) {
    return fail(ErrorCode::kConfigInvalid, "the number of connections per host must be at least 1");
  }
  std::optional<Endpoint> proxy;
  if (options.proxy) {
    auto endpoint = proxy_endpoint(*options.proxy);
    if (!endpoint) {
      return fail(std::move(endpoint.error()));
    }
    if (options.proxy->username && options.proxy->username->contains(':')) {
      return fail(ErrorCode::kConfigInvalid, "the proxy's user name must not contain ':'");
    }
    proxy = std::move(*endpoint);
    logger.info("HTTP proxy in use",
                {{.key = "proxy", .value = authority(*proxy)}, {.key = "origin", .value = options.proxy->origin}});
  }
  return std::make_unique<BeastClient>(std::move(executor), std::move(options), std::move(*contexts), std::move(proxy),
                                       std::move(logger));
}

}  // namespace common::http
