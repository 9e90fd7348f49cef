#include "config/checks.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <cstdint>

namespace config {

namespace {

constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
constexpr std::string_view kAllowedUrl = "(allowed: https://host[:port][/path] or http://…, without user, query and fragment)";

bool is_port(std::string_view text, unsigned lowest) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty() && port >= lowest && port <= 65'535;
}

// host, host:port, [v6]:port cut in two; the port is empty if there is none. Nothing if the brackets are wrong.
struct HostPort {
  std::string_view host;
  std::string_view port;
  bool has_port = false;
};
std::optional<HostPort> split_address(std::string_view address) {
  if (address.starts_with('[')) {
    const std::size_t close = address.find(']');
    if (close == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view rest = address.substr(close + 1);
    if (!rest.empty() && !rest.starts_with(':')) {
      return std::nullopt;
    }
    return HostPort{address.substr(1, close - 1), rest.empty() ? rest : rest.substr(1), !rest.empty()};
  }
  const std::size_t colon = address.find(':');
  if (colon == std::string_view::npos) {
    return HostPort{address, {}, false};
  }
  return HostPort{address.substr(0, colon), address.substr(colon + 1), true};
}

bool is_host(std::string_view host) {
  return !host.empty() && host.find_first_of(" \t,/@?#\"'\\<>[]{}") == std::string_view::npos;
}

}  // namespace

std::optional<std::string> check_name(const std::string& name, std::size_t longest) {
  if (name.empty() || name == "." || name == ".." || name.size() > longest ||
      name.find_first_not_of(kNameCharacters) != std::string::npos) {
    return "cannot be used in topic names (allowed: 1 to " + std::to_string(longest) + " of a-z A-Z 0-9 . _ -, not . or ..)";
  }
  return std::nullopt;
}

std::optional<std::string> check_topic(const std::string& topic) {
  constexpr std::size_t kLongestTopic = 249;  // Kafka's limit
  if (check_name(topic, kLongestTopic)) {
    return "is no topic name (allowed: 1 to 249 of a-z A-Z 0-9 . _ -, not . or ..)";
  }
  return std::nullopt;
}

std::optional<std::string> check_url(const std::string& text) {
  const auto url = boost::urls::parse_uri(text);
  if (!url || (url->scheme() != "https" && url->scheme() != "http") || url->encoded_host().empty() || url->has_userinfo() ||
      url->has_query() || url->has_fragment() ||
      (url->has_port() && !is_port(std::string_view(url->port().data(), url->port().size()), 1))) {
    return "is not a usable URL " + std::string(kAllowedUrl);
  }
  return std::nullopt;
}

bool is_unprotected_url(const std::string& text) {
  const auto url = boost::urls::parse_uri(text);
  if (!url || url->scheme() != "http") {
    return false;
  }
  const std::string host = url->host();
  return host != "localhost" && !host.ends_with(".localhost") && !host.starts_with("127.") && host != "[::1]";
}

std::optional<std::string> check_pointer(const std::string& pointer, Wildcards wildcards) {
  const std::string allowed = wildcards == Wildcards::kAllowed ? "(allowed: a JSON pointer such as /participants/*/attributes)"
                                                               : "(allowed: a JSON pointer such as /conversationId)";
  if (!pointer.starts_with('/')) {
    return "is not a JSON pointer: it must start with / " + allowed;
  }
  for (std::size_t at = pointer.find('~'); at != std::string::npos; at = pointer.find('~', at + 1)) {
    if (at + 1 == pointer.size() || (pointer[at + 1] != '0' && pointer[at + 1] != '1')) {
      return "is not a JSON pointer: ~ stands only in ~0 (for ~) and ~1 (for /) " + allowed;
    }
  }
  if (wildcards == Wildcards::kRefused && (pointer + "/").contains("/*/")) {
    return "names one place, so * cannot stand in it " + allowed;
  }
  return std::nullopt;
}

std::optional<common::Duration> parse_iso_duration(std::string_view text) {
  if (!text.starts_with('P') || text.size() > 20) {
    return std::nullopt;
  }
  common::Duration sum{0};
  bool time = false;
  std::string_view units = "D";  // those that may still come
  for (std::string_view rest = text.substr(1); !rest.empty();) {
    if (rest.front() == 'T' && !time) {
      time = true;
      units = "HMS";
      rest.remove_prefix(1);
      if (rest.empty()) {
        return std::nullopt;
      }
      continue;
    }
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    const auto digits = static_cast<std::size_t>(end - rest.data());
    const std::size_t unit = error == std::errc{} && digits < rest.size() ? units.find(rest[digits]) : std::string_view::npos;
    if (unit == std::string_view::npos || count < 0 || count > 1'000'000'000) {
      return std::nullopt;
    }
    switch (units[unit]) {
      case 'D':
        sum += std::chrono::days{count};
        break;
      case 'H':
        sum += std::chrono::hours{count};
        break;
      case 'M':
        sum += std::chrono::minutes{count};
        break;
      default:
        sum += std::chrono::seconds{count};
    }
    units = units.substr(unit + 1);
    rest.remove_prefix(digits + 1);
  }
  return sum > common::Duration{0} ? std::optional(sum) : std::nullopt;
}

std::vector<std::string> pointer_tokens(std::string_view pointer) {
  std::vector<std::string> tokens;
  while (pointer.starts_with('/')) {
    pointer.remove_prefix(1);
    std::string token;
    const std::string_view raw = pointer.substr(0, pointer.find('/'));
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const bool escaped = raw[i] == '~' && i + 1 < raw.size();
      token += escaped ? (raw[++i] == '1' ? '/' : '~') : raw[i];
    }
    tokens.push_back(std::move(token));
    pointer.remove_prefix(raw.size());
  }
  return tokens;
}

std::optional<std::string> check_listen(const std::string& address) {
  const auto parts = split_address(address);
  if (!parts || !parts->has_port || !is_host(parts->host) || !is_port(parts->port, 0)) {
    return "is not an address to listen on (allowed: host:port or [v6]:port, port 0 for a free one; or `off` for the section)";
  }
  return std::nullopt;
}

std::optional<std::string> check_bootstrap_servers(const std::string& servers) {
  std::string_view rest = servers;
  while (true) {
    const std::size_t comma = rest.find(',');
    std::string_view server = rest.substr(0, comma);
    while (server.starts_with(' ')) {
      server.remove_prefix(1);
    }
    while (server.ends_with(' ')) {
      server.remove_suffix(1);
    }
    const auto parts = split_address(server);
    if (!parts || !is_host(parts->host) || (parts->has_port && !is_port(parts->port, 1))) {
      return "holds '" + std::string(server) + "', which is no broker address (allowed: host:port,host:port)";
    }
    if (comma == std::string_view::npos) {
      return std::nullopt;
    }
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace config
