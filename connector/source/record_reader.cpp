#include "connector/source/record_reader.h"

#include <utility>

namespace connector::source {

RecordReader::RecordReader(const Definition& definition, const StreamOptions& options)
    : RecordReader(definition, published_shape(definition, options)) {}

RecordReader::RecordReader(const Definition& definition, PublishedShape shape)
    : spec_{.records = {},
            .key = definition.key,
            .start = std::move(shape.start),
            .end = {},
            .open_while_absent = std::move(shape.open_while_absent),
            .wanted = {},
            .key_optional = !shape.has_key},
      digester_(shape.rules) {}

std::optional<ReadRecord> RecordReader::read(std::string_view value) {
  // A page that is its own array of records.
  body_.assign("[").append(value).append("]");
  if (!slicer_.slice(spec_, body_, page_) || page_.records.size() != 1 || !page_.dead_letters.empty()) return std::nullopt;
  const auto digests = digester_.digest(page_.records.front().value);
  if (!digests) return std::nullopt;
  const RecordFacts facts = page_.facts.empty() ? RecordFacts{} : page_.facts.front();
  return ReadRecord{.digests = *digests, .start = facts.start, .open = facts.open};
}

}  // namespace connector::source
