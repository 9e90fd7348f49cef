#include "connector/source/pointer_automaton.h"

#include "connector/source/pointer_pattern.h"

namespace connector::source {

PointerAutomaton::PointerAutomaton(const std::vector<std::string>& pointers) {
  Met met;
  for (const std::string& pointer : pointers) {
    met.insert({pointers_.size(), 0});
    pointers_.push_back(PointerPattern(pointer).tokens());
  }
  build(met);
}

PointerAutomaton::Place PointerAutomaton::build(const Met& met) {
  if (met.empty()) return kNowhere;
  if (const auto known = places_.find(met); known != places_.end()) return known->second;
  const auto place = static_cast<Place>(nodes_.size());
  places_.emplace(met, place);
  nodes_.emplace_back();
  std::set<std::string> names;
  Met others;
  Node node;
  for (const auto& [pointer, tokens_met] : met) {
    const std::vector<std::string>& tokens = pointers_[pointer];
    if (tokens_met == tokens.size()) {
      node.ends.push_back(pointer);
    } else if (tokens[tokens_met] == "*") {
      others.insert({pointer, tokens_met + 1});
    } else {
      names.insert(tokens[tokens_met]);
    }
  }
  for (const std::string& name : names) {
    Met next = others;
    for (const auto& [pointer, tokens_met] : met) {
      const std::vector<std::string>& tokens = pointers_[pointer];
      if (tokens_met < tokens.size() && tokens[tokens_met] == name) next.insert({pointer, tokens_met + 1});
    }
    node.named.emplace_back(name, build(next));
  }
  node.others = build(others);
  nodes_[static_cast<std::size_t>(place)] = std::move(node);
  return place;
}

}  // namespace connector::source
