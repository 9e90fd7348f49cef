#include "connector/genesys/organization.h"

#include "common/json.h"
#include "connector/genesys/error_body.h"

#include <algorithm>

namespace connector::genesys {
namespace {

using common::ErrorCode;
using common::fail;

common::Result<common::json::Value> parse_object(std::string_view body, std::string_view what) {
  auto json = common::json::parse(body);
  if (!json || !json->is_object()) {
    return fail(ErrorCode::kMalformedResponse, std::string(what) + ": " + summarise_body(body));
  }
  return json;
}

std::string text(const common::json::Value& value, std::string_view key) {
  return common::json::find_string(value, key).value_or("");
}

void keep_smaller(std::optional<double>& limit, double value) {
  limit = limit ? std::min(*limit, value) : value;
}

}  // namespace

common::Result<Organization> parse_organization(std::string_view body) {
  const auto json = parse_object(body, "answer of organizations/me");
  if (!json) {
    return fail(json.error());
  }
  Organization organization{.id = text(*json, "id"), .name = text(*json, "name")};
  if (organization.id.empty()) {
    return fail(ErrorCode::kMalformedResponse, "answer of organizations/me: id is missing");
  }
  return organization;
}

common::Result<TokenInfo> parse_token_info(std::string_view body) {
  const auto json = parse_object(body, "answer of tokens/me");
  if (!json) {
    return fail(json.error());
  }
  TokenInfo info;
  if (const auto* organization = common::json::find(*json, "organization")) {
    info.organization = {.id = text(*organization, "id"), .name = text(*organization, "name")};
  }
  if (const auto* client = common::json::find(*json, "OAuthClient")) {  // with this capital in the service's model
    info.client_id = text(*client, "id");
    info.client_name = text(*client, "name");
    info.grant_type = text(*client, "authorizedGrantType");
    info.client_state = text(*client, "state");
    info.date_to_delete = text(*client, "dateToDelete");
  }
  return info;
}

common::Result<void> add_limits(std::string_view body, Limits& limits) {
  const auto json = parse_object(body, "answer of organizations/limits");
  if (!json) {
    return fail(json.error());
  }
  const auto* entities = common::json::find(*json, "entities");
  if (entities == nullptr || !entities->is_array()) {
    return fail(ErrorCode::kMalformedResponse, "answer of organizations/limits: entities is missing");
  }
  for (const common::json::Value& entity : entities->as_array()) {
    const std::string key = text(entity, "key");
    const auto* value = common::json::find(entity, "value");
    if (value == nullptr || !value->is_number()) {
      continue;
    }
    const double number = value->to_number<double>();
    if (!(number > 0)) {
      continue;
    }
    if (key == "client.credentials.token.rate.per.minute" || key == "token.rate.per.minute") {
      keep_smaller(limits.requests_per_minute, number);  // our token is under both
    } else if (key == "details.jobs.rate.per.second") {
      keep_smaller(limits.job_submissions_per_second, number);
    } else if (key == "details.jobs.concurrent.access.max") {
      keep_smaller(limits.concurrent_jobs, number);
    }
  }
  return {};
}

}  // namespace connector::genesys
