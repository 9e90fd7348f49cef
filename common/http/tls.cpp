#include "common/http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>

namespace common::http {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

Result<std::shared_ptr<ssl::context>> make_context(const TlsOptions& options) {
  const auto refuse = [](std::string_view what, const std::filesystem::path& file, const error_code& error) {
    return fail(ErrorCode::kConfigInvalid, std::string(what) + ' ' + file.string() + " cannot be used: " + error.message());
  };
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX* native = context->native_handle();
  static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  if (SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_alpn_protos(native, kHttp11, sizeof kHttp11) != 0) {
    return fail(ErrorCode::kInternal, "OpenSSL refuses TLS 1.2 as the oldest version");
  }
  // The peer's word that its last byte was the last is kept: a body that ends with the connection may have been cut.
  SSL_CTX_clear_options(native, SSL_OP_IGNORE_UNEXPECTED_EOF);
  error_code error;
  context->set_verify_mode(ssl::verify_peer, error);
  if (options.ca_file) {
    context->load_verify_file(options.ca_file->string(), error);
    if (error) {
      return refuse("CA file", *options.ca_file, error);
    }
  } else {
    context->set_default_verify_paths(error);
    if (error) {
      return fail(ErrorCode::kConfigInvalid, "the system's certificate store cannot be used: " + error.message());
    }
  }
  if (options.client_certificate.has_value() != options.client_key.has_value()) {
    return fail(ErrorCode::kConfigInvalid, "a client certificate and its key must be set together");
  }
  if (options.client_certificate) {
    // Without this OpenSSL would ask on the terminal.
    context->set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); }, error);
    context->use_certificate_chain_file(options.client_certificate->string(), error);
    if (error) {
      return refuse("client certificate", *options.client_certificate, error);
    }
    context->use_private_key_file(options.client_key->string(), ssl::context::pem, error);
    if (error) {
      return refuse("client key (PEM, without a pass phrase)", *options.client_key, error);
    }
    if (SSL_CTX_check_private_key(native) != 1) {
      return fail(ErrorCode::kConfigInvalid, "client key " + options.client_key->string() +
                                                 " does not belong to the certificate " + options.client_certificate->string());
    }
  }
  return context;
}

std::string remedy(long verify_result) {
  switch (verify_result) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "set the CA file to the authority that signed it, if you trust it";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the server needs a valid one, or this machine's clock is wrong";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "it was made for another host: check the URL, or who answers at that address";
    default:
      return "check the server's certificate and the CA file";
  }
}

}  // namespace

Result<TlsContexts> TlsContexts::make(TlsOptions options, Logger logger) {
  TlsContexts contexts;
  contexts.options_ = std::move(options);
  contexts.logger_ = std::move(logger);
  contexts.stamps_ = contexts.stamps();
  auto context = make_context(contexts.options_);
  if (!context) {
    return fail(std::move(context.error()));
  }
  contexts.context_ = std::move(*context);
  return contexts;
}

std::shared_ptr<ssl::context> TlsContexts::current() {
  if (const auto now = stamps(); now != stamps_) {
    stamps_ = now;
    if (auto context = make_context(options_)) {
      context_ = std::move(*context);
      logger_.info("TLS files read again");
    } else {
      logger_.warn("changed TLS files cannot be used; the old ones stay", {{.key = "reason", .value = context.error().message}});
    }
  }
  return context_;
}

TlsContexts::Stamps TlsContexts::stamps() const {
  const auto stamp = [](const std::optional<std::filesystem::path>& path) -> std::optional<std::filesystem::file_time_type> {
    std::error_code error;
    const auto time = path ? std::filesystem::last_write_time(*path, error) : std::filesystem::file_time_type{};
    return path && !error ? std::optional(time) : std::nullopt;  // a file that is gone counts as changed
  };
  return {stamp(options_.ca_file), stamp(options_.client_certificate), stamp(options_.client_key)};
}

Result<void> expect_host(SSL* ssl_handle, const std::string& host) {
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_handle);
  bool ok = false;
  if (is_ip_address(host)) {
    ok = X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1;  // no server name: RFC 6066 allows only DNS names there
  } else {
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ok = X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl_handle, host.c_str()) == 1;
  }
  if (!ok) {
    ERR_clear_error();
    return fail(ErrorCode::kConfigInvalid, "host name \"" + host + "\" cannot be used for TLS");
  }
  return {};
}

std::optional<Error> explain_tls_failure(const error_code& error, const SSL* ssl_handle, std::string_view peer) {
  const auto config_error = [&](std::string_view what) {
    return Error{.code = ErrorCode::kConfigInvalid, .message = "TLS with " + std::string(peer) + " failed: " + std::string(what)};
  };
  if (const long verified = SSL_get_verify_result(ssl_handle); verified != X509_V_OK) {
    return config_error(std::string("its certificate is not accepted (") + X509_verify_cert_error_string(verified) + "); " +
                        remedy(verified));
  }
  if (error.category() != boost::asio::error::get_ssl_category()) {
    return std::nullopt;
  }
  switch (ERR_GET_REASON(static_cast<unsigned long>(error.value()))) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
      return config_error("it offers no TLS 1.2 or newer (" + error.message() + ")");
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      return config_error("it refuses our side (" + error.message() +
                          "); it may require a client certificate: set the client certificate and key it accepts");
    default:
      return std::nullopt;
  }
}

bool is_ip_address(const std::string& host) {
  error_code error;
  boost::asio::ip::make_address(host, error);
  return !error;
}

}  // namespace common::http
