#include "tests/simulator/statistics.h"

#include <algorithm>

namespace tests::simulator {

namespace {
constexpr std::size_t kMaxWindows = 20'000;
}

void Statistics::count_request(std::string_view endpoint, int status) {
  ++total_;
  auto found = requests_.find(endpoint);
  if (found == requests_.end()) {
    found = requests_.emplace(std::string(endpoint), std::map<int, std::uint64_t>{}).first;
  }
  ++found->second[status];
}

Statistics::Served& Statistics::window(std::string_view form, std::string_view interval, std::string_view job) {
  // Pages of one window come close together: look from the newest.
  const auto found = std::find_if(served_.rbegin(), served_.rend(), [&](const Served& served) {
    return served.interval == interval && served.form == form && served.job == job;
  });
  if (found != served_.rend()) {
    return *found;
  }
  if (served_.size() == kMaxWindows) {
    served_.pop_front();
  }
  served_.push_back({.form = std::string(form), .interval = std::string(interval), .job = std::string(job)});
  return served_.back();
}

void Statistics::count_page(std::string_view form, std::string_view interval, std::string_view job,
                            const std::vector<std::uint64_t>& items, bool last) {
  count_page(form, interval, job, items.size(), last);
  Served& served = window(form, interval, job);
  served.items.insert(served.items.end(), items.begin(), items.end());
}

void Statistics::count_page(std::string_view form, std::string_view interval, std::string_view job, std::size_t records,
                            bool last) {
  Served& served = window(form, interval, job);
  ++served.pages;
  served.records += records;
  served.completions += last ? 1U : 0U;
}

common::json::Object Statistics::requests() const {
  common::json::Object endpoints;
  for (const auto& [endpoint, statuses] : requests_) {
    common::json::Object counts;
    for (const auto& [status, count] : statuses) {
      counts[std::to_string(status)] = count;
    }
    endpoints[endpoint] = std::move(counts);
  }
  return endpoints;
}

std::uint64_t Statistics::with_status(int status) const {
  std::uint64_t count = 0;
  for (const auto& [endpoint, statuses] : requests_) {
    const auto found = statuses.find(status);
    count += found == statuses.end() ? 0 : found->second;
  }
  return count;
}

}  // namespace tests::simulator
