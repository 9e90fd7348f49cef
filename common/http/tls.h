#pragma once

// OpenSSL settings of outgoing connections: what is trusted, our own certificate, and what a failed handshake means to an
// operator. Private to common/http.

#include "common/http/client.h"
#include "common/log.h"
#include "common/result.h"

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace common::http {

// The context new connections are made with; read again when one of its files was replaced.
class TlsContexts {
 public:
  // kConfigInvalid names the file that cannot be used.
  static Result<TlsContexts> make(TlsOptions options, Logger logger);

  // Files that became unusable are logged and the last good context stays. Shared: a connection may outlive its replacement.
  std::shared_ptr<boost::asio::ssl::context> current();

 private:
  using Stamps = std::array<std::optional<std::filesystem::file_time_type>, 3>;
  [[nodiscard]] Stamps stamps() const;

  TlsOptions options_;
  Logger logger_;
  Stamps stamps_;
  std::shared_ptr<boost::asio::ssl::context> context_;
};

// Before the handshake: the server name we ask for and the name or address its certificate must carry.
Result<void> expect_host(SSL* ssl, const std::string& host);

// What a failed handshake, read or write means, if it is about certificates or protocol versions; nothing for mere transport.
std::optional<Error> explain_tls_failure(const boost::system::error_code& error, const SSL* ssl, std::string_view peer);

bool is_ip_address(const std::string& host);

}  // namespace common::http
