#include "tests/simulator/audits.h"

#include "tests/simulator/chance.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

namespace tests::simulator {

namespace {

using common::json::Object;
using common::json::Value;

constexpr Duration kSpacing = std::chrono::seconds{97};
constexpr Duration kRealtimeLag = std::chrono::seconds{10};
constexpr Duration kQueryLag = std::chrono::minutes{10};
constexpr Duration kRealtimeKept = std::chrono::days{14};
constexpr Duration kMaxInterval = std::chrono::days{31};
constexpr std::size_t kMaxPage = 500;
constexpr std::size_t kUsualPage = 25;
constexpr std::uint64_t kMaxPages = 1'000'000;
// The realtime query does not know the last one.
constexpr std::array<std::string_view, 4> kServices{"Architect", "PeoplePermissions", "Routing", "Telephony"};

std::uint64_t bits_of(const World& world, std::uint64_t number) {
  return chance(world.options().seed, 0xa0d17ULL, number);
}

std::string_view service_of(const World& world, std::uint64_t number) {
  return kServices.at(bits_of(world, number) % kServices.size());
}

struct Question {
  Interval interval;
  std::optional<std::string> service;
  bool newest_first = false;
  Object body;
};

Outcome<Question> read_question(const Service& service, const Call& call) {
  auto body = read_body(service, call, {"interval", "serviceName", "filters", "sort", "pageNumber", "pageSize"});
  if (!body) {
    return std::unexpected(body.error());
  }
  const auto interval = read_interval(*body);
  if (!interval) {
    return std::unexpected(interval.error());
  }
  if (interval->length() > kMaxInterval) {
    return bad_request("You must specify a search interval as part of your query that does not exceed 31 days.");
  }
  Question question{.interval = *interval, .service = std::nullopt, .body = {}};
  if (const Value* name = body->if_contains("serviceName"); name != nullptr && name->is_string()) {
    question.service = std::string(name->get_string());
  }
  if (const Value* filters = body->if_contains("filters");
      filters != nullptr && !(filters->is_array() && filters->get_array().empty())) {
    return bad_request("The simulator has no filters of audits.");
  }
  if (const Value* sort = body->if_contains("sort"); sort != nullptr && sort->is_array() && !sort->get_array().empty()) {
    const Value& first = sort->get_array().front();
    const auto order = common::json::find_string(first, "sortOrder");
    if (common::json::find_string(first, "name") != "Timestamp" || (order != "ascending" && order != "descending")) {
      return invalid_value("sort is by Timestamp, ascending or descending.");
    }
    question.newest_first = order == "descending";
  }
  question.body = std::move(*body);
  return question;
}

// 0 for what is no positive number.
std::uint64_t count_in(const Object& body, std::string_view name, std::uint64_t usual) {
  const Value* value = body.if_contains(name);
  if (value == nullptr) {
    return usual;
  }
  return value->is_int64() && value->get_int64() > 0 ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}

std::vector<std::uint64_t> numbers_of(const World& world, const Question& question, Instant known_until) {
  std::vector<std::uint64_t> numbers;
  const Instant begin = world.options().start;
  const auto slots = std::max<std::int64_t>((question.interval.start - begin) / kSpacing - 1, 0);
  for (auto number = static_cast<std::uint64_t>(slots);; ++number) {
    const Instant time = audit_time(world, number);
    if (time >= question.interval.end || time > known_until) {
      break;
    }
    if (time >= question.interval.start && (!question.service || *question.service == service_of(world, number))) {
      numbers.push_back(number);
    }
  }
  if (question.newest_first) {
    std::ranges::reverse(numbers);
  }
  return numbers;
}

void append_audit(std::string& out, const World& world, std::uint64_t number) {
  const std::uint64_t bits = bits_of(world, number);
  const std::string user = world.user(static_cast<std::uint32_t>(bits % world.options().users));
  const std::string queue = world.queue(static_cast<std::uint32_t>(bits % world.options().queues));
  JsonText json(out);
  json.open('{').key("id").plain(audit_id(world, number)).key("userHomeOrgId").plain(world.organization());
  json.key("user").open('{').key("id").plain(user).key("selfUri").plain("/api/v2/users/" + user).close('}');
  json.key("client").open('{').key("id").plain("").close('}');
  json.key("remoteIp").open('[').plain("192.0.2." + std::to_string(bits % 250)).close(']');
  json.key("serviceName").plain(service_of(world, number)).key("level").plain("USER");
  json.key("eventDate").plain(common::format_instant(audit_time(world, number), false));
  json.key("action").plain("Update");
  json.key("entity").open('{').key("id").plain(queue).close('}').key("entityType").plain("Queue");
  json.key("status").plain("SUCCESS").key("application").plain("");
  json.key("initiatingAction").open('{').close('}').key("transactionInitiator").boolean(true);
  json.key("propertyChanges").open('[').open('{').key("property").plain("name");
  json.key("oldValues").open('[').plain("before").close(']').key("newValues").open('[').plain("after").close(']');
  json.close('}').close(']').close('}');
}

// Appends `"entities":[…]`.
void append_entities(JsonText& json, const World& world, std::span<const std::uint64_t> numbers) {
  json.key("entities").open('[');
  for (const std::uint64_t number : numbers) {
    std::string record;
    append_audit(record, world, number);
    json.raw(record);
  }
  json.close(']');
}

std::unexpected<Problem> unknown_query() {
  return refuse(404, "not.found", "The requested resource was not found.");
}

std::string_view state_of(JobState state) {
  switch (state) {
    case JobState::kQueued:
      return "Queued";
    case JobState::kPending:
      return "Running";
    case JobState::kFulfilled:
      return "Succeeded";
    case JobState::kCancelled:
      return "Cancelled";
    case JobState::kFailed:
    case JobState::kExpired:
      break;
  }
  return "Failed";
}

Outcome<std::size_t> read_size(const Call& call) {
  const auto found = call.query.find("pageSize");
  if (found == call.query.end()) {
    return kUsualPage;
  }
  std::size_t size = 0;
  const std::string& text = found->second;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || stopped != text.data() + text.size() || size == 0 || size > kMaxPage) {
    return invalid_value("Value [" + text + "] is not valid for [pageSize].");
  }
  return size;
}

}  // namespace

Instant audit_time(const World& world, std::uint64_t number) {
  return std::chrono::floor<std::chrono::seconds>(world.options().start) + kSpacing * static_cast<std::int64_t>(number);
}

std::string audit_id(const World& world, std::uint64_t number) {
  return uuid_of(bits_of(world, number));
}

bool is_in_realtime(const World& world, std::uint64_t number) {
  return service_of(world, number) != kServices.back();
}

Outcome<Answer> query_realtime_audits(Service& service, Call& call) {
  auto question = read_question(service, call);
  if (!question) {
    return std::unexpected(question.error());
  }
  const std::uint64_t size = count_in(question->body, "pageSize", kUsualPage);
  const std::uint64_t page = count_in(question->body, "pageNumber", 1);
  if (size == 0 || size > kMaxPage || page == 0 || page > kMaxPages) {
    return invalid_value("pageSize is 1 to 500, pageNumber at least 1.");
  }
  question->interval.start = std::max<Instant>(question->interval.start, call.now - kRealtimeKept);
  std::vector<std::uint64_t> numbers = numbers_of(service.world, *question, call.now - kRealtimeLag);
  std::erase_if(numbers, [&](std::uint64_t number) { return !is_in_realtime(service.world, number); });
  const std::size_t first = std::min<std::size_t>((page - 1) * size, numbers.size());
  const std::size_t count = std::min<std::size_t>(size, numbers.size() - first);

  Answer answer;
  JsonText json(answer.body);
  json.open('{');
  append_entities(json, service.world, std::span(numbers).subspan(first, count));
  json.key("pageSize").number(static_cast<std::int64_t>(size)).key("pageNumber").number(static_cast<std::int64_t>(page));
  json.key("total").number(static_cast<std::int64_t>(numbers.size()));
  json.key("pageCount").number(static_cast<std::int64_t>((numbers.size() + size - 1) / size)).close('}');
  return answer;
}

Outcome<Answer> submit_audit_query(Service& service, Call& call) {
  auto question = read_question(service, call);
  if (!question) {
    return std::unexpected(question.error());
  }
  if (service.jobs.running(call.now, JobKind::kAudits) > 0) {
    return refuse(409, "conflict", "Another audit query of the organization is running.");
  }
  Job& job = service.jobs.submit(JobKind::kAudits, call.now);
  job.interval = std::string(question->body.at("interval").as_string());
  job.select = [&world = service.world, asked = std::move(*question), until = call.now - kQueryLag](Instant) {
    return numbers_of(world, asked, until);
  };
  if (const Fault* fault = call.fault_of(FaultKind::kJobState)) {
    job.forced_state = fault->state;
  }
  Answer answer{.status = 202};
  JsonText json(answer.body);
  json.open('{').key("id").plain(job.id).key("state").plain("Queued").key("interval").plain(job.interval).close('}');
  return answer;
}

Outcome<Answer> get_audit_query(Service& service, Call& call) {
  Job* job = service.jobs.find(JobKind::kAudits, call.path_parameters.at(0), call.now);
  if (job == nullptr) {
    return unknown_query();
  }
  if (const Fault* fault = call.fault_of(FaultKind::kJobState)) {
    job->forced_state = fault->state;
  }
  const JobState state = service.jobs.state(*job, call.now);
  const bool over = state != JobState::kQueued && state != JobState::kPending;
  Answer answer{.status = over ? 200 : 202};
  JsonText json(answer.body);
  json.open('{').key("id").plain(job->id).key("state").plain(state_of(state)).key("startDate").instant(job->submitted);
  json.key("interval").plain(job->interval).close('}');
  return answer;
}

Outcome<Answer> get_audit_results(Service& service, Call& call) {
  Job* job = service.jobs.find(JobKind::kAudits, call.path_parameters.at(0), call.now);
  if (job == nullptr || service.jobs.state(*job, call.now) == JobState::kExpired) {
    return unknown_query();
  }
  if (service.jobs.state(*job, call.now) != JobState::kFulfilled) {
    return refuse(service.options.api.results_too_early_status, "bad.request", "The results of the query are not available yet.");
  }
  service.jobs.complete(*job, service.lake);
  const auto size = read_size(call);
  if (!size) {
    return std::unexpected(size.error());
  }
  std::size_t first = 0;
  if (const std::string& cursor = call.query["cursor"]; !cursor.empty()) {
    const auto parsed = JobStore::parse_cursor(*job, cursor);
    if (!parsed) {
      return refuse(service.options.api.unknown_cursor_status, "invalid.value", "The cursor is not valid.");
    }
    first = *parsed;
  }
  const std::size_t count = std::min(*size, job->items.size() - first);
  const bool last = first + count >= job->items.size();
  const std::vector<std::uint64_t> items(job->items.begin() + static_cast<std::ptrdiff_t>(first),
                                         job->items.begin() + static_cast<std::ptrdiff_t>(first + count));
  service.statistics.count_page("audits", job->interval, job->id, items, last);

  Answer answer;
  JsonText json(answer.body);
  json.open('{').key("id").plain(job->id).key("pageSize").number(static_cast<std::int64_t>(*size));
  append_entities(json, service.world, items);
  if (!last) {
    json.key("cursor").plain(JobStore::to_cursor(*job, first + count));
  }
  json.close('}');
  return answer;
}

}  // namespace tests::simulator
