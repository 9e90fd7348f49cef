#include "connector/source/unknown_fields.h"

#include "connector/source/page_slicer.h"
#include "connector/source/pointer_automaton.h"
#include "connector/source/pointer_pattern.h"

#include <simdjson.h>
#include <set>
#include <utility>

namespace connector::source {

namespace ondemand = simdjson::ondemand;

struct UnknownFields::Impl {
  using Place = PointerAutomaton::Place;
  using Error = simdjson::error_code;
  static constexpr std::size_t kLongestName = 100;  // told of a name that may be as long as the sender likes

  explicit Impl(const Model& model) : places(pointers_of(model)), names(places.places()) {
    std::vector<const std::vector<std::string>*> lists;
    for (const auto& [pointer, list] : model) lists.push_back(&list);
    for (std::size_t place = 0; place < names.size(); ++place) {
      for (const std::size_t pointer : places.ends(static_cast<Place>(place))) {
        names[place].insert(lists[pointer]->begin(), lists[pointer]->end());
      }
    }
  }

  static std::vector<std::string> pointers_of(const Model& model) {
    std::vector<std::string> pointers;
    for (const auto& [pointer, list] : model) pointers.push_back(pointer);
    return pointers;
  }

  PointerAutomaton places;
  std::vector<std::set<std::string, std::less<>>> names;  // of the members of each place; none: any
  ondemand::parser parser;
  std::string path;  // of what is looked at
  std::set<std::string, std::less<>> told;
  std::vector<std::string> found;

  Error look_at(std::string_view record) {
    path.clear();
    const simdjson::padded_string_view padded(record.data(), record.size(), record.size() + simdjson::SIMDJSON_PADDING);
    ondemand::document document;
    if (const auto error = parser.iterate(padded).get(document)) return error;
    ondemand::object object;
    if (const auto error = document.get_object().get(object)) return error;
    return look_at_object(object, places.root(), 1);
  }

  Error look_at_value(ondemand::value value, Place place, std::size_t depth) {
    if (depth > kMaxNesting) return simdjson::DEPTH_ERROR;
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return error;
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return error;
      return look_at_object(object, place, depth);
    }
    if (type != ondemand::json_type::array) return simdjson::SUCCESS;
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return error;
    const std::size_t length = path.size();
    path += "/*";
    std::size_t index = 0;
    for (auto item : array) {
      ondemand::value element;
      if (const auto error = std::move(item).get(element)) return error;
      const Place inner = places.step(place, index++);
      if (inner == PointerAutomaton::kNowhere) continue;
      if (const auto error = look_at_value(element, inner, depth + 1)) return error;
    }
    path.resize(length);
    return simdjson::SUCCESS;
  }

  Error look_at_object(ondemand::object& object, Place place, std::size_t depth) {
    const auto& known = names[static_cast<std::size_t>(place)];
    const std::size_t length = path.size();
    for (auto item : object) {
      ondemand::field field;
      if (const auto error = std::move(item).get(field)) return error;
      std::string_view name;
      if (const auto error = field.unescaped_key().get(name)) return error;
      if (!known.empty() && !known.contains(name)) {
        tell(name);
        continue;
      }
      const Place inner = places.step(place, name);
      if (inner == PointerAutomaton::kNowhere) continue;
      path += known.empty() && !places.leads_to(place, name) ? "/*" : "/" + escape_token(name);
      if (const auto error = look_at_value(field.value(), inner, depth + 1)) return error;
      path.resize(length);
    }
    return simdjson::SUCCESS;
  }

  void tell(std::string_view name) {
    if (told.size() == kMostFields) return;
    std::string pointer = path + "/" + escape_token(name.substr(0, kLongestName));
    if (told.insert(pointer).second) found.push_back(std::move(pointer));
  }
};

UnknownFields::UnknownFields(const Model& model) : impl_(std::make_unique<Impl>(model)) {}
UnknownFields::~UnknownFields() = default;

void UnknownFields::look_at(std::string_view record) {
  // (A record that cannot be read has no digest either: its reader says so.)
  static_cast<void>(impl_->look_at(record));
}

std::vector<std::string> UnknownFields::take_found() {
  return std::exchange(impl_->found, {});
}

}  // namespace connector::source
