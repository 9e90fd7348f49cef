#include "common/http/server.h"

#include "tests/unit/common/http/client_fixture.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>

namespace common::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr auto kToTuple = asio::as_tuple(asio::use_awaitable);

// Sends raw bytes in pieces of `step` and reads until the server closes or `until` has arrived.
asio::awaitable<std::string> raw_exchange(std::uint16_t port, std::string bytes, std::size_t step, std::string until) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, kToTuple);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const auto [error, size] =
        co_await asio::async_write(socket, asio::buffer(bytes.data() + at, std::min(step, bytes.size() - at)), kToTuple);
    if (error) {
      break;  // the server had enough: what it said is still to be read
    }
  }
  std::string answer;
  while (until.empty() || answer.find(until) == std::string::npos) {
    std::array<char, 4096> block{};
    const auto [error, size] = co_await socket.async_read_some(asio::buffer(block), kToTuple);
    if (error) {
      break;
    }
    answer.append(block.data(), size);
  }
  co_return answer;
}

class ServerTest : public ClientTest {
 protected:
  Server& serve() {
    auto made = make_server(
        io_.get_executor(), server_options_, [this](ServerRequest request) { return answer(std::move(request)); }, Logger());
    if (!made) {
      throw std::runtime_error(made.error().message);
    }
    server_ = std::move(*made);
    return *server_;
  }
  asio::awaitable<ServerResponse> answer(ServerRequest request) {
    requests_.push_back(request);
    if (request.path == "/throw") {
      throw std::runtime_error("no such thing");
    }
    if (request.path == "/empty") {
      co_return ServerResponse{.status = 204, .content_type = ""};
    }
    co_return ServerResponse{
        .status = request.path == "/missing" ? 404 : 200, .body = request.body + '!', .headers = {{"X-Path", request.path}}};
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  // The raw answer to raw bytes.
  std::string say(std::string bytes, const std::string& until = {}, std::size_t step = 1UL << 20U) {
    return tests::support::run_coroutine(io_, raw_exchange(server_->port(), std::move(bytes), step, until));
  }

  ServerOptions server_options_;
  std::unique_ptr<Server> server_;
  std::vector<ServerRequest> requests_;
};

TEST_F(ServerTest, HandsTheRequestOverAndItsAnswerBack) {
  serve();

  const auto response =
      send({.method = Method::kPost, .url = url() + "/a%20b/c?x=%20y&z", .headers = {{"X-In", "1"}}, .body = "hello"});

  ASSERT_THAT(response, Answers(200, "hello!"));
  EXPECT_EQ(response->headers.find("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(response->headers.find("X-Path"), "/a b/c");
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].method, Method::kPost);
  EXPECT_EQ(requests_[0].path, "/a b/c");
  EXPECT_EQ(requests_[0].query, "x=%20y&z");
  EXPECT_EQ(requests_[0].headers.find("x-in"), "1");
  EXPECT_EQ(requests_[0].body, "hello");
}

TEST_F(ServerTest, KeepsTheConnection) {
  serve();

  ASSERT_TRUE(fetch(url()));
  EXPECT_TRUE(fetch(url() + "/missing")->reused_connection);
  EXPECT_THAT(fetch(url() + "/empty"), Answers(204, ""));
  EXPECT_THAT(send({.method = Method::kHead, .url = url()}), Answers(200, ""));
  EXPECT_TRUE(fetch(url())->reused_connection);
}

TEST_F(ServerTest, AHandlerThatThrowsCostsOneAnswer) {
  serve();

  const auto response = fetch(url() + "/throw");

  ASSERT_THAT(response, Answers(500, "internal error\n"));
  EXPECT_THAT(fetch(url()), Answers(200, "!"));
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  serve();

  const auto answers =
      say("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\nConnection: "
          "close\r\n\r\n");

  const auto one = answers.find("X-Path: /1");
  const auto two = answers.find("X-Path: /2");
  const auto three = answers.find("X-Path: /3");
  ASSERT_NE(three, std::string::npos) << answers;
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
  EXPECT_THAT(answers.substr(three), testing::HasSubstr("Connection: close"));
}

TEST_F(ServerTest, BytesThatComeOneByOneAreARequestToo) {
  serve();

  EXPECT_THAT(say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", {}, 1),
              testing::HasSubstr("abc!"));
}

TEST_F(ServerTest, Http10IsAnsweredAndClosed) {
  serve();

  EXPECT_THAT(say("GET /x HTTP/1.0\r\n\r\n"), testing::EndsWith("!"));
}

TEST_F(ServerTest, ContinuesWhenAsked) {
  serve();

  const auto answer =
      say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\nabc");

  EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

struct Hostile {
  std::string name;
  std::string bytes;
  std::string status;  // of the answer; empty: closed without one
};
class HostileClients : public ServerTest, public testing::WithParamInterface<Hostile> {};

TEST_P(HostileClients, AreRefusedAndCostOneConnection) {
  server_options_.max_body_bytes = 1000;
  serve();

  const auto answer = say(GetParam().bytes);

  EXPECT_EQ(answer.substr(0, answer.find("\r\n")), GetParam().status);
  EXPECT_TRUE(requests_.empty());
  EXPECT_THAT(fetch(url()), Answers(200, "!"));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, HostileClients,
    testing::Values(Hostile{"Garbage", "\x16\x03\x01\x02\r\n\r\n", "HTTP/1.1 400 Bad Request"},
                    Hostile{"BadVersion", "GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 400 Bad Request"},
                    Hostile{"BadField", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "HTTP/1.1 400 Bad Request"},
                    Hostile{"LengthAndChunks", "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                            "HTTP/1.1 400 Bad Request"},
                    Hostile{"LargeHeader", "GET / HTTP/1.1\r\nA: " + std::string(100'000, 'x') + "\r\n\r\n",
                            "HTTP/1.1 431 Request Header Fields Too Large"},
                    Hostile{"LargeTarget", "GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\n\r\n",
                            "HTTP/1.1 431 Request Header Fields Too Large"},
                    Hostile{"LargeBody", "POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x'),
                            "HTTP/1.1 413 Payload Too Large"},
                    Hostile{"LargeChunk", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x'),
                            "HTTP/1.1 413 Payload Too Large"},
                    Hostile{"StrangeMethod", "TRACE / HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"},
                    Hostile{"BadEscape", "GET /%zz HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 Bad Request"},
                    Hostile{"CutEscape", "GET /%4 HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 Bad Request"},
                    Hostile{"ZeroByte", "GET /%00 HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 Bad Request"},
                    Hostile{"NoPath", "GET x HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 Bad Request"}),
    [](const auto& info) { return info.param.name; });

TEST_F(ServerTest, ASlowRequestIsCutOffHoweverItTrickles) {
  server_options_.idle = 60ms;
  serve();
  const auto trickle = [](std::uint16_t port) -> asio::awaitable<std::size_t> {
    tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, kToTuple);
    asio::steady_timer pause(co_await asio::this_coro::executor);
    std::size_t sent = 0;
    for (; sent < 10'000; ++sent) {  // fifty seconds, were it allowed
      const auto [error, size] = co_await asio::async_write(socket, asio::buffer("x", 1), kToTuple);
      if (error) {
        break;
      }
      pause.expires_after(5ms);
      co_await pause.async_wait(kToTuple);
    }
    co_return sent;
  };

  EXPECT_LT(tests::support::run_coroutine(io_, trickle(server_->port())), 1000U);

  EXPECT_THAT(fetch(url()), Answers(200, "!"));
}

TEST_F(ServerTest, AnIdleConnectionIsClosed) {
  server_options_.idle = 30ms;
  serve();

  EXPECT_EQ(say(""), "");
}

TEST_F(ServerTest, ConnectionsAreBoundedAndTheNextIsServedWhenOneLeaves) {
  server_options_.max_connections = 2;
  server_options_.idle = 200ms;
  serve();
  const auto occupy = [](tcp::socket& socket, std::uint16_t port) -> asio::awaitable<bool> {
    co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, kToTuple);
    const std::string_view request = "GET /held HTTP/1.1\r\nHost: x\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(request), kToTuple);
    std::array<char, 1024> block{};
    const auto [error, size] = co_await socket.async_read_some(asio::buffer(block), kToTuple);
    co_return !error && size > 0;
  };
  tcp::socket one(io_);
  tcp::socket two(io_);
  ASSERT_TRUE(tests::support::run_coroutine(io_, occupy(one, server_->port())));
  ASSERT_TRUE(tests::support::run_coroutine(io_, occupy(two, server_->port())));

  options_.timeouts.first_byte = 50ms;
  EXPECT_THAT(fetch(url() + "/third"), FailsWith(ErrorCode::kRetryable, "timed out")) << "two hold the only places";
  EXPECT_EQ(requests_.size(), 2U);

  one.close();
  options_.timeouts.first_byte = 10s;
  forget_client();
  EXPECT_THAT(fetch(url() + "/third"), Answers(200, "!"));
}

TEST_F(ServerTest, StopClosesTheListenerAndEveryConnection) {
  auto& server = serve();
  ASSERT_TRUE(fetch(url()));

  server.stop();

  EXPECT_THAT(fetch(url()), FailsWith(ErrorCode::kRetryable, "Connection refused"));
  forget_client();
  io_.restart();
  io_.run();  // returns: nothing of the server is left on the loop
}

TEST_F(ServerTest, ItsDestructorStopsIt) {
  serve();
  const auto where = url();
  ASSERT_TRUE(fetch(where));

  server_.reset();

  EXPECT_THAT(fetch(where), FailsWith(ErrorCode::kRetryable, "Connection refused"));
}

TEST_F(ServerTest, AnAddressItCannotHaveIsNamed) {
  serve();
  const auto try_listen = [&](const std::string& listen) {
    return make_server(
        io_.get_executor(), {.listen = listen}, [this](ServerRequest request) { return answer(std::move(request)); }, Logger());
  };

  EXPECT_THAT(try_listen("127.0.0.1:" + std::to_string(server_->port())), FailsWith(ErrorCode::kConfigInvalid, "in use"));
  for (const std::string listen :
       {"", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "nowhere.example:80", "192.0.2.1:0", ":80"}) {
    EXPECT_THAT(try_listen(listen), FailsWith(ErrorCode::kConfigInvalid, "cannot listen on \"" + listen + "\""));
  }
}

TEST_F(ServerTest, ListensOnIpv6) {
  server_options_.listen = "[::1]:0";
  try {
    serve();
  } catch (const std::exception& error) {
    GTEST_SKIP() << "no IPv6 loopback here: " << error.what();
  }

  EXPECT_THAT(fetch("http://[::1]:" + std::to_string(server_->port())), Answers(200, "!"));
}

}  // namespace
}  // namespace common::http
