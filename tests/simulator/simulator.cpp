#include "tests/simulator/simulator.h"

#include "tests/simulator/aggregates.h"
#include "tests/simulator/audits.h"
#include "tests/simulator/chance.h"
#include "tests/simulator/control.h"
#include "tests/simulator/conversation_details.h"
#include "tests/simulator/details_jobs.h"
#include "tests/simulator/dialects.h"
#include "tests/simulator/platform.h"
#include "tests/simulator/user_details.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace tests::simulator {

namespace {

using Endpoint = Outcome<Answer> (*)(Service&, Call&);

// As statistics name it, as all others by method and path.
constexpr std::string_view kTokenRoute = "POST /oauth/token";
constexpr std::string_view kDialectRoute = "query in a dialect";

template <JobKind Kind, Outcome<Answer> (*Endpoint)(Service&, Call&, JobKind)>
Outcome<Answer> of_kind(Service& service, Call& call) {
  return Endpoint(service, call, Kind);
}

struct Route {
  std::string_view method;
  std::string_view path;  // {x} stands for one segment
  Endpoint endpoint;
};

constexpr std::string_view kAnalytics = "/api/v2/analytics/";

constexpr JobKind kConversations = JobKind::kConversations;
constexpr JobKind kUsers = JobKind::kUsers;

// The first that matches: literal paths stand before those with places.
constexpr std::array kRoutes{
    Route{"POST", "/api/v2/analytics/conversations/details/query", query_conversation_details},
    Route{"POST", "/api/v2/analytics/conversations/details/jobs", of_kind<kConversations, submit_job>},
    Route{"GET", "/api/v2/analytics/conversations/details/jobs/availability", get_job_availability},
    Route{"GET", "/api/v2/analytics/conversations/details/jobs/{id}", of_kind<kConversations, get_job_status>},
    Route{"DELETE", "/api/v2/analytics/conversations/details/jobs/{id}", of_kind<kConversations, delete_job>},
    Route{"GET", "/api/v2/analytics/conversations/details/jobs/{id}/results", of_kind<kConversations, get_job_results>},
    Route{"GET", "/api/v2/analytics/conversations/details", get_many_conversation_details},
    Route{"GET", "/api/v2/analytics/conversations/{id}/details", get_conversation_details},
    Route{"POST", "/api/v2/analytics/conversations/aggregates/query", query_conversation_aggregates},
    Route{"POST", "/api/v2/analytics/users/details/query", query_user_details},
    Route{"POST", "/api/v2/analytics/users/details/jobs", of_kind<kUsers, submit_job>},
    Route{"GET", "/api/v2/analytics/users/details/jobs/availability", get_job_availability},
    Route{"GET", "/api/v2/analytics/users/details/jobs/{id}", of_kind<kUsers, get_job_status>},
    Route{"DELETE", "/api/v2/analytics/users/details/jobs/{id}", of_kind<kUsers, delete_job>},
    Route{"GET", "/api/v2/analytics/users/details/jobs/{id}/results", of_kind<kUsers, get_job_results>},
    Route{"POST", "/api/v2/analytics/users/aggregates/query", query_user_aggregates},
    Route{"POST", "/api/v2/analytics/queues/observations/query", query_queue_observations},
    Route{"POST", "/api/v2/audits/query/realtime", query_realtime_audits},
    Route{"POST", "/api/v2/audits/query", submit_audit_query},
    Route{"GET", "/api/v2/audits/query/{id}", get_audit_query},
    Route{"GET", "/api/v2/audits/query/{id}/results", get_audit_results},
    Route{"GET", "/api/v2/organizations/me", get_organization},
    Route{"GET", "/api/v2/organizations/limits/namespaces/{ns}", get_limits},
    Route{"GET", "/api/v2/tokens/me", get_token},
    Route{"HEAD", "/api/v2/tokens/me", head_token},
    Route{"DELETE", "/api/v2/tokens/me", delete_token},
    Route{"GET", "/api/v2/authorization/subjects/me", get_subject},
};

std::string name_of(const Route& route) {
  return std::string(route.method) + " " + std::string(route.path);
}

// Everything that is served, by the names that statistics use: who checks the simulator can tell what they have not asked.
Answer list_routes() {
  common::json::Array names{kTokenRoute, kDialectRoute};
  for (const Route& route : kRoutes) {
    names.emplace_back(name_of(route));
  }
  return {.body = common::json::serialize(names)};
}

std::string_view take_segment(std::string_view& path) {
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(std::min(path.size(), segment.size() + 1));
  return segment;
}

bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>& parameters) {
  parameters.clear();
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = take_segment(pattern);
    const std::string_view given = take_segment(path);
    if (wanted.starts_with('{') && !given.empty()) {
      parameters.emplace_back(given);
    } else if (wanted != given) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

support::Fault transport_fault(FaultKind kind) {
  switch (kind) {
    case FaultKind::kResetBefore:
    case FaultKind::kResetAfter:
      return support::Fault::kResetBeforeAnswer;
    case FaultKind::kCloseAfter:
      return support::Fault::kCloseBeforeAnswer;
    case FaultKind::kTruncate:
      return support::Fault::kTruncateBody;
    case FaultKind::kResetInBody:
      return support::Fault::kResetInBody;
    case FaultKind::kWrongLength:
      return support::Fault::kLongerThanLength;
    case FaultKind::kNeverAnswer:
      return support::Fault::kNeverAnswer;
    case FaultKind::kStall:
      return support::Fault::kStallInBody;
    case FaultKind::kDrip:
      return support::Fault::kDripBody;
    case FaultKind::kGarbage:
      return support::Fault::kGarbage;
    default:
      return support::Fault::kNone;
  }
}

bool accepts_gzip(const support::ReceivedRequest& request) {
  return request.headers.find("Accept-Encoding").value_or("").find("gzip") != std::string_view::npos;
}

// The answer of a fault that leaves the request unhandled; nothing for the others.
std::optional<Outcome<Answer>> instead(const Service& service, const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::kStatus: {
      Problem problem = problem_of(fault.status, fault.retry_after, service.limiter.allowed());
      problem.code = fault.code.empty() ? problem.code : fault.code;
      problem.message = fault.message.empty() ? problem.message : fault.message;
      return std::unexpected(std::move(problem));
    }
    case FaultKind::kHtml:
      return Answer{.status = fault.status == 0 ? 200 : fault.status,
                    .body = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>\n",
                    .content_type = "text/html; charset=utf-8"};
    case FaultKind::kNotJson:
      return Answer{.status = fault.status == 0 ? 200 : fault.status, .body = "upstream connect error or disconnect"};
    case FaultKind::kResetBefore:
      return Answer{};
    default:
      return std::nullopt;
  }
}

void spoil_body(const Fault& fault, support::Reply& reply) {
  if (fault.kind != FaultKind::kCutJson && fault.kind != FaultKind::kEmptyBody) {
    return;
  }
  if (reply.shared_body) {
    reply.body = *reply.shared_body;
    reply.shared_body.reset();
  }
  reply.body.resize(fault.kind == FaultKind::kEmptyBody ? 0
                                                        : std::min(reply.body.size() / 2, std::max<std::size_t>(1, fault.after)));
}

}  // namespace

std::string format_http_date(Instant instant) {
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(instant - day));
  std::array<char, 64> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", kDays.at(std::chrono::weekday(day).c_encoding()),
      static_cast<unsigned>(date.day()), kMonths.at(static_cast<unsigned>(date.month()) - 1), static_cast<int>(date.year()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  return {text.data(), static_cast<std::size_t>(length)};
}

Simulator::Simulator(SimulatorOptions options) : service_(std::move(options)) {}

Outcome<Answer> Simulator::answer(Call& call, std::string& endpoint, support::Reply& reply) {
  const Dialect* dialect = take_dialect(call.path);
  Tokens& tokens = dialect == nullptr ? service_.tokens : tokens_of(service_, *dialect);
  if (call.path == "/oauth/token") {
    endpoint = kTokenRoute;
    if (call.request.method != "POST") {
      return refuse(405, "method.not.allowed", "Method not allowed.");
    }
    if (call.fault) {
      if (auto faulty = instead(service_, *call.fault)) {
        return std::move(*faulty);
      }
    }
    Tokens::Answer granted = tokens.grant(call.request.headers, call.request.body, call.now);
    return Answer{.status = granted.status, .body = std::move(granted.body)};
  }

  const Route* route = nullptr;
  bool path_known = false;
  for (const Route& candidate : kRoutes) {
    std::vector<std::string> parameters;
    // What a service of a dialect tells of itself is what every one does.
    if (dialect != nullptr && (candidate.method != "GET" || candidate.path.starts_with(kAnalytics))) {
      continue;
    }
    if (matches(candidate.path, call.path, parameters)) {
      path_known = true;
      if (candidate.method == call.request.method) {
        route = &candidate;
        call.path_parameters = std::move(parameters);
        break;
      }
    }
  }
  const bool in_dialect = dialect != nullptr && is_dialect_query(*dialect, call.request.method, call.path);
  endpoint = in_dialect ? std::string(kDialectRoute) : route == nullptr ? "unknown" : name_of(*route);
  if (call.fault_of(FaultKind::kRevokeTokens) != nullptr) {
    tokens.revoke_all();
  }

  auto client = tokens.authenticate(call.request.headers, call.now);
  if (!client) {
    return std::unexpected(client.error());
  }
  call.client_id = *client;
  const RateLimiter::Verdict verdict =
      service_.limiter.admit(service_.options.rate.per_client ? *client : Tokens::bearer(call.request.headers), call.now);
  if (service_.options.rate.headers && call.fault_of(FaultKind::kNoRateHeaders) == nullptr) {
    reply.headers.add("inin-ratelimit-count", std::to_string(verdict.count));
    reply.headers.add("inin-ratelimit-allowed", std::to_string(verdict.allowed));
    reply.headers.add("inin-ratelimit-reset", std::to_string(verdict.reset.count()));
  }
  if (!verdict.admitted) {
    return std::unexpected(problem_of(429, verdict.reset, verdict.allowed));
  }
  if (call.fault) {
    if (auto faulty = instead(service_, *call.fault)) {
      return std::move(*faulty);
    }
  }
  if (route == nullptr && !in_dialect) {
    return path_known ? Outcome<Answer>(refuse(405, "method.not.allowed", "Method not allowed."))
                      : Outcome<Answer>(refuse(404, "not.found", "The requested resource was not found."));
  }
  if (call.request.body.size() > service_.options.api.max_request_bytes) {
    return refuse(413, "request.entity.too.large",
                  "The request is over the size limit. Maximum bytes: " + std::to_string(service_.options.api.max_request_bytes));
  }
  if ((in_dialect || route->method == "POST") &&
      !call.request.headers.find("Content-Type").value_or("").starts_with("application/json")) {
    return std::unexpected(problem_of(415, std::nullopt, 0));
  }
  return in_dialect ? query_in_dialect(service_, call, *dialect) : route->endpoint(service_, call);
}

support::Reply Simulator::handle(const support::ReceivedRequest& request, Instant host_now) {
  ++service_.requests;
  const std::string_view target = request.target;
  const std::size_t question = target.find('?');
  Call call{.request = request,
            .path = target.substr(0, question),
            .query = question == std::string_view::npos ? FormFields{} : parse_form(target.substr(question + 1)),
            .now = host_now + service_.options.clock_skew,
            .fault = std::nullopt,
            .client_id = {},
            .path_parameters = {}};
  const std::string correlation = uuid_of(chance(service_.options.world.seed, 0xc0441ULL, service_.requests));
  support::Reply reply;
  reply.headers.add("Date", format_http_date(call.now));
  reply.headers.add("ININ-Correlation-Id", correlation);

  const bool hook = call.path.starts_with("/_sim/");
  Outcome<Answer> outcome;
  std::string endpoint;
  if (hook) {
    outcome = request.method == "GET" && call.path == "/_sim/routes" ? list_routes() : control(service_, call);
  } else {
    call.fault = service_.faults.next(request.method, target);
    outcome = answer(call, endpoint, reply);
  }
  std::string_view content_type = "application/json";
  if (outcome) {
    reply.status = outcome->status;
    reply.body = std::move(outcome->body);
    reply.shared_body = std::move(outcome->shared_body);
    content_type = outcome->content_type;
    for (const common::http::Header& header : outcome->headers) {
      reply.headers.add(header.name, header.value);
    }
  } else {
    reply.status = outcome.error().status;
    reply.body = to_body(outcome.error(), correlation);
    if (outcome.error().retry_after) {
      reply.headers.add("Retry-After", std::to_string(outcome.error().retry_after->count()));
    }
  }
  if (!reply.body.empty() || reply.shared_body) {
    reply.headers.add("Content-Type", std::string(content_type));
  }
  if (hook) {
    return reply;
  }

  service_.statistics.count_request(endpoint, reply.status);
  // A shared page would have to be compressed again and again.
  constexpr std::size_t kWorthCompressing = 1'024;
  reply.gzip = service_.options.api.gzip && reply.body.size() >= kWorthCompressing && accepts_gzip(request);
  if (call.fault) {
    const Fault& fault = *call.fault;
    spoil_body(fault, reply);
    reply.fault = transport_fault(fault.kind);
    reply.fault_after = fault.after;
    if (fault.kind == FaultKind::kDrip) {
      reply.drip_every = fault.by;
    }
    if (fault.kind == FaultKind::kDelay) {
      reply.delay = fault.by;
    }
  }
  return reply;
}

}  // namespace tests::simulator
