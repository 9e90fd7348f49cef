#include "connector/source/page_reader.h"

#include "connector/source/pointer_pattern.h"
#include "connector/source/published_shape.h"

#include <xxhash.h>
#include <algorithm>
#include <string_view>
#include <utility>

namespace connector::source {

using common::fail;
using common::Result;

namespace {

constexpr std::size_t kMostKept = 8UL << 20U;  // bytes of a buffer, from page to page

// Whether nothing is left of an object here, or none of its members are: their names may be as personal as what they name.
bool is_removed(const PointerPattern& object, const StreamOptions& options) {
  const auto covers = [&](const std::string& pointer) { return PointerPattern(pointer).may_cover(object); };
  const auto takes_its_members = [&](const std::string& pointer) {
    const PointerPattern dropped(pointer);
    return dropped.tokens().size() == object.tokens().size() + 1 && dropped.tokens().back() == "*" && object.may_cover(dropped);
  };
  if (std::ranges::any_of(options.redaction.drop, covers) || std::ranges::any_of(options.redaction.hash, covers)) return true;
  if (std::ranges::any_of(options.redaction.drop, takes_its_members)) return true;
  const auto is_in = [&](const std::string& pointer) {
    const PointerPattern drawn(pointer);
    return !pointer.empty() && (drawn.may_cover(object) || object.may_cover(drawn));
  };
  const auto& fields = options.projection.fields;
  return !fields.empty() &&
         std::ranges::none_of(fields, [&](const ProjectedField& field) { return is_in(field.from) || is_in(field.until); });
}

// What is removed is not looked into for fields that are new: they would be told by name.
Model model_of_what_is_left(const Model& model, const StreamOptions& options) {
  Model left = model;
  std::erase_if(left, [&](const auto& place) { return is_removed(PointerPattern(place.first), options); });
  return left;
}

}  // namespace

PageReader::PageReader(const Definition& definition, const StreamOptions& options, std::size_t max_composed)
    : slicer_(max_composed), digester_(published_shape(definition, options).rules), job_only_(definition.job_only) {
  if (const Model left = model_of_what_is_left(definition.model, options); !left.empty()) unknown_fields_.emplace(left);
  if (rewrites_records(options)) projector_.emplace(options.projection, options.redaction);
  if (rewrites_key(definition, options.redaction)) redactor_.emplace(ProjectionOptions{}, options.redaction);
}

Result<void> PageReader::read(const SliceSpec& spec, std::string& body, SlicedPage& page) {
  if (auto sliced = slicer_.slice(spec, body, page); !sliced) return sliced;
  if (unknown_fields_) {
    for (const core::RecordSlice& record : page.records) {
      if (unknown_fields_->is_due()) unknown_fields_->look_at(record.value);
    }
  }
  if (projector_) {
    if (auto rewritten = rewrite(spec.key, body, page); !rewritten) {
      page.records.clear();
      page.facts.clear();
      page.dead_letters.clear();
      return rewritten;
    }
  }
  records_ += page.records.size();
  page.digests.clear();
  page.digests.reserve(page.records.size());
  for (const core::RecordSlice& record : page.records) {
    auto digests = digester_.digest(record.value);
    if (!digests) return fail(std::move(digests.error()));
    page.digests.push_back(*digests);
  }
  return {};
}

// Into bytes of the page's own, no more than it needs: what they were made from goes no further.
Result<void> PageReader::rewrite(const KeyRule& key, std::string& body, SlicedPage& page) {
  if (redactor_) {
    if (auto rewritten = rewrite_keys(key, page); !rewritten) return rewritten;
  }
  written_.clear();
  ends_.clear();
  for (const core::RecordSlice& record : page.records) {
    written_ += record.key;
    ends_.push_back(written_.size());
    if (auto projected = projector_->project(record.value, written_); !projected) return projected;
    ends_.push_back(written_.size());
  }
  for (core::DeadLetter& letter : page.dead_letters) {
    written_ += letter.key;
    ends_.push_back(written_.size());
    letter.apart = XXH3_64bits(letter.bytes.data(), letter.bytes.size());
    if (letter.bytes.starts_with('{')) {
      if (auto projected = projector_->project(letter.bytes, written_); !projected) return projected;
    } else {
      letter.size = letter.bytes.size();
      letter.detail += "; its bytes are withheld, because the stream has a projection or redaction";
    }
    ends_.push_back(written_.size());
  }

  std::string bytes;  // on the heap, because of the padding: the views stay good when it moves
  bytes.reserve(written_.size() + ContentDigester::padding());
  bytes.append(written_);
  std::size_t begin = 0;
  std::size_t next = 0;
  const auto piece = [&] {
    const std::size_t end = ends_[next++];
    const std::string_view view = std::string_view(bytes).substr(begin, end - begin);
    begin = end;
    return view;
  };
  for (core::RecordSlice& record : page.records) {
    record.key = piece();
    record.value = piece();
  }
  for (core::DeadLetter& letter : page.dead_letters) {
    letter.key = piece();
    letter.bytes = piece();
  }
  storage_ = std::exchange(body, std::move(bytes));
  // A page of unusual size leaves nothing behind.
  if (storage_->capacity() > kMostKept) storage_.reset();
  for (std::string* buffer : {&written_, &redacted_}) {
    if (buffer->capacity() > kMostKept) std::string().swap(*buffer);
  }
  return {};
}

// The key is then that of what the redaction leaves, found as it is in what the service sent.
Result<void> PageReader::rewrite_keys(const KeyRule& key, SlicedPage& page) {
  redacted_ = "[";
  for (const core::RecordSlice& record : page.records) {
    if (redacted_.size() > 1) redacted_ += ',';
    if (auto redacted = redactor_->project(record.value, redacted_); !redacted) return redacted;
  }
  redacted_ += ']';
  if (auto sliced = slicer_.slice({.records = {}, .key = key}, redacted_, keyed_); !sliced) return sliced;
  if (keyed_.records.size() != page.records.size()) {
    // (config/ refuses what would come to this.)
    return fail(common::ErrorCode::kConfigInvalid,
                "the redaction leaves no key of a record: hash its values, or what is in them");
  }
  for (std::size_t i = 0; i < page.records.size(); ++i) page.records[i].key = keyed_.records[i].key;
  return {};
}

std::optional<std::string> PageReader::take_storage() {
  return std::exchange(storage_, std::nullopt);
}

std::vector<std::string> PageReader::take_unknown_fields() {
  return unknown_fields_ ? unknown_fields_->take_found() : std::vector<std::string>();
}

std::vector<std::string> PageReader::unmatched() const {
  std::vector<std::string> unmatched;
  if (!projector_) return unmatched;
  for (const ConfiguredPointer& configured : projector_->unmatched()) {
    const PointerPattern pointer(configured.pointer);
    const bool may_come =
        std::ranges::any_of(job_only_, [&](const std::string& job_only) { return PointerPattern(job_only).may_cover(pointer); });
    if (!may_come) unmatched.push_back(configured.setting + " " + configured.pointer);
  }
  return unmatched;
}

}  // namespace connector::source
