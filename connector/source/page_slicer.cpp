#include "connector/source/page_slicer.h"

#include "common/http/message.h"
#include "common/instant.h"
#include "common/json.h"
#include "connector/source/json_pointer.h"
#include "connector/source/pointer_pattern.h"
#include "connector/source/raw_json.h"
#include "connector/source/record_composer.h"

#include <simdjson.h>
#include <algorithm>
#include <cassert>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace connector::source {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

using common::ErrorCode;
using common::fail;
using common::Result;

static_assert(common::http::kBodyPadding >= simdjson::SIMDJSON_PADDING);

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Two passes over each byte, because neither alone is enough. On-demand finds the slices, but does not look into what it skips
// (`01x`, a missing comma; a wrong bracket even shifts the slice). So each slice is parsed whole by the DOM parser, while it is
// in the cache, and the key is read from there. After an error on-demand abandons its document, and touching that again
// dereferences null: every error leaves this class's functions at once, before anything else is asked of the document.
// `what` may be a member's name, as long as the sender likes.
std::unexpected<common::Error> malformed(simdjson::error_code error, std::string_view what) {
  constexpr std::size_t kShown = 100;
  return fail(ErrorCode::kMalformedResponse,
              "the page is not valid JSON (" + std::string(what.substr(0, kShown)) + "): " + simdjson::error_message(error));
}

std::unexpected<common::Error> malformed(std::string_view what) {
  return fail(ErrorCode::kMalformedResponse, "the page is not as the endpoint promises: " + std::string(what));
}

// The number is well spelled or not, but in no case one that simdjson can represent. Newer versions tell the two apart.
template <class Code>
bool is_number_error(Code error) {
  if constexpr (requires { Code::BIGINT_ERROR; }) {
    if (error == Code::BIGINT_ERROR) return true;
  }
  return error == Code::NUMBER_ERROR;
}

// A text that is an interval with an offset from UTC, as it is spelled without one: the same one is the same key in summer and in
// winter, and however the service is set. Nothing: it is none, or spelled so already.
std::optional<std::string> interval_in_utc(std::string_view json) {
  const std::size_t slash = json.find('/');
  if (!json.starts_with('"') || slash == std::string_view::npos) return std::nullopt;
  const std::string_view text = json.substr(1, json.size() - 2);
  if (json[slash - 1] == 'Z' && text.ends_with('Z')) return std::nullopt;
  const auto interval = common::parse_interval(text);
  return interval ? std::optional(common::format_interval(*interval)) : std::nullopt;
}

bool is_inside(std::string_view pointer, std::string_view parent) {
  return pointer.size() > parent.size() && pointer.starts_with(parent) && pointer[parent.size()] == '/';
}

std::optional<std::string> to_text(const dom::element& element) {
  switch (element.type()) {
    case dom::element_type::STRING:
      return std::string(element.get_string().value_unsafe());
    case dom::element_type::INT64:
      return std::to_string(element.get_int64().value_unsafe());
    case dom::element_type::UINT64:
      return std::to_string(element.get_uint64().value_unsafe());
    case dom::element_type::DOUBLE:
      return std::to_string(element.get_double().value_unsafe());
    case dom::element_type::BOOL:
      return element.get_bool().value_unsafe() ? "true" : "false";
    default:
      return std::nullopt;
  }
}

std::optional<common::Instant> instant_at(const dom::element& record, const std::string& pointer) {
  std::string_view text;
  if (pointer.empty() || record.at_pointer(pointer).get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
  const auto instant = common::parse_instant(text);
  return instant ? std::optional(*instant) : std::nullopt;
}

}  // namespace

struct PageSlicer::Impl {
  // A key whose text is not in the body as such (it was spelled with escapes); its bytes come to stand behind the body.
  struct SideKey {
    std::size_t record;
    std::size_t offset;
  };

  ondemand::parser pages;
  dom::parser values;
  RawJson raw;
  std::optional<RecordComposer> composer;  // of the page at hand, if its records are put together
  std::span<const std::string> arrays;     // pointers to the arrays of records, of the page at hand
  std::vector<bool> arrays_seen;
  std::string composed;
  std::vector<ComposedPiece> pieces;
  std::vector<std::vector<std::string>> key_tokens;  // of the parts of the key, for the page at hand
  std::string key_text;
  std::string side;
  std::vector<SideKey> side_keys;
  std::size_t last_count = 0;
  std::uint64_t index = 0;

  std::size_t max_composed;

  explicit Impl(std::size_t most_composed) : max_composed(most_composed) {
    // A depth bound once set stays when the parser grows.
    if (values.allocate(1U << 16U, kMaxNesting) != simdjson::SUCCESS) throw std::bad_alloc();
  }

  void reset(const SliceSpec& spec, SlicedPage& page) {
    page.records.clear();
    page.facts.clear();
    page.dead_letters.clear();
    page.wanted.assign(spec.wanted.size(), std::nullopt);
    page.elements = 0;
    page.records.reserve(last_count);
    if (wants_facts(spec)) page.facts.reserve(last_count);
    side.clear();
    side_keys.clear();
    index = 0;
    composer.reset();
    if (const auto* composite = std::get_if<CompositeRecords>(&spec.records)) {
      arrays = composer.emplace(*composite, raw).arrays();
    } else {
      arrays = {&std::get<std::string>(spec.records), 1};
    }
    assert(!arrays.empty() && "config/ lets no composite records without elements pass");
    arrays_seen.assign(arrays.size(), false);
    key_tokens.clear();
    if (const auto* parts = std::get_if<std::vector<KeyPart>>(&spec.key)) {
      for (const KeyPart& part : *parts) key_tokens.push_back(pointer_tokens(part.pointer));
    }
  }

  Result<void> slice(const SliceSpec& spec, std::string& body, SlicedPage& page) {
    reset(spec, page);
    if (body.capacity() - body.size() < simdjson::SIMDJSON_PADDING) body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    const std::size_t mark = body.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    const simdjson::padded_string_view text(body.data() + mark, body.size() - mark, body.capacity() - mark);
    auto cut = cut_page(spec, text, page);
    page.elements = index;
    if (cut && composer) cut = compose(spec, body, page);
    if (!cut) {
      page.records.clear();
      page.facts.clear();
      page.dead_letters.clear();
      page.elements = 0;
      return cut;
    }
    last_count = page.records.size();
    if (!side_keys.empty()) append_side_keys(body, page);
    return {};
  }

  Result<void> cut_page(const SliceSpec& spec, simdjson::padded_string_view text, SlicedPage& page) {
    ondemand::document document;
    if (const auto error = pages.iterate(text).get(document)) return malformed(error, "at its start");
    ondemand::json_type type{};
    if (const auto error = document.type().get(type)) return malformed(error, "at its start");
    if (arrays.front().empty()) {
      if (type != ondemand::json_type::array) return malformed("it is no array");
      ondemand::array records;
      if (const auto error = document.get_array().get(records)) return malformed(error, "at its start");
      if (auto cut = cut_records(spec, 0, records, page); !cut) return cut;
    } else {
      if (type != ondemand::json_type::object) return malformed("it is no object");
      ondemand::object root;
      if (const auto error = document.get_object().get(root)) return malformed(error, "at its start");
      if (auto cut = cut_object(spec, root, std::string(), page); !cut) return cut;
    }
    // Only a whole document ends exactly here: on-demand itself says nothing about what follows the last bracket.
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) return malformed("something follows its end");
    return {};
  }

  // `prefix` is the pointer of `object`.
  Result<void> cut_object(const SliceSpec& spec, ondemand::object& object, const std::string& prefix, SlicedPage& page) {
    for (auto item : object) {
      ondemand::field field;
      if (const auto error = std::move(item).get(field)) return malformed(error, "between members");
      std::string_view key;
      if (const auto error = field.unescaped_key().get(key)) return malformed(error, "in a member's name");
      const std::string pointer = prefix + "/" + escape_token(key);
      ondemand::value value = field.value();
      if (auto cut = cut_member(spec, value, pointer, page); !cut) return cut;
    }
    return {};
  }

  Result<void> cut_member(const SliceSpec& spec, ondemand::value& value, const std::string& pointer, SlicedPage& page) {
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return malformed(error, pointer);
    const auto array = static_cast<std::size_t>(std::ranges::find(arrays, pointer) - arrays.begin());
    if (array < arrays.size() && type == ondemand::json_type::array) {
      if (arrays_seen[array]) return malformed("it has two arrays " + pointer);
      arrays_seen[array] = true;
      ondemand::array records;
      if (const auto error = value.get_array().get(records)) return malformed(error, pointer);
      return cut_records(spec, array, records, page);
    }
    if (array < arrays.size() && type != ondemand::json_type::null) return malformed(pointer + " is no array");
    const auto leads_to = [&](const std::string& records) { return is_inside(records, pointer); };
    if (type == ondemand::json_type::object && std::ranges::any_of(arrays, leads_to)) {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return malformed(error, pointer);
      return cut_object(spec, object, pointer, page);
    }
    Result<std::string_view> text = text_of(value, '}', pointer);
    if (!text) return fail(std::move(text.error()));
    dom::element element;
    if (const auto error = parse(*text, element); error == simdjson::SUCCESS) {
      take_wanted(spec, element, pointer, page);
    } else if (!is_number_error(error) || !common::json::parse(*text)) {
      // (A number that fits no type of ours is JSON all the same; nothing that is wanted is one.)
      return malformed(error, pointer);
    }
    if (composer) composer->take_beside(pointer, *text);
    return {};
  }

  // The bytes behind the slice are the rest of the page and its padding, so that nothing is copied.
  simdjson::error_code parse(std::string_view text, dom::element& element) {
    return values.parse(text.data(), text.size(), false).get(element);
  }

  // The bytes of a value that stands in an object or array which ends with `closing`.
  static Result<std::string_view> text_of(ondemand::value& value, char closing, std::string_view what) {
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return malformed(error, what);
    std::string_view text;
    if (type == ondemand::json_type::array || type == ondemand::json_type::object) {
      if (const auto error = simdjson::to_json_string(value).get(text)) return malformed(error, what);
      return text;
    }
    // On-demand skips a scalar without looking at what follows it: `["a":1]` would pass. The token ends where the next one
    // begins.
    text = value.raw_json_token();
    const char next = *(text.data() + text.size());
    if (next != ',' && next != closing) return malformed(simdjson::TAPE_ERROR, what);  // no comma behind it
    return text.substr(0, text.find_last_not_of(" \n\r\t") + 1);
  }

  static void take_wanted(const SliceSpec& spec, const dom::element& element, const std::string& pointer, SlicedPage& page) {
    for (std::size_t i = 0; i < spec.wanted.size(); ++i) {
      if (page.wanted[i]) continue;
      if (spec.wanted[i] == pointer) {
        page.wanted[i] = to_text(element);
      } else if (is_inside(spec.wanted[i], pointer)) {
        dom::element inner;
        if (element.at_pointer(std::string_view(spec.wanted[i]).substr(pointer.size())).get(inner) == simdjson::SUCCESS) {
          page.wanted[i] = to_text(inner);
        }
      }
    }
  }

  Result<void> cut_records(const SliceSpec& spec, std::size_t array, ondemand::array& records, SlicedPage& page) {
    for (auto item : records) {
      ondemand::value value;
      if (const auto error = std::move(item).get(value)) return malformed(error, "before " + place());
      Result<std::string_view> text = text_of(value, ']', "record");
      if (!text) return fail(std::move(text.error()));
      if (auto taken = take_text(spec, *text, page, composer ? Use::kValidate : Use::kTake); !taken) return taken;
      if (composer) composer->take_element(array, *text);
      ++index;
    }
    return {};
  }

  [[nodiscard]] std::string place() const { return "record " + std::to_string(index); }

  enum class Use : std::uint8_t { kTake, kValidate };

  Result<void> take_text(const SliceSpec& spec, std::string_view text, SlicedPage& page, Use use) {
    dom::element element;
    if (const auto error = parse(text, element); error == simdjson::SUCCESS) {
      if (use == Use::kTake) take_record(spec, text, fields_of(spec, element, text), page);
    } else {
      // A number of more digits than any type of ours has is JSON all the same: the slower parser decides.
      if (!is_number_error(error)) return malformed(error, place());
      const auto document = common::json::parse(text);
      if (!document) return malformed(error, place());
      if (use == Use::kTake) take_record(spec, text, fields_of(spec, *document, text), page);
    }
    return {};
  }

  // The page is validated whole; its records are put together, and are from here on as if they had been sent so.
  Result<void> compose(const SliceSpec& spec, std::string& body, SlicedPage& page) {
    // Envelopes may double a page that is large itself and is taken all the same; far more is what stands beside its records.
    if (auto put = composer->compose(composed, pieces, std::max(max_composed, 2 * body.size())); !put) return put;
    composed.reserve(composed.size() + simdjson::SIMDJSON_PADDING);
    body.swap(composed);
    std::string().swap(composed);  // what the service sent, and large
    index = 0;
    for (const ComposedPiece& piece : pieces) {
      const std::string_view text(body.data() + piece.offset, piece.size);
      if (!piece.is_record) {
        page.dead_letters.push_back({.reason = "not_an_object",
                                     .detail = "records are looked for in a JSON object",
                                     .key = {},
                                     .bytes = text,
                                     .index = index});
      } else if (auto taken = take_text(spec, text, page, Use::kTake); !taken) {
        return taken;
      }
      ++index;
    }
    return {};
  }

  struct Fields {
    bool is_object = false;
    std::string_view key;  // in the parser's, document's or our memory; empty if there is none
    RecordFacts facts;
  };

  static bool wants_facts(const SliceSpec& spec) {
    return !spec.start.empty() || !spec.end.empty() || !spec.open_while_absent.empty();
  }

  // The values of the key together, in key_text; empty if one is missing.
  std::string_view key_of(std::string_view record, const std::vector<KeyPart>& parts) {
    key_text = "[";
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) key_text += ',';
      const auto value = raw.find(record, key_tokens[i]);
      const bool is_there = value && *value != "null" && *value != "\"\"";
      if (!is_there && !parts[i].optional) return {};
      const std::size_t begin = key_text.size();
      if (!raw.append_canonical(value.value_or("null"), key_text)) return {};
      if (const auto interval = interval_in_utc(std::string_view(key_text).substr(begin))) {
        key_text.replace(begin, std::string::npos, '"' + *interval + '"');
      }
    }
    key_text += ']';
    return key_text;
  }

  Fields fields_of(const SliceSpec& spec, const dom::element& element, std::string_view text) {
    Fields fields{.is_object = element.is_object()};
    if (const auto* pointer = std::get_if<std::string>(&spec.key)) {
      if (element.at_pointer(*pointer).get_string().get(fields.key) != simdjson::SUCCESS) fields.key = {};
    } else {
      fields.key = key_of(text, std::get<std::vector<KeyPart>>(spec.key));
    }
    if (wants_facts(spec)) {
      fields.facts = {
          .start = instant_at(element, spec.start), .end = instant_at(element, spec.end), .open = is_open(spec, element)};
    }
    return fields;
  }

  Fields fields_of(const SliceSpec& spec, const common::json::Value& document, std::string_view text) {
    const auto text_at = [&](const std::string& pointer) -> std::optional<std::string_view> {
      const common::json::Value* found = pointer.empty() ? nullptr : find_at(document, pointer);
      if (found == nullptr || !found->is_string()) return std::nullopt;
      return std::string_view(found->get_string());
    };
    const auto instant = [&](const std::string& pointer) -> std::optional<common::Instant> {
      const auto text = text_at(pointer);
      const auto parsed = text ? common::parse_instant(*text) : fail(ErrorCode::kMalformedResponse, {});
      return parsed ? std::optional(*parsed) : std::nullopt;
    };
    const common::json::Value* end = spec.open_while_absent.empty() ? nullptr : find_at(document, spec.open_while_absent);
    const bool open = !spec.open_while_absent.empty() && (end == nullptr || end->is_null());
    const auto* pointer = std::get_if<std::string>(&spec.key);
    return {.is_object = document.is_object(),
            .key = pointer != nullptr ? text_at(*pointer).value_or(std::string_view())
                                      : key_of(text, std::get<std::vector<KeyPart>>(spec.key)),
            .facts = {.start = instant(spec.start), .end = instant(spec.end), .open = open}};
  }

  static std::string what_is_missing(const KeyRule& key) {
    if (const auto* pointer = std::get_if<std::string>(&key)) return "no text at " + *pointer;
    std::string pointers;
    for (const KeyPart& part : std::get<std::vector<KeyPart>>(key)) {
      if (!part.optional) pointers += (pointers.empty() ? "" : ", ") + part.pointer;
    }
    return "no value at one of " + pointers;
  }

  void take_record(const SliceSpec& spec, std::string_view text, const Fields& fields, SlicedPage& page) {
    if (!fields.is_object || (fields.key.empty() && !spec.key_optional)) {
      page.dead_letters.push_back({.reason = fields.is_object ? "no_key" : "not_an_object",
                                   .detail = fields.is_object ? what_is_missing(spec.key) : "a record must be a JSON object",
                                   .key = {},
                                   .bytes = text,
                                   .index = index});
      return;
    }
    // The same bytes stand in the record, unless they were written with escapes.
    std::string_view key = fields.key;
    if (key.empty()) {
      key = text.substr(0, 0);  // there is none, and none is needed
    } else if (const void* found = ::memmem(text.data(), text.size(), key.data(), key.size()); found != nullptr) {
      key = text.substr(static_cast<std::size_t>(static_cast<const char*>(found) - text.data()), key.size());
    } else {
      side_keys.push_back({.record = page.records.size(), .offset = side.size()});
      side.append(key);
      key = std::string_view(nullptr, key.size());
    }
    page.records.push_back({.key = key, .value = text});
    if (wants_facts(spec)) page.facts.push_back(fields.facts);
  }

  static bool is_open(const SliceSpec& spec, const dom::element& record) {
    if (spec.open_while_absent.empty()) return false;
    dom::element found;
    return record.at_pointer(spec.open_while_absent).get(found) != simdjson::SUCCESS || found.is_null();
  }

  // Every view is taken along to a longer body.
  void append_side_keys(std::string& body, SlicedPage& page) const {
    std::string longer;
    longer.reserve(body.size() + side.size() + simdjson::SIMDJSON_PADDING);
    longer.append(body).append(side);
    const auto moved = [&](std::string_view view) {
      return view.data() == nullptr ? view : std::string_view(longer.data() + (view.data() - body.data()), view.size());
    };
    for (core::RecordSlice& record : page.records) record = {.key = moved(record.key), .value = moved(record.value)};
    for (core::DeadLetter& letter : page.dead_letters) letter.bytes = moved(letter.bytes);
    for (const SideKey& key : side_keys) {
      core::RecordSlice& record = page.records[key.record];
      record.key = std::string_view(longer.data() + body.size() + key.offset, record.key.size());
    }
    body = std::move(longer);
  }
};

PageSlicer::PageSlicer(std::size_t max_composed) : impl_(std::make_unique<Impl>(max_composed)) {}
PageSlicer::~PageSlicer() = default;

Result<void> PageSlicer::slice(const SliceSpec& spec, std::string& body, SlicedPage& page) {
  return impl_->slice(spec, body, page);
}

}  // namespace connector::source
