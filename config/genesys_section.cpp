#include "config/checks.h"
#include "config/region.h"
#include "config/sections.h"

#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>

namespace config {

namespace {

using connector::genesys::GenesysOptions;
using namespace std::chrono_literals;

constexpr common::Duration kDay = 24h;

void warn_if_unprotected(const Section& section, std::string_view key, const std::string& url) {
  if (is_unprotected_url(url)) {
    section.scope().warnings.push_back(section.scope().origin(section.mark(key)) + ": " + section.path(key) +
                                       ": credentials and records travel readable over http");
  }
}

std::vector<std::string_view> region_names() {
  std::vector<std::string_view> names;
  for (const auto& region : regions()) {
    names.push_back(region.name);
  }
  return names;
}

void read_oauth(Section oauth, GenesysOptions& options) {
  enum class Kind : std::uint8_t { kClientCredentials, kRefreshToken };
  Kind kind = Kind::kClientCredentials;
  if (oauth.text("token_url", options.oauth.token_url, {.check = check_url, .unset = "<login_url>/oauth/token"})) {
    warn_if_unprotected(oauth, "token_url", options.oauth.token_url);
  }
  using connector::genesys::ClientAuth;
  oauth.choice<ClientAuth>("client_auth", options.oauth.client_auth,
                           {{"basic", ClientAuth::kBasic}, {"body", ClientAuth::kBody}});
  oauth.choice<Kind>("grant", kind, {{"client_credentials", Kind::kClientCredentials}, {"refresh_token", Kind::kRefreshToken}});

  connector::genesys::RefreshTokenGrant grant;
  const bool rotating = kind == Kind::kRefreshToken;
  oauth.secret("refresh_token", grant.refresh_token, rotating ? Need::kRequired : Need::kOptional);
  std::optional<std::filesystem::path> store;
  oauth.file("token_store", store, false);
  if (rotating) {
    if (!oauth.given("token_store")) {
      oauth.problem("token_store",
                    "is missing (allowed: a file path; grant refresh_token needs it, because a used token is replaced)");
    }
    grant.token_store = store.value_or(std::filesystem::path());
    options.oauth.grant = std::move(grant);
  } else {
    for (const std::string_view key : {"refresh_token", "token_store"}) {
      if (oauth.given(key)) {
        oauth.scope().problem(oauth.mark(key), oauth.path(key), "",
                              "has no effect with grant client_credentials (allowed: grant: refresh_token, or leave it out)");
      }
    }
  }
  // Below a tenth the token endpoint is asked all the time; above 0.99 an answer may come after the end.
  oauth.number("renew_at", options.oauth.renew_at, {.min = 0.1, .max = 0.99});
  oauth.finish();
}

void read_budget(Section budget, connector::genesys::BudgetOptions& options) {
  budget.number("share", options.share, {.min = 0, .max = 1, .above_min = true});
  double per_minute = 0;
  if (budget.number("max_requests_per_minute", per_minute, {.min = 0, .max = 1e6, .above_min = true}, "(none)")) {
    options.max_requests_per_minute = per_minute;
  }
  std::uint64_t per_month = 0;
  if (budget.integer("max_requests_per_month", per_month, {.min = 1, .unset = "(none)"})) {
    options.max_requests_per_month = per_month;
  }
  budget.number("assumed_requests_per_minute", options.assumed_per_minute, {.min = 0, .max = 1e6, .above_min = true});
  Section weights = budget.section("weights");
  for (const auto lane : connector::core::kAllLanes) {
    weights.number(connector::core::to_string(lane), options.weights.at(static_cast<std::size_t>(lane)),
                   {.min = 0, .max = 1000, .above_min = true});
  }
  weights.finish();
  // Every lane's floor together must fit into the rate.
  budget.number("floor", options.floor, {.min = 0, .max = 1.0 / static_cast<double>(connector::core::kAllLanes.size())});
  budget.finish();
}

void read_retry(Section retry, connector::genesys::RetryOptions& options) {
  retry.duration("initial", options.initial, {.min = 1ms, .max = 1h});
  retry.duration("max", options.max, {.min = 1ms, .max = 1h});
  retry.duration("deadline", options.deadline, {.min = 1ms, .max = kDay});
  if (options.initial > options.max) {
    retry.problem(retry.given("initial") ? "initial" : "max",
                  "genesys.retry.initial (" + common::format_duration(options.initial) + ") is above genesys.retry.max (" +
                      common::format_duration(options.max) + ") (allowed: initial ≤ max)");
  }
  if (options.max > options.deadline) {
    retry.problem(retry.given("max") ? "max" : "deadline",
                  "genesys.retry.max (" + common::format_duration(options.max) + ") is above genesys.retry.deadline (" +
                      common::format_duration(options.deadline) + ") (allowed: max ≤ deadline)");
  }
  retry.finish();
}

void read_breaker(Section breaker, connector::genesys::BreakerOptions& options) {
  breaker.integer("failures", options.failures, {.min = 1, .max = 1000});
  breaker.duration("open", options.open, {.min = 1ms, .max = kDay});
  breaker.duration("max_open", options.max_open, {.min = 1ms, .max = kDay});
  if (options.open > options.max_open) {
    breaker.problem(breaker.given("open") ? "open" : "max_open",
                    "genesys.breaker.open (" + common::format_duration(options.open) + ") is above genesys.breaker.max_open (" +
                        common::format_duration(options.max_open) + ") (allowed: open ≤ max_open)");
  }
  breaker.finish();
}

// A proxy's URL may hold a user and a password: they are split off at once and never shown.
void read_proxy(Section& http, GenesysOptions& options) {
  constexpr std::string_view kAllowed = "(allowed: http://[user:password@]host:port, or none)";
  const bool absent = !http.given("proxy");
  const auto value = http.scalar("proxy", "a proxy's URL or none");
  if (absent) {
    http.set_default("proxy", "(from the environment)");
  } else if (value && value->text == "none") {
    options.proxy_from_environment = false;
    http.set_given("proxy", "none", *value);
  } else if (value) {
    const auto parsed = boost::urls::parse_uri(value->text);
    const bool path = parsed && !parsed->encoded_path().empty() && parsed->encoded_path() != "/";
    if (!parsed || parsed->scheme() != "http" || parsed->encoded_host().empty() || !parsed->has_port() ||
        parsed->port_number() == 0 || path || parsed->has_query() || parsed->has_fragment()) {
      const bool secret = value->from_file || value->text.contains('@');
      http.scope().problem(value->mark, http.path("proxy"), secret ? "***" : value->text,
                           "is not a usable proxy " + std::string(kAllowed));
    } else {
      common::http::ProxyOptions proxy;
      boost::urls::url bare(*parsed);
      if (parsed->has_userinfo()) {
        proxy.username = parsed->user();
        proxy.password = common::SecretSource::of_value(common::Secret(parsed->password()));
        bare.remove_userinfo();
        if (value->literal && parsed->has_password()) {
          http.scope().warnings.push_back(
              http.scope().origin(value->mark) + ": " + http.path("proxy") +
              ": a secret stands in plain text in the configuration; ${file:/path} or ${env:NAME} keeps it out");
        }
      }
      bare.set_path("");
      proxy.url = bare.buffer();
      proxy.origin = "configuration";
      const std::string shown = parsed->has_userinfo() ? "http://***@" + std::string(bare.encoded_host_and_port()) : proxy.url;
      http.set_given("proxy", shown, *value);
      options.http.proxy = std::move(proxy);
      options.proxy_from_environment = false;
    }
  }

  std::vector<std::string> no_proxy;
  http.text_list("no_proxy", no_proxy);
  if (http.given("no_proxy") && (absent || (value && value->text == "none"))) {
    http.problem("no_proxy",
                 "has no effect without genesys.http.proxy (allowed: with a proxy here; the environment's proxy has NO_PROXY)");
  }
  if (options.http.proxy) {
    options.http.proxy->no_proxy = std::move(no_proxy);
  }
}

void read_http(Section http, GenesysOptions& options) {
  auto& timeouts = options.http.timeouts;
  struct Phase {
    std::string_view key;
    common::Duration* value;
  };
  const std::array phases{Phase{"resolve_timeout", &timeouts.resolve},       Phase{"connect_timeout", &timeouts.connect},
                          Phase{"handshake_timeout", &timeouts.handshake},   Phase{"send_timeout", &timeouts.send},
                          Phase{"first_byte_timeout", &timeouts.first_byte}, Phase{"idle_read_timeout", &timeouts.idle_read}};
  http.duration("timeout", timeouts.total, {.min = 1ms, .max = 1h});
  for (const auto& phase : phases) {
    if (http.duration(phase.key, *phase.value, {.min = 1ms, .max = 1h}) && *phase.value > timeouts.total) {
      http.problem(phase.key, "is longer than genesys.http.timeout (" + common::format_duration(timeouts.total) +
                                  "), which ends everything (allowed: at most that)");
    }
  }
  read_proxy(http, options);
  http.file("ca_file", options.http.tls.ca_file, true);
  http.file("client_certificate", options.http.tls.client_certificate, true);
  http.file("client_key", options.http.tls.client_key, true);
  if (http.given("client_certificate") != http.given("client_key")) {
    http.problem(http.given("client_key") ? "client_certificate" : "client_key",
                 "is missing (allowed: client_certificate and client_key together, or neither)");
  }
  http.integer("max_connections", options.http.max_connections_per_host, {.min = 1, .max = 256});
  http.duration("max_idle", options.http.max_idle, {.min = 0ms, .max = 1h});
  http.bytes("max_header", options.http.max_header_bytes, {.min = 4UL << 10U, .max = 1UL << 20U});
  http.boolean("gzip", options.http.accept_gzip);
  http.finish();
}

void read_service(Section& genesys, GenesysOptions& options) {
  const TextCheck known_region = [](const std::string& name) -> std::optional<std::string> {
    if (find_region(name)) {
      return std::nullopt;
    }
    const auto names = region_names();
    const auto like = closest(name, names);
    return "unknown region" + (like ? "; did you mean " + std::string(*like) + "?" : std::string()) +
           " (allowed: " + join_names(names) + ", or such a region's domain; or api_url and login_url instead)";
  };
  genesys.text("region", options.region, {.check = known_region});
  const std::optional<Region> region = find_region(options.region);
  if (region) {
    options.api_url = region->api_url();
    options.login_url = region->login_url();
  }

  const bool given_region = genesys.given("region");
  for (auto [key, target] :
       {std::pair{std::string_view("api_url"), &options.api_url}, std::pair{std::string_view("login_url"), &options.login_url}}) {
    if (!genesys.given(key) && region) {
      genesys.node(key);
      genesys.scope().setting(genesys.path(key), *target, "region table");
      continue;
    }
    std::string url;
    if (genesys.text(key, url, {.check = check_url})) {
      *target = url;
      warn_if_unprotected(genesys, key, url);
    }
    if (given_region && genesys.given(key)) {
      genesys.problem(key, "cannot stand beside genesys.region (allowed: region, or api_url and login_url)");
    }
  }
  if (given_region) {
    return;
  }
  if (!genesys.given("api_url") && !genesys.given("login_url")) {
    genesys.problem("region", "is missing (allowed: " + join_names(region_names()) +
                                  ", or such a region's domain; or api_url and login_url instead; it is required)");
  } else if (!genesys.given("api_url")) {
    genesys.problem("api_url", "is missing (allowed: a URL; it is required beside login_url)");
  } else if (!genesys.given("login_url") && options.oauth.token_url.empty()) {
    genesys.problem("login_url", "is missing (allowed: a URL; it is required beside api_url, unless oauth.token_url is given)");
  }
}

}  // namespace

void read_genesys(Section genesys, GenesysOptions& options) {
  // oauth first: with a token_url of its own the login URL is not needed.
  read_oauth(genesys.section("oauth"), options);
  read_service(genesys, options);
  genesys.text("organization_id", options.organization_id, {.unset = "(the service is asked)"});
  genesys.text("client_id", options.client_id, {.need = Need::kRequired});
  genesys.secret("client_secret", options.client_secret, Need::kRequired);
  read_budget(genesys.section("budget"), options.budget);
  read_retry(genesys.section("retry"), options.retry);
  read_breaker(genesys.section("breaker"), options.breaker);
  read_http(genesys.section("http"), options);
  genesys.finish();
}

}  // namespace config
