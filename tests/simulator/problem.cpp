#include "tests/simulator/problem.h"

namespace tests::simulator {

std::string to_body(const Problem& problem, std::string_view context) {
  common::json::Object body{{"message", problem.message}, {"code", problem.code}, {"status", problem.status}};
  if (problem.code == "too.many.requests.retry.after" && problem.retry_after) {
    body["messageWithParams"] = "Rate limit exceeded the maximum. Retry the request in [{seconds}] seconds";
    body["messageParams"] = common::json::Object{{"seconds", std::to_string(problem.retry_after->count())}};
  }
  body["contextId"] = context;
  body["details"] = common::json::Array{};
  body["errors"] = common::json::Array{};
  if (problem.limit) {
    body["limit"] = common::json::Object{
        {"key", problem.limit->key}, {"namespace", problem.limit->name_space}, {"value", problem.limit->value}};
  }
  return common::json::serialize(common::json::Value(std::move(body)));
}

Problem problem_of(int status, std::optional<std::chrono::seconds> retry_after, std::uint32_t limit) {
  Problem problem{.status = status, .retry_after = retry_after};
  const auto set = [&](std::string_view code, std::string_view message) {
    problem.code = code;
    problem.message = message;
  };
  switch (status) {
    case 401:
      set("bad.credentials", "Invalid login credentials.");
      break;
    case 403:
      set("missing.any.permissions",
          "Unable to perform the requested action. You must have at least one of the following permissions assigned: "
          "[analytics:conversationDetail:view, analytics:agentConversationDetail:view]");
      break;
    case 404:
      set("not.found", "The requested resource was not found.");
      break;
    case 408:
      set("client.timeout", "The client did not produce a request within the server timeout limit.");
      break;
    case 409:
      set("general.conflict", "The request conflicts with the current state of the resource.");
      break;
    case 413:
      set("request.entity.too.large", "The request is over the size limit. Maximum bytes: 512000");
      break;
    case 415:
      set("unsupported.media.type",
          "Unsupported Media Type - Unsupported or incorrect media type, such as an incorrect Content-Type value in the header.");
      break;
    case 429:
      if (retry_after) {
        set("too.many.requests.retry.after",
            "Rate limit exceeded the maximum. Retry the request in [" + std::to_string(retry_after->count()) + "] seconds");
      } else {
        set("too.many.requests", "Rate limit exceeded the maximum [" + std::to_string(limit) + "] requests within [60] seconds");
      }
      problem.limit = Limit{.key = "client.credentials.token.rate.per.minute", .name_space = "platform.api", .value = limit};
      break;
    case 503:
      set("service.unavailable",
          "Service Unavailable - The server is currently unavailable (because it is overloaded or down for maintenance).");
      break;
    case 504:
      set("request.timeout", "The request timed out.");
      break;
    default:
      if (status >= 500) {
        set("internal.server.error",
            "The server encountered an unexpected condition which prevented it from fulfilling the request.");
      } else {
        set("bad.request", "The request could not be understood by the server due to malformed syntax.");
      }
  }
  return problem;
}

}  // namespace tests::simulator
