#include "tests/support/certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace tests::support {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;

void require(bool ok, const char* what) {
  if (!ok) {
    throw std::runtime_error(std::string("OpenSSL: ") + what);
  }
}

Key make_key() {
  Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "EVP_EC_gen");
  return key;
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

Certificate make_certificate(const std::string& common_name, EVP_PKEY* key, long serial, std::chrono::seconds from,
                             std::chrono::seconds until) {
  Certificate certificate(X509_new());
  require(certificate != nullptr && X509_set_version(certificate.get(), X509_VERSION_3) == 1, "X509_new");
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), static_cast<long>(from.count()));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), static_cast<long>(until.count()));
  auto* name = X509_get_subject_name(certificate.get());
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                                     -1, 0) == 1,
          "X509_NAME_add_entry_by_txt");
  require(X509_set_pubkey(certificate.get(), key) == 1, "X509_set_pubkey");
  return certificate;
}

void write_pem(const std::filesystem::path& path, const auto& write) {
  const std::unique_ptr<BIO, Free> file(BIO_new_file(path.c_str(), "w"));
  require(file != nullptr && write(file.get()) == 1, path.c_str());
}

void write_certificate(const std::filesystem::path& path, X509* certificate) {
  write_pem(path, [&](BIO* file) { return PEM_write_bio_X509(file, certificate); });
}

}  // namespace

struct CertificateAuthority::Keys {
  Key key;
  Certificate certificate;
};

CertificateAuthority::CertificateAuthority(std::string name) : name_(std::move(name)), keys_(std::make_unique<Keys>()) {
  keys_->key = make_key();
  keys_->certificate = make_certificate(name_, keys_->key.get(), 1, std::chrono::hours{-48}, std::chrono::hours{48});
  auto* certificate = keys_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
  require(X509_sign(certificate, keys_->key.get(), EVP_sha256()) > 0, "X509_sign");
  write_certificate(ca_file(), certificate);
}

CertificateAuthority::~CertificateAuthority() = default;

std::filesystem::path CertificateAuthority::ca_file() const {
  return folder_.path() / "ca.pem";
}

CertificateFiles CertificateAuthority::issue(const CertificateRequest& request) {
  const auto number = ++issued_;
  const auto key = make_key();
  const auto certificate = make_certificate(request.common_name, key.get(), 1 + number, request.valid_from, request.valid_until);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(keys_->certificate.get()));
  add_extension(certificate.get(), keys_->certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), keys_->certificate.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  std::string names;
  for (const auto& name : request.dns_names) {
    names += (names.empty() ? "DNS:" : ",DNS:") + name;
  }
  for (const auto& address : request.ip_addresses) {
    names += (names.empty() ? "IP:" : ",IP:") + address;
  }
  if (!names.empty()) {
    add_extension(certificate.get(), keys_->certificate.get(), NID_subject_alt_name, names);
  }
  require(X509_sign(certificate.get(), keys_->key.get(), EVP_sha256()) > 0, "X509_sign");

  const auto stem = "leaf-" + std::to_string(number);
  const CertificateFiles files{.certificate = folder_.path() / (stem + ".pem"), .key = folder_.path() / (stem + ".key")};
  write_certificate(files.certificate, certificate.get());
  write_pem(files.key,
            [&](BIO* file) { return PEM_write_bio_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  return files;
}

}  // namespace tests::support
