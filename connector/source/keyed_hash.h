#pragma once

// HMAC-SHA-256 of texts under one key: what a value becomes that must be recognised again but not read. The key is held for the
// life of the object and shown nowhere. Not thread-safe.

#include "common/result.h"
#include "common/secret.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace connector::source {

class KeyedHash {
 public:
  static constexpr std::size_t kDigits = 64;

  explicit KeyedHash(common::Secret key);
  ~KeyedHash();
  KeyedHash(const KeyedHash&) = delete;
  KeyedHash& operator=(const KeyedHash&) = delete;

  // Appends the hash as kDigits hexadecimal digits. kRetryable: OpenSSL cannot (no memory, no such algorithm in its
  // configuration); nothing is appended then.
  common::Result<void> append(std::string_view text, std::string& out);

  // What tells the key from another one, and may be stored. Throws std::runtime_error where append() fails.
  std::string key_mark();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace connector::source
