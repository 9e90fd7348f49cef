#include "connector/app/plan.h"

#include "common/clock.h"
#include "common/json.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/verbs.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <sstream>

namespace connector::cli {
namespace {

using common::json::Array;
using common::json::Object;

std::string number(double value) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(value > 0 && value < 10 ? 1 : 0) << value;
  return text.str();
}
std::string percent(double share) {
  return number(share * 100) + " %";
}
// In days, hours or minutes: what people would say.
std::string about(common::Duration duration) {
  const double minutes = static_cast<double>(duration.count()) / 60'000;
  if (minutes >= 2 * 24 * 60) return number(minutes / (24 * 60)) + " days";
  if (minutes >= 120) return number(minutes / 60) + " hours";
  return number(std::ceil(minutes)) + " minutes";
}
std::string or_default(int value) {
  return value > 0 ? std::to_string(value) : "broker's default";
}

// `20000` for every stream, or `conversations=20000`.
common::Result<void> read_records(const std::vector<std::string>& texts, const app::AppOptions& options,
                                  app::PlanAssumptions& assumptions) {
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    const std::string digits = equals == std::string::npos ? text : text.substr(equals + 1);
    std::uint64_t records = 0;
    const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), records);
    if (wrong != std::errc{} || end != digits.data() + digits.size()) {
      return common::fail(common::ErrorCode::kConfigInvalid,
                          "--records-per-day " + text + ": a whole number, or STREAM=NUMBER, is expected");
    }
    if (equals == std::string::npos) {
      assumptions.records_per_day = static_cast<double>(records);
      continue;
    }
    const core::StreamName stream{text.substr(0, equals)};
    if (std::ranges::find(options.streams, stream, &source::StreamOptions::name) == options.streams.end()) {
      return common::fail(common::ErrorCode::kConfigInvalid, "--records-per-day " + text + ": no such stream");
    }
    assumptions.records_per_day_of[stream] = static_cast<double>(records);
  }
  return {};
}

common::Result<app::PlanAssumptions> read_assumptions(const PlanCommand& command, const app::AppOptions& options) {
  app::PlanAssumptions assumptions;
  if (auto read = read_records(command.records_per_day, options, assumptions); !read) return common::fail(read.error());
  const auto mean = common::parse_duration(command.mean_duration);
  if (!mean) return common::fail(common::with_context(mean.error(), "--mean-duration"));
  const auto job = common::parse_duration(command.job_duration);
  if (!job) return common::fail(common::with_context(job.error(), "--job-duration"));
  assumptions.mean_duration = *mean;
  assumptions.job_duration = *job;
  return assumptions;
}

std::string verdict(const core::BudgetEstimate& budget, double most) {
  const core::MonthVerdict month = core::judge_month(budget, most);
  if (!month.suffices) return "NOT ENOUGH, used up after " + number(month.used_up_after_days) + " days";
  if (month.suffices_with_catch_up) return "enough";
  return "enough, but not in the month that catches up (" + number(budget.catch_up_requests) + " requests more)";
}

double records_of(const app::Plan& plan, const core::StreamName& stream) {
  const auto own = plan.assumptions.records_per_day_of.find(stream);
  return own != plan.assumptions.records_per_day_of.end() ? own->second : plan.assumptions.records_per_day;
}

void print_text(const app::Plan& plan, std::ostream& out) {
  const core::BudgetEstimate& budget = plan.budget;
  out << "An estimate on the safe side, from the configuration alone: nothing was asked.\nAssumed:";
  for (const auto& [stream, history] : plan.history)
    out << " " << stream.str() << " " << number(records_of(plan, stream)) << " records a day;";
  out << " a record lasts " << common::format_duration(plan.assumptions.mean_duration) << ", a job "
      << common::format_duration(plan.assumptions.job_duration) << ".\n\n";

  out << std::left << std::setw(28) << "stream" << std::setw(9) << "lane" << std::right << std::setw(14) << "windows/day"
      << std::setw(10) << "jobs/day" << std::setw(15) << "requests/day" << std::setw(10) << "of quota" << std::setw(18)
      << "to catch up\n";
  const double permitted_per_day = budget.permitted_per_minute * 24 * 60;
  for (const app::LanePlan& lane : plan.lanes) {
    const core::LaneEstimate& estimate = lane.estimate;
    out << std::left << std::setw(28) << lane.source.stream.str() << std::setw(9) << core::to_string(lane.source.lane)
        << std::right << std::setw(14) << number(estimate.a_day.windows) << std::setw(10) << number(estimate.a_day.jobs)
        << std::setw(15) << number(estimate.a_day.requests) << std::setw(10)
        << percent(estimate.a_day.requests / permitted_per_day) << std::setw(17) << number(estimate.catch_up.requests) << "\n";
  }

  out << "\nrequests a day     " << number(budget.requests_per_day) << ", " << percent(budget.share_of_permitted) << " of the "
      << number(budget.permitted_per_minute) << " a minute that may be sent\n"
      << "requests a month   " << number(budget.requests_per_month) << " (31 days)";
  if (plan.max_requests_per_month) {
    const auto most = static_cast<double>(*plan.max_requests_per_month);
    out << ", " << percent(budget.requests_per_month / most) << " of max_requests_per_month (" << number(most)
        << "): " << verdict(budget, most);
  }
  out << "\ncatching up        ";
  if (!budget.catch_up) {
    out << "never: the quota is too small for what comes every day";
  } else if (*budget.catch_up == common::Duration{0}) {
    out << "nothing to catch up with";
  } else {
    out << about(*budget.catch_up) << ", beside what comes every day";
  }
  out << "\n\n"
      << std::left << std::setw(40) << "topic" << std::setw(28) << "holds" << std::setw(20) << "partitions" << std::setw(20)
      << "replicas" << "if missing\n";
  for (const app::PlannedTopic& topic : plan.topics) {
    out << std::left << std::setw(40) << topic.name << std::setw(28) << topic.holds << std::setw(20)
        << or_default(topic.partitions) << std::setw(20) << or_default(topic.replication_factor)
        << (topic.created ? "is created" : "is refused") << "\n";
  }
}

Object to_json(const core::Requests& requests) {
  return {{"windows", requests.windows}, {"jobs", requests.jobs}, {"requests", requests.requests}};
}

Object to_json(const app::Plan& plan) {
  Array lanes;
  for (const app::LanePlan& lane : plan.lanes) {
    lanes.push_back(Object{{"stream", lane.source.stream.str()},
                           {"lane", core::to_string(lane.source.lane)},
                           {"a_day", to_json(lane.estimate.a_day)},
                           {"catch_up", to_json(lane.estimate.catch_up)}});
  }
  Array topics;
  for (const app::PlannedTopic& topic : plan.topics) {
    topics.push_back(Object{{"name", topic.name},
                            {"holds", topic.holds},
                            {"partitions", topic.partitions},
                            {"replication_factor", topic.replication_factor},
                            {"created_if_missing", topic.created}});
  }
  Object records;
  for (const auto& [stream, history] : plan.history) records[stream.str()] = records_of(plan, stream);
  Object budget{{"permitted_per_minute", plan.budget.permitted_per_minute},
                {"requests_per_day", plan.budget.requests_per_day},
                {"share_of_permitted", plan.budget.share_of_permitted},
                {"requests_per_month", plan.budget.requests_per_month},
                {"max_requests_per_month", nullptr},
                {"month_suffices", nullptr},
                {"month_suffices_with_catch_up", nullptr},
                {"catch_up_requests", plan.budget.catch_up_requests},
                {"catch_up_seconds", nullptr}};
  if (plan.max_requests_per_month) {
    const core::MonthVerdict month = core::judge_month(plan.budget, static_cast<double>(*plan.max_requests_per_month));
    budget["max_requests_per_month"] = *plan.max_requests_per_month;
    budget["month_suffices"] = month.suffices;
    budget["month_suffices_with_catch_up"] = month.suffices_with_catch_up;
  }
  if (plan.budget.catch_up) budget["catch_up_seconds"] = plan.budget.catch_up->count() / 1'000;
  return {{"assumptions", Object{{"records_per_day", std::move(records)},
                                 {"mean_duration_seconds", plan.assumptions.mean_duration.count() / 1'000},
                                 {"job_duration_seconds", plan.assumptions.job_duration.count() / 1'000}}},
          {"lanes", std::move(lanes)},
          {"budget", std::move(budget)},
          {"topics", std::move(topics)}};
}

}  // namespace

int plan(const PlanCommand& command, const Surroundings& surroundings) {
  if (command.diff) return plan_diff(command, surroundings);
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto assumptions = read_assumptions(command, configuration->loaded.config);
  if (!assumptions) {
    surroundings.err << assumptions.error().message << "\n";
    return kConfigurationError;
  }
  common::SystemClock clock;
  const app::Plan made = app::make_plan(configuration->loaded.config, configuration->definitions, *assumptions, clock.utc_now());
  for (const std::string& problem : made.problems) {
    surroundings.err << problem << ". A stream that has not run yet is refused; the plan is for what is kept\n";
  }
  if (command.output == Output::kJson) {
    surroundings.out << common::json::serialize(to_json(made)) << "\n";
  } else {
    print_text(made, surroundings.out);
  }
  return kDone;
}

}  // namespace connector::cli
