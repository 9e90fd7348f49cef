#include "connector/genesys/rate_headers.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace connector::genesys {
namespace {

// A hundred years; keeps the arithmetic of durations far from its ends.
constexpr std::uint64_t kMostSeconds = 3'153'600'000;
// A Retry-After beyond this is taken for a mistake (a time of day for a number of seconds): asking once an hour harms nobody.
constexpr std::chrono::milliseconds kLongestRetryAfter{3'600'000};

std::optional<std::uint64_t> parse_number(std::optional<std::string_view> text) {
  std::uint64_t number = 0;
  if (!text || text->empty()) {
    return std::nullopt;
  }
  const char* end = text->data() + text->size();
  const auto [stopped, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc{} || stopped != end || number > kMostSeconds) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

core::RateHeaders parse_rate_headers(const common::http::Headers& headers) {
  core::RateHeaders rate;
  rate.count = parse_number(headers.find("inin-ratelimit-count"));
  rate.allowed = parse_number(headers.find("inin-ratelimit-allowed"));
  if (const auto reset = parse_number(headers.find("inin-ratelimit-reset"))) {
    rate.reset = std::chrono::seconds{*reset};
  }
  return rate;
}

std::optional<std::chrono::milliseconds> parse_retry_after(const common::http::Headers& headers, common::Instant now) {
  const auto text = headers.find("Retry-After");
  if (!text) {
    return std::nullopt;
  }
  if (const auto seconds = parse_number(text)) {
    return std::min<std::chrono::milliseconds>(std::chrono::seconds{*seconds}, kLongestRetryAfter);
  }
  const auto date = common::parse_http_date(*text);
  if (!date) {
    return std::nullopt;
  }
  return std::clamp(std::chrono::milliseconds{*date - now}, std::chrono::milliseconds{0}, kLongestRetryAfter);
}

}  // namespace connector::genesys
