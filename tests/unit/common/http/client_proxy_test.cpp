#include "tests/unit/common/http/client_fixture.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <fstream>

namespace common::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using tests::support::ReceivedRequest;
using tests::support::Reply;
using tests::support::ScriptedServer;
using namespace std::chrono_literals;

constexpr auto kToTuple = asio::as_tuple(asio::use_awaitable);

// A CONNECT proxy on the test's own loop: answers with one text, and carries bytes if the answer is a 200.
class TunnelProxy {
 public:
  TunnelProxy(asio::io_context& io, std::string answer)
      : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), answer_(std::move(answer)) {
    asio::co_spawn(io, accept(), asio::detached);  // the fixture keeps the proxy until the loop is gone
  }

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void stop() { acceptor_.close(); }
  [[nodiscard]] const std::vector<std::string>& asked() const { return asked_; }

 private:
  asio::awaitable<void> accept() {
    while (acceptor_.is_open()) {
      auto [error, socket] = co_await acceptor_.async_accept(kToTuple);
      if (error) {
        co_return;
      }
      asio::co_spawn(acceptor_.get_executor(), serve(std::make_shared<tcp::socket>(std::move(socket))),
                     asio::detached);  // ends with its peers
    }
  }

  asio::awaitable<void> serve(std::shared_ptr<tcp::socket> client) {
    std::string request;
    while (!request.ends_with("\r\n\r\n")) {
      std::array<char, 1024> block{};
      const auto [error, size] = co_await client->async_read_some(asio::buffer(block), kToTuple);
      if (error) {
        co_return;
      }
      request.append(block.data(), size);
    }
    asked_.push_back(request);
    if (answer_ == "silence") {
      std::array<char, 16> block{};
      co_await client->async_read_some(asio::buffer(block), kToTuple);
      co_return;
    }
    co_await asio::async_write(*client, asio::buffer(answer_), kToTuple);
    if (!answer_.contains(" 200 ")) {
      co_return;
    }
    const auto port = request.substr(request.find(':') + 1, request.find(" HTTP") - request.find(':') - 1);
    auto target = std::make_shared<tcp::socket>(acceptor_.get_executor());
    co_await target->async_connect({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoi(port))}, kToTuple);
    asio::co_spawn(acceptor_.get_executor(), carry(target, client), asio::detached);  // ends with its peers
    co_await carry(client, target);
  }

  static asio::awaitable<void> carry(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to) {
    std::array<char, 16384> block{};
    for (;;) {
      const auto [error, size] = co_await from->async_read_some(asio::buffer(block), kToTuple);
      if (error) {
        boost::system::error_code ignored;  // the other side may be gone first
        to->shutdown(tcp::socket::shutdown_send, ignored);
        co_return;
      }
      co_await asio::async_write(*to, asio::buffer(block, size), kToTuple);
    }
  }

  tcp::acceptor acceptor_;
  std::uint16_t port_ = acceptor_.local_endpoint().port();
  std::string answer_;
  std::vector<std::string> asked_;
};

class ProxyClient : public ClientTest {
 protected:
  ProxyClient() { options_.tls.ca_file = authority().ca_file(); }

  TunnelProxy& proxy(const std::string& answer = "HTTP/1.1 200 Connection established\r\n\r\n") {
    proxies_.push_back(std::make_unique<TunnelProxy>(io_, answer));
    options_.proxy = ProxyOptions{.url = proxies_.back()->url(), .origin = "configuration"};
    return *proxies_.back();
  }
  void with_credentials() {
    options_.proxy->username = "user";
    options_.proxy->password = SecretSource::of_value(Secret("hunter2"));
  }
  static Reply answer(const ReceivedRequest& request) { return Reply{.body = "sni=" + request.sni}; }

  ScriptedServer server_{tls_server(), answer};
  std::vector<std::unique_ptr<TunnelProxy>> proxies_;
};

constexpr std::string_view kUserHunter2 = "Basic dXNlcjpodW50ZXIy";

TEST_F(ProxyClient, HttpsGoesThroughATunnelWithTheServersOwnCertificate) {
  auto& tunnel = proxy();

  EXPECT_THAT(fetch(by_name(server_)), Answers(200, "sni=localhost"));
  EXPECT_TRUE(fetch(by_name(server_))->reused_connection);

  const std::string target = "localhost:" + std::to_string(server_.port());
  ASSERT_EQ(tunnel.asked().size(), 1U);
  EXPECT_THAT(tunnel.asked().front(), testing::StartsWith("CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"));
  EXPECT_THAT(tunnel.asked().front(), testing::Not(testing::HasSubstr("Proxy-Authorization")));
  EXPECT_THAT(log_, testing::HasSubstr("\"origin\":\"configuration\""));
}

TEST_F(ProxyClient, AnHttp10ProxyCarriesATunnelToo) {
  proxy("HTTP/1.0 200 Connection established\r\nProxy-agent: small\r\n\r\n");

  EXPECT_THAT(fetch(by_name(server_)), Answers(200, "sni=localhost"));
}

TEST_F(ProxyClient, CredentialsGoToTheProxyAloneAndIntoNoLog) {
  auto& tunnel = proxy();
  with_credentials();
  std::optional<std::string> leaked;
  ScriptedServer server(tls_server(), [&](const ReceivedRequest& request) {
    if (const auto value = request.headers.find("Proxy-Authorization")) {
      leaked = *value;
    }
    return Reply{};
  });

  ASSERT_TRUE(fetch(by_name(server)));

  EXPECT_THAT(tunnel.asked().front(), testing::HasSubstr("\r\nProxy-Authorization: " + std::string(kUserHunter2) + "\r\n"));
  EXPECT_EQ(leaked, std::nullopt);
  EXPECT_THAT(log_, testing::Not(testing::HasSubstr("hunter2")));
  EXPECT_THAT(log_, testing::Not(testing::HasSubstr("dXNlcjpodW50ZXIy")));
}

TEST_F(ProxyClient, ARotatedPasswordIsReadForTheNextConnection) {
  auto& tunnel = proxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
  const tests::support::TemporaryFolder folder;
  const auto file = folder.path() / "password";
  options_.proxy->username = "user";
  options_.proxy->password = SecretSource::of_file(file, Secret("old"));
  std::ofstream(file) << "hunter2\n";

  ASSERT_FALSE(fetch(by_name(server_)));

  EXPECT_THAT(tunnel.asked().front(), testing::HasSubstr(std::string(kUserHunter2)));
}

TEST_F(ProxyClient, RefusedCredentialsSayWhatToSet) {
  proxy("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\nno...");
  EXPECT_THAT(fetch(by_name(server_)), FailsWith(ErrorCode::kConfigInvalid, "set the proxy's user name and password"));

  with_credentials();
  forget_client();
  const auto refused = fetch(by_name(server_));
  EXPECT_THAT(refused, FailsWith(ErrorCode::kConfigInvalid, "check the proxy's user name and password"));
  EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
}

TEST_F(ProxyClient, AForbiddenTargetIsAnErrorOfTheConfiguration) {
  proxy("HTTP/1.1 403 Forbidden\r\n\r\n");
  EXPECT_THAT(fetch(by_name(server_)), FailsWith(ErrorCode::kConfigInvalid, "allow the host and port"));
}

TEST_F(ProxyClient, AnUnreachableTargetIsRetryable) {
  proxy("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  EXPECT_THAT(fetch(by_name(server_)), FailsWith(ErrorCode::kRetryable, "status 502"));
}

TEST_F(ProxyClient, AProxyThatClosesOrTalksNonsenseIsNamed) {
  proxy("");
  EXPECT_THAT(fetch(by_name(server_)), FailsWith(ErrorCode::kRetryable, "waiting for the proxy 127.0.0.1"));

  proxy("SSH-2.0-nothing\r\n\r\n");
  forget_client();
  EXPECT_THAT(fetch(by_name(server_)), FailsWith(ErrorCode::kMalformedResponse, "proxy 127.0.0.1"));
}

TEST_F(ProxyClient, AProxyThatNeverAnswersIsBounded) {
  options_.timeouts.handshake = 50ms;
  proxy("silence");

  EXPECT_THAT(fetch(by_name(server_)), FailsWith(ErrorCode::kRetryable, "timed out after 50ms"));
}

TEST_F(ProxyClient, AProxyThatIsDownIsRetryable) {
  proxy().stop();

  EXPECT_THAT(fetch(by_name(server_)), FailsWith(ErrorCode::kRetryable, "Connection refused"));
}

TEST_F(ProxyClient, NoProxyGoesDirectly) {
  auto& tunnel = proxy();
  options_.proxy->no_proxy = {"localhost"};

  EXPECT_THAT(fetch(by_name(server_)), Answers(200, "sni=localhost"));

  EXPECT_TRUE(tunnel.asked().empty());
}

TEST_F(ProxyClient, PlainHttpIsAskedInAbsoluteForm) {
  ReceivedRequest received;
  ScriptedServer plain({}, [&](const ReceivedRequest& request) {
    received = request;
    return Reply{.status = request.headers.find("Proxy-Authorization") ? 200 : 407};
  });
  options_.proxy = ProxyOptions{.url = plain.url()};

  EXPECT_THAT(fetch("http://api.example:8080/a?b=c"), FailsWith(ErrorCode::kConfigInvalid, "proxy"));
  EXPECT_EQ(received.target, "http://api.example:8080/a?b=c");
  EXPECT_EQ(received.headers.find("Host"), "api.example:8080");

  with_credentials();
  forget_client();
  EXPECT_THAT(fetch("http://api.example/"), Answers(200, ""));
  EXPECT_EQ(received.target, "http://api.example/");
  EXPECT_EQ(received.headers.find("Proxy-Authorization"), kUserHunter2);
}

TEST_F(ProxyClient, AProxyUrlThatCannotBeUsedIsRefusedAtTheStart) {
  for (const std::string url : {"https://proxy:3128", "socks5://proxy", "proxy:3128", "http://proxy/path"}) {
    EXPECT_THAT(make_client(io_.get_executor(), {.proxy = ProxyOptions{.url = url}}, Logger()),
                FailsWith(ErrorCode::kConfigInvalid, "proxy"));
  }
}

}  // namespace
}  // namespace common::http
