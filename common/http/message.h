#pragma once

// Requests and answers without Beast: what passes between the client or server adapter and everybody else. Plain values.

#include "common/instant.h"
#include "common/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace common::http {

enum class Method : std::uint8_t { kGet, kPost, kPut, kPatch, kDelete, kHead };
std::string_view to_string(Method method);  // "GET" …

struct Header {
  std::string name;
  std::string value;
};

// Names compare without regard to case; order is kept.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Header> headers) : headers_(headers) {}
  void add(std::string name, std::string value) { headers_.push_back({std::move(name), std::move(value)}); }
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;  // the first of that name
  [[nodiscard]] auto begin() const { return headers_.begin(); }
  [[nodiscard]] auto end() const { return headers_.end(); }
  [[nodiscard]] bool empty() const { return headers_.empty(); }

 private:
  std::vector<Header> headers_;
};

// Bytes that stay readable behind every response body, so that simdjson parses it in place (SIMDJSON_PADDING is 64).
inline constexpr std::size_t kBodyPadding = 64;

struct Request {
  Method method = Method::kGet;
  std::string url;  // absolute: http://… or https://…, path and query already encoded
  Headers headers;  // Host, User-Agent, Accept-Encoding, Content-Length and Connection are the client's business
  std::string body;
  std::string response_storage;  // storage to reuse for the answer's body (its capacity is what counts); may be empty
  std::size_t max_response_bytes = 256UL << 20U;  // bound on the body after decompression
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;                     // capacity() - size() >= kBodyPadding
  std::chrono::milliseconds latency{};  // from the first byte sent to the last byte read
  std::size_t wire_bytes = 0;           // body bytes as transferred (compressed)
  bool reused_connection = false;
};

// The absolute URL cut into what connecting and requesting need. kConfigInvalid on anything but http and https, a user or a
// fragment.
struct Endpoint {
  bool tls = false;
  std::string host;  // without brackets for IPv6
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
struct SplitUrl {
  Endpoint endpoint;
  std::string target;  // path and query, at least "/"
};
Result<SplitUrl> split_url(std::string_view url);
std::string percent_encode(std::string_view text);  // for a query value or form field
// `base` + `path`, no doubled slash; query pairs encoded and appended (after an existing `?`, with `&`).
std::string join_url(std::string_view base, std::string_view path,
                     const std::vector<std::pair<std::string, std::string>>& query = {});

}  // namespace common::http
