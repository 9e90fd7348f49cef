#pragma once

// Certificates made when a test needs them, so that none in the repository can expire.

#include "tests/support/process.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace tests::support {

struct CertificateRequest {
  std::string common_name = "localhost";
  std::vector<std::string> dns_names = {"localhost"};
  std::vector<std::string> ip_addresses = {"127.0.0.1", "::1"};
  std::chrono::seconds valid_from{-3600};  // relative to now
  std::chrono::seconds valid_until{86400};
};

struct CertificateFiles {
  std::filesystem::path certificate;  // PEM
  std::filesystem::path key;          // PEM, EC P-256, no pass phrase
};

// A self-signed authority in a folder of its own. Throws std::runtime_error when OpenSSL does.
class CertificateAuthority {
 public:
  explicit CertificateAuthority(std::string name = "test authority");
  ~CertificateAuthority();

  [[nodiscard]] std::filesystem::path ca_file() const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  // A leaf for servers and clients alike. Files are named after a running number.
  CertificateFiles issue(const CertificateRequest& request = {});

 private:
  struct Keys;
  TemporaryFolder folder_;
  std::string name_;
  std::unique_ptr<Keys> keys_;
  int issued_ = 0;
};

}  // namespace tests::support
