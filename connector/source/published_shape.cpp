#include "connector/source/published_shape.h"

#include "connector/source/pointer_pattern.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <vector>

namespace connector::source {

namespace {

std::string joined(std::span<const std::string> tokens) {
  std::string pointer;
  for (const std::string& token : tokens) pointer += "/" + escape_token(token);
  return pointer;
}

// Where the one value that `pointer` names is published; empty: nowhere.
std::string published(const std::string& pointer, const StreamOptions& options) {
  if (pointer.empty()) return {};
  const PointerPattern wanted(pointer);
  for (const std::string& dropped : options.redaction.drop) {
    if (PointerPattern(dropped).covers(wanted)) return {};
  }
  // (Of a value that is itself hashed it still shows whether it is there.)
  for (const std::string& hashed : options.redaction.hash) {
    const PointerPattern whole(hashed);
    if (whole.covers(wanted) && whole.is_shorter_than(wanted)) return {};
  }
  if (options.projection.fields.empty()) return pointer;
  for (const ProjectedField& field : options.projection.fields) {
    const PointerPattern from(field.from);
    if (!field.until.empty() || from.is_list() || !from.covers(wanted)) continue;
    return "/" + escape_token(field.name) + joined(std::span(wanted.tokens()).subspan(from.tokens().size()));
  }
  return {};
}

enum class Overlap : bool { kWholly, kInPart };

std::vector<std::string> published_rules(const std::vector<std::string>& rules, const ProjectionOptions& projection,
                                         Overlap enough) {
  if (projection.fields.empty()) return rules;
  std::vector<std::string> published;
  for (const std::string& rule : rules) {
    const PointerPattern what(rule);
    for (const ProjectedField& field : projection.fields) {
      const PointerPattern from(field.from);
      const std::string name = "/" + escape_token(field.name);
      if (!field.until.empty()) {
        // What is computed is no better than the worse of the two.
        if (what.covers(from) || what.covers(PointerPattern(field.until))) published.push_back(name);
      } else if (enough == Overlap::kWholly ? what.covers(from) : what.may_cover(from)) {
        published.push_back(name);
      } else if (from.is_shorter_than(what)) {
        // What the rule speaks of lies inside what the field draws.
        const std::span<const std::string> tokens(what.tokens());
        const std::size_t length = from.tokens().size();
        const PointerPattern outside(joined(tokens.first(length)));
        if (enough == Overlap::kWholly ? !outside.covers(from) : !outside.may_cover(from)) continue;
        const bool is_list = from.is_list() && field.take == TakeValues::kAll;
        published.push_back(name + (is_list ? "/*" : "") + joined(tokens.subspan(length)));
      }
    }
  }
  std::ranges::sort(published);
  const auto repeated = std::ranges::unique(published);
  published.erase(repeated.begin(), repeated.end());
  return published;
}

}  // namespace

PublishedShape published_shape(const Definition& definition, const StreamOptions& options) {
  return {.start = published(definition.start_pointer.value_or(""), options),
          .open_while_absent = published(definition.open_while_absent.value_or(""), options),
          .has_key = std::ranges::all_of(key_pointers(definition),
                                         [&](const std::string& key) { return published(key, options) == key; }),
          .rules = {.ignore = published_rules(definition.digest_ignore, options.projection, Overlap::kWholly),
                    .job_only = published_rules(definition.job_only, options.projection, Overlap::kInPart)}};
}

std::vector<std::string> hashes_of_key(const Definition& definition, const RedactionOptions& redaction) {
  const std::vector<std::string> keys = key_pointers(definition);
  std::vector<std::string> hashes;
  std::ranges::copy_if(redaction.hash, std::back_inserter(hashes), [&](const std::string& pointer) {
    const PointerPattern hashed(pointer);
    return std::ranges::any_of(keys, [&](const std::string& key) {
      const PointerPattern identifies(key);
      return hashed.may_cover(identifies) || identifies.may_cover(hashed);
    });
  });
  std::ranges::sort(hashes);
  return hashes;
}

bool rewrites_key(const Definition& definition, const RedactionOptions& redaction) {
  return !hashes_of_key(definition, redaction).empty();
}

}  // namespace connector::source
