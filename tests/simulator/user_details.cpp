#include "tests/simulator/user_details.h"

#include <algorithm>
#include <set>

namespace tests::simulator {

namespace {

using common::json::Object;
using common::json::Value;

// The users named by `userFilters`; all of them without. Presence and routing filters are refused, not ignored.
Outcome<std::vector<std::uint64_t>> read_users(const World& world, const Object& body, bool& filtered) {
  for (const std::string_view name : {"presenceFilters", "routingStatusFilters"}) {
    if (body.contains(name)) {
      return invalid_value("The simulator does not evaluate " + std::string(name) + ".");
    }
  }
  std::set<std::string, std::less<>> wanted;
  if (const Value* filters = body.if_contains("userFilters"); filters != nullptr && filters->is_array()) {
    for (const Value& filter : filters->get_array()) {
      const std::string type = common::json::find_string(filter, "type").value_or("");
      if (type != "and" && type != "or") {
        return invalid_value("Value [" + type + "] is not valid for field type [QueryFilterType]. Allowable values are: and, or");
      }
      const Value* predicates = common::json::find(filter, "predicates");
      if (predicates == nullptr || !predicates->is_array()) {
        return invalid_value("A filter needs predicates.");
      }
      for (const Value& predicate : predicates->get_array()) {
        if (common::json::find_string(predicate, "dimension") != "userId") {
          return invalid_value("A user filter knows the dimension userId only.");
        }
        wanted.insert(common::json::find_string(predicate, "value").value_or(""));
        filtered = true;
      }
    }
  }
  std::vector<std::uint64_t> users;
  for (std::uint32_t user = 0; user < world.options().users; ++user) {
    if (!filtered || wanted.contains(world.user(user))) {
      users.push_back(user);
    }
  }
  return users;
}

}  // namespace

void append_user_details(std::string& out, const World& world, std::uint32_t user, const Interval& interval, Instant now) {
  JsonText json(out);
  json.open('{').key("userId").plain(world.user(user)).key("primaryPresence").open('[');
  for (const StateEntry& entry : world.presences(user, interval, now)) {
    json.open('{');
    if (entry.end) {
      json.key("endTime").instant(*entry.end);
    }
    json.key("organizationPresenceId").plain(world.presence_definition(entry.state));
    json.key("startTime").instant(entry.start).key("systemPresence").plain(entry.state).close('}');
  }
  json.close(']').key("routingStatus").open('[');
  for (const StateEntry& entry : world.routing_statuses(user, interval, now)) {
    json.open('{');
    if (entry.end) {
      json.key("endTime").instant(*entry.end);
    }
    json.key("routingStatus").plain(entry.state).key("startTime").instant(entry.start).close('}');
  }
  json.close(']').close('}');
}

Outcome<Answer> query_user_details(Service& service, Call& call) {
  const ApiOptions& api = service.options.api;
  auto body = read_body(service, call,
                        {"interval", "userFilters", "presenceFilters", "routingStatusFilters", "order", "presenceAggregations",
                         "routingStatusAggregations", "paging"});
  if (!body) {
    return std::unexpected(body.error());
  }
  auto interval = read_interval(*body);
  if (!interval) {
    return std::unexpected(interval.error());
  }
  bool filtered = false;
  auto users = read_users(service.world, *body, filtered);
  if (!users) {
    return std::unexpected(users.error());
  }
  auto page = read_paging(*body, api);
  if (!page) {
    return std::unexpected(page.error());
  }
  const Duration longest = filtered ? api.max_interval_filtered : api.max_interval_unfiltered;
  if (interval->length() > longest) {
    return bad_request("You must specify a search interval as part of your query that does not exceed " +
                       std::to_string(std::chrono::floor<std::chrono::days>(longest).count()) + " days.");
  }
  std::uint64_t last = std::min<std::uint64_t>(users->size(), page->first() + page->size);
  // As the service does: entries filtered out after paging leave a page short although more follow.
  if (const Fault* fault = call.fault_of(FaultKind::kShortPage)) {
    last -= std::min<std::uint64_t>(last, static_cast<std::uint64_t>(std::max<std::int64_t>(0, fault->count)));
  }
  Answer answer{.body = "{"};
  JsonText json(answer.body);
  if (page->first() < users->size()) {
    json.key("userDetails").open('[');
    std::vector<std::uint64_t> served;
    for (std::uint64_t at = page->first(); at < last; ++at) {
      append_user_details(answer.body, service.world, static_cast<std::uint32_t>((*users)[at]), *interval, call.now);
    }
    json.close(']');
  }
  json.key("totalHits").number(static_cast<std::int64_t>(told_total(service, call, users->size()))).close('}');
  return answer;
}

Outcome<Job*> submit_user_job(Service& service, Call& call) {
  auto body = read_body(service, call, {"interval", "userFilters", "presenceFilters", "routingStatusFilters", "order", "limit"});
  if (!body) {
    return std::unexpected(body.error());
  }
  auto interval = read_interval(*body);
  if (!interval) {
    return std::unexpected(interval.error());
  }
  bool filtered = false;
  auto users = read_users(service.world, *body, filtered);
  if (!users) {
    return std::unexpected(users.error());
  }
  Job& job = service.jobs.submit(JobKind::kUsers, call.now);
  job.interval = std::string(body->at("interval").as_string());
  job.select = [chosen = std::move(*users)](Instant) { return chosen; };
  return &job;
}

}  // namespace tests::simulator
