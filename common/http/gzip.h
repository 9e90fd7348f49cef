#pragma once

// Streaming gunzip of a response body into its final storage, with a bound on what comes out. No I/O; used by one exchange.

#include "common/result.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace common::http {

class GzipDecoder {
 public:
  // Appends to `output`, which must outlive this object and is cut to what was written by finish(). `max_bytes` bounds its size.
  GzipDecoder(std::string& output, std::size_t max_bytes);
  ~GzipDecoder();
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;

  // kOversize above the bound, kMalformedResponse on anything that is not gzip (also behind the last member).
  Result<void> write(std::string_view compressed);
  // kMalformedResponse if the stream is not complete. No input at all is an empty body.
  Result<void> finish();

 private:
  struct Stream;
  void grow();

  std::unique_ptr<Stream> stream_;
  std::string& output_;
  std::size_t max_bytes_;
  std::size_t written_ = 0;
  bool member_open_ = false;
};

}  // namespace common::http
