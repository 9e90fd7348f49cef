#include "connector/genesys/redact.h"

#include <string_view>

namespace connector::genesys {

std::string redact(std::string text, std::initializer_list<std::string_view> secrets) {
  // Shorter ones would turn ordinary words into stars; nothing that protects an account is that short.
  constexpr std::size_t kShortest = 4;
  for (const std::string_view secret : secrets) {
    if (secret.size() < kShortest) {
      continue;
    }
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
      text.replace(at, secret.size(), "***");
      at += 3;
    }
  }
  return text;
}

}  // namespace connector::genesys
