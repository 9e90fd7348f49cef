#pragma once

// One HTTP/1.1 response from bytes, without sockets: the caller reads into prepare() and reports with commit(). A body of known
// length goes from the socket into its final storage with no copy and no zero-fill; chunked and compressed bodies pass a block.

#include "common/http/message.h"
#include "common/result.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace common::http {

class ResponseReader {
 public:
  struct Bounds {
    std::size_t max_header_bytes = 64UL << 10U;
    std::size_t max_body_bytes = 256UL << 20U;  // after decompression
  };

  // `storage`: its capacity becomes the body's. A CONNECT's answer has no body: pass kHead.
  ResponseReader(Method method, Bounds bounds, std::string storage);
  ~ResponseReader();
  ResponseReader(const ResponseReader&) = delete;
  ResponseReader& operator=(const ResponseReader&) = delete;

  // Where to read to; never empty before done(). Valid until the next call.
  std::span<char> prepare();
  // `size` bytes were read. kRetryable (bad chunking), kOversize, kMalformedResponse; nothing may be called after an error.
  Result<void> commit(std::size_t size);
  // The peer closed. kRetryable if the response is not complete by that.
  Result<void> finish_at_end();

  [[nodiscard]] bool started() const;      // a byte arrived
  [[nodiscard]] bool header_done() const;  // the final one: 1xx are skipped
  [[nodiscard]] bool done() const;
  // Only when done: bytes followed that belong to no answer.
  [[nodiscard]] bool surplus() const;
  // Only when done: the connection may carry another exchange (keep-alive, and nothing followed the response).
  [[nodiscard]] bool reusable() const;
  // Only when done. status, headers, body and wire_bytes are set.
  Response take();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace common::http
