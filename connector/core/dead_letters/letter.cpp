#include "connector/core/dead_letters/letter.h"

#include <algorithm>

namespace connector::core {

bool DeadLetterSelection::takes(const StoredDeadLetter& letter) const {
  if (!stream.empty() && letter.stream != stream) return false;
  if (!reason.empty() && letter.reason != reason) return false;
  if (!keys.empty() && std::ranges::find(keys, letter.key) == keys.end()) return false;
  return (!from || letter.read_at >= *from) && (!to || letter.read_at < *to);
}

void DeadLetterListing::take(StoredDeadLetter letter) {
  ++taken_;
  auto [sum, first] =
      sums_.try_emplace({letter.stream, letter.reason}, DeadLetterSum{.first = letter.read_at, .last = letter.read_at});
  ++sum->second.letters;
  sum->second.bytes += letter.size.value_or(0);
  sum->second.first = std::min(sum->second.first, letter.read_at);
  sum->second.last = std::max(sum->second.last, letter.read_at);
  const common::Instant at = letter.read_at;
  newest_.emplace(at, std::move(letter));
  if (newest_.size() > most_) newest_.erase(newest_.begin());
}

std::vector<StoredDeadLetter> DeadLetterListing::newest() const {
  std::vector<StoredDeadLetter> letters;
  letters.reserve(newest_.size());
  for (const auto& [at, letter] : newest_) letters.push_back(letter);
  return letters;
}

}  // namespace connector::core
