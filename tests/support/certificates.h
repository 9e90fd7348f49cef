#pragma once

// Certificates made when a test needs them, so that none in the repository can expire.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace tests::support {

// A fresh directory below the system's temporary one, gone with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

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

// A self-signed authority in a directory of its own. Throws std::runtime_error when OpenSSL does.
class CertificateAuthority {
 public:
  explicit CertificateAuthority(std::string name = "test authority");
  ~CertificateAuthority();

  [[nodiscard]] std::filesystem::path ca_file() const;
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }
  // A leaf for servers and clients alike. Files are named after a running number.
  CertificateFiles issue(const CertificateRequest& request = {});

 private:
  struct Keys;
  TemporaryDirectory directory_;
  std::string name_;
  std::unique_ptr<Keys> keys_;
  int issued_ = 0;
};

}  // namespace tests::support
