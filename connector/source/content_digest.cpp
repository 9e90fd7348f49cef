#include "connector/source/content_digest.h"

#include "connector/source/page_slicer.h"
#include "connector/source/pointer_automaton.h"

#include <simdjson.h>
#include <xxhash.h>
#include <array>
#include <cstdint>
#include <utility>

namespace connector::source {

namespace ondemand = simdjson::ondemand;

using common::ErrorCode;
using common::fail;
using common::Result;
using core::ContentDigests;

namespace {

// What a hash is of: so that `"1"`, `1` and `[1]` differ.
enum class Kind : std::uint64_t { kName = 1, kString, kNumber, kTrue, kFalse, kNull, kMember, kObject, kElement, kArray };

std::uint64_t hash_text(Kind kind, std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), static_cast<std::uint64_t>(kind));
}

std::uint64_t hash_pair(Kind kind, std::uint64_t first, std::uint64_t second) {
  const std::array<std::uint64_t, 2> pair{first, second};
  return XXH3_64bits_withSeed(pair.data(), sizeof(pair), static_cast<std::uint64_t>(kind));
}

// Members are added up, so that their order does not count; one that is written twice counts twice.
struct ObjectSum {
  std::uint64_t sum = 0;
  std::uint64_t count = 0;
  void add(std::uint64_t name, std::uint64_t value) {
    sum += hash_pair(Kind::kMember, name, value);
    ++count;
  }
  [[nodiscard]] std::uint64_t digest() const { return hash_pair(Kind::kObject, sum, count); }
};

struct ArrayChain {
  std::uint64_t chain = 0;
  std::uint64_t count = 0;
  void add(std::uint64_t value) {
    chain = hash_pair(Kind::kElement, chain, value);
    ++count;
  }
  [[nodiscard]] std::uint64_t digest() const { return hash_pair(Kind::kArray, chain, count); }
};

// What the rules say of each place of the automaton.
class RulePlaces {
 public:
  using Place = PointerAutomaton::Place;

  explicit RulePlaces(const ContentRules& rules) : pointers_(all_of(rules)), says_(pointers_.places()) {
    for (std::size_t place = 0; place < says_.size(); ++place) {
      for (const std::size_t pointer : pointers_.ends(static_cast<Place>(place))) {
        (pointer < rules.ignore.size() ? says_[place].ignored : says_[place].job_only) = true;
      }
    }
  }

  [[nodiscard]] Place root() const { return pointers_.root(); }
  template <class Token>
  [[nodiscard]] Place step(Place place, Token token) const {
    return pointers_.step(place, token);
  }
  [[nodiscard]] bool is_ignored(Place place) const {
    return place != PointerAutomaton::kNowhere && says_[static_cast<std::size_t>(place)].ignored;
  }
  [[nodiscard]] bool is_job_only(Place place) const {
    return place != PointerAutomaton::kNowhere && says_[static_cast<std::size_t>(place)].job_only;
  }

 private:
  struct Says {
    bool ignored = false;
    bool job_only = false;
  };

  static std::vector<std::string> all_of(const ContentRules& rules) {
    std::vector<std::string> pointers = rules.ignore;
    pointers.insert(pointers.end(), rules.job_only.begin(), rules.job_only.end());
    return pointers;
  }

  PointerAutomaton pointers_;
  std::vector<Says> says_;
};

using Place = PointerAutomaton::Place;

std::string_view trimmed(std::string_view token) {
  return token.substr(0, token.find_last_not_of(" \n\r\t") + 1);
}

}  // namespace

struct ContentDigester::Impl {
  explicit Impl(const ContentRules& rules) : pointers(rules) {}

  RulePlaces pointers;
  ondemand::parser parser;

  // Errors are simdjson's. After one the document is given up: nothing of it may be touched again.
  using Error = simdjson::error_code;

  Error digest_object(ondemand::object object, Place place, std::size_t depth, ContentDigests& digests) {
    ObjectSum common;
    ObjectSum full;
    bool differ = false;  // while nothing differs, one sum is enough
    for (auto item : object) {
      ondemand::field field;
      if (const auto error = std::move(item).get(field)) return error;
      std::string_view name;
      if (const auto error = field.unescaped_key().get(name)) return error;
      Place inner = PointerAutomaton::kNowhere;
      if (place != PointerAutomaton::kNowhere) {
        inner = pointers.step(place, name);
        if (pointers.is_ignored(inner)) continue;  // on-demand skips what is not read
      }
      // Before its value is read: the name stands in a buffer of the parser, which only grows.
      const std::uint64_t hashed_name = hash_text(Kind::kName, name);
      ContentDigests value;
      if (const auto error = digest_value(field.value(), inner, depth + 1, value)) return error;
      const bool job_only = pointers.is_job_only(inner);
      if (!differ && (job_only || value.common != value.full)) {
        differ = true;
        full = common;
      }
      if (!job_only) common.add(hashed_name, value.common);
      if (differ) full.add(hashed_name, value.full);
    }
    digests.common = common.digest();
    digests.full = differ ? full.digest() : digests.common;
    return simdjson::SUCCESS;
  }

  Error digest_array(ondemand::array array, Place place, std::size_t depth, ContentDigests& digests) {
    ArrayChain common;
    ArrayChain full;
    std::size_t index = 0;
    for (auto item : array) {
      ondemand::value element;
      if (const auto error = std::move(item).get(element)) return error;
      Place inner = PointerAutomaton::kNowhere;
      if (place != PointerAutomaton::kNowhere) inner = pointers.step(place, index);
      ++index;
      if (pointers.is_ignored(inner)) continue;
      ContentDigests value;
      if (const auto error = digest_value(element, inner, depth + 1, value)) return error;
      if (!pointers.is_job_only(inner)) common.add(value.common);
      if (place != PointerAutomaton::kNowhere) full.add(value.full);
    }
    digests.common = common.digest();
    digests.full = place != PointerAutomaton::kNowhere ? full.digest() : digests.common;
    return simdjson::SUCCESS;
  }

  Error digest_value(ondemand::value value, Place place, std::size_t depth, ContentDigests& digests) {
    if (depth > kMaxNesting) return simdjson::DEPTH_ERROR;
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return error;
    switch (type) {
      case ondemand::json_type::object: {
        ondemand::object object;
        if (const auto error = value.get_object().get(object)) return error;
        return digest_object(object, place, depth, digests);
      }
      case ondemand::json_type::array: {
        ondemand::array array;
        if (const auto error = value.get_array().get(array)) return error;
        return digest_array(array, place, depth, digests);
      }
      case ondemand::json_type::string: {
        std::string_view text;
        if (const auto error = value.get_string().get(text)) return error;
        digests.common = hash_text(Kind::kString, text);
        break;
      }
      case ondemand::json_type::number:
        digests.common = hash_text(Kind::kNumber, trimmed(value.raw_json_token()));
        break;
      case ondemand::json_type::boolean: {
        bool truth = false;
        if (const auto error = value.get_bool().get(truth)) return error;
        digests.common = hash_text(truth ? Kind::kTrue : Kind::kFalse, {});
        break;
      }
      case ondemand::json_type::null:
        digests.common = hash_text(Kind::kNull, {});
        break;
    }
    digests.full = digests.common;
    return simdjson::SUCCESS;
  }

  Error digest_record(std::string_view record, ContentDigests& digests) {
    const simdjson::padded_string_view text(record.data(), record.size(), record.size() + simdjson::SIMDJSON_PADDING);
    ondemand::document document;
    if (const auto error = parser.iterate(text).get(document)) return error;
    ondemand::object object;
    if (const auto error = document.get_object().get(object)) return error;
    return digest_object(object, pointers.root(), 1, digests);
  }
};

ContentDigester::ContentDigester(const ContentRules& rules) : impl_(std::make_unique<Impl>(rules)) {}
ContentDigester::~ContentDigester() = default;

std::size_t ContentDigester::padding() {
  return simdjson::SIMDJSON_PADDING;
}

Result<ContentDigests> ContentDigester::digest(std::string_view record) {
  ContentDigests digests;
  if (const auto error = impl_->digest_record(record, digests)) {
    return fail(ErrorCode::kMalformedResponse,
                std::string("the record has no digest, it is no valid JSON object: ") + simdjson::error_message(error));
  }
  return digests;
}

}  // namespace connector::source
