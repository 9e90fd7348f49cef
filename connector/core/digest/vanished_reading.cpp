#include "connector/core/digest/vanished_reading.h"

#include "connector/core/digest/reconcile.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace connector::core {

std::string_view to_string(NotWhole why) {
  switch (why) {
    case NotWhole::kNone:
      return "none";
    case NotWhole::kMemory:
      return "too_large";
    case NotWhole::kDeadLetters:
      return "dead_letters";
    case NotWhole::kRepeated:
      return "repeated_keys";
    case NotWhole::kTotal:
      return "total";
  }
  std::unreachable();
}

void ReadingFacts::page(std::uint64_t rows, std::uint64_t repeated, std::uint64_t dead_letters,
                        std::optional<std::int64_t> total) {
  repeated_by_last_ = repeated;
  repeated_ += repeated;
  dead_letters_ += dead_letters;
  if (rows == 0 || !total) return;  // behind the last page it may say 0
  total_moved_ = total_moved_ || (total_ && *total_ != *total);
  total_ = total;
}

NotWhole ReadingFacts::judge(std::uint64_t distinct, bool page_by_page, const PassKeys& returned) const {
  if (page_by_page || !returned.is_whole()) return NotWhole::kMemory;
  if (dead_letters_ > 0) return NotWhole::kDeadLetters;
  if (repeated_ > 0) return NotWhole::kRepeated;
  if (is_cut_ || total_moved_ || (total_ && *total_ > 0 && distinct < static_cast<std::uint64_t>(*total_)))
    return NotWhole::kTotal;
  return NotWhole::kNone;
}

VanishedReading::VanishedReading(VanishedReadingOptions options, const PassKeys& returned, const AbsentKeys& before,
                                 common::Instant read_at)
    : options_(options), returned_(returned), before_(before), read_at_(read_at), any_returned_(!returned.witnesses().empty()) {}

void VanishedReading::look_at(std::string_view key, const DigestEntry& entry) {
  ++known_;
  if (entry.state == DigestState::kGone) ++gone_;
  if (!may_have_vanished(entry, read_at_) || returned_.contains(key)) return;
  ++missing_;
  if (keys_.size() < AbsentKeys::kMost) keys_.emplace_back(std::string(key));
}

VanishedReadingFindings VanishedReading::take() {
  VanishedReadingFindings findings{.absent = {}, .gone = {}, .missing = missing_};
  // (A share such as 0.29 of 100 must not come to 28.) What earlier readings lacked and is still remembered as gone counts, so
  // that a list that is lost bit by bit is held up, too.
  constexpr double kRounding = 1e-9;
  const auto share = static_cast<std::uint64_t>(std::floor(options_.max_share * static_cast<double>(known_) + kRounding));
  const std::uint64_t limit = share - std::min(share, gone_);
  const bool is_emptied = missing_ > 0 && !any_returned_;  // nobody deletes everything
  if (missing_ > limit || missing_ > keys_.size() || is_emptied) {
    findings.withheld = missing_;
    findings.is_braked = true;
    return findings;
  }
  for (RecordKey& key : keys_) {
    const std::uint64_t hash = PassKeys::hash(key.str());
    const std::uint32_t readings = before_.readings(hash) + 1;
    if (readings >= options_.confirm) {
      findings.gone.push_back(std::move(key));
    } else {
      findings.absent.push_back({.key = hash, .readings = readings});
    }
  }
  keys_.clear();
  return findings;
}

std::vector<AbsentKey> without_returned(const AbsentKeys& before, const PassKeys& returned) {
  std::vector<AbsentKey> absent = before.all();
  std::erase_if(absent, [&](const AbsentKey& one) { return returned.contains_hash(one.key); });
  return absent;
}

}  // namespace connector::core
