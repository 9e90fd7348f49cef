#pragma once

// Many pointers, in which `*` stands for every element and every member, as one automaton: the place that a value has in it tells
// at once which pointers end there and whether any leads deeper. Built once, then only read.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::source {

class PointerAutomaton {
 public:
  using Place = std::int32_t;
  static constexpr Place kNowhere = -1;  // no pointer leads here or deeper

  explicit PointerAutomaton(const std::vector<std::string>& pointers);

  [[nodiscard]] Place root() const { return nodes_.empty() ? kNowhere : 0; }
  [[nodiscard]] std::size_t places() const { return nodes_.size(); }
  // The pointers that end here, by their number, ascending.
  [[nodiscard]] std::span<const std::size_t> ends(Place place) const { return nodes_[static_cast<std::size_t>(place)].ends; }

  // No pointer leads deeper.
  [[nodiscard]] bool is_last(Place place) const {
    const Node& node = nodes_[static_cast<std::size_t>(place)];
    return node.named.empty() && node.others == kNowhere;
  }
  // A pointer leads on from here by this very name.
  [[nodiscard]] bool leads_to(Place place, std::string_view name) const {
    const Node& node = nodes_[static_cast<std::size_t>(place)];
    return std::ranges::any_of(node.named, [&](const auto& known) { return known.first == name; });
  }
  // A `*` leads on from here.
  [[nodiscard]] bool leads_to_all(Place place) const { return nodes_[static_cast<std::size_t>(place)].others != kNowhere; }

  [[nodiscard]] Place step(Place place, std::string_view name) const {
    const Node& node = nodes_[static_cast<std::size_t>(place)];
    for (const auto& [known, next] : node.named) {
      if (known == name) return next;
    }
    return node.others;
  }
  [[nodiscard]] Place step(Place place, std::size_t element) const {
    const Node& node = nodes_[static_cast<std::size_t>(place)];
    if (node.named.empty()) return node.others;
    std::array<char, 20> digits{};
    const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), element).ptr;
    return step(place, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  }

 private:
  // Pointers with how many of their tokens were met.
  using Met = std::set<std::pair<std::size_t, std::size_t>>;
  struct Node {
    std::vector<std::size_t> ends;
    std::vector<std::pair<std::string, Place>> named;
    Place others = kNowhere;
  };

  Place build(const Met& met);

  std::vector<std::vector<std::string>> pointers_;
  std::vector<Node> nodes_;
  std::map<Met, Place> places_;
};

}  // namespace connector::source
