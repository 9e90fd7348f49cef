#include "tests/simulator/platform.h"

#include "tests/simulator/chance.h"

namespace tests::simulator {

namespace {

using common::json::Array;
using common::json::Object;

Answer answer_with(Object body) {
  return {.body = common::json::serialize(common::json::Value(std::move(body)))};
}

Object limit(std::string_view key, std::string_view name_space, std::int64_t value) {
  return {{"key", key}, {"namespace", name_space}, {"value", value}};
}

std::string role_id(const Service& service) {
  return uuid_of(chance(service.options.world.seed, 0x401eULL));
}

}  // namespace

Outcome<Answer> get_organization(Service& service, Call& /*call*/) {
  return answer_with({{"id", service.world.organization()},
                      {"name", "Simulated Organization"},
                      {"defaultLanguage", "en-US"},
                      {"defaultCountryCode", "US"},
                      {"thirdPartyOrgName", "simulated"},
                      {"domain", "simulated.example"},
                      {"version", 7},
                      {"state", "active"},
                      {"voicemailEnabled", false},
                      {"productPlatform", "PureCloud"},
                      {"selfUri", "/api/v2/organizations/me"},
                      {"features", Object{{"realtimeCIC", true}, {"purecloud", true}}}});
}

Outcome<Answer> get_limits(Service& service, Call& call) {
  const std::string& name_space = call.path_parameters.at(0);
  Array entities;
  if (name_space == "platform.api") {
    const std::int64_t allowed = service.limiter.allowed();
    entities = {limit("client.credentials.token.rate.per.minute", name_space, allowed),
                limit("token.rate.per.minute", name_space, allowed), limit("org.app.user.rate.per.minute", name_space, 3'000),
                limit("request.bytes.max", name_space, static_cast<std::int64_t>(service.options.api.max_request_bytes))};
  } else if (name_space == "analytics") {
    const std::uint32_t jobs = service.options.api.max_jobs;
    entities = {limit("details.jobs.concurrent.access.max", name_space, jobs == 0 ? 1'000 : jobs),
                limit("details.jobs.rate.per.second", name_space, 10)};
  } else {
    return refuse(404, "not.found", "The requested resource was not found.");
  }
  return answer_with({{"entities", std::move(entities)}});
}

Outcome<Answer> get_token(Service& service, Call& call) {
  const Object organization{{"id", service.world.organization()}, {"name", "Simulated Organization"}};
  Array divisions;
  for (std::uint32_t number = 0; number < service.options.world.divisions; ++number) {
    divisions.push_back(Object{{"roleId", role_id(service)}, {"divisionId", service.world.division(number)}});
  }
  return answer_with({{"organization", organization},
                      {"homeOrganization", organization},
                      {"authorizedScope", Array{}},
                      {"OAuthClient", Object{{"id", call.client_id},
                                             {"name", "genesys-kafka"},
                                             {"authorizedGrantType", "CLIENT-CREDENTIALS"},
                                             {"scope", Array{}},
                                             {"roleDivisions", std::move(divisions)},
                                             {"state", "active"},
                                             {"organization", organization}}}});
}

Outcome<Answer> head_token(Service& /*service*/, Call& /*call*/) {
  return Answer{};
}

Outcome<Answer> delete_token(Service& service, Call& call) {
  service.tokens.revoke(Tokens::bearer(call.request.headers));
  return Answer{};
}

Outcome<Answer> get_subject(Service& service, Call& call) {
  const auto policy = [](std::string_view entity) {
    return Object{{"actions", Array{"view"}}, {"domain", "analytics"}, {"entityName", entity}};
  };
  const Array policies{policy("conversationDetail"), policy("conversationAggregate"), policy("userDetail"),
                       policy("userAggregate"), policy("queueObservation")};
  Array grants;
  for (std::uint32_t number = 0; number < service.options.world.divisions; ++number) {
    grants.push_back(Object{{"subjectId", call.client_id},
                            {"division", Object{{"id", service.world.division(number)},
                                                {"name", number == 0 ? "Home" : "Division " + std::to_string(number)},
                                                {"homeDivision", number == 0}}},
                            {"role", Object{{"id", role_id(service)}, {"name", "Analytics Reader"}, {"policies", policies}}}});
  }
  return answer_with({{"id", call.client_id},
                      {"name", "genesys-kafka"},
                      {"grants", std::move(grants)},
                      {"version", 1},
                      {"selfUri", "/api/v2/authorization/subjects/me"}});
}

}  // namespace tests::simulator
