#include "connector/source/projector.h"

#include "common/instant.h"
#include "common/json.h"
#include "connector/source/keyed_hash.h"
#include "connector/source/page_slicer.h"
#include "connector/source/pointer_automaton.h"
#include "connector/source/pointer_pattern.h"
#include "connector/source/raw_json.h"

#include <simdjson.h>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>

namespace connector::source {

namespace ondemand = simdjson::ondemand;

using common::ErrorCode;
using common::fail;
using common::Result;
using Place = PointerAutomaton::Place;

namespace {

std::string_view trimmed(std::string_view token) {
  return token.substr(0, token.find_last_not_of(" \n\r\t") + 1);
}

// A member's name as it is spelled, without its quotes.
std::string_view spelled(const char* name) {
  const char* end = name;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  return {name, static_cast<std::size_t>(end - name)};
}

}  // namespace

struct Projector::Impl {
  // simdjson's errors, and ours behind them. After one the document is given up: nothing of it may be touched again.
  using Error = simdjson::error_code;
  static constexpr Error kNoHash = simdjson::UNEXPECTED_ERROR;  // `hash_error` says why

  // What the pointers say of a place.
  struct Says {
    bool drop = false;
    bool hash = false;
    std::vector<std::size_t> fields;
  };
  struct Piece {
    std::size_t begin = 0;
    std::size_t size = 0;
  };
  // What is drawn from the places that one pointer leads to.
  struct Field {
    TakeValues take = TakeValues::kAll;
    bool is_list = false;
    std::vector<Piece> pieces;  // of this record: where in the text its values are
  };
  struct Member {
    std::string name;  // as the member's beginning: `"name":`
    std::size_t field = 0;
    std::optional<std::size_t> until;  // it is the time from `field` to this one
  };

  Impl(const ProjectionOptions& projection, const RedactionOptions& redaction) : pointers(all_of(projection, redaction)) {
    for (const std::string& pointer : redaction.drop) configured.push_back({.setting = "redaction.drop", .pointer = pointer});
    for (const std::string& pointer : redaction.hash) configured.push_back({.setting = "redaction.hash", .pointer = pointer});
    for (const ProjectedField& field : projection.fields) {
      configured.push_back({.setting = "projection.fields." + field.name, .pointer = field.from});
      Member& member = members.emplace_back();
      append_quoted(field.name, member.name);
      member.name += ':';
      member.field = fields.size();
      fields.push_back({.take = field.take, .is_list = PointerPattern(field.from).is_list(), .pieces = {}});
      if (field.until.empty()) continue;
      configured.push_back({.setting = "projection.fields." + field.name, .pointer = field.until});
      member.until = fields.size();
      fields.emplace_back();
    }
    met.resize(configured.size());
    says.resize(pointers.places());
    const std::size_t first_hash = redaction.drop.size();
    const std::size_t first_field = first_hash + redaction.hash.size();
    for (std::size_t place = 0; place < says.size(); ++place) {
      for (const std::size_t pointer : pointers.ends(static_cast<Place>(place))) {
        if (pointer < first_hash) {
          says[place].drop = true;
        } else if (pointer < first_field) {
          says[place].hash = true;
        } else {
          says[place].fields.push_back(pointer - first_field);
        }
      }
    }
    if (!redaction.hash.empty()) hash.emplace(redaction.key.value());
  }

  static std::vector<std::string> all_of(const ProjectionOptions& projection, const RedactionOptions& redaction) {
    std::vector<std::string> all = redaction.drop;
    all.insert(all.end(), redaction.hash.begin(), redaction.hash.end());
    for (const ProjectedField& field : projection.fields) {
      all.push_back(field.from);
      if (!field.until.empty()) all.push_back(field.until);
    }
    return all;
  }

  PointerAutomaton pointers;
  std::vector<Says> says;  // of each place
  std::vector<Field> fields;
  std::vector<Member> members;                // of the record that is made of them
  std::vector<ConfiguredPointer> configured;  // each pointer
  std::vector<bool> met;                      // of each pointer
  std::optional<KeyedHash> hash;
  std::optional<common::Error> hash_error;
  ondemand::parser parser;
  RawJson values;
  std::string canonical;        // of one value
  std::string drawn;            // of one record: the values of its fields
  std::string* text = nullptr;  // where values go: `drawn`, or what is published

  Result<void> project(std::string_view record, std::string& out) {
    const std::size_t before = out.size();
    text = fields.empty() ? &out : &drawn;
    drawn.clear();
    for (Field& field : fields) field.pieces.clear();
    hash_error.reset();
    if (const auto error = project_record(record)) {
      out.resize(before);
      if (hash_error) return fail(std::move(*hash_error));
      return fail(ErrorCode::kMalformedResponse,
                  std::string("the record cannot be projected, it is no valid JSON object: ") + simdjson::error_message(error));
    }
    if (!fields.empty()) append_fields(out);
    return {};
  }

  Error project_record(std::string_view record) {
    const simdjson::padded_string_view padded(record.data(), record.size(), record.size() + simdjson::SIMDJSON_PADDING);
    ondemand::document document;
    if (const auto error = parser.iterate(padded).get(document)) return error;
    ondemand::object object;
    if (const auto error = document.get_object().get(object)) return error;
    return write_object(object, pointers.root(), 1, fields.empty());
  }

  void append_fields(std::string& out) const {
    char before = '{';
    for (const Member& member : members) {
      const Field& field = fields[member.field];
      if (field.pieces.empty()) continue;
      const std::size_t begin = out.size();
      out += before;
      out += member.name;
      if (!member.until) {
        append_field(field, out);
      } else if (!append_time(field, fields[*member.until], out)) {
        out.resize(begin);
        continue;
      }
      before = ',';
    }
    if (before == '{') out += '{';
    out += '}';
  }

  void append_field(const Field& field, std::string& out) const {
    const auto append = [&](const Piece& piece) { out.append(drawn, piece.begin, piece.size); };
    if (!field.is_list || field.take == TakeValues::kFirst) {
      append(field.pieces.front());  // (of members of one name the first counts)
    } else if (field.take == TakeValues::kLast) {
      append(field.pieces.back());
    } else {
      char between = '[';
      for (const Piece& piece : field.pieces) {
        out += std::exchange(between, ',');
        append(piece);
      }
      out += ']';
    }
  }

  // False: one of the two is no time.
  bool append_time(const Field& from, const Field& until, std::string& out) const {
    const auto begin = instant_of(from);
    const auto end = instant_of(until);
    if (!begin || !end) return false;
    out += std::to_string((*end - *begin).count());
    return true;
  }
  [[nodiscard]] std::optional<common::Instant> instant_of(const Field& field) const {
    if (field.pieces.empty()) return std::nullopt;
    const auto value = common::json::parse(std::string_view(drawn).substr(field.pieces.front().begin, field.pieces.front().size));
    if (!value || !value->is_string()) return std::nullopt;
    const auto instant = common::parse_instant(std::string_view(value->get_string()));
    return instant ? std::optional(*instant) : std::nullopt;
  }

  void note(Place place) {
    for (const std::size_t pointer : pointers.ends(place)) met[pointer] = true;
  }
  [[nodiscard]] const Says& says_of(Place place) const { return says[static_cast<std::size_t>(place)]; }

  bool is_dropped(Place place) {
    if (place == PointerAutomaton::kNowhere || !says_of(place).drop) return false;
    note(place);
    return true;
  }

  // `kept`: the value is part of what is published; else only what fields draw from it is written.
  Error write_value(ondemand::value value, Place place, std::size_t depth, bool kept) {
    if (depth > kMaxNesting) return simdjson::DEPTH_ERROR;
    if (place == PointerAutomaton::kNowhere) return kept ? copy(value) : simdjson::SUCCESS;  // on-demand skips what is not read
    note(place);
    const Says& here = says_of(place);
    const std::size_t begin = text->size();
    kept = kept || !here.fields.empty();
    Error error = simdjson::SUCCESS;
    if (here.hash) {
      // Nothing inside is looked at: a field that draws from there would bring it out.
      if (kept) error = write_hash(value);
    } else if (pointers.is_last(place)) {
      if (kept) error = copy(value);
    } else {
      error = write_plain(value, place, depth, kept);
    }
    if (error) return error;
    for (const std::size_t field : here.fields) fields[field].pieces.push_back({.begin = begin, .size = text->size() - begin});
    return simdjson::SUCCESS;
  }

  Error write_plain(ondemand::value& value, Place place, std::size_t depth, bool kept) {
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return error;
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return error;
      return write_object(object, place, depth, kept);
    }
    if (type == ondemand::json_type::array) {
      ondemand::array array;
      if (const auto error = value.get_array().get(array)) return error;
      return write_array(array, place, depth, kept);
    }
    if (kept) text->append(trimmed(value.raw_json_token()));
    return simdjson::SUCCESS;
  }

  // What fields draw from the members of one object, which they draw from all of: by name, the pieces of each field.
  using Drawn = std::multimap<std::string, std::vector<std::vector<Piece>>>;

  Error write_object(ondemand::object& object, Place place, std::size_t depth, bool kept) {
    // The order of members is no content: what is drawn from all of them comes in the order of their names.
    const bool in_order = !fields.empty() && place != PointerAutomaton::kNowhere && pointers.leads_to_all(place);
    Drawn by_name;
    std::vector<std::size_t> before_all;
    if (in_order) {
      for (const Field& field : fields) before_all.push_back(field.pieces.size());
    }
    char before = '{';
    for (auto item : object) {
      ondemand::field field;
      if (const auto error = std::move(item).get(field)) return error;
      const std::string_view spelling = spelled(field.key().raw());
      std::string_view name;
      if (const auto error = field.unescaped_key().get(name)) return error;
      const Place inner = place == PointerAutomaton::kNowhere ? place : pointers.step(place, name);
      if (is_dropped(inner)) continue;
      if (kept) {
        *text += std::exchange(before, ',');
        *text += '"';
        text->append(spelling);
        *text += "\":";
      }
      const auto member = in_order ? by_name.emplace(name, fields.size()) : by_name.end();
      if (const auto error = write_value(field.value(), inner, depth + 1, kept)) return error;
      if (in_order) take_out(before_all, member->second);
    }
    if (kept) {
      if (before == '{') *text += '{';
      *text += '}';
    }
    if (in_order) put_back(by_name);
    return simdjson::SUCCESS;
  }

  void take_out(const std::vector<std::size_t>& before_all, std::vector<std::vector<Piece>>& taken) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      std::vector<Piece>& pieces = fields[i].pieces;
      const auto first = pieces.begin() + static_cast<std::ptrdiff_t>(before_all[i]);
      taken[i].assign(first, pieces.end());
      pieces.erase(first, pieces.end());
    }
  }
  void put_back(const Drawn& by_name) {
    for (const auto& [name, taken] : by_name) {
      for (std::size_t i = 0; i < fields.size(); ++i) {
        fields[i].pieces.insert(fields[i].pieces.end(), taken[i].begin(), taken[i].end());
      }
    }
  }

  Error write_array(ondemand::array& array, Place place, std::size_t depth, bool kept) {
    char before = '[';
    std::size_t index = 0;
    for (auto item : array) {
      ondemand::value element;
      if (const auto error = std::move(item).get(element)) return error;
      const Place inner = place == PointerAutomaton::kNowhere ? place : pointers.step(place, index);
      ++index;
      if (is_dropped(inner)) continue;
      if (kept) *text += std::exchange(before, ',');
      if (const auto error = write_value(element, inner, depth + 1, kept)) return error;
    }
    if (kept) {
      if (before == '[') *text += '[';
      *text += ']';
    }
    return simdjson::SUCCESS;
  }

  Error copy(ondemand::value& value) {
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return error;
    std::string_view raw;
    if (type == ondemand::json_type::object || type == ondemand::json_type::array) {
      if (const auto error = simdjson::to_json_string(value).get(raw)) return error;
    } else {
      raw = value.raw_json_token();
    }
    text->append(trimmed(raw));  // both end where the next token begins
    return simdjson::SUCCESS;
  }

  // A text is hashed as what it says, without quotes and escapes; a number and a truth value as they are spelled; null stays.
  // Anything else is hashed whole, however it is written: its names may be as personal as its values.
  Error write_hash(ondemand::value& value) {
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return error;
    if (type == ondemand::json_type::null) {
      text->append("null");
      return simdjson::SUCCESS;
    }
    if (type == ondemand::json_type::string) {
      std::string_view said;
      if (const auto error = value.get_string().get(said)) return error;
      return append_hash(said);
    }
    if (type == ondemand::json_type::object || type == ondemand::json_type::array) {
      std::string_view spelling;
      if (const auto error = simdjson::to_json_string(value).get(spelling)) return error;
      canonical.clear();
      if (!values.append_canonical(spelling, canonical)) return simdjson::TAPE_ERROR;
      return append_hash(canonical);
    }
    return append_hash(trimmed(value.raw_json_token()));
  }

  Error append_hash(std::string_view said) {
    *text += '"';
    if (auto hashed = hash->append(said, *text); !hashed) {
      hash_error = std::move(hashed.error());
      return kNoHash;
    }
    *text += '"';
    return simdjson::SUCCESS;
  }
};

Projector::Projector(const ProjectionOptions& projection, const RedactionOptions& redaction)
    : impl_(std::make_unique<Impl>(projection, redaction)) {}
Projector::~Projector() = default;

Result<void> Projector::project(std::string_view record, std::string& out) {
  return impl_->project(record, out);
}

std::vector<ConfiguredPointer> Projector::unmatched() const {
  std::vector<ConfiguredPointer> unmatched;
  for (std::size_t i = 0; i < impl_->configured.size(); ++i) {
    if (!impl_->met[i]) unmatched.push_back(impl_->configured[i]);
  }
  return unmatched;
}

}  // namespace connector::source
