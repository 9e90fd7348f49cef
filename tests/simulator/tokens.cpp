#include "tests/simulator/tokens.h"

#include "tests/simulator/chance.h"

#include <algorithm>
#include <utility>

namespace tests::simulator {

namespace {

std::string percent_decode(std::string_view text) {
  std::string decoded;
  const auto nibble = [](char digit) -> int {
    if (digit >= '0' && digit <= '9') {
      return digit - '0';
    }
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size() && nibble(text[at + 1]) >= 0 && nibble(text[at + 2]) >= 0) {
      decoded += static_cast<char>(nibble(text[at + 1]) * 16 + nibble(text[at + 2]));
      at += 2;
    } else {
      decoded += text[at] == '+' ? ' ' : text[at];
    }
  }
  return decoded;
}

Tokens::Answer oauth_error(int status, std::string_view error, std::string_view description) {
  return {.status = status,
          .body = common::json::serialize(
              common::json::Object{{"error", error}, {"description", description}, {"error_description", description}})};
}

}  // namespace

FormFields parse_form(std::string_view text) {
  FormFields fields;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (!pair.empty()) {
      fields.emplace(percent_decode(pair.substr(0, equals)),
                     equals == std::string_view::npos ? std::string() : percent_decode(pair.substr(equals + 1)));
    }
  }
  return fields;
}

Tokens::Tokens(TokenOptions options, std::uint64_t seed) : options_(std::move(options)), seed_(seed) {
  if (!options_.refresh_token.empty() && !options_.clients.empty()) {
    refresh_tokens_.emplace(options_.refresh_token, options_.clients.front().client_id);
  }
}

Tokens::Answer Tokens::grant(const common::http::Headers& headers, std::string_view body, Instant now) {
  const std::string_view type = headers.find("Content-Type").value_or("");
  if (!type.starts_with("application/x-www-form-urlencoded")) {
    return oauth_error(400, "invalid_request", "the body must be application/x-www-form-urlencoded");
  }
  FormFields form = parse_form(body);
  std::string client_id;
  std::string client_secret;
  const std::string_view authorization = headers.find("Authorization").value_or("");
  if (options_.accept_basic && authorization.starts_with("Basic ")) {
    const std::string pair = from_base64(authorization.substr(6));
    const std::size_t colon = pair.find(':');
    client_id = pair.substr(0, colon);
    client_secret = colon == std::string::npos ? std::string() : pair.substr(colon + 1);
  } else if (options_.accept_body_credentials && form.contains("client_id")) {
    client_id = form["client_id"];
    client_secret = form["client_secret"];
  } else {
    return oauth_error(options_.invalid_client_status, "invalid_client", "authentication failed");
  }
  const auto client = std::ranges::find(options_.clients, client_id, &Credentials::client_id);
  if (client == options_.clients.end()) {
    return oauth_error(options_.invalid_client_status, "invalid_client", "client not found");
  }
  if (client->client_secret != client_secret) {
    return oauth_error(options_.invalid_client_status, "invalid_client", "authentication failed");
  }

  const std::string& grant_type = form["grant_type"];
  if (grant_type == "client_credentials" && options_.accept_client_credentials) {
    return issue(client_id, false, now);
  }
  if (grant_type == "refresh_token") {
    const auto found = refresh_tokens_.find(form["refresh_token"]);
    if (found == refresh_tokens_.end() || found->second != client_id) {
      return oauth_error(400, "invalid_grant", "refresh token not found");
    }
    if (options_.rotate_refresh_token) {
      refresh_tokens_.erase(found);
    }
    return issue(client_id, options_.rotate_refresh_token, now);
  }
  return oauth_error(400, "unsupported_grant_type", "grant type not supported");
}

Tokens::Answer Tokens::issue(const std::string& client_id, bool with_refresh_token, Instant now) {
  std::erase_if(issued_, [&](const auto& entry) { return entry.second.expires <= now; });
  const std::uint64_t number = ++issued_count_;
  // The clock is part of it: a restarted simulator must not issue the tokens of its last life again.
  const std::uint64_t bits = chance(seed_, number, static_cast<std::uint64_t>(now.time_since_epoch().count()));
  const std::string token = "sim-" + uuid_of(bits) + "-" + uuid_of(mix(bits));
  issued_[token] = {.client_id = client_id, .expires = now + options_.life};
  common::json::Object body{{"access_token", token},
                            {"token_type", "bearer"},
                            {"expires_in", std::chrono::floor<std::chrono::seconds>(options_.life).count()}};
  if (with_refresh_token) {
    const std::string refresh = "sim-refresh-" + uuid_of(mix(bits + 1));
    refresh_tokens_[refresh] = client_id;
    body["refresh_token"] = refresh;
  }
  return {.status = 200, .body = common::json::serialize(common::json::Value(std::move(body)))};
}

std::string Tokens::bearer(const common::http::Headers& headers) {
  const std::string_view authorization = headers.find("Authorization").value_or("");
  const bool is_bearer = authorization.starts_with("Bearer ") || authorization.starts_with("bearer ");
  return is_bearer ? std::string(authorization.substr(7)) : std::string();
}

Outcome<std::string> Tokens::authenticate(const common::http::Headers& headers, Instant now) const {
  const std::string token = bearer(headers);
  if (token.empty()) {
    return refuse(401, "authentication.required", "No authentication bearer token specified in authorization header.");
  }
  const auto found = issued_.find(token);
  if (found == issued_.end() || found->second.expires <= now) {
    return refuse(401, "bad.credentials", "Invalid login credentials.");
  }
  return found->second.client_id;
}

void Tokens::revoke(std::string_view token) {
  if (const auto found = issued_.find(token); found != issued_.end()) {
    issued_.erase(found);
  }
}

void Tokens::revoke_all() {
  issued_.clear();
}

}  // namespace tests::simulator
