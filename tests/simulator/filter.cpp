#include "tests/simulator/filter.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace tests::simulator {

namespace {

using common::json::Object;
using common::json::Value;

constexpr std::array<std::string_view, 5> kConversationDimensions{"conversationEnd", "conversationId", "conversationStart",
                                                                  "divisionId", "originatingDirection"};
constexpr std::array<std::string_view, 5> kSegmentDimensions{"direction", "mediaType", "purpose", "queueId", "userId"};
constexpr std::array<std::string_view, 3> kKnown{"type", "predicates", "clauses"};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// A number is epoch milliseconds, as the model has it; a text is an instant.
Outcome<std::optional<double>> read_bound(const Object& range, std::string_view name) {
  const Value* value = range.if_contains(name);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (value->is_number()) {
    return value->to_number<double>();
  }
  if (value->is_string()) {
    const auto instant = common::parse_instant(std::string_view(value->get_string()));
    if (instant) {
      return static_cast<double>(instant->time_since_epoch().count());
    }
  }
  return invalid_value("A range bound must be a number or an instant.");
}

enum class Dimensions : std::uint8_t { kConversation, kSegment, kBoth };

Outcome<Predicate> read_predicate(const Value& value, Dimensions dimensions) {
  if (!value.is_object()) {
    return invalid_value("A predicate must be an object.");
  }
  Predicate predicate;
  const std::string type = common::json::find_string(value, "type").value_or("dimension");
  if (type != "dimension") {
    return invalid_value("The simulator evaluates dimension predicates only, not [" + type + "].");
  }
  predicate.dimension = common::json::find_string(value, "dimension").value_or("");
  const bool known = (dimensions != Dimensions::kConversation && contains(kSegmentDimensions, predicate.dimension)) ||
                     (dimensions != Dimensions::kSegment && contains(kConversationDimensions, predicate.dimension));
  if (!known) {
    return invalid_value("Value [" + predicate.dimension + "] is not a dimension the simulator evaluates in this filter.");
  }
  const std::string op = common::json::find_string(value, "operator").value_or("matches");
  if (op == "exists") {
    predicate.op = Operator::kExists;
  } else if (op == "notExists") {
    predicate.op = Operator::kNotExists;
  } else if (op != "matches") {
    return invalid_value("Value [" + op +
                         "] is not valid for field type [PredicateOperator]. Allowable values are: matches, exists, notExists");
  }
  predicate.value = common::json::find_string(value, "value").value_or("");
  if (const Value* range = common::json::find(value, "range")) {
    if (!range->is_object()) {
      return invalid_value("A range must be an object.");
    }
    Bound bound;
    const std::array<std::pair<std::string_view, std::optional<double>*>, 4> places{
        {{"gt", &bound.gt}, {"gte", &bound.gte}, {"lt", &bound.lt}, {"lte", &bound.lte}}};
    for (const auto& [name, place] : places) {
      auto read = read_bound(range->get_object(), name);
      if (!read) {
        return std::unexpected(read.error());
      }
      *place = *read;
    }
    predicate.range = bound;
  }
  if (predicate.op == Operator::kMatches && predicate.value.empty() && !predicate.range) {
    return invalid_value("A predicate that matches needs a value or a range.");
  }
  return predicate;
}

Outcome<Clause> read_clause(const Value& value, Dimensions dimensions, int level) {
  if (!value.is_object()) {
    return invalid_value("A filter must be an object.");
  }
  Clause clause;
  const std::string type = common::json::find_string(value, "type").value_or("");
  if (type != "and" && type != "or") {
    return invalid_value("Value [" + type + "] is not valid for field type [QueryFilterType]. Allowable values are: and, or");
  }
  clause.all = type == "and";
  for (const auto& member : value.get_object()) {
    if (!contains(kKnown, std::string_view(member.key()))) {
      return invalid_value("Unknown filter member [" + std::string(member.key()) + "].");
    }
  }
  if (const Value* predicates = common::json::find(value, "predicates"); predicates != nullptr && predicates->is_array()) {
    for (const Value& item : predicates->get_array()) {
      auto predicate = read_predicate(item, dimensions);
      if (!predicate) {
        return std::unexpected(predicate.error());
      }
      clause.predicates.push_back(std::move(*predicate));
    }
  }
  if (const Value* clauses = common::json::find(value, "clauses"); clauses != nullptr && clauses->is_array()) {
    if (level > 0) {
      return invalid_value("Filters may be nested up to two levels.");
    }
    for (const Value& item : clauses->get_array()) {
      auto nested = read_clause(item, dimensions, level + 1);
      if (!nested) {
        return std::unexpected(nested.error());
      }
      clause.clauses.push_back(std::move(*nested));
    }
  }
  if (clause.predicates.empty() && clause.clauses.empty()) {
    return invalid_value("A filter needs predicates or clauses.");
  }
  return clause;
}

bool within(const Bound& bound, double value) {
  return (!bound.gt || value > *bound.gt) && (!bound.gte || value >= *bound.gte) && (!bound.lt || value < *bound.lt) &&
         (!bound.lte || value <= *bound.lte);
}

bool holds(const Predicate& predicate, const World& world, const Conversation& conversation, Instant now) {
  const auto ended = conversation.end_at(now);
  if (predicate.op != Operator::kMatches) {
    const bool has_agent = conversation.agents > 0;
    const bool exists = predicate.dimension == "conversationEnd" ? ended.has_value()
                        : predicate.dimension == "userId"        ? has_agent
                                                                 : true;
    return exists == (predicate.op == Operator::kExists);
  }
  if (predicate.dimension == "conversationStart" || predicate.dimension == "conversationEnd") {
    const std::optional<Instant> instant = predicate.dimension == "conversationStart" ? conversation.start : ended;
    if (!instant) {
      return false;
    }
    return predicate.range ? within(*predicate.range, static_cast<double>(instant->time_since_epoch().count()))
                           : common::format_instant(*instant) == predicate.value;
  }
  if (predicate.dimension == "conversationId") {
    return world.id_of(conversation.index) == predicate.value;
  }
  if (predicate.dimension == "divisionId") {
    return world.division(conversation.division) == predicate.value;
  }
  if (predicate.dimension == "queueId") {
    return world.queue(conversation.queue) == predicate.value;
  }
  if (predicate.dimension == "mediaType") {
    return to_string(conversation.media) == predicate.value;
  }
  if (predicate.dimension == "purpose") {
    return predicate.value == "customer" || (predicate.value == "agent" && conversation.agents > 0) ||
           (predicate.value == "acd" && conversation.with_flow);
  }
  if (predicate.dimension == "userId") {
    for (std::uint32_t leg = 0; leg < conversation.agents; ++leg) {
      if (world.user(conversation.agent_user(leg, world.options().users)) == predicate.value) {
        return true;
      }
    }
    return false;
  }
  return (conversation.inbound ? "inbound" : "outbound") == predicate.value;  // originatingDirection, direction
}

bool holds(const Clause& clause, const World& world, const Conversation& conversation, Instant now) {
  const auto predicate_holds = [&](const Predicate& predicate) { return holds(predicate, world, conversation, now); };
  const auto clause_holds = [&](const Clause& nested) { return holds(nested, world, conversation, now); };
  if (clause.all) {
    return std::ranges::all_of(clause.predicates, predicate_holds) && std::ranges::all_of(clause.clauses, clause_holds);
  }
  return std::ranges::any_of(clause.predicates, predicate_holds) || std::ranges::any_of(clause.clauses, clause_holds);
}

}  // namespace

Outcome<Filter> Filter::parse(const Object& body) {
  Filter filter;
  for (const std::string_view name : {"evaluationFilters", "surveyFilters", "resolutionFilters"}) {
    const Value* value = body.if_contains(name);
    if (value != nullptr && !(value->is_array() && value->get_array().empty())) {
      return invalid_value("The simulator does not evaluate " + std::string(name) + ".");
    }
  }
  for (const bool of_segment : {false, true}) {
    const Value* list = body.if_contains(of_segment ? "segmentFilters" : "conversationFilters");
    if (list == nullptr) {
      continue;
    }
    if (!list->is_array()) {
      return invalid_value("Filters must be an array.");
    }
    for (const Value& item : list->get_array()) {
      auto clause = read_clause(item, of_segment ? Dimensions::kSegment : Dimensions::kConversation, 0);
      if (!clause) {
        return std::unexpected(clause.error());
      }
      filter.clauses_.push_back(std::move(*clause));
    }
  }
  return filter;
}

Outcome<Filter> Filter::parse_one(const Value& value) {
  auto clause = read_clause(value, Dimensions::kBoth, 0);
  if (!clause) {
    return std::unexpected(clause.error());
  }
  Filter filter;
  filter.clauses_.push_back(std::move(*clause));
  return filter;
}

std::vector<std::string> Filter::values_of(std::string_view dimension) const {
  std::vector<std::string> values;
  const auto collect = [&](const auto& self, const std::vector<Clause>& clauses) -> void {
    for (const Clause& clause : clauses) {
      for (const Predicate& predicate : clause.predicates) {
        if (predicate.dimension == dimension && predicate.op == Operator::kMatches) {
          values.push_back(predicate.value);
        }
      }
      self(self, clause.clauses);
    }
  };
  collect(collect, clauses_);
  return values;
}

bool Filter::matches(const World& world, const Conversation& conversation, Instant now) const {
  return std::ranges::all_of(clauses_, [&](const Clause& clause) { return holds(clause, world, conversation, now); });
}

}  // namespace tests::simulator
