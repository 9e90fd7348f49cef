#include "tests/simulator/aggregates.h"

#include "tests/simulator/chance.h"
#include "tests/simulator/filter.h"

#include <algorithm>
#include <map>
#include <set>

namespace tests::simulator {

namespace {

using common::json::Array;
using common::json::Object;
using common::json::Value;

constexpr std::int64_t kMaxBuckets = 10'000;
constexpr double kServiceLevelTarget = 0.8;

// A list of texts; `required` refuses an absent or empty one.
Outcome<std::vector<std::string>> read_list(const Object& body, std::string_view name, bool required) {
  std::vector<std::string> texts;
  const Value* value = body.if_contains(name);
  if (value != nullptr && value->is_array()) {
    for (const Value& item : value->get_array()) {
      if (!item.is_string()) {
        return bad_request("[" + std::string(name) + "] must hold texts.");
      }
      texts.emplace_back(std::string_view(item.get_string()));
    }
  }
  if (required && texts.empty()) {
    return bad_request("[" + std::string(name) + "] is required.");
  }
  return texts;
}

Outcome<std::vector<Interval>> read_buckets(const Object& body) {
  auto interval = read_interval(body);
  if (!interval) {
    return std::unexpected(interval.error());
  }
  Duration granularity = interval->length();
  if (const Value* value = body.if_contains("granularity")) {
    const auto period = value->is_string() ? parse_period(std::string_view(value->get_string())) : std::nullopt;
    if (!period) {
      return invalid_value("The granularity is not an ISO-8601 period.");
    }
    granularity = *period;
  }
  if (interval->length() / granularity > kMaxBuckets) {
    return bad_request("The interval holds too many buckets of the granularity.");
  }
  std::vector<Interval> buckets;
  for (Instant start = interval->start; start < interval->end; start += granularity) {
    buckets.push_back({.start = start, .end = std::min(interval->end, start + granularity)});
  }
  return buckets;
}

struct Summary {
  std::int64_t count = 0;
  std::int64_t sum = 0;
  std::int64_t min = 0;
  std::int64_t max = 0;

  void add(std::int64_t value) {
    min = count == 0 ? value : std::min(min, value);
    max = count == 0 ? value : std::max(max, value);
    sum += value;
    ++count;
  }
};

// What a conversation adds to a metric at `now`; nothing while it is not known or not computed.
std::optional<std::int64_t> value_of(const std::string& metric, const World& world, const Conversation& conversation,
                                     Instant now) {
  const Duration life = conversation.end - conversation.start;
  const bool closed = conversation.end_at(now).has_value();
  const bool answered = conversation.agents > 0 && closed;
  if (metric == "nConnected") {
    return 1;
  }
  if (metric == "nOffered") {
    return conversation.with_flow ? std::optional<std::int64_t>(1) : std::nullopt;
  }
  if (metric == "tConversationDuration") {
    return closed ? std::optional(life.count()) : std::nullopt;
  }
  if (metric == "tAnswered" || metric == "tTalk" || metric == "tTalkComplete" || metric == "tAcw" || metric == "tHandle") {
    if (!answered) {
      return std::nullopt;
    }
    const std::int64_t talk = life.count() * 8 / 10;
    const std::int64_t wrap_up = world.options().wrap_up.count();
    return metric == "tAnswered" ? life.count() / 20 : metric == "tAcw" ? wrap_up : metric == "tHandle" ? talk + wrap_up : talk;
  }
  return std::nullopt;
}

bool is_metric_name(std::string_view name) {
  return name.size() > 2 && std::string_view("nto").contains(name[0]) && name[1] >= 'A' && name[1] <= 'Z';
}

std::optional<std::string> group_value(const std::string& dimension, const World& world, const Conversation& conversation) {
  if (dimension == "mediaType") {
    return std::string(to_string(conversation.media));
  }
  if (dimension == "queueId") {
    return world.queue(conversation.queue);
  }
  if (dimension == "divisionId") {
    return world.division(conversation.division);
  }
  if (dimension == "direction" || dimension == "originatingDirection") {
    return conversation.inbound ? "inbound" : "outbound";
  }
  if (dimension == "conversationId") {
    return world.id_of(conversation.index);
  }
  if (dimension == "userId") {
    return world.user(conversation.agent_user(0, world.options().users));
  }
  return std::nullopt;
}

using Group = std::vector<std::string>;

Answer render(Array results) {
  return {.body = common::json::serialize(Object{{"results", std::move(results)}})};
}

}  // namespace

std::optional<Duration> parse_period(std::string_view text) {
  if (!text.starts_with('P')) {
    return std::nullopt;
  }
  Duration total{0};
  std::int64_t number = 0;
  bool has_digits = false;
  bool in_time = false;
  for (const char character : text.substr(1)) {
    if (character >= '0' && character <= '9') {
      number = number * 10 + (character - '0');
      has_digits = true;
      if (number > 1'000'000) {
        return std::nullopt;
      }
      continue;
    }
    if (character == 'T' && !in_time && !has_digits) {
      in_time = true;
      continue;
    }
    const std::string_view units = in_time ? "HMS" : "WD";
    if (!has_digits || !units.contains(character)) {
      return std::nullopt;
    }
    const std::int64_t seconds = character == 'W'   ? 604'800
                                 : character == 'D' ? 86'400
                                 : character == 'H' ? 3'600
                                 : character == 'M' ? 60
                                                    : 1;
    total += std::chrono::seconds{number * seconds};
    number = 0;
    has_digits = false;
  }
  return has_digits || total <= Duration::zero() ? std::nullopt : std::optional(total);
}

Outcome<Answer> query_conversation_aggregates(Service& service, Call& call) {
  auto body = read_body(service, call,
                        {"interval", "granularity", "timeZone", "groupBy", "filter", "metrics", "flattenMultivaluedDimensions",
                         "views", "alternateTimeDimension", "queryType", "sortMetric", "limit"});
  if (!body) {
    return std::unexpected(body.error());
  }
  auto metrics = read_list(*body, "metrics", true);
  if (!metrics) {
    return std::unexpected(metrics.error());
  }
  for (const std::string& metric : *metrics) {
    if (!is_metric_name(metric)) {
      return invalid_value("Value [" + metric + "] is not valid for field type [MetricName].");
    }
  }
  auto dimensions = read_list(*body, "groupBy", false);
  if (!dimensions) {
    return std::unexpected(dimensions.error());
  }
  const World& world = service.world;
  for (const std::string& dimension : *dimensions) {
    if (!group_value(dimension, world, world.conversation(0))) {
      return invalid_value("Value [" + dimension + "] is not a dimension the simulator groups by.");
    }
  }
  auto buckets = read_buckets(*body);
  if (!buckets) {
    return std::unexpected(buckets.error());
  }
  Filter filter;
  if (const Value* value = body->if_contains("filter")) {
    auto parsed = Filter::parse_one(*value);
    if (!parsed) {
      return std::unexpected(parsed.error());
    }
    filter = std::move(*parsed);
  }

  std::map<Group, std::map<std::size_t, std::map<std::string, Summary>>> groups;
  for (std::size_t bucket = 0; bucket < buckets->size(); ++bucket) {
    const Interval& interval = (*buckets)[bucket];
    const std::uint64_t last = world.first_from(std::min(interval.end, call.now + Duration{1}));
    for (std::uint64_t index = world.first_from(interval.start); index < last; ++index) {
      const Conversation conversation = world.conversation(index);
      if (!conversation.exists_at(call.now) || !filter.matches(world, conversation, call.now)) {
        continue;
      }
      Group group;
      for (const std::string& dimension : *dimensions) {
        group.push_back(*group_value(dimension, world, conversation));
      }
      auto& summaries = groups[group][bucket];
      for (const std::string& metric : *metrics) {
        // The service level: answered within a twentieth of the median life.
        const std::string counted = metric == "oServiceLevel" ? "tAnswered" : metric;
        const auto value = value_of(counted, world, conversation, call.now);
        if (value) {
          summaries[metric].add(metric == "oServiceLevel" ? (*value <= world.options().duration.count() / 20 ? 1 : 0) : *value);
        }
      }
    }
  }

  Array results;
  for (const auto& [group, data] : groups) {
    Object names;
    for (std::size_t number = 0; number < group.size(); ++number) {
      names[(*dimensions)[number]] = group[number];
    }
    Array rows;
    for (const auto& [bucket, summaries] : data) {
      Array values;
      for (const auto& [metric, summary] : summaries) {
        Object stats;
        if (metric == "oServiceLevel") {
          stats = {{"ratio", static_cast<double>(summary.sum) / static_cast<double>(summary.count)},
                   {"numerator", summary.sum},
                   {"denominator", summary.count},
                   {"target", kServiceLevelTarget}};
        } else if (metric.starts_with('n')) {
          stats = {{"count", summary.count}};
        } else {
          stats = {{"max", summary.max}, {"min", summary.min}, {"count", summary.count}, {"sum", summary.sum}};
        }
        values.push_back(Object{{"metric", metric}, {"stats", std::move(stats)}});
      }
      if (!values.empty()) {
        rows.push_back(Object{{"interval", common::format_interval((*buckets)[bucket])}, {"metrics", std::move(values)}});
      }
    }
    if (!rows.empty()) {
      results.push_back(Object{{"group", std::move(names)}, {"data", std::move(rows)}});
    }
  }
  return render(std::move(results));
}

Outcome<Answer> query_user_aggregates(Service& service, Call& call) {
  constexpr std::size_t kMaxUsers = 100;
  auto body = read_body(service, call,
                        {"interval", "granularity", "timeZone", "groupBy", "filter", "metrics", "flattenMultivaluedDimensions",
                         "views", "alternateTimeDimension", "queryType", "sortMetric", "limit"});
  if (!body) {
    return std::unexpected(body.error());
  }
  auto metrics = read_list(*body, "metrics", true);
  if (!metrics) {
    return std::unexpected(metrics.error());
  }
  for (const std::string& metric : *metrics) {
    if (metric != "tAgentRoutingStatus" && metric != "tSystemPresence" && metric != "tOrganizationPresence") {
      return invalid_value("Value [" + metric + "] is not valid for field type [UserAggregateMetric].");
    }
  }
  auto dimensions = read_list(*body, "groupBy", false);
  if (!dimensions) {
    return std::unexpected(dimensions.error());
  }
  if (std::ranges::any_of(*dimensions, [](const std::string& dimension) { return dimension != "userId"; })) {
    return invalid_value("User aggregates may be grouped by userId only.");
  }
  auto buckets = read_buckets(*body);
  if (!buckets) {
    return std::unexpected(buckets.error());
  }
  std::vector<std::string> wanted;
  if (const Value* value = body->if_contains("filter")) {
    auto filter = Filter::parse_one(*value);
    if (!filter) {
      return std::unexpected(filter.error());
    }
    wanted = filter->values_of("userId");
    if (wanted.size() > kMaxUsers) {
      return invalid_value("A query may name at most 100 users.");
    }
  }

  const World& world = service.world;
  const auto total_into = [](std::map<std::string, std::int64_t>& sums, const std::vector<StateEntry>& entries,
                             const Interval& interval, Instant now) {
    for (const StateEntry& entry : entries) {
      const Instant end = std::min({entry.end.value_or(now), interval.end, now});
      sums[std::string(entry.state)] += (end - std::max(entry.start, interval.start)).count();
    }
  };
  Array results;
  std::set<std::string> presences;
  for (std::uint32_t user = 0; user < world.options().users; ++user) {
    if (!wanted.empty() && std::ranges::find(wanted, world.user(user)) == wanted.end()) {
      continue;
    }
    Array rows;
    for (const Interval& bucket : *buckets) {
      Array values;
      for (const std::string& metric : *metrics) {
        std::map<std::string, std::int64_t> sums;
        total_into(sums,
                   metric == "tAgentRoutingStatus" ? world.routing_statuses(user, bucket, call.now)
                                                   : world.presences(user, bucket, call.now),
                   bucket, call.now);
        for (const auto& [state, sum] : sums) {
          if (metric != "tAgentRoutingStatus") {
            presences.insert(state);
          }
          values.push_back(Object{{"metric", metric},
                                  {"qualifier", metric == "tOrganizationPresence" ? world.presence_definition(state) : state},
                                  {"stats", Object{{"sum", sum}}}});
        }
      }
      if (!values.empty()) {
        rows.push_back(Object{{"interval", common::format_interval(bucket)}, {"metrics", std::move(values)}});
      }
    }
    if (!rows.empty()) {
      results.push_back(Object{{"group", Object{{"userId", world.user(user)}}}, {"data", std::move(rows)}});
    }
  }
  Object mappings;
  for (const std::string& presence : presences) {
    mappings[presence] = Array{Value(world.presence_definition(presence))};
  }
  return Answer{.body = common::json::serialize(
                    Object{{"systemToOrganizationMappings", std::move(mappings)}, {"results", std::move(results)}})};
}

Outcome<Answer> query_queue_observations(Service& service, Call& call) {
  auto body = read_body(service, call, {"filter", "metrics", "detailMetrics"});
  if (!body) {
    return std::unexpected(body.error());
  }
  auto metrics = read_list(*body, "metrics", true);
  if (!metrics) {
    return std::unexpected(metrics.error());
  }
  static const std::set<std::string> kMetrics{
      "oActiveUsers",   "oAlerting",     "oInteracting",   "oLongestInteracting",  "oLongestWaiting", "oMemberUsers",
      "oOffQueueUsers", "oOnQueueUsers", "oUserPresences", "oUserRoutingStatuses", "oWaiting"};
  for (const std::string& metric : *metrics) {
    if (!kMetrics.contains(metric)) {
      return invalid_value("Value [" + metric + "] is not valid for field type [QueueObservationMetric].");
    }
  }
  auto details = read_list(*body, "detailMetrics", false);
  if (!details) {
    return std::unexpected(details.error());
  }
  const Value* filter_value = body->if_contains("filter");
  if (filter_value == nullptr) {
    return bad_request("[filter] is required.");
  }
  auto filter = Filter::parse_one(*filter_value);
  if (!filter) {
    return std::unexpected(filter.error());
  }

  const World& world = service.world;
  const std::vector<std::string> queues = filter->values_of("queueId");
  const bool detailed = std::ranges::find(*details, "oInteracting") != details->end();
  Array results;
  for (std::uint32_t queue = 0; queue < world.options().queues; ++queue) {
    const std::string id = world.queue(queue);
    if (std::ranges::find(queues, id) == queues.end()) {
      continue;
    }
    // What is open of the last few lives; the few long ones are not looked for.
    std::map<std::string, std::vector<std::uint64_t>> interacting;
    const std::uint64_t last = world.first_from(call.now + Duration{1});
    for (std::uint64_t index = world.first_from(call.now - world.options().duration * 2); index < last; ++index) {
      const Conversation conversation = world.conversation(index);
      if (conversation.queue == queue && conversation.exists_at(call.now) && !conversation.end_at(call.now)) {
        interacting[std::string(to_string(conversation.media))].push_back(index);
      }
    }
    for (const auto& [media, items] : interacting) {
      Array data;
      for (const std::string& metric : *metrics) {
        if (metric == "oInteracting" || metric == "oWaiting" || metric == "oAlerting") {
          const std::size_t count = metric == "oInteracting" ? items.size() : 0;
          Object row{{"metric", metric}, {"stats", Object{{"count", count}}}};
          if (metric == "oInteracting" && detailed) {
            Array observations;
            for (const std::uint64_t item : items) {
              observations.push_back(Object{{"observationDate", common::format_instant(world.start_of(item))},
                                            {"conversationId", world.id_of(item)},
                                            {"sessionId", uuid_of(chance(world.conversation(item).bits, 's', 0))}});
            }
            row["truncated"] = false;
            row["observations"] = std::move(observations);
          }
          data.push_back(std::move(row));
        }
      }
      if (!data.empty()) {
        results.push_back(Object{{"group", Object{{"queueId", id}, {"mediaType", media}}}, {"data", std::move(data)}});
      }
    }
    Array data;
    for (const std::string& metric : *metrics) {
      if (metric == "oUserRoutingStatuses" || metric == "oUserPresences") {
        std::map<std::string, std::int64_t> counts;
        for (std::uint32_t user = 0; user < world.options().users; ++user) {
          const Interval moment{.start = call.now, .end = call.now + Duration{1}};
          const auto entries = metric == "oUserPresences" ? world.presences(user, moment, call.now)
                                                          : world.routing_statuses(user, moment, call.now);
          ++counts[std::string(entries.back().state)];
        }
        for (const auto& [state, count] : counts) {
          data.push_back(Object{{"metric", metric}, {"qualifier", state}, {"stats", Object{{"count", count}}}});
        }
      } else if (metric == "oMemberUsers" || metric == "oActiveUsers" || metric == "oOnQueueUsers") {
        data.push_back(Object{{"metric", metric}, {"stats", Object{{"count", world.options().users}}}});
      }
    }
    if (!data.empty()) {
      results.push_back(Object{{"group", Object{{"queueId", id}}}, {"data", std::move(data)}});
    }
  }
  return render(std::move(results));
}

}  // namespace tests::simulator
