#include "common/http/message.h"

#include <algorithm>
#include <charconv>

namespace common::http {
namespace {

char to_lower(char character) {
  return 'A' <= character && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, to_lower, to_lower);
}

// Control characters and spaces could smuggle a second header or request into what we send; what is beyond ASCII must come
// encoded.
bool is_printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char character) { return '!' <= character && character <= '~'; });
}

std::unexpected<Error> refuse(std::string_view url, std::string_view why) {
  constexpr std::size_t kShown = 200;
  return fail(ErrorCode::kConfigInvalid, "URL \"" + std::string(url.substr(0, kShown)) + "\": " + std::string(why));
}

}  // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
    case Method::kHead:
      return "HEAD";
  }
  std::unreachable();
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& header : headers_) {
    if (equal_ignoring_case(header.name, name)) {
      return header.value;
    }
  }
  return std::nullopt;
}

Result<SplitUrl> split_url(std::string_view url) {
  SplitUrl result;
  std::string_view rest = url;
  const auto scheme_end = url.find("://");
  const auto scheme = url.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end);
  if (equal_ignoring_case(scheme, "https")) {
    result.endpoint.tls = true;
  } else if (!equal_ignoring_case(scheme, "http")) {
    return refuse(url, "must start with https:// or http://");
  }
  rest.remove_prefix(scheme_end + 3);

  const auto authority = rest.substr(0, rest.find_first_of("/?#"));
  const auto target = rest.substr(authority.size());
  if (authority.contains('@')) {
    // Not shown: what stands before the @ may be a password.
    return fail(ErrorCode::kConfigInvalid, "URL with a user or password before '@': credentials have their own settings");
  }
  if (!is_printable_ascii(url)) {
    return refuse(url, "spaces, control and non-ASCII characters must be percent-encoded");
  }
  if (target.contains('#')) {
    return refuse(url, "a fragment (#…) is never sent: leave it out");
  }

  std::string_view host = authority;
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) {
      return refuse(url, "the IPv6 address has no closing ']'");
    }
    host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
  } else if (const auto colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (host.empty()) {
    return refuse(url, "has no host");
  }
  result.endpoint.host = host;
  std::ranges::transform(result.endpoint.host, result.endpoint.host.begin(), to_lower);

  result.endpoint.port = result.endpoint.tls ? 443 : 80;
  if (!port.empty() && port != ":") {
    unsigned number = 0;
    const char* last = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data() + 1, last, number);
    if (port.front() != ':' || error != std::errc{} || stop != last || number == 0 || number > 65'535) {
      return refuse(url, "the port must be a number from 1 to 65535");
    }
    result.endpoint.port = static_cast<std::uint16_t>(number);
  }

  result.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return result;
}

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    const bool unreserved = ('a' <= character && character <= 'z') || ('A' <= character && character <= 'Z') ||
                            ('0' <= character && character <= '9') || std::string_view("-._~").contains(character);
    if (unreserved) {
      encoded += character;
    } else {
      encoded += '%';
      encoded += kHex[byte >> 4U];
      encoded += kHex[byte & 0x0FU];
    }
  }
  return encoded;
}

std::string join_url(std::string_view base, std::string_view path,
                     const std::vector<std::pair<std::string, std::string>>& query) {
  std::string url(base);
  if (!path.empty() && !path.starts_with('?')) {
    while (url.ends_with('/')) {
      url.pop_back();
    }
    if (!path.starts_with('/')) {
      url += '/';
    }
  }
  url += path;
  char separator = url.contains('?') ? '&' : '?';
  for (const auto& [name, value] : query) {
    url += separator;
    url.append(percent_encode(name)).append("=").append(percent_encode(value));
    separator = '&';
  }
  return url;
}

}  // namespace common::http
