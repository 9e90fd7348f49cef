#pragma once

// What several sections ask of a text: a name usable in topics, a URL, a JSON pointer, an address. Each returns what is wrong and
// what is allowed, or nothing. Pure.

#include "common/instant.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace config {

// [a-zA-Z0-9._-], not `.` or `..`, at most `longest`.
std::optional<std::string> check_name(const std::string& name, std::size_t longest);
// Kafka's rule for a topic.
std::optional<std::string> check_topic(const std::string& topic);
// http:// or https:// with a host; no user, query or fragment.
std::optional<std::string> check_url(const std::string& url);
// http:// to something that is not this machine: credentials and data travel readable.
bool is_unprotected_url(const std::string& url);
// RFC 6901, not empty: `/conversationId`. With kWildcards a token may be `*`.
enum class Wildcards : bool { kRefused, kAllowed };
std::optional<std::string> check_pointer(const std::string& pointer, Wildcards wildcards = Wildcards::kRefused);
// ISO 8601 with days, hours, minutes and seconds, as services spell the length of a bucket: PT15M, P1D. Nothing: it is none, or
// it is not always as long (months).
std::optional<common::Duration> parse_iso_duration(std::string_view text);
// The segments of a pointer, unescaped.
std::vector<std::string> pointer_tokens(std::string_view pointer);
// host:port, [v6]:port, :port.
std::optional<std::string> check_listen(const std::string& address);
// host[:port][,host[:port]…] as librdkafka takes it.
std::optional<std::string> check_bootstrap_servers(const std::string& servers);

}  // namespace config
