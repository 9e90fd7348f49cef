#include "connector/source/record_composer.h"

#include "connector/source/json_pointer.h"

#include <algorithm>
#include <utility>

namespace connector::source {

using common::ErrorCode;
using common::fail;
using common::Result;

namespace {

constexpr std::string_view kEvery = "*";

std::string in_quotes(std::string_view name) {
  std::string text;
  append_quoted(name, text);
  return text;
}

// The pointer up to its first `*`.
std::string array_of(const std::string& pointer) {
  return pointer.substr(0, (pointer + "/").find("/*/"));
}

std::string last_name(const std::vector<std::string>& tokens) {
  const auto name = std::ranges::find_if(tokens.rbegin(), tokens.rend(), [](const auto& token) { return token != kEvery; });
  return name == tokens.rend() ? std::string() : *name;
}

// The tokens between one `*` and the next.
std::vector<std::vector<std::string>> steps_of(const std::vector<std::string>& tokens) {
  std::vector<std::vector<std::string>> steps(1);
  for (const std::string& token : tokens) {
    if (token == kEvery) {
      steps.emplace_back();
    } else {
      steps.back().push_back(token);
    }
  }
  return steps;
}

}  // namespace

RecordComposer::RecordComposer(const CompositeRecords& rule, RawJson& raw)
    : raw_(raw), list_(rule.list.empty() ? std::string() : in_quotes(rule.list)) {
  for (const std::string& pointer : rule.each) {
    const auto tokens = pointer_tokens(pointer);
    const std::string name = last_name(tokens);
    Path path{.array = 0, .steps = steps_of(tokens), .list = in_quotes(name), .as = in_quotes(rule.as.empty() ? name : rule.as)};
    // What lies before the first `*` is the slicer's, behind the last there is nothing.
    path.steps.erase(path.steps.begin());
    path.steps.pop_back();
    const std::string array = array_of(pointer);
    path.array = static_cast<std::size_t>(std::ranges::find(arrays_, array) - arrays_.begin());
    if (path.array == arrays_.size()) arrays_.push_back(array);
    paths_.push_back(std::move(path));
  }
  for (const std::string& pointer : rule.with) {
    const auto tokens = pointer_tokens(pointer);
    auto steps = steps_of(tokens);
    beside_.push_back(
        {.pointer = pointer, .level = steps.size() - 1, .tokens = std::move(steps.back()), .name = in_quotes(last_name(tokens))});
  }
  values_.resize(beside_.size());
}

void RecordComposer::take_beside(std::string_view pointer, std::string_view text) {
  for (std::size_t i = 0; i < beside_.size(); ++i) {
    const std::string& whole = beside_[i].pointer;
    if (beside_[i].level > 0 || values_[i] || !whole.starts_with(pointer)) continue;
    if (whole.size() == pointer.size()) {
      values_[i] = text;
    } else if (whole[pointer.size()] == '/') {
      values_[i] = raw_.find(text, pointer_tokens(std::string_view(whole).substr(pointer.size())));
    }
  }
}

Result<void> RecordComposer::compose(std::string& out, std::vector<ComposedPiece>& pieces, std::size_t max_bytes) {
  out.clear();
  pieces.clear();
  out_ = &out;
  pieces_ = &pieces;
  max_bytes_ = max_bytes;
  for (const Element& element : elements_) {
    for (const Path& path : paths_) {
      if (path.array != element.array) continue;
      if (auto expanded = expand(path, 0, element.text); !expanded) return expanded;
    }
  }
  return {};
}

// `text`: an element of the array in which `level` arrays lie above it.
Result<void> RecordComposer::expand(const Path& path, std::size_t level, std::string_view text) {
  for (std::size_t i = 0; i < beside_.size(); ++i) {
    if (beside_[i].level == level + 1) values_[i] = raw_.find(text, beside_[i].tokens);
  }
  if (level == path.steps.size()) return add(path, text);
  const Tokens& step = path.steps[level];
  if (!step.empty() && !text.starts_with('{')) {
    pieces_->push_back({.offset = out_->size(), .size = text.size(), .is_record = false});
    out_->append(text);
    return {};
  }
  const auto array = raw_.find(text, step);
  if (!array || *array == "null") return {};
  std::vector<std::string_view> elements;
  if (!raw_.split(*array, elements)) {
    std::string pointer;
    for (const std::string& token : step) pointer += "/" + token;
    return fail(ErrorCode::kMalformedResponse,
                "the page is not as the endpoint promises: " + pointer + " inside " + arrays_[path.array] + "/* is no array");
  }
  for (const std::string_view element : elements) {
    if (auto expanded = expand(path, level + 1, element); !expanded) return expanded;
  }
  return {};
}

Result<void> RecordComposer::add(const Path& path, std::string_view element) {
  std::string& out = *out_;
  const std::size_t begin = out.size();
  out += '{';
  for (std::size_t i = 0; i < beside_.size(); ++i) {
    if (values_[i]) out.append(beside_[i].name).append(":").append(*values_[i]).append(",");
  }
  if (!list_.empty()) out.append(list_).append(":").append(path.list).append(",");
  out.append(path.as).append(":").append(element).append("}");
  pieces_->push_back({.offset = begin, .size = out.size() - begin});
  if (out.size() <= max_bytes_) return {};
  return fail(ErrorCode::kTooComplex, "the records of a page take more than " + std::to_string(max_bytes_ >> 20U) +
                                          " MiB together with what stands beside them: ask for shorter windows or fewer members, "
                                          "or raise kafka.memory");
}

}  // namespace connector::source
