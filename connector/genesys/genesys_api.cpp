#include "connector/genesys/genesys_api.h"

#include "common/http/message.h"
#include "connector/genesys/rate_headers.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cctype>
#include <utility>

namespace connector::genesys {
namespace {

using common::Error;
using common::ErrorCode;
using common::fail;
using common::Result;
using core::ApiRequest;
using core::ApiResponse;

core::BudgetSettings budget_settings(const BudgetOptions& options) {
  return {.share = options.share,
          .max_per_minute = options.max_requests_per_minute,
          .assumed_per_minute = options.assumed_per_minute,
          .weights = options.weights,
          .floor = options.floor};
}

bool is_absolute(std::string_view path) {
  return path.starts_with("http://") || path.starts_with("https://");
}

// The path for log lines and messages: no query (cursors, ids), no host.
std::string path_only(std::string_view url) {
  if (is_absolute(url)) {
    const std::size_t slash = url.find('/', url.find("://") + 3);
    url = slash == std::string_view::npos ? std::string_view("/") : url.substr(slash);
  }
  return std::string(url.substr(0, url.find('?')));
}

std::string describe(const ApiRequest& request) {
  return std::string(common::http::to_string(request.method)) + " " + path_only(request.path);
}

core::RequestKind kind_of(const ApiRequest& request) {
  const bool submits = request.method == common::http::Method::kPost && path_only(request.path).ends_with("/jobs");
  return submits ? core::RequestKind::kJobSubmission : core::RequestKind::kOrdinary;
}

bool is_html(const common::http::Headers& headers) {
  const std::string_view type = headers.find("Content-Type").value_or("");
  constexpr std::string_view kHtml = "text/html";
  return std::ranges::equal(type.substr(0, kHtml.size()), kHtml,
                            [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
}

// A place in the budget's queue that is given back if the coroutine ends without a grant.
class QueuePlace {
 public:
  explicit QueuePlace(core::Budget& budget) : budget_(budget) {}
  ~QueuePlace() { leave(); }
  QueuePlace(const QueuePlace&) = delete;
  QueuePlace& operator=(const QueuePlace&) = delete;

  core::Budget::Decision ask(core::Lane lane, core::RequestKind kind, common::SteadyTime now) {
    if (!ticket_) {
      ticket_ = budget_.queue(lane, kind);
    }
    core::Budget::Decision decision = budget_.acquire(*ticket_, now);
    if (decision.grant) {
      ticket_.reset();
    }
    return decision;
  }
  void leave() {
    if (ticket_) {
      budget_.forget(*std::exchange(ticket_, std::nullopt));
    }
  }

 private:
  core::Budget& budget_;
  std::optional<core::Budget::Ticket> ticket_;
};

// The breaker's probe: made void if the coroutine ends before the host said anything.
class Probe {
 public:
  Probe(core::Breaker& breaker, bool is_probe) : breaker_(breaker), open_(is_probe) {}
  ~Probe() {
    if (open_) {
      breaker_.on_abandoned();
    }
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  void settled() { open_ = false; }

 private:
  core::Breaker& breaker_;
  bool open_;
};

}  // namespace

GenesysApi::GenesysApi(GenesysOptions options, common::http::Client& client, common::Clock& clock, core::Metrics& metrics,
                       common::Logger logger, std::uint64_t seed)
    : options_(std::move(options)),
      client_(client),
      clock_(clock),
      metrics_(metrics),
      logger_(logger.named("genesys")),
      request_logger_(logger.named("request")),
      random_(seed),
      budget_(budget_settings(options_.budget)),
      breaker_({.failures = options_.breaker.failures, .open = options_.breaker.open, .max_open = options_.breaker.max_open}),
      retry_{.initial = options_.retry.initial, .max = options_.retry.max, .deadline = options_.retry.deadline},
      tokens_(options_, client, clock, metrics, logger.named("genesys"), seed + 1) {}

Result<std::string> GenesysApi::url_of(const ApiRequest& request) const {
  if (!is_absolute(request.path)) {
    return common::http::join_url(options_.api_url, request.path, request.query);
  }
  const auto ours = common::http::split_url(options_.api_url);
  const auto theirs = common::http::split_url(request.path);
  if (!ours || !theirs || ours->endpoint != theirs->endpoint) {
    return fail(ErrorCode::kConfigInvalid, describe(request) + ": the absolute URL is not of genesys.api_url " +
                                               options_.api_url + ": the token is not sent to another host");
  }
  return common::http::join_url(request.path, "", request.query);
}

boost::asio::awaitable<Result<ApiResponse>> GenesysApi::send(ApiRequest request) {
  const Result<std::string> url = url_of(request);
  if (!url) {
    co_return fail(url.error());
  }
  core::RetryPolicy policy(retry_, clock_.steady_now());
  std::string storage = std::move(request.response_storage);
  bool renewed = false;
  for (std::uint32_t number = 1;; ++number) {
    Result<Turn> turn = co_await wait_for_turn(request, policy);
    if (!turn) {
      co_return fail(std::move(turn.error()));
    }
    const std::uint64_t generation = turn->token.generation;
    Attempt made = co_await attempt(request, *url, std::move(storage), *std::move(turn), number);
    if (made.result) {
      co_return std::move(made.result);
    }
    storage = std::move(made.spare);
    Error& error = made.result.error();
    if (error.code == ErrorCode::kUnauthorized) {
      tokens_.rejected(generation);
      if (renewed) {
        co_return fail(std::move(error));
      }
      renewed = true;  // once: a second 401 with a fresh token is an answer
      metrics_.request_retried(request.source, common::to_string(error.code));
      continue;
    }
    // A POST that failed in transport may have taken effect. For a query that is nothing; a job submitted twice runs unread
    // until it expires, its pages are asked for by id only.
    const auto delay = policy.next_delay(error, std::uniform_real_distribution<>(0, 1)(random_), clock_.steady_now());
    if (!delay) {
      if (number > 1) {
        error.message += ", after " + std::to_string(number) + " attempts";
      }
      co_return fail(std::move(error));
    }
    metrics_.request_retried(request.source, common::to_string(error.code));
    if (auto slept = co_await clock_.sleep_for(*delay); !slept) {
      co_return fail(std::move(slept.error()));
    }
  }
}

// Between the last look at token, breaker and budget and the sending nothing is awaited: a grant is used at the instant it was
// given for, a probe is one request.
boost::asio::awaitable<Result<GenesysApi::Turn>> GenesysApi::wait_for_turn(const ApiRequest& request, core::RetryPolicy& policy) {
  QueuePlace place(budget_);
  common::Duration waited{0};
  for (;;) {
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != boost::asio::cancellation_type::none) {
      co_return fail(ErrorCode::kCancelled, describe(request) + ": cancelled while waiting for its turn");
    }
    if (!tokens_.is_at_hand()) {
      place.leave();  // whoever renews the token must not hold up those who still have one
    }
    Result<Token> token = co_await tokens_.token(policy.deadline());
    if (!token) {
      co_return fail(common::with_context(std::move(token.error()), describe(request)));
    }
    const common::SteadyTime now = clock_.steady_now();
    if (const auto closed_at = breaker_.wait_until(now)) {
      place.leave();
      metrics_.breaker(breaker_.state(now));
      if (*closed_at > policy.deadline()) {
        co_return fail(ErrorCode::kRetryable, describe(request) + ": " + options_.api_url +
                                                  " has failed several times in a row and is left alone for a while");
      }
      if (auto slept = co_await clock_.sleep_until(*closed_at); !slept) {
        co_return fail(std::move(slept.error()));
      }
      continue;
    }
    const core::Budget::Decision decision = place.ask(request.source.lane, kind_of(request), now);
    if (decision.grant) {
      const bool is_probe = breaker_.state(now) == core::BreakerState::kHalfOpen;
      breaker_.on_sent(now);
      if (waited > common::Duration{0}) {
        metrics_.throttled(request.source.lane, waited);
      }
      co_return Turn{.token = *std::move(token), .grant = *decision.grant, .is_probe = is_probe};
    }
    if (auto slept = co_await clock_.sleep_until(decision.ask_again); !slept) {
      co_return fail(std::move(slept.error()));
    }
    const auto passed = std::chrono::duration_cast<common::Duration>(clock_.steady_now() - now);
    waited += passed;
    policy.extend(passed);
  }
}

boost::asio::awaitable<GenesysApi::Attempt> GenesysApi::attempt(const ApiRequest& request, std::string url, std::string storage,
                                                                Turn turn, std::uint32_t number) {
  Probe probe(breaker_, turn.is_probe);
  common::http::Request http;
  http.method = request.method;
  http.url = std::move(url);
  http.headers = request.headers;
  http.headers.add("Accept", "application/json");
  http.headers.add("Authorization", "Bearer " + turn.token.value.reveal());
  if (!request.body.empty()) {
    http.headers.add("Content-Type", "application/json");
    http.body = request.body;  // a copy of some hundred bytes: an attempt may fail
  }
  http.response_storage = std::move(storage);

  const common::SteadyTime sent = clock_.steady_now();
  ++sent_[request.source];
  auto response = co_await client_.send(std::move(http));
  const common::SteadyTime now = clock_.steady_now();

  Attempt made{.result = fail(ErrorCode::kInternal, ""), .spare = {}};
  int status = 0;
  auto latency = std::chrono::duration_cast<std::chrono::milliseconds>(now - sent);
  std::size_t wire_bytes = 0;
  std::string correlation;
  if (!response) {
    made.result = fail(common::with_context(std::move(response.error()), describe(request)));
    const ErrorCode code = made.result.error().code;
    if (code == ErrorCode::kOversize) {
      probe.settled();
      breaker_.on_success();
    } else if (code != ErrorCode::kCancelled) {
      probe.settled();
      breaker_.on_failure(now);
    }
  } else {
    probe.settled();
    status = response->status;
    latency = response->latency;
    wire_bytes = response->wire_bytes;
    if (status >= 500) {
      breaker_.on_failure(now);
    } else {
      breaker_.on_success();
    }
    made.result = judge(request, *response, turn, correlation);
    if (!made.result) {
      made.spare = std::move(response->body);
    }
  }

  report(request.source, made.result, status, latency, wire_bytes);
  request_logger_.info("request", {{"method", common::http::to_string(request.method)},
                                   {"path", path_only(request.path)},
                                   {"lane", to_string(request.source.lane)},
                                   {"stream", request.source.stream.str()},
                                   {"window", request.window},
                                   {"position", request.position},
                                   {"status", status},
                                   {"latency_ms", latency.count()},
                                   {"bytes", wire_bytes},
                                   {"attempt", number},
                                   {"correlation_id", correlation},
                                   {"error_code", made.result ? std::string_view() : common::to_string(made.result.error().code)},
                                   {"error", made.result ? std::string() : made.result.error().message}});
  co_return made;
}

// Feeds what the answer teaches to budget, clock and token, and tells what it is.
Result<ApiResponse> GenesysApi::judge(const ApiRequest& request, common::http::Response& response, const Turn& turn,
                                      std::string& correlation) {
  const common::SteadyTime now = clock_.steady_now();
  std::optional<common::Instant> date;
  note_date(response.headers, date);
  const bool good = (response.status >= 200 && response.status < 300) || (response.status == 409 && request.takes_conflict);
  std::optional<ErrorBody> error_body = good ? std::nullopt : parse_error_body(response.body);
  correlation = tokens_.redacted(correlation_id(response.headers, error_body), turn.token);

  if (response.status != 401) {
    tokens_.accepted();
  }
  if (response.status == 429) {
    const bool own_limit = error_body && error_body->limit && !error_body->limit->name_space.empty() &&
                           error_body->limit->name_space != "platform.api";
    budget_.on_rate_limited(own_limit ? core::RateLimitScope::kLane : core::RateLimitScope::kToken, request.source.lane,
                            parse_retry_after(response.headers, date.value_or(clock_.utc_now())), now);
  } else {
    budget_.on_answer(turn.grant, parse_rate_headers(response.headers), now);
  }

  if (!good) {
    return fail(classify_answer(request, response, turn, std::move(error_body), date.value_or(clock_.utc_now())));
  }
  if (is_html(response.headers)) {
    return fail(ErrorCode::kMalformedResponse, describe(request) + ": HTTP " + std::to_string(response.status) + " with " +
                                                   summarise_body(tokens_.redacted(std::move(response.body), turn.token)) +
                                                   ": something between here and the service answers for it");
  }
  return ApiResponse{.status = response.status,
                     .headers = std::move(response.headers),
                     .body = std::move(response.body),
                     .date = date,
                     .correlation_id = correlation};
}

// Before anything is shortened: a secret cut in two would not be recognised any more.
Error GenesysApi::classify_answer(const ApiRequest& request, common::http::Response& response, const Turn& turn,
                                  std::optional<ErrorBody> error_body, common::Instant now) const {
  const auto clean = [&](std::string text) { return tokens_.redacted(std::move(text), turn.token); };
  if (error_body) {
    error_body->message = clean(std::move(error_body->message));
    error_body->code = clean(std::move(error_body->code));
    error_body->context_id = clean(std::move(error_body->context_id));
    error_body->parameters = clean(std::move(error_body->parameters));
    if (error_body->limit) {
      error_body->limit->key = clean(std::move(error_body->limit->key));
      error_body->limit->name_space = clean(std::move(error_body->limit->name_space));
    }
  }
  common::http::Headers headers;
  for (const common::http::Header& header : response.headers) {
    headers.add(header.name, clean(header.value));
  }
  if (error_body) {
    return classify(response.status, headers, error_body, {}, describe(request), now);
  }
  // Not copied, whatever its size; its storage is needed again.
  response.body = clean(std::move(response.body));
  return classify(response.status, headers, error_body, response.body, describe(request), now);
}

void GenesysApi::note_date(const common::http::Headers& headers, std::optional<common::Instant>& date) {
  const auto text = headers.find("Date");
  if (!text) {
    return;
  }
  const auto parsed = common::parse_http_date(*text);
  if (!parsed) {
    return;
  }
  date = *parsed;
  if (!newest_date_ || *parsed >= *newest_date_) {
    newest_date_ = *parsed;
    newest_date_at_ = clock_.steady_now();
    metrics_.clock_skew(clock_skew());
  }
}

// Between two answers the host's clock may be set; the steady one goes on.
common::Duration GenesysApi::clock_skew() const {
  if (!newest_date_) return {};
  const auto since = std::chrono::duration_cast<common::Duration>(clock_.steady_now() - newest_date_at_);
  return *newest_date_ + since - clock_.utc_now();
}

core::ApiUsage GenesysApi::usage(const core::SourcePartition& source) const {
  const auto found = sent_.find(source);
  return {.requests = found == sent_.end() ? 0 : found->second, .permitted = budget_.permitted_per_minute()};
}

void GenesysApi::report(core::SourcePartition source, const Result<ApiResponse>& result, int status,
                        std::chrono::milliseconds latency, std::size_t wire_bytes) {
  const common::SteadyTime now = clock_.steady_now();
  metrics_.request_done(source, result ? "ok" : common::to_string(result.error().code), status, latency, wire_bytes);
  metrics_.budget(budget_.permitted_per_minute(), budget_.remaining(now));
  metrics_.breaker(breaker_.state(now));
}

boost::asio::awaitable<Result<ApiResponse>> GenesysApi::own_call(std::string path,
                                                                 std::vector<std::pair<std::string, std::string>> query) {
  ApiRequest request;
  request.source = {.stream = core::StreamName(std::string(kOwnCalls)), .lane = core::Lane::kLive};
  request.path = std::move(path);
  request.query = std::move(query);
  co_return co_await send(std::move(request));
}

boost::asio::awaitable<Result<Organization>> GenesysApi::organization() {
  if (!options_.organization_id.empty()) {
    // Nobody to ask. But whether we are let in is known from here on, as it is otherwise.
    const Result<Token> token = co_await tokens_.token(clock_.steady_now() + options_.retry.deadline);
    if (!token) {
      co_return fail(token.error());
    }
    co_return Organization{.id = options_.organization_id, .name = options_.organization_id};
  }
  const auto answer = co_await own_call("/api/v2/organizations/me");
  if (!answer) {
    co_return fail(answer.error());
  }
  co_return parse_organization(answer->body);
}

boost::asio::awaitable<Result<TokenInfo>> GenesysApi::token_info() {
  // Without preserveIdleTTL the look itself would keep an idle token alive.
  std::vector<std::pair<std::string, std::string>> query{{"preserveIdleTTL", "true"}};
  const auto answer = co_await own_call("/api/v2/tokens/me", std::move(query));
  if (!answer) {
    co_return fail(answer.error());
  }
  co_return parse_token_info(answer->body);
}

boost::asio::awaitable<Result<Limits>> GenesysApi::load_limits() {
  Limits limits;
  if (!options_.organization_id.empty()) {
    co_return limits;  // a service of another kind, which tells none
  }
  for (const std::string name_space : {"platform.api", "analytics"}) {
    const auto answer = co_await own_call("/api/v2/organizations/limits/namespaces/" + name_space);
    Result<void> added = answer ? add_limits(answer->body, limits) : Result<void>(fail(answer.error()));
    if (added) {
      continue;
    }
    const ErrorCode code = added.error().code;
    if (code != ErrorCode::kPermissionDenied && code != ErrorCode::kPositionInvalid && code != ErrorCode::kMalformedResponse) {
      co_return fail(std::move(added.error()));
    }
    logger_.warn("the organisation's limits could not be read, the assumed ones stay in force until an answer says better",
                 {{"namespace", name_space}, {"error_code", common::to_string(code)}, {"error", added.error().message}});
  }
  if (limits.requests_per_minute) {
    budget_.on_limit(*limits.requests_per_minute);
  }
  if (limits.job_submissions_per_second) {
    budget_.on_job_limit(*limits.job_submissions_per_second);
  }
  const auto field = [](const std::optional<double>& limit) {
    return limit ? common::json::Value(*limit) : common::json::Value(nullptr);
  };
  logger_.info("limits of the organisation", {{"requests_per_minute", field(limits.requests_per_minute)},
                                              {"job_submissions_per_second", field(limits.job_submissions_per_second)},
                                              {"concurrent_jobs", field(limits.concurrent_jobs)},
                                              {"permitted_per_minute", budget_.permitted_per_minute()}});
  co_return limits;
}

}  // namespace connector::genesys
