#pragma once

// What the tests of the HTTP client share: a client on the test's own loop, requests sent one at a time, and peers that are not
// an HTTP server at all.

#include "common/http/client.h"
#include "tests/support/certificates.h"
#include "tests/support/run_coroutine.h"
#include "tests/support/scripted_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace common::http {

// Accepts into the kernel's queue and never says a word. With `full` not even that: the queue is full and connecting hangs.
class SilentPeer {
 public:
  enum class Queue : std::uint8_t { kOpen, kFull };

  explicit SilentPeer(Queue queue = Queue::kOpen) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address_), size) != 0 ||
        ::listen(listener_, queue == Queue::kFull ? 0 : 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size) != 0) {
      throw std::system_error(errno, std::generic_category(), "silent peer");
    }
    while (queue == Queue::kFull && fillers_.size() < 4) {
      fillers_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      // In progress, or in the queue: both fill it.
      static_cast<void>(::connect(fillers_.back(), reinterpret_cast<sockaddr*>(&address_), size));
    }
  }
  ~SilentPeer() {
    for (const int filler : fillers_) {
      ::close(filler);
    }
    ::close(listener_);
  }
  SilentPeer(const SilentPeer&) = delete;
  SilentPeer& operator=(const SilentPeer&) = delete;

  [[nodiscard]] std::string host_port() const { return "127.0.0.1:" + std::to_string(ntohs(address_.sin_port)); }

 private:
  int listener_ = -1;
  sockaddr_in address_{};
  std::vector<int> fillers_;
};

class ClientTest : public testing::Test {
 protected:
  using Handler = std::function<tests::support::Reply(const tests::support::ReceivedRequest&)>;

  static tests::support::CertificateAuthority& authority() {
    static tests::support::CertificateAuthority instance;  // making one for each test would cost more than the tests
    return instance;
  }
  static const tests::support::CertificateFiles& certificate() {
    static const auto files = authority().issue();
    return files;
  }
  static tests::support::ScriptedServerOptions tls_server(const tests::support::CertificateFiles& files = certificate()) {
    return {.tls = tests::support::TlsFiles{.certificate_chain = files.certificate, .private_key = files.key}};
  }
  static tests::support::ScriptedServerOptions plain_server() { return {}; }

  static Request get(std::string url) { return {.url = std::move(url)}; }

  Client& client() {
    if (!client_) {
      Logger logger({.level = LogLevel::kDebug}, [this](LogLevel, std::string_view line) { log_.append(line).append("\n"); });
      auto made = make_client(io_.get_executor(), options_, logger);
      if (!made) {
        throw std::runtime_error(made.error().message);
      }
      client_ = std::move(*made);
    }
    return *client_;
  }
  void forget_client() { client_.reset(); }

  static boost::asio::awaitable<Result<Response>> send_quietly(Client& client, Request request) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_return co_await client.send(std::move(request));
  }
  Result<Response> send(Request request) {
    return tests::support::run_coroutine(io_, send_quietly(client(), std::move(request)));
  }
  Result<Response> fetch(const std::string& url) { return send(get(url)); }

  // https://localhost:port: the name instead of the address, so that it can be asked for.
  static std::string by_name(const tests::support::ScriptedServer& server) {
    return server.url().replace(server.url().find("127.0.0.1"), 9, "localhost");
  }

  boost::asio::io_context io_;
  ClientOptions options_{.user_agent = "genesys-kafka-test/1"};
  std::string log_;

 private:
  std::unique_ptr<Client> client_;
};

// Matchers are named as gmock's own are. NOLINTBEGIN(readability-identifier-naming)
MATCHER_P2(FailsWith, code, text, "") {
  if (arg) {
    *result_listener << "which succeeded";
    return false;
  }
  *result_listener << "which failed with " << to_string(arg.error().code) << ": " << arg.error().message;
  return arg.error().code == code && arg.error().message.find(text) != std::string::npos;
}

MATCHER_P2(Answers, status, body, "") {
  if (!arg) {
    *result_listener << "which failed with " << to_string(arg.error().code) << ": " << arg.error().message;
    return false;
  }
  *result_listener << "which is " << arg->status << " with " << arg->body.size() << " bytes";
  return arg->status == status && arg->body == body;
}
// NOLINTEND(readability-identifier-naming)

}  // namespace common::http
