#pragma once

// A real Kafka broker for a test: one JVM (tests/support/kafka/broker) in a temporary folder, killed with the object.
// It starts in about two seconds. After kill() or stop(), restart() brings the same data back on the same port.
// Not thread-safe; create it on a thread that outlives it (see Process).

#include "tests/support/process.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tests::support {

enum class BrokerSecurity : std::uint8_t {
  kPlaintext,  // no authentication, everything allowed
  kSaslSsl,    // TLS; SCRAM-SHA-256, SCRAM-SHA-512 and PLAIN; nothing allowed but to `admin` until ACLs say so
  kMutualTls,  // TLS with client certificates; the principal is User:<common name>; the same authorizer
};

struct KafkaBrokerOptions {
  BrokerSecurity security = BrokerSecurity::kPlaintext;
  std::vector<std::pair<std::string, std::string>> users = {{"connector", "connector-secret"}};  // name, password (kSaslSsl)
  std::vector<std::string> properties;  // "key=value" for server.properties
  std::chrono::milliseconds start_timeout{60'000};
};

class KafkaBroker final {
 public:
  // Starts it and returns when it serves. Throws std::runtime_error with the end of its log when it does not within the timeout.
  explicit KafkaBroker(KafkaBrokerOptions options = {});

  [[nodiscard]] const std::string& bootstrap() const { return bootstrap_; }  // host:port, the same for life
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] std::string log() const;

  void kill();     // SIGKILL: as a power cut
  void stop();     // SIGTERM, and waits until it is gone
  void restart();  // after kill() or stop(); returns when it serves again. Throws like the constructor.
  void start();    // the same without waiting until it serves
  void wait_until_ready();
  void pause();   // SIGSTOP: connections stay, nothing answers
  void resume();  // SIGCONT

  // Files of the TLS profiles: PEM, keys unencrypted. `name`: admin, connector, or stranger (signed by stranger-ca.pem, not
  // trusted).
  [[nodiscard]] std::filesystem::path ca_file() const { return security_file("ca.pem"); }
  [[nodiscard]] std::filesystem::path certificate_file(const std::string& name) const { return security_file(name + ".pem"); }
  [[nodiscard]] std::filesystem::path key_file(const std::string& name) const { return security_file(name + ".key"); }
  static constexpr std::string_view kAdminUser = "admin";
  static constexpr std::string_view kAdminPassword = "admin-secret";

 private:
  [[nodiscard]] std::filesystem::path security_file(const std::string& name) const { return folder() / "security" / name; }

  KafkaBrokerOptions options_;
  TemporaryFolder folder_;
  std::string bootstrap_;
  std::optional<Process> process_;
};

// One plaintext broker for the whole test program, started at the first call and stopped at exit. Tests keep apart by topic
// names.
KafkaBroker& shared_broker();

// "prefix-<random>": a topic or connector name no other test of a shared broker has.
std::string unique_name(std::string_view prefix);

}  // namespace tests::support
