#include "connector/source/keyed_hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <array>
#include <stdexcept>
#include <utility>

namespace connector::source {

namespace {

struct Free {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

struct KeyedHash::Impl {
  common::Secret key;
  std::unique_ptr<EVP_MAC, Free> mac;
  std::unique_ptr<EVP_MAC_CTX, Free> context;
};

KeyedHash::KeyedHash(common::Secret key) : impl_(std::make_unique<Impl>()) {
  impl_->key = std::move(key);
  impl_->mac.reset(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (impl_->mac) impl_->context.reset(EVP_MAC_CTX_new(impl_->mac.get()));
}

KeyedHash::~KeyedHash() = default;

common::Result<void> KeyedHash::append(std::string_view text, std::string& out) {
  std::array<char, 7> digest_name{"SHA256"};
  const std::array<OSSL_PARAM, 2> parameters{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name.data(), 0),
                                             OSSL_PARAM_construct_end()};
  std::array<unsigned char, kDigits / 2> hash{};
  std::size_t size = 0;
  EVP_MAC_CTX* context = impl_->context.get();
  const std::string& key = impl_->key.reveal();
  // With the key each time: not every release of OpenSSL begins anew without it.
  const bool done = context != nullptr && EVP_MAC_init(context, bytes_of(key), key.size(), parameters.data()) == 1 &&
                    EVP_MAC_update(context, bytes_of(text), text.size()) == 1 &&
                    EVP_MAC_final(context, hash.data(), &size, hash.size()) == 1 && size == hash.size();
  if (!done) {
    return common::fail(common::ErrorCode::kRetryable,
                        "OpenSSL cannot compute HMAC-SHA-256, so that redaction.hash cannot be applied");
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const unsigned char byte : hash) {
    out += kHex[byte >> 4U];
    out += kHex[byte & 0xFU];
  }
  return {};
}

std::string KeyedHash::key_mark() {
  std::string mark;
  if (auto hashed = append("genesys-kafka: which key this is", mark); !hashed) throw std::runtime_error(hashed.error().message);
  return mark;
}

}  // namespace connector::source
