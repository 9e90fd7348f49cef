#include "tests/simulator/details_jobs.h"

#include "tests/simulator/chance.h"
#include "tests/simulator/conversation_details.h"
#include "tests/simulator/user_details.h"

#include <algorithm>
#include <charconv>

namespace tests::simulator {

namespace {

// The availability date of this answer; faults of the lake strike here.
Instant availability(Service& service, const Call& call) {
  if (call.fault_of(FaultKind::kAvailabilityFrozen) != nullptr) {
    service.lake.freeze(call.now);
  }
  if (const Fault* fault = call.fault_of(FaultKind::kAvailabilityBack)) {
    service.lake.move_back(fault->by);
  }
  return service.lake.availability(call.now);
}

std::string format_date(Instant date) {
  return common::format_instant(date, false);  // seen without a fraction
}

std::unexpected<Problem> unknown_job() {
  return refuse(404, "not.found", "The requested resource was not found.");
}

Outcome<std::size_t> read_page_size(const Call& call, const ApiOptions& options) {
  const auto found = call.query.find("pageSize");
  if (found == call.query.end()) {
    return options.default_job_page_size;
  }
  std::size_t size = 0;
  const std::string& text = found->second;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || stopped != text.data() + text.size() || size == 0 || size > options.max_job_page_size) {
    return invalid_value("Value [" + text + "] is not valid for [pageSize]. It must be between 1 and " +
                         std::to_string(options.max_job_page_size) + ".");
  }
  return size;
}

}  // namespace

Outcome<Answer> submit_job(Service& service, Call& call, JobKind kind) {
  const std::uint32_t most = service.options.api.max_jobs;
  if (most != 0 && service.jobs.running(call.now) >= most) {
    Problem problem = problem_of(429, std::chrono::seconds{1}, most);
    problem.limit = Limit{.key = "details.jobs.concurrent.access.max", .name_space = "analytics", .value = most};
    return std::unexpected(problem);
  }
  auto job = kind == JobKind::kConversations ? submit_conversation_job(service, call) : submit_user_job(service, call);
  if (!job) {
    return std::unexpected(job.error());
  }
  if (const Fault* fault = call.fault_of(FaultKind::kJobState)) {
    (*job)->forced_state = fault->state;
  }
  return Answer{.status = 202, .body = R"({"jobId":")" + (*job)->id + "\"}"};
}

Outcome<Answer> get_job_status(Service& service, Call& call, JobKind kind) {
  Job* job = service.jobs.find(kind, call.path_parameters.at(0), call.now);
  if (job == nullptr) {
    return unknown_job();
  }
  if (const Fault* fault = call.fault_of(FaultKind::kJobState)) {
    job->forced_state = fault->state;
  }
  const JobState state = service.jobs.state(*job, call.now);
  const bool over = state != JobState::kQueued && state != JobState::kPending;
  Answer answer{.status = over ? 200 : 202};
  JsonText json(answer.body);
  json.open('{').key("state").plain(to_string(state));
  if (state == JobState::kFailed) {
    json.key("errorMessage").plain("The query could not be run.");
  }
  if (state == JobState::kFulfilled || state == JobState::kExpired) {
    json.key("expirationDate").instant(service.jobs.expires_at(*job));
  }
  json.key("submissionDate").instant(job->submitted);
  if (state == JobState::kFulfilled || state == JobState::kExpired) {
    json.key("completionDate").instant(service.jobs.completed_at(*job));
  }
  json.close('}');
  return answer;
}

Outcome<Answer> get_job_results(Service& service, Call& call, JobKind kind) {
  const ApiOptions& api = service.options.api;
  Job* job = service.jobs.find(kind, call.path_parameters.at(0), call.now);
  if (job == nullptr) {
    return unknown_job();
  }
  const JobState state = service.jobs.state(*job, call.now);
  if (state == JobState::kExpired) {
    return unknown_job();
  }
  if (const Fault* fault = call.fault_of(FaultKind::kNotReady); fault != nullptr || state != JobState::kFulfilled) {
    const int status = fault != nullptr && fault->status != 0 ? fault->status : api.results_too_early_status;
    return refuse(status, status == 404 ? "not.found" : "bad.request",
                  "The results of the job are not available: its state is not FULFILLED.");
  }
  service.jobs.complete(*job, service.lake);
  auto size = read_page_size(call, api);
  if (!size) {
    return std::unexpected(size.error());
  }
  std::size_t first = 0;
  const std::string& cursor = call.query["cursor"];
  const Fault* unknown_cursor = call.fault_of(FaultKind::kUnknownCursor);
  if (!cursor.empty() || unknown_cursor != nullptr) {
    const auto parsed = JobStore::parse_cursor(*job, cursor);
    if (!parsed || unknown_cursor != nullptr) {
      const int status =
          unknown_cursor != nullptr && unknown_cursor->status != 0 ? unknown_cursor->status : api.unknown_cursor_status;
      return refuse(status, status == 404 ? "not.found" : "invalid.value", "The cursor is not valid.");
    }
    first = *parsed;
  }
  const auto faulty_count = [&](const Fault& fault) {
    return std::min(*size, static_cast<std::size_t>(std::max<std::int64_t>(0, fault.count)));
  };
  // A short or empty page of a job loses nothing: the cursor goes on behind what was given.
  std::size_t count = std::min(*size, job->items.size() - first);
  if (const Fault* fault = call.fault_of(FaultKind::kShortPage)) {
    count -= std::min(count, faulty_count(*fault));
  }
  if (call.fault_of(FaultKind::kEmptyPage) != nullptr) {
    count = 0;
  }
  const std::size_t next = first + count;
  const bool last = next >= job->items.size();

  std::string tail;
  if (!last) {
    tail = R"("cursor":")" + JobStore::to_cursor(*job, next) + "\",";
  }
  tail += R"("dataAvailabilityDate":")" + format_date(*job->as_of) + "\"";
  const std::string_view form = kind == JobKind::kConversations ? "job" : "user-job";

  if (service.options.fixed_pages && kind == JobKind::kConversations && count > 0) {
    if (!service.job_pages) {
      service.job_pages = std::make_unique<FixedPages>(service.world, Form::kJob, api.max_job_page_size);
    }
    service.statistics.count_page(form, job->interval, job->id, count, last);
    return Answer{.shared_body = service.job_pages->page(job->items[first], count, tail)};
  }

  std::vector<std::uint64_t> items(job->items.begin() + static_cast<std::ptrdiff_t>(first),
                                   job->items.begin() + static_cast<std::ptrdiff_t>(next));
  if (call.fault_of(FaultKind::kDuplicatePage) != nullptr) {
    const std::size_t before = first - std::min(first, *size);
    items.assign(job->items.begin() + static_cast<std::ptrdiff_t>(before),
                 job->items.begin() + static_cast<std::ptrdiff_t>(std::min(before + *size, job->items.size())));
  }
  if (const Fault* fault = call.fault_of(FaultKind::kDuplicateRows)) {
    const std::size_t again = std::min(items.size(), faulty_count(*fault));
    const std::vector<std::uint64_t> repeated(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(again));
    items.insert(items.end(), repeated.begin(), repeated.end());
  }
  service.statistics.count_page(form, job->interval, job->id, items, last);

  Answer answer{.body = "{"};
  JsonText json(answer.body);
  const Fault* bad = call.fault_of(FaultKind::kBadRecord);
  if (!items.empty() || bad != nullptr || !last) {
    json.key(kind == JobKind::kConversations ? "conversations" : "userDetails").open('[');
    const Interval interval = common::parse_interval(job->interval).value();
    for (std::size_t row = 0; row <= items.size(); ++row) {
      if (bad != nullptr && row == items.size() / 2) {
        json.raw(bad_record(*bad, chance(service.options.world.seed, 0xbadULL, service.requests), call.now));
      }
      if (row == items.size()) {
        break;
      }
      if (kind == JobKind::kConversations) {
        append_record(answer.body, service.world, service.world.conversation(items[row]), *job->as_of, Form::kJob);
      } else {
        append_user_details(answer.body, service.world, static_cast<std::uint32_t>(items[row]), interval, *job->as_of);
      }
    }
    json.close(']');
  }
  json.raw(tail).close('}');
  return answer;
}

Outcome<Answer> delete_job(Service& service, Call& call, JobKind kind) {
  const Job* job = service.jobs.find(kind, call.path_parameters.at(0), call.now);
  if (job == nullptr) {
    return unknown_job();
  }
  service.jobs.remove(job->id);
  return Answer{.status = 204};
}

Outcome<Answer> get_job_availability(Service& service, Call& call) {
  return Answer{.body = R"({"dataAvailabilityDate":")" + format_date(availability(service, call)) + "\"}"};
}

}  // namespace tests::simulator
