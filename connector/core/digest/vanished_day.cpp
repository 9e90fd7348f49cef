#include "connector/core/digest/vanished_day.h"

#include "connector/core/digest/reconcile.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace connector::core {

using common::Instant;
using common::SteadyTime;

std::string_view to_string(OnDelete on_delete) {
  return on_delete == OnDelete::kTombstone ? "tombstone" : "keep";
}

MissedByPassSearch::MissedByPassSearch(const PassKeys& keys, HomeDay day, Instant availability) : keys_(keys) {
  missed_.day = day;
  missed_.availability = availability;
  missed_.witnesses = keys.witnesses();
}

void MissedByPassSearch::look_at(std::string_view key, const DigestEntry& entry) {
  ++missed_.known;
  // (What may be gone once more counts when it is.)
  if (entry.state == DigestState::kGone && !entry.is_owed()) ++missed_.gone;
  if (!may_have_vanished(entry, missed_.availability) || keys_.contains(key)) return;
  ++missed_.missing;
  if (missed_.keys.size() < MissedByPass::kMostAsked) missed_.keys.emplace_back(std::string(key));
}

VanishedFindings VanishedDay::take(MissedByPass missed, SteadyTime now) {
  waiting_.clear();
  second_look_ = false;
  in_flight_ = 0;
  silent_ = 0;
  refused_ = 0;
  witness_ = 0;
  ++pass_;
  due_ = now;
  day_ = missed.day;
  availability_ = missed.availability;
  // (A share such as 0.29 of 100 must not come to 28.)
  constexpr double kRounding = 1e-9;
  const double share = std::floor(options_.max_share * static_cast<double>(missed.known) + kRounding);
  limit_ = static_cast<std::uint64_t>(share) - std::min(static_cast<std::uint64_t>(share), missed.gone);
  if (!missed.witnesses.empty()) witnesses_ = std::move(missed.witnesses);

  if (missed.missing > missed.keys.size()) {
    absent_.clear();
    return {.withheld = missed.missing, .is_braked = true};
  }
  if (witnesses_.empty() || options_.max_ids < 2) {
    absent_.clear();
    return {.unknown = missed.missing};
  }
  const std::set<RecordKey> missing(missed.keys.begin(), missed.keys.end());
  std::erase_if(absent_, [&](const auto& one) { return !missing.contains(one.first); });
  std::vector<RecordKey> fresh;
  for (RecordKey& key : missed.keys) {
    if (!absent_.contains(key)) fresh.push_back(std::move(key));
  }
  queue(std::move(fresh));
  if (absent_.size() > limit_) return brake({});
  if (waiting_.empty()) begin_second_look();
  return {};
}

// In as many requests as it takes.
void VanishedDay::queue(std::vector<RecordKey> ids) {
  const std::size_t each = options_.max_ids - 1;
  for (std::size_t first = 0; first < ids.size(); first += each) {
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(each, ids.size() - first));
    waiting_.emplace_back(std::make_move_iterator(begin), std::make_move_iterator(end));
  }
}

// Not before all have been asked for once: until then nobody knows whether there are too many.
void VanishedDay::begin_second_look() {
  std::vector<RecordKey> ids;
  for (const auto& [key, since] : absent_) {
    due_ = std::max(due_, since + options_.confirm);
    ids.push_back(key);
  }
  second_look_ = true;
  queue(std::move(ids));
}

VanishedPlan VanishedDay::next(SteadyTime now) {
  if (waiting_.empty()) return VanishedDecided{};
  if (due_ > now) return AskVanishedAt{due_};
  AskVanished ask{.ids = std::move(waiting_.front()), .witness = witnesses_[witness_], .pass = pass_};
  waiting_.pop_front();
  in_flight_ = ask.ids.size();
  return ask;
}

VanishedFindings VanishedDay::answered(AskVanished asked, std::span<const std::string_view> found, SteadyTime now) {
  if (asked.pass != pass_) return {};
  in_flight_ = 0;
  const auto is_found = [&](const RecordKey& key) { return std::ranges::find(found, key.str()) != found.end(); };
  if (!is_found(asked.witness)) {
    waiting_.push_front(std::move(asked.ids));
    witness_ = (witness_ + 1) % witnesses_.size();
    if (++silent_ > kMostSilent) return give_up();
    due_ = std::max(due_, now + options_.again);
    return {};
  }
  silent_ = 0;
  refused_ = 0;
  VanishedFindings findings;
  for (RecordKey& key : asked.ids) {
    if (is_found(key)) {
      ++findings.present;
      absent_.erase(key);
    } else if (second_look_) {
      absent_.erase(key);
      findings.gone.push_back(std::move(key));
    } else {
      absent_.emplace(std::move(key), now);
    }
  }
  if (second_look_) return findings;
  if (absent_.size() > limit_) return brake(std::move(findings));
  if (waiting_.empty()) begin_second_look();
  return findings;
}

VanishedFindings VanishedDay::refused(AskVanished asked) {
  if (asked.pass != pass_) return {};
  in_flight_ = 0;
  VanishedFindings findings;
  if (asked.ids.size() > 1) {
    const auto half = asked.ids.begin() + static_cast<std::ptrdiff_t>(asked.ids.size() / 2);
    waiting_.emplace_front(half, asked.ids.end());
    waiting_.emplace_front(asked.ids.begin(), half);
  } else {
    findings.unknown = asked.ids.size();
    for (const RecordKey& key : asked.ids) absent_.erase(key);
    if (++refused_ == kMostRefused) {
      findings.unknown += give_up().unknown;
      return findings;
    }
  }
  if (waiting_.empty() && !second_look_) begin_second_look();
  return findings;
}

void VanishedDay::put_back(AskVanished asked, SteadyTime not_before) {
  if (asked.pass != pass_) return;
  in_flight_ = 0;
  waiting_.push_front(std::move(asked.ids));
  due_ = std::max(due_, not_before);
}

std::uint64_t VanishedDay::undecided() const {
  std::uint64_t count = absent_.size();
  if (second_look_) return count;
  for (const auto& ids : waiting_) count += ids.size();
  return count;
}

VanishedFindings VanishedDay::give_up() {
  VanishedFindings findings{.unknown = undecided()};
  waiting_.clear();
  absent_.clear();
  return findings;
}

VanishedFindings VanishedDay::brake(VanishedFindings findings) {
  findings.withheld = undecided();
  findings.is_braked = true;
  waiting_.clear();
  absent_.clear();
  return findings;
}

}  // namespace connector::core
