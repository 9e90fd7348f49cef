#pragma once

// A loopback HTTP(S) server whose answers may be wrong in every way a network can produce: the ground of the simulator and of the
// HTTP client's tests. It owns a thread with its own io_context; the handler is called on that thread, one request at a time per
// server. Port 0 picks a free port.

#include "common/http/message.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tests::support {

struct ReceivedRequest {
  std::string method;
  std::string target;  // path and query as sent
  common::http::Headers headers;
  std::string body;
  std::uint64_t connection = 0;  // number of the connection, from 1
  std::string sni;               // server name of the TLS hello, empty without
};

enum class Fault : std::uint8_t {
  kNone,
  kResetBeforeAnswer,  // RST after the request was read and handled
  kCloseBeforeAnswer,  // FIN instead
  kTruncateBody,       // right Content-Length, `fault_after` bytes of body, then close
  kResetInBody,        // the same with RST
  kLongerThanLength,   // more bytes than Content-Length says
  kNeverAnswer,        // holds the connection until the client gives up
  kStallInBody,        // `fault_after` bytes, then silence
  kDripBody,           // one small piece every `drip_every`
  kGarbage,            // bytes that are not HTTP
};

struct Reply {
  int status = 200;
  common::http::Headers headers;
  std::string body;
  std::shared_ptr<const std::string> shared_body;  // instead of `body`: a large page served again and again without a copy
  bool chunked = false;
  bool gzip = false;                   // compress the body and say so
  bool close = false;                  // Connection: close after it
  std::chrono::milliseconds delay{0};  // before the first byte
  Fault fault = Fault::kNone;
  std::size_t fault_after = 0;
  std::chrono::milliseconds drip_every{10};
};

struct TlsFiles {
  std::filesystem::path certificate_chain;
  std::filesystem::path private_key;
  std::optional<std::filesystem::path> client_ca;  // set: a client certificate is required
  bool tls1_1_only = false;
};

struct ScriptedServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::optional<TlsFiles> tls;
};

class ScriptedServer {
 public:
  using Handler = std::function<Reply(const ReceivedRequest&)>;
  // Throws std::runtime_error if it cannot bind or read the TLS files.
  ScriptedServer(ScriptedServerOptions options, Handler handler);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::string url() const;  // http(s)://127.0.0.1:port, no slash at the end
  // Closes the listener and every connection (RST), as a crashed host would; `start_again` listens on the same port.
  void stop();
  void start_again();
  [[nodiscard]] std::uint64_t connections() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tests::support
