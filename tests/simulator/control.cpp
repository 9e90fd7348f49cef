#include "tests/simulator/control.h"

#include "tests/simulator/dialects.h"

#include <algorithm>

namespace tests::simulator {

namespace {

using common::json::Array;
using common::json::Object;
using common::json::Value;

Answer answer_with(int status, const Value& value) {
  return {.status = status, .body = common::json::serialize(value)};
}

Answer complaint(int status, std::string_view message) {
  return answer_with(status, Object{{"message", message}});
}

Answer stats(const Service& service) {
  return answer_with(200, Object{{"requests", service.statistics.total()},
                                 {"rateLimited", service.statistics.with_status(429)},
                                 {"endpoints", service.statistics.requests()},
                                 {"faults", service.faults.strikes()}});
}

std::string parameter(const Call& call, std::string_view name) {
  const auto found = call.query.find(name);
  return found == call.query.end() ? std::string() : found->second;
}

// Every conversation that starts in [from, to) and exists now: what must be found in the topic. With form=query|job the records
// themselves, a line each, as they are now: what must be found there in the end; with dialect=… as that dialect shows them.
Answer truth(const Service& service, const Call& call) {
  const auto from = common::parse_instant(parameter(call, "from"));
  const auto to = common::parse_instant(parameter(call, "to"));
  if (!from || !to) {
    return complaint(400, "from and to must be instants");
  }
  const std::string form = parameter(call, "form");
  if (!form.empty() && form != "query" && form != "job") {
    return complaint(400, "form must be query or job");
  }
  const std::string dialect_name = parameter(call, "dialect");
  const Dialect* dialect = find_dialect(dialect_name);
  if (dialect == nullptr && !dialect_name.empty()) {
    return complaint(400, "there is no such dialect");
  }
  const bool lines = parameter(call, "format") == "ndjson" || !form.empty() || dialect != nullptr;
  const World& world = service.world;
  Answer answer{.body = lines ? "" : "[", .content_type = lines ? "application/x-ndjson" : "application/json"};
  JsonText json(answer.body);
  const std::uint64_t last = world.first_from(std::min(*to, call.now + Duration{1}));
  for (std::uint64_t index = world.first_from(*from); index < last; ++index) {
    const Conversation conversation = world.conversation(index);
    if (!conversation.exists_at(call.now)) {
      continue;
    }
    if (dialect != nullptr) {
      append_record(answer.body, world, conversation, call.now, *dialect);
    } else if (!form.empty()) {
      append_record(answer.body, world, conversation, call.now, form == "job" ? Form::kJob : Form::kQuery);
    } else {
      json.open('{').key("id").plain(world.id_of(index)).key("start").instant(conversation.start).key("end");
      const auto end = conversation.end_at(call.now);
      end ? json.instant(*end) : json.raw("null");
      json.close('}');
    }
    if (lines) {
      answer.body += '\n';
    }
  }
  if (!lines) {
    json.close(']');
  }
  return answer;
}

// What was given, by form and interval; with ids=true also the distinct ids.
Answer served(const Service& service, const Call& call) {
  const std::string form = parameter(call, "form");
  const std::string interval = parameter(call, "interval");
  const bool with_ids = parameter(call, "ids") == "true";
  Array windows;
  for (const Statistics::Served& entry : service.statistics.served()) {
    if ((!form.empty() && entry.form != form) || (!interval.empty() && entry.interval != interval)) {
      continue;
    }
    std::vector<std::uint64_t> distinct = entry.items;
    std::ranges::sort(distinct);
    const auto repeats = std::ranges::unique(distinct);
    distinct.erase(repeats.begin(), repeats.end());
    Object window{{"form", entry.form},       {"interval", entry.interval},  {"pages", entry.pages},
                  {"records", entry.records}, {"distinct", distinct.size()}, {"completions", entry.completions}};
    if (!entry.job.empty()) {
      window["job"] = entry.job;
    }
    if (with_ids) {
      Array ids;
      for (const std::uint64_t item : distinct) {
        ids.emplace_back(service.world.id_of(item));
      }
      window["ids"] = std::move(ids);
    }
    windows.push_back(std::move(window));
  }
  return answer_with(200, Object{{"windows", std::move(windows)}});
}

Answer record(const Service& service, const Call& call) {
  const auto index = service.world.index_of(parameter(call, "id"));
  const std::string form = parameter(call, "form");
  if (!index) {
    return complaint(404, "no such conversation");
  }
  if (form != "query" && form != "job") {
    return complaint(400, "form must be query or job");
  }
  Instant at = form == "job" ? service.lake.availability(call.now) : call.now;
  if (const std::string text = parameter(call, "at"); !text.empty()) {
    const auto parsed = common::parse_instant(text);
    if (!parsed) {
      return complaint(400, "at must be an instant");
    }
    at = *parsed;
  }
  const Conversation conversation = service.world.conversation(*index);
  if (conversation.start > at) {
    return complaint(404, "not yet begun");
  }
  Answer answer;
  append_record(answer.body, service.world, conversation, at, form == "job" ? Form::kJob : Form::kQuery);
  return answer;
}

// All of them, or none if one is unknown.
Answer change_existence(Service& service, const Call& call, bool removes) {
  const auto body = common::json::parse(call.request.body);
  const Value* ids = body ? common::json::find(*body, "ids") : nullptr;
  if (ids == nullptr || !ids->is_array()) {
    return complaint(400, "the body must be {\"ids\": […]}");
  }
  std::vector<std::uint64_t> indices;
  for (const Value& id : ids->get_array()) {
    const auto index = id.is_string() ? service.world.index_of(std::string_view(id.get_string())) : std::nullopt;
    if (!index) {
      return complaint(404, "no such conversation: " + common::json::serialize(id));
    }
    indices.push_back(*index);
  }
  for (const std::uint64_t index : indices) {
    removes ? service.world.remove(index, call.now) : service.world.restore(index);
  }
  return answer_with(200, Object{{"count", indices.size()}});
}

Answer add_faults(Service& service, const Call& call) {
  const auto script = common::json::parse(call.request.body);
  if (!script) {
    return complaint(400, script.error().message);
  }
  if (const auto added = service.faults.add(*script); !added) {
    return complaint(400, added.error().message);
  }
  return answer_with(200, service.faults.strikes());
}

Answer reset_faults(Service& service) {
  const Object struck = service.faults.strikes();
  service.faults.clear();
  service.lake.recover();
  return answer_with(200, struck);
}

}  // namespace

Answer control(Service& service, Call& call) {
  const std::string& method = call.request.method;
  const std::string_view name = call.path.substr(std::string_view("/_sim/").size());
  if (method == "GET" && name == "stats") {
    return stats(service);
  }
  if (method == "GET" && name == "truth") {
    return truth(service, call);
  }
  if (method == "GET" && name == "served") {
    return served(service, call);
  }
  if (method == "GET" && name == "record") {
    return record(service, call);
  }
  if (method == "POST" && name == "faults") {
    return add_faults(service, call);
  }
  if (method == "POST" && name == "reset-faults") {
    return reset_faults(service);
  }
  if (method == "POST" && (name == "delete" || name == "restore")) {
    return change_existence(service, call, name == "delete");
  }
  return complaint(404, "GET routes, stats, truth, served, record; POST faults, reset-faults, delete, restore");
}

}  // namespace tests::simulator
