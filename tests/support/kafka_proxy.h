#pragma once

// A loopback TCP proxy in front of a broker that understands just enough of Kafka's framing to lose a chosen request or its
// answer: the connection is then closed, as by a failing network. Give its port to the broker as the advertised listener. Own
// threads; every member may be called from any thread.

#include <cstdint>
#include <memory>
#include <string>

namespace tests::support {

inline constexpr std::int16_t kEndTxn = 26;  // Kafka's api key

class KafkaProxy final {
 public:
  KafkaProxy();  // listens on a free port; throws std::system_error
  ~KafkaProxy();
  KafkaProxy(const KafkaProxy&) = delete;
  KafkaProxy& operator=(const KafkaProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  void forward_to(const std::string& host_and_port);  // 127.0.0.1:<port>
  // The next `times` requests of that kind never reach the broker; 0: no more.
  void lose_requests(std::int16_t api_key, std::uint64_t times);
  // They do, but their answers never reach the client.
  void lose_answers(std::int16_t api_key, std::uint64_t times);
  [[nodiscard]] std::uint64_t lost() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tests::support
