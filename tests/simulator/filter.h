#pragma once

// The filters of detail queries and jobs: parsed and refused as the service would, then asked per conversation. Values.

#include "common/json.h"
#include "tests/simulator/problem.h"
#include "tests/simulator/world.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tests::simulator {

enum class Operator : std::uint8_t { kMatches, kExists, kNotExists };

struct Bound {
  std::optional<double> gt, gte, lt, lte;
};

struct Predicate {
  std::string dimension;
  Operator op = Operator::kMatches;
  std::string value;
  std::optional<Bound> range;
};

struct Clause {
  bool all = true;  // and; else or
  std::vector<Predicate> predicates;
  std::vector<Clause> clauses;
};

class Filter {
 public:
  // Reads `conversationFilters` and `segmentFilters` of a request body; the lists and their members are ANDed. Other filter lists
  // are refused: what the simulator does not evaluate it must not pretend to.
  static Outcome<Filter> parse(const common::json::Object& body);
  // One filter object of either kind of dimension, as aggregate and observation queries have it.
  static Outcome<Filter> parse_one(const common::json::Value& value);

  [[nodiscard]] bool empty() const { return clauses_.empty(); }
  // The values its `matches` predicates name for a dimension, at any level.
  [[nodiscard]] std::vector<std::string> values_of(std::string_view dimension) const;
  [[nodiscard]] bool matches(const World& world, const Conversation& conversation, Instant now) const;

 private:
  std::vector<Clause> clauses_;
};

}  // namespace tests::simulator
