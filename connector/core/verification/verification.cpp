#include "connector/core/verification/verification.h"

#include <algorithm>
#include <utility>

namespace connector::core {

std::string_view to_string(Finding finding) {
  switch (finding) {
    case Finding::kMissing:
      return "missing";
    case Finding::kDifferent:
      return "different";
    case Finding::kRegressed:
      return "regressed";
    case Finding::kUnexpected:
      return "unexpected";
    case Finding::kRepeated:
      return "repeated";
    case Finding::kProvisional:
      return "provisional";
    case Finding::kDeadLetter:
      return "dead_letter";
    case Finding::kChanging:
      return "changing";
    case Finding::kEqual:
      return "equal";
  }
  std::unreachable();
}

std::uint64_t VerificationReport::differences() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kFindings; ++i) sum += is_difference(static_cast<Finding>(i)) ? groups[i].count : 0;
  return sum;
}

Verification::Known* Verification::find(std::string_view key) {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : &found->second;
}

Verification::Known& Verification::at(std::string_view key) {
  if (Known* known = find(key)) return *known;
  return keys_.emplace(key, Known{}).first->second;
}

void Verification::take(const TopicRecord& record) {
  Known* known = find(record.key);
  const bool readable = record.content.has_value();
  // What does not say when it began counts if the service has its key.
  const bool may_matter = record.in_range.value_or(!record.tombstone);
  if (known == nullptr && !may_matter) return;
  if (known == nullptr) known = &at(record.key);

  known->in_range = known->in_range || record.in_range.value_or(false);
  known->read_at = record.read_at;
  ++known->records;
  if (record.tombstone) {
    known->has_topic = known->readable = known->hides_job_form = false;
    return;
  }
  if (readable) {
    const bool is_job = record.form == RecordForm::kJob;
    known->repeated = known->repeated || (known->has_topic && known->readable && known->topic.full == record.content->full);
    known->hides_job_form = !is_job && (known->hides_job_form || (known->has_topic && known->topic_is_job));
    known->topic = *record.content;
    known->topic_is_job = is_job;
    known->topic_is_open = record.open;
  }
  known->has_topic = true;
  known->readable = readable;
}

void Verification::take(const ServiceRow& row) {
  Known& known = at(row.key);
  const bool is_poorer = known.has_service && row.open && !known.open;
  if (is_poorer) return;
  known.in_range = true;
  known.repaired = known.repaired && known.service == row.content;
  known.has_service = true;
  known.service = row.content;
  known.service_is_job = row.form == RecordForm::kJob;
  known.availability = row.availability.value_or(common::Instant::min());
  known.open = row.open;
}

void Verification::note_dead_letter(std::string_view key, std::optional<std::uint64_t> full) {
  Known* known = find(key);
  if (known == nullptr && !full) return;
  if (known == nullptr) known = &at(key);
  known->is_dead = full.has_value();
  known->dead = full.value_or(0);
}

void Verification::note_remembered(std::string_view key, const std::optional<std::uint64_t>& common, bool open) {
  Known* known = find(key);
  if (known == nullptr) return;
  known->was_open = open && common;
  known->open_content = common.value_or(0);
}

bool Verification::is_changing(const Known& known) const {
  return began_ && known.records > 0 && known.read_at >= *began_;
}

Finding Verification::judge(const Known& known) const {
  if (!known.has_service) {
    if (!known.has_topic || !known.in_range || short_answer_) return Finding::kEqual;
    return is_changing(known) ? Finding::kChanging : Finding::kUnexpected;
  }
  Finding finding = Finding::kMissing;
  if (known.has_topic && !known.readable) finding = Finding::kDifferent;
  if (known.has_topic && known.readable) finding = known.service_is_job ? judge_by_job(known) : judge_by_query(known);
  if (!is_difference(finding)) return finding;
  if (known.is_dead && known.dead == known.service.full) return Finding::kDeadLetter;
  return is_changing(known) ? Finding::kChanging : finding;
}

Finding Verification::judge_by_job(const Known& known) const {
  if (known.topic.full == known.service.full) return Finding::kEqual;
  // An open record in the lake is hours old: `live` and `follow` know better, and no job form is published of it.
  if (known.open && rules_.has_query) return Finding::kProvisional;
  if (known.topic_is_job) return Finding::kDifferent;
  if (known.hides_job_form) return Finding::kRegressed;
  // The job has not sealed it yet; of a read that lies beyond the job's data the job knows nothing.
  if (known.topic.common == known.service.common || known.read_at > known.availability) return Finding::kProvisional;
  return Finding::kDifferent;
}

Finding Verification::judge_by_query(const Known& known) const {
  const bool equal = known.topic.common == known.service.common;
  // The two forms may spell the same thing differently: only another job form can tell.
  if (known.topic_is_job) return equal ? Finding::kEqual : Finding::kProvisional;
  if (known.hides_job_form) return Finding::kRegressed;
  // Open where a closed one was seen: an index that lags shows that, too. `follow` asks for it by id.
  const bool topic_is_open = known.topic_is_open || (known.was_open && known.open_content == known.topic.common);
  if (!equal && known.open && !topic_is_open) return Finding::kProvisional;
  return equal ? Finding::kEqual : Finding::kDifferent;
}

Finding Verification::judge(std::string_view key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? Finding::kEqual : judge(found->second);
}

bool Verification::is_repairable(std::string_view key) const {
  const auto found = keys_.find(key);
  if (found == keys_.end() || found->second.repaired) return false;
  const Known& known = found->second;
  switch (judge(known)) {
    case Finding::kMissing:
    case Finding::kDifferent:
      return true;
    case Finding::kRegressed:
      return known.service_is_job;  // a query form has no attributes to bring back
    default:
      return false;
  }
}

void Verification::note_repaired(std::string_view key) {
  if (Known* known = find(key)) known->repaired = true;
}

VerificationReport Verification::report(std::size_t max_keys_of_each) const {
  VerificationReport report;
  const auto add = [&](Finding finding, const std::string& key) {
    VerificationReport::Group& group = report.groups[static_cast<std::size_t>(finding)];
    ++group.count;
    if (!is_difference(finding) && finding != Finding::kProvisional && finding != Finding::kDeadLetter) return;
    // A heap whose largest leaves: the smallest keys stay, however many there are.
    group.keys.push_back(key);
    std::ranges::push_heap(group.keys);
    if (group.keys.size() > max_keys_of_each) {
      std::ranges::pop_heap(group.keys);
      group.keys.pop_back();
    }
  };
  for (const auto& [key, known] : keys_) {
    if (!known.in_range) continue;
    if (known.has_service) ++report.service_keys;
    report.topic_records += known.records;
    if (known.has_service || known.has_topic) add(judge(known), key);
    if (known.repeated) add(Finding::kRepeated, key);
  }
  for (VerificationReport::Group& group : report.groups) std::ranges::sort_heap(group.keys);
  return report;
}

}  // namespace connector::core
