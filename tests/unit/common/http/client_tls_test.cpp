#include "tests/unit/common/http/client_fixture.h"

#include <fstream>

namespace common::http {
namespace {

using tests::support::CertificateAuthority;
using tests::support::CertificateFiles;
using tests::support::CertificateRequest;
using tests::support::ReceivedRequest;
using tests::support::Reply;
using tests::support::ScriptedServer;
using namespace std::chrono_literals;

class TlsClient : public ClientTest {
 protected:
  TlsClient() { options_.tls.ca_file = authority().ca_file(); }

  static ScriptedServer serve(const CertificateRequest& request) { return {tls_server(authority().issue(request)), answer}; }
  static Reply answer(const ReceivedRequest& request) { return Reply{.body = "sni=" + request.sni}; }
};

TEST_F(TlsClient, TrustsTheGivenAuthorityAndNamesTheServer) {
  ScriptedServer server(tls_server(), answer);

  EXPECT_THAT(fetch(by_name(server)), Answers(200, "sni=localhost"));
  EXPECT_THAT(log_, testing::HasSubstr("TLSv1.3"));
}

TEST_F(TlsClient, AnAddressIsCheckedButNotSentAsAName) {
  ScriptedServer server(tls_server(), answer);

  EXPECT_THAT(fetch(server.url()), Answers(200, "sni="));
}

TEST_F(TlsClient, AnUntrustedCertificateIsAnErrorOfTheConfiguration) {
  const CertificateAuthority other("another authority");
  options_.tls.ca_file = other.ca_file();
  ScriptedServer server(tls_server(), answer);

  EXPECT_THAT(fetch(by_name(server)), FailsWith(ErrorCode::kConfigInvalid, "set the CA file"));
  EXPECT_THAT(fetch(by_name(server)), FailsWith(ErrorCode::kConfigInvalid, "localhost:" + std::to_string(server.port())));
}

TEST_F(TlsClient, TheSystemsStoreIsUsedWithoutACaFile) {
  options_.tls.ca_file.reset();
  ScriptedServer server(tls_server(), answer);

  EXPECT_THAT(fetch(by_name(server)), FailsWith(ErrorCode::kConfigInvalid, "set the CA file"));
}

TEST_F(TlsClient, ACertificateForAnotherHostIsRefused) {
  auto server = serve({.common_name = "localhost", .dns_names = {"other.example"}, .ip_addresses = {"127.0.0.2"}});

  EXPECT_THAT(fetch(by_name(server)), FailsWith(ErrorCode::kConfigInvalid, "another host"));
  EXPECT_THAT(fetch(server.url()), FailsWith(ErrorCode::kConfigInvalid, "another host"));
}

TEST_F(TlsClient, ANameDoesNotVouchForTheAddress) {
  auto server = serve({.dns_names = {"localhost"}, .ip_addresses = {}});

  EXPECT_THAT(fetch(by_name(server)), Answers(200, "sni=localhost"));
  forget_client();
  EXPECT_THAT(fetch(server.url()), FailsWith(ErrorCode::kConfigInvalid, "another host"));
}

TEST_F(TlsClient, ExpiredAndFutureCertificatesAreRefused) {
  auto expired = serve({.valid_from = -48h, .valid_until = -1h});
  auto future = serve({.valid_from = 1h, .valid_until = 24h});

  EXPECT_THAT(fetch(by_name(expired)), FailsWith(ErrorCode::kConfigInvalid, "expired"));
  EXPECT_THAT(fetch(by_name(future)), FailsWith(ErrorCode::kConfigInvalid, "not yet valid"));
}

TEST_F(TlsClient, OlderThanTls12IsRefused) {
  auto options = tls_server();
  options.tls->tls1_1_only = true;
  ScriptedServer server(options, answer);

  EXPECT_THAT(fetch(by_name(server)), FailsWith(ErrorCode::kConfigInvalid, "no TLS 1.2 or newer"));
}

TEST_F(TlsClient, APlainServerBehindHttpsIsRetryable) {
  ScriptedServer server({}, answer);

  EXPECT_THAT(fetch("https://localhost:" + std::to_string(server.port())), FailsWith(ErrorCode::kRetryable, "TLS handshake"));
}

class MutualTls : public TlsClient {
 protected:
  MutualTls() {
    auto options = tls_server();
    options.tls->client_ca = clients_.ca_file();
    server_ = std::make_unique<ScriptedServer>(options, answer);
  }
  void give(const CertificateFiles& files) {
    options_.tls.client_certificate = files.certificate;
    options_.tls.client_key = files.key;
  }

  CertificateAuthority clients_{"client authority"};
  std::unique_ptr<ScriptedServer> server_;
};

TEST_F(MutualTls, TheClientsCertificateIsSent) {
  give(clients_.issue({.common_name = "connector", .dns_names = {}, .ip_addresses = {}}));

  EXPECT_THAT(fetch(by_name(*server_)), Answers(200, "sni=localhost"));
}

TEST_F(MutualTls, WithoutACertificateTheMessageSaysWhatToSet) {
  EXPECT_THAT(fetch(by_name(*server_)), FailsWith(ErrorCode::kConfigInvalid, "set the client certificate and key"));
}

TEST_F(MutualTls, ACertificateTheServerDoesNotTrustIsRefused) {
  give(authority().issue());

  EXPECT_THAT(fetch(by_name(*server_)), FailsWith(ErrorCode::kConfigInvalid, "set the client certificate and key"));
}

TEST_F(TlsClient, AReplacedCaFileIsReadForTheNextConnection) {
  const tests::support::TemporaryFolder folder;
  const CertificateAuthority other("another authority");
  const auto ca_file = folder.path() / "ca.pem";
  std::filesystem::copy_file(other.ca_file(), ca_file);
  std::filesystem::last_write_time(ca_file, std::filesystem::file_time_type::clock::now() - 1h);
  options_.tls.ca_file = ca_file;
  ScriptedServer server(tls_server(), answer);
  ASSERT_FALSE(fetch(by_name(server)));

  std::filesystem::copy_file(authority().ca_file(), ca_file, std::filesystem::copy_options::overwrite_existing);

  EXPECT_THAT(fetch(by_name(server)), Answers(200, "sni=localhost"));
}

TEST_F(TlsClient, ABrokenReplacementKeepsTheLastGoodFilesAndIsLogged) {
  const tests::support::TemporaryFolder folder;
  const auto ca_file = folder.path() / "ca.pem";
  std::filesystem::copy_file(authority().ca_file(), ca_file);
  options_.tls.ca_file = ca_file;
  ScriptedServer server(tls_server(), [](const ReceivedRequest&) { return Reply{.close = true}; });
  ASSERT_TRUE(fetch(by_name(server)));

  std::filesystem::remove(ca_file);

  EXPECT_TRUE(fetch(by_name(server)));
  EXPECT_THAT(log_, testing::HasSubstr("changed TLS files cannot be used"));
}

TEST_F(TlsClient, FilesThatCannotBeUsedAreNamedAtTheStart) {
  const tests::support::TemporaryFolder folder;
  const auto garbage = folder.path() / "garbage.pem";
  std::ofstream(garbage) << "not a certificate";
  const auto one = authority().issue();
  const auto two = authority().issue();
  const auto make = [&](TlsOptions tls) { return make_client(io_.get_executor(), {.tls = std::move(tls)}, Logger()); };

  EXPECT_THAT(make({.ca_file = folder.path() / "missing.pem"}), FailsWith(ErrorCode::kConfigInvalid, "missing.pem"));
  EXPECT_THAT(make({.ca_file = garbage}), FailsWith(ErrorCode::kConfigInvalid, "garbage.pem"));
  EXPECT_THAT(make({.client_certificate = one.certificate}), FailsWith(ErrorCode::kConfigInvalid, "together"));
  EXPECT_THAT(make({.client_certificate = garbage, .client_key = one.key}), FailsWith(ErrorCode::kConfigInvalid, "garbage.pem"));
  EXPECT_THAT(make({.client_certificate = one.certificate, .client_key = two.key}), FailsWith(ErrorCode::kConfigInvalid, "key"));
}

}  // namespace
}  // namespace common::http
