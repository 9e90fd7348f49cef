#pragma once

// `sample --against`: what a definition makes of an answer that was saved, without asking anybody. For those who write one.

#include "common/result.h"
#include "connector/source/definition.h"
#include "connector/source/sample.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace connector::source {

// Which of the definition's requests it answers.
enum class AnswerOf : std::uint8_t { kQuery, kJob, kById };

struct SavedAnswer {
  std::vector<SampledRecord> records;
  std::uint64_t elements = 0;             // what the service pages through: of composite records something else than these
  std::uint64_t repeated = 0;             // records whose key another one of the answer has
  std::vector<std::string> dead_letters;  // each: what would become one, and why
  std::optional<std::int64_t> total;
  bool has_pages = false;              // of several
  std::optional<std::string> next;     // where the next one begins, as far as the body says
  std::vector<std::string> unmatched;  // as in Sample
};

// Projected and redacted by `options`, which may be of no stream. What the answer is of: `wanted`, else the query, else the job.
// kConfigInvalid if the definition asks nothing of the kind; kMalformedResponse as it would be of the service's own.
common::Result<SavedAnswer> read_saved_answer(const Definition& definition, const StreamOptions& options,
                                              std::optional<AnswerOf> wanted, std::string body);

}  // namespace connector::source
