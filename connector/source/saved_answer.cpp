#include "connector/source/saved_answer.h"

#include "connector/source/page_reader.h"
#include "connector/source/pagination.h"

#include <set>
#include <string_view>
#include <utility>

namespace connector::source {

using common::ErrorCode;
using common::fail;
using common::Result;

namespace {

// What an answer is cut by.
struct AnswerRule {
  const RecordsRule* records = nullptr;
  const Pages* pages = nullptr;
  const std::optional<Total>* total = nullptr;
};

Result<AnswerRule> rule_of(const Definition& definition, std::optional<AnswerOf> wanted) {
  static const Pages kNoPages = NoPages{};
  static const std::optional<Total> kNoTotal;
  const AnswerOf of = wanted.value_or(definition.query ? AnswerOf::kQuery : AnswerOf::kJob);
  if (of == AnswerOf::kQuery && definition.query) {
    return AnswerRule{
        .records = &definition.query->records, .pages = &definition.query->pages, .total = &definition.query->total};
  }
  if (of == AnswerOf::kJob && definition.job) {
    return AnswerRule{.records = &definition.job->records, .pages = &definition.job->pages, .total = &kNoTotal};
  }
  if (of == AnswerOf::kById && definition.by_id) {
    return AnswerRule{.records = &definition.by_id->records, .pages = &kNoPages, .total = &kNoTotal};
  }
  const std::string_view what = of == AnswerOf::kQuery ? "query" : of == AnswerOf::kJob ? "job" : "by_id";
  return fail(ErrorCode::kConfigInvalid, "definition " + definition.name + " has no " + std::string(what));
}

}  // namespace

Result<SavedAnswer> read_saved_answer(const Definition& definition, const StreamOptions& options, std::optional<AnswerOf> wanted,
                                      std::string body) {
  const auto rule = rule_of(definition, wanted);
  if (!rule) return fail(rule.error());
  SliceSpec spec = sample_spec(definition, *rule->records);
  const PageScalars scalars(*rule->pages, *rule->total, std::string(), spec);
  PageReader reader(definition, options);
  SlicedPage page;
  if (auto read = reader.read(spec, body, page); !read) return fail(std::move(read.error()));

  SavedAnswer answer{.elements = page.elements, .total = scalars.total(page), .next = scalars.next(page, {})};
  answer.has_pages = !std::holds_alternative<NoPages>(*rule->pages);
  std::set<std::string_view> keys;
  for (std::size_t i = 0; i < page.records.size(); ++i) {
    if (!keys.insert(page.records[i].key).second) ++answer.repeated;
    answer.records.push_back(sampled_record(definition, page, i));
  }
  for (const core::DeadLetter& letter : page.dead_letters) {
    answer.dead_letters.push_back("element " + std::to_string(letter.index) + ": " + letter.reason + ": " + letter.detail);
  }
  if (reader.records() > 0) answer.unmatched = reader.unmatched();
  return answer;
}

}  // namespace connector::source
