#include "tests/simulator/conversation_details.h"

#include "tests/simulator/chance.h"
#include "tests/simulator/filter.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <utility>

namespace tests::simulator {

namespace {

using common::json::Object;
using common::json::Value;

constexpr std::array<std::string_view, 3> kOrders{"asc", "desc", "unordered"};
constexpr std::array<std::string_view, 4> kOrderKeys{"conversationStart", "conversationEnd", "segmentStart", "segmentEnd"};

struct Order {
  std::string direction = "asc";
  std::string key = "conversationStart";
};

Outcome<Order> read_order(const Object& body) {
  Order order;
  const auto read = [&](std::string_view name, const auto& allowed, std::string& place) -> std::optional<Problem> {
    const Value* value = body.if_contains(name);
    if (value == nullptr) {
      return std::nullopt;
    }
    if (!value->is_string() || std::ranges::find(allowed, std::string_view(value->get_string())) == allowed.end()) {
      return invalid_value("The value of [" + std::string(name) + "] is not one of the allowable values.").error();
    }
    place = std::string_view(value->get_string());
    return std::nullopt;
  };
  if (auto problem = read("order", kOrders, order.direction)) {
    return std::unexpected(*problem);
  }
  if (auto problem = read("orderBy", kOrderKeys, order.key)) {
    return std::unexpected(*problem);
  }
  return order;
}

void sort(std::vector<std::uint64_t>& items, const Order& order, const World& world, Instant now) {
  if (order.direction == "unordered") {
    std::ranges::sort(items, {}, [&](std::uint64_t item) { return chance(world.options().seed, 0x50a7ULL, item); });
    return;
  }
  if (order.key == "conversationEnd" || order.key == "segmentEnd") {
    // Open ones last; equal ends by start, which is the order of the indexes.
    std::ranges::sort(items, {}, [&](std::uint64_t item) {
      return std::pair(world.conversation(item).end_at(now).value_or(Instant::max()), item);
    });
  }
  if (order.direction == "desc") {
    std::ranges::reverse(items);
  }
}

Instant end_of_day(Instant end) {
  const Instant day = common::start_of_day(end);
  return day == end ? end : day + std::chrono::days{1};
}

std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> items;
  for (; first < last; ++first) {
    items.push_back(first);
  }
  return items;
}

// The conversations that started on a day the interval touches and, in the overlap reading, lived inside it.
std::vector<std::uint64_t> select_for_query(const Service& service, const Interval& interval, const Filter& filter, Instant now) {
  const World& world = service.world;
  if (service.options.fixed_pages) {
    return range(world.first_from(interval.start), world.first_from(interval.end));
  }
  const std::uint64_t first = world.first_from(common::start_of_day(interval.start));
  const std::uint64_t last = world.first_from(std::min(end_of_day(interval.end), now + Duration{1}));
  std::vector<std::uint64_t> items;
  for (std::uint64_t index = first; index < last; ++index) {
    const Conversation conversation = world.conversation(index);
    const bool touched = service.options.api.sync_match == SyncMatch::kStartDay || conversation.overlaps(interval, now);
    if (touched && conversation.exists_at(now) && filter.matches(world, conversation, now)) {
      items.push_back(index);
    }
  }
  return items;
}

// The rows of a page after the page faults had their way.
struct Rows {
  std::vector<std::uint64_t> items;
  std::optional<std::string> extra;  // stands in the middle
};

Rows cut_page(const std::vector<std::uint64_t>& all, const PageRequest& page, const Call& call, std::uint64_t bits) {
  std::uint64_t first = page.first();
  if (call.fault_of(FaultKind::kDuplicatePage) != nullptr) {
    first -= std::min(first, page.size);
  } else if (const Fault* drift = call.fault_of(FaultKind::kDrift)) {
    const auto shifted = static_cast<std::int64_t>(first) - drift->count;
    first = static_cast<std::uint64_t>(std::max<std::int64_t>(0, shifted));
  }
  Rows rows;
  for (std::uint64_t at = first; at < std::min<std::uint64_t>(all.size(), first + page.size); ++at) {
    rows.items.push_back(all[at]);
  }
  if (const Fault* fault = call.fault_of(FaultKind::kDuplicateRows)) {
    const auto count =
        std::min<std::size_t>(rows.items.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, fault->count)));
    const std::vector<std::uint64_t> again(rows.items.begin(), rows.items.begin() + static_cast<std::ptrdiff_t>(count));
    rows.items.insert(rows.items.end(), again.begin(), again.end());
  }
  if (const Fault* fault = call.fault_of(FaultKind::kShortPage)) {
    rows.items.resize(rows.items.size() - std::min<std::size_t>(rows.items.size(), static_cast<std::size_t>(
                                                                                       std::max<std::int64_t>(0, fault->count))));
  }
  if (call.fault_of(FaultKind::kEmptyPage) != nullptr) {
    rows.items.clear();
  }
  if (const Fault* fault = call.fault_of(FaultKind::kBadRecord)) {
    rows.extra = bad_record(*fault, bits, call.now);
  }
  return rows;
}

void append_rows(std::string& body, const World& world, const Rows& rows, Instant now, Form form) {
  JsonText json(body);
  const std::size_t middle = rows.items.size() / 2;
  for (std::size_t row = 0; row <= rows.items.size(); ++row) {
    if (row == middle && rows.extra) {
      json.raw(*rows.extra);
    }
    if (row < rows.items.size()) {
      append_record(body, world, world.conversation(rows.items[row]), now, form);
    }
  }
}

Answer fixed_query_page(Service& service, const std::vector<std::uint64_t>& all, const PageRequest& page,
                        const std::string& interval) {
  if (!service.query_pages) {
    service.query_pages = std::make_unique<FixedPages>(service.world, Form::kQuery, service.options.api.max_page_size);
  }
  const std::uint64_t first = std::min<std::uint64_t>(page.first(), all.size());
  const std::uint64_t count = std::min<std::uint64_t>(page.size, all.size() - first);
  service.statistics.count_page("query", interval, "", count, first + count == all.size());
  const std::string total = "\"totalHits\":" + std::to_string(all.size());
  if (count == 0) {
    return {.body = "{" + total + "}"};
  }
  return {.shared_body = service.query_pages->page(all[first], count, total)};
}

}  // namespace

Outcome<Answer> query_conversation_details(Service& service, Call& call) {
  const ApiOptions& api = service.options.api;
  auto body = read_body(service, call,
                        {"conversationFilters", "segmentFilters", "evaluationFilters", "surveyFilters", "resolutionFilters",
                         "order", "orderBy", "interval", "aggregations", "paging"});
  if (!body) {
    return std::unexpected(body.error());
  }
  auto interval = read_interval(*body);
  if (!interval) {
    return std::unexpected(interval.error());
  }
  auto filter = Filter::parse(*body);
  if (!filter) {
    return std::unexpected(filter.error());
  }
  auto order = read_order(*body);
  if (!order) {
    return std::unexpected(order.error());
  }
  auto page = read_paging(*body, api);
  if (!page) {
    return std::unexpected(page.error());
  }
  const Duration longest = filter->empty() ? api.max_interval_unfiltered : api.max_interval_filtered;
  if (interval->length() > longest) {
    return bad_request("You must specify a search interval as part of your query that does not exceed " +
                       std::to_string(std::chrono::floor<std::chrono::days>(longest).count()) + " days.");
  }

  std::vector<std::uint64_t> all = select_for_query(service, *interval, *filter, call.now);
  const std::string asked(body->at("interval").as_string());
  if (service.options.fixed_pages) {
    return fixed_query_page(service, all, *page, asked);
  }
  sort(all, *order, service.world, call.now);
  const Rows rows = cut_page(all, *page, call, chance(service.options.world.seed, 0xbadULL, service.requests));
  service.statistics.count_page("query", asked, "", rows.items, page->first() + page->size >= all.size());

  Answer answer;
  answer.body = "{";
  // Past the last page the member is absent; an empty page in the middle is a fault and says [].
  if (page->first() < all.size() || rows.extra) {
    answer.body += "\"conversations\":[";
    append_rows(answer.body, service.world, rows, call.now, Form::kQuery);
    answer.body += ']';
  }
  JsonText(answer.body).key("totalHits").number(static_cast<std::int64_t>(told_total(service, call, all.size())));
  answer.body += '}';
  return answer;
}

Outcome<Answer> get_conversation_details(Service& service, Call& call) {
  const auto index = service.world.index_of(call.path_parameters.at(0));
  if (!index || !service.world.conversation(*index).exists_at(call.now)) {
    return refuse(404, "not.found", "The requested resource was not found.");
  }
  Answer answer;
  append_record(answer.body, service.world, service.world.conversation(*index), call.now, Form::kQuery);
  return answer;
}

Outcome<Answer> get_many_conversation_details(Service& service, Call& call) {
  const std::string& ids = call.query["id"];
  if (ids.empty()) {
    return bad_request("The query parameter [id] is required.");
  }
  Rows rows;
  std::size_t asked = 0;
  for (const auto part : std::views::split(ids, ',')) {
    const std::string_view id(part.begin(), part.end());
    ++asked;
    const auto index = service.world.index_of(id);
    if (index && service.world.conversation(*index).exists_at(call.now)) {
      rows.items.push_back(*index);
    }
  }
  if (asked > service.options.api.max_ids) {
    return invalid_value("At most " + std::to_string(service.options.api.max_ids) + " conversation ids may be given.");
  }
  if (const Fault* fault = call.fault_of(FaultKind::kBadRecord)) {
    rows.extra = bad_record(*fault, chance(service.options.world.seed, 0xbadULL, service.requests), call.now);
  }
  Answer answer{.body = "{\"conversations\":["};
  append_rows(answer.body, service.world, rows, call.now, Form::kQuery);
  answer.body += "]}";
  return answer;
}

Outcome<Job*> submit_conversation_job(Service& service, Call& call) {
  auto body = read_body(service, call,
                        {"conversationFilters", "segmentFilters", "evaluationFilters", "surveyFilters", "resolutionFilters",
                         "order", "orderBy", "interval", "limit", "startOfDayIntervalMatching"});
  if (!body) {
    return std::unexpected(body.error());
  }
  auto interval = read_interval(*body);
  if (!interval) {
    return std::unexpected(interval.error());
  }
  auto filter = Filter::parse(*body);
  if (!filter) {
    return std::unexpected(filter.error());
  }
  auto order = read_order(*body);
  if (!order) {
    return std::unexpected(order.error());
  }
  const Value* start_of_day = body->if_contains("startOfDayIntervalMatching");
  if (start_of_day != nullptr && !start_of_day->is_bool()) {
    return bad_request("startOfDayIntervalMatching must be a boolean.");
  }
  const bool by_start_day = start_of_day != nullptr && start_of_day->get_bool();
  const Value* limit_value = body->if_contains("limit");
  if (limit_value != nullptr && (!limit_value->is_int64() || limit_value->get_int64() < 1)) {
    return bad_request("limit must be a positive integer.");
  }
  const auto limit = limit_value == nullptr ? ~std::size_t{0} : static_cast<std::size_t>(limit_value->get_int64());

  Job& job = service.jobs.submit(JobKind::kConversations, call.now);
  job.interval = std::string(body->at("interval").as_string());
  job.select = [&service, interval = *interval, filter = std::move(*filter), order = std::move(*order), by_start_day,
                limit](Instant as_of) {
    const World& world = service.world;
    if (service.options.fixed_pages) {
      return range(world.first_from(interval.start), world.first_from(interval.end));
    }
    // Everything that lived in the interval; with the start-day rule only what started on its first day or later.
    const std::uint64_t first = by_start_day ? world.first_from(common::start_of_day(interval.start)) : 0;
    const std::uint64_t last = world.first_from(std::min(interval.end, as_of));
    std::vector<std::uint64_t> items;
    for (std::uint64_t index = first; index < last; ++index) {
      const Conversation conversation = world.conversation(index);
      if (conversation.overlaps(interval, as_of) && conversation.exists_at(as_of) && filter.matches(world, conversation, as_of)) {
        items.push_back(index);
      }
    }
    sort(items, order, world, as_of);
    items.resize(std::min(items.size(), limit));
    return items;
  };
  return &job;
}

}  // namespace tests::simulator
