#include "connector/source/record_reader.h"

namespace connector::source {

RecordReader::RecordReader(const Definition& definition)
    : spec_{.records = {},
            .key = definition.key,
            .start = definition.start_pointer.value_or(""),
            .end = {},
            .open_while_absent = definition.open_while_absent.value_or(""),
            .wanted = {}},
      digester_({.ignore = definition.digest_ignore, .job_only = definition.job_only}) {}

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
