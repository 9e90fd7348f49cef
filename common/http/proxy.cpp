#include "common/http/proxy.h"

#include <openssl/evp.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <charconv>

namespace common::http {
namespace {

namespace ip = boost::asio::ip;
using boost::system::error_code;

std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

std::optional<ip::address> parse_address(std::string_view text) {
  error_code error;
  const auto address = ip::make_address(std::string(text), error);
  return error ? std::nullopt : std::optional(address);
}

bool in_network(std::string_view network, const ip::address& address) {
  error_code error;
  if (address.is_v4()) {
    const auto parsed = ip::make_network_v4(std::string(network), error);
    return !error && ip::network_v4(address.to_v4(), parsed.prefix_length()).canonical() == parsed.canonical();
  }
  const auto parsed = ip::make_network_v6(std::string(network), error);
  return !error && ip::network_v6(address.to_v6(), parsed.prefix_length()).canonical() == parsed.canonical();
}

// Cuts `:port` or the brackets of an IPv6 address off an entry; false if the entry names another port.
bool strip_port(std::string_view& entry, std::uint16_t port) {
  std::string_view digits;
  if (entry.starts_with('[')) {
    const auto close = entry.find(']');
    if (close == std::string_view::npos) {
      return false;
    }
    digits = entry.substr(close + 1);
    entry = entry.substr(1, close - 1);
  } else if (const auto colon = entry.find(':'); colon != std::string_view::npos && colon == entry.rfind(':')) {
    digits = entry.substr(colon);
    entry = entry.substr(0, colon);
  }
  if (digits.empty()) {
    return true;
  }
  unsigned number = 0;
  const char* last = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data() + 1, last, number);
  return error == std::errc{} && stop == last && number == port;
}

bool entry_matches(std::string_view entry, const Endpoint& target, std::string_view host,
                   const std::optional<ip::address>& address) {
  if (entry == "*") {
    return true;
  }
  if (!strip_port(entry, target.port)) {
    return false;
  }
  if (address) {
    if (entry.contains('/')) {
      return in_network(entry, *address);
    }
    return parse_address(entry) == address;
  }
  std::string name = to_lower(entry);
  if (name.ends_with('.')) {
    name.pop_back();
  }
  if (name.starts_with("*.")) {
    name.erase(0, 1);
  }
  if (name.starts_with('.')) {
    name.erase(0, 1);
  }
  if (name.empty()) {
    return false;
  }
  return host == name || (host.ends_with(name) && host[host.size() - name.size() - 1] == '.');
}

std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> entries;
  while (!list.empty()) {
    const auto end = list.find_first_of(", \t");
    if (end != 0) {
      entries.emplace_back(list.substr(0, end));
    }
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
  }
  return entries;
}

Result<std::string> percent_decode(std::string_view text, std::string_view variable) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += text[at];
      continue;
    }
    unsigned value = 0;
    const auto digits = text.substr(at + 1, 2);
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc{} || stop != digits.data() + 2) {
      return fail(ErrorCode::kConfigInvalid,
                  std::string(variable) + ": a '%' in the user or password must be followed by two hex digits");
    }
    decoded += static_cast<char>(value);
    at += 2;
  }
  return decoded;
}

Result<ProxyOptions> parse_proxy(std::string_view value, std::string_view variable) {
  ProxyOptions proxy;
  proxy.origin = variable;
  std::string_view scheme = "http";
  if (const auto end = value.find("://"); end != std::string_view::npos) {
    scheme = value.substr(0, end);
    value.remove_prefix(end + 3);
  }
  if (const auto at = value.rfind('@'); at != std::string_view::npos) {
    const auto credentials = value.substr(0, at);
    value.remove_prefix(at + 1);
    const auto colon = std::min(credentials.find(':'), credentials.size());
    auto username = percent_decode(credentials.substr(0, colon), variable);
    auto password = percent_decode(credentials.substr(std::min(colon + 1, credentials.size())), variable);
    if (!username || !password) {
      return fail(!username ? username.error() : password.error());
    }
    proxy.username = std::move(*username);
    proxy.password = SecretSource::of_value(Secret(std::move(*password)));
  }
  while (value.ends_with('/')) {
    value.remove_suffix(1);
  }
  proxy.url = std::string(scheme).append("://").append(value);
  if (auto endpoint = proxy_endpoint(proxy); !endpoint) {
    return fail(with_context(std::move(endpoint.error()), variable));
  }
  return proxy;
}

}  // namespace

Result<Endpoint> proxy_endpoint(const ProxyOptions& proxy) {
  auto split = split_url(proxy.url);
  if (!split) {
    return fail(with_context(std::move(split.error()), "proxy"));
  }
  if (split->endpoint.tls || split->target != "/") {
    return fail(ErrorCode::kConfigInvalid, "proxy: only http://host:port is supported, not " + proxy.url);
  }
  return split->endpoint;
}

std::string basic_credentials(const std::string& username, const Secret& password) {
  const std::string plain = username + ':' + password.reveal();
  std::string encoded((plain.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock ends it with a zero byte
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                     reinterpret_cast<const unsigned char*>(plain.data()), static_cast<int>(plain.size()));
  encoded.resize(static_cast<std::size_t>(length));
  return "Basic " + encoded;
}

Result<std::optional<ProxyOptions>> proxy_from_environment(const std::vector<std::pair<std::string, std::string>>& environment,
                                                           bool https) {
  const auto lookup = [&](std::string_view name) -> std::string_view {
    const auto found = std::ranges::find(environment, name, &std::pair<std::string, std::string>::first);
    return found == environment.end() ? std::string_view() : std::string_view(found->second);
  };
  // In a CGI program HTTP_PROXY is the client's `Proxy:` header.
  const bool cgi = !lookup("REQUEST_METHOD").empty();
  std::vector<std::string_view> names =
      https ? std::vector<std::string_view>{"https_proxy", "HTTPS_PROXY"} : std::vector<std::string_view>{"http_proxy"};
  if (!https && !cgi) {
    names.emplace_back("HTTP_PROXY");
  }
  names.insert(names.end(), {"all_proxy", "ALL_PROXY"});
  for (const auto name : names) {
    const auto value = lookup(name);
    if (value.empty()) {
      continue;
    }
    auto proxy = parse_proxy(value, name);
    if (!proxy) {
      return fail(std::move(proxy.error()));
    }
    const auto exceptions = lookup("no_proxy");
    proxy->no_proxy = split_list(exceptions.empty() ? lookup("NO_PROXY") : exceptions);
    return std::optional(std::move(*proxy));
  }
  return std::optional<ProxyOptions>();
}

bool bypasses_proxy(const ProxyOptions& proxy, const Endpoint& target) {
  std::string host = to_lower(target.host);
  if (host.ends_with('.')) {
    host.pop_back();
  }
  const auto address = parse_address(host);
  return std::ranges::any_of(proxy.no_proxy, [&](std::string_view entry) { return entry_matches(entry, target, host, address); });
}

}  // namespace common::http
