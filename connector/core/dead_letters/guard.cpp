#include "connector/core/dead_letters/guard.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace connector::core {

namespace {

std::string place_of(const Page& page) {
  return common::format_interval(page.window) + (page.position.empty() ? "" : ", " + page.position);
}

common::Result<void> all_fit(const TransactionBatch& batch) {
  std::size_t place = 0;
  for (const Page& page : batch.pages) {
    for (const RecordSlice& record : page.records) {
      if (batch.fates[place++] != RecordFate::kOversize) continue;
      return common::fail(
          common::ErrorCode::kTopicUnusable,
          fmt::format("stream {}, lane {}, window {}: a record of {} bytes is larger than its topic takes, and "
                      "streams.{}.on_oversize is `fail`; raise the topic's max.message.bytes, or set on_oversize to dead_letter",
                      batch.stream.str(), to_string(page.source.lane), place_of(page), record.value.size(), batch.stream.str()));
    }
  }
  return {};
}

}  // namespace

common::Result<void> DeadLetterGuard::allow(const TransactionBatch& batch) const {
  const DeadLetterRules rules = rules_of(batch.stream);
  if (rules.on_oversize == OnOversize::kFail) {
    if (auto fit = all_fit(batch); !fit) return fit;
  }
  if (rules.stop.stop_after == 0) return {};
  for (const auto& [source, outcome] : outcomes(batch)) {
    const auto known = thresholds_.find(source);
    const Threshold& threshold = known != thresholds_.end() ? known->second : Threshold(rules.stop);
    const std::size_t count = threshold.reached_by(outcome.dead);
    if (count == 0) continue;
    std::vector<std::string> reasons;
    for (const auto& [reason, times] : outcome.reasons) reasons.push_back(fmt::format("{} {}", reason, times));
    return common::fail(
        common::ErrorCode::kTopicUnusable,
        fmt::format("stream {}, lane {}: {} of its last {} records were refused (now {}; window {}), and "
                    "streams.{}.dead_letters.stop_after is {}; nothing of these pages is published. See with `sample` what "
                    "comes, mend its cause, or raise stop_after",
                    source.stream.str(), to_string(source.lane), count, rules.stop.of_last, fmt::join(reasons, ", "),
                    outcome.last_place, source.stream.str(), rules.stop.stop_after));
  }
  return {};
}

void DeadLetterGuard::commit(const TransactionBatch& batch) {
  const DeadLetterRules rules = rules_of(batch.stream);
  if (rules.stop.stop_after == 0) return;
  for (const auto& [source, outcome] : outcomes(batch)) {
    thresholds_.try_emplace(source, rules.stop).first->second.commit(outcome.records, outcome.dead);
  }
}

std::map<SourcePartition, DeadLetterGuard::Outcome> DeadLetterGuard::outcomes(const TransactionBatch& batch) {
  std::map<SourcePartition, Outcome> found;
  std::size_t place = 0;
  for (const Page& page : batch.pages) {
    Outcome& outcome = found[page.source];
    const auto add_dead = [&](const std::string& reason) {
      outcome.dead.push_back(outcome.records++);
      ++outcome.reasons[reason];
      outcome.last_place = place_of(page);
    };
    for (std::size_t index = 0; index < page.records.size(); ++index) {
      const RecordFate fate = batch.fates[place++];
      if (const auto reason = dead_letter_reason(fate); !reason.empty()) {
        add_dead(std::string{reason});
      } else if (fate == RecordFate::kPublish || fate == RecordFate::kSuspect) {
        ++outcome.records;
      }
    }
    for (const DeadLetter& letter : page.dead_letters) add_dead(letter.reason);
  }
  return found;
}

DeadLetterRules DeadLetterGuard::rules_of(const StreamName& stream) const {
  const auto found = rules_.find(stream);
  return found == rules_.end() ? DeadLetterRules{} : found->second;
}

}  // namespace connector::core
