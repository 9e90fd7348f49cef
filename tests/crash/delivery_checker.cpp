#include "tests/crash/delivery_checker.h"

#include "connector/source/content_digest.h"

#include <string>
#include <string_view>
#include <unordered_map>

namespace tests::crash {

namespace {

// What was published last of a key.
struct Last {
  std::uint64_t content = 0;
  bool is_job_form = false;
};

// By structure, whatever the spelling.
class Contents {
 public:
  common::Result<std::uint64_t> of(const std::string& value) {
    padded_.assign(value);
    padded_.resize(value.size() + connector::source::ContentDigester::padding());
    const auto digests = digester_.digest(std::string_view(padded_).substr(0, value.size()));
    if (!digests) return common::fail(digests.error());
    return digests->full;
  }

 private:
  connector::source::ContentDigester digester_{{}};
  std::string padded_;
};

std::string describe(const Delivered& record) {
  return std::string(to_string(record.lane)) + " " + record.window + " " + record.key + " (" + record.form + ")";
}

}  // namespace

std::vector<Violation> find_violations(const std::vector<Truth>& truth, const std::vector<Claimed>& ledgers,
                                       const std::vector<Delivered>& records, const std::set<std::string>& wanted) {
  std::vector<Violation> violations;
  std::unordered_map<std::string_view, Last> published;
  Contents contents;
  for (const auto& record : records) {
    if (record.is_tombstone) {
      if (published.erase(record.key) == 0) violations.push_back({"twice", "deleted, and not there: " + describe(record)});
      continue;
    }
    if (record.value.find("\"conversationId\":\"" + record.key + "\"") == std::string::npos) {
      violations.push_back({"wrong key", record.key + " is the key of " + record.value.substr(0, 80)});
    }
    const auto content = contents.of(record.value);
    if (!content) {
      violations.push_back({"wrong key", describe(record) + ": " + content.error().message});
      continue;
    }
    const Last now{.content = *content, .is_job_form = record.form == "job"};
    const auto [found, is_new] = published.try_emplace(record.key, now);
    if (is_new) continue;
    if (found->second.content == now.content) violations.push_back({"twice", describe(record)});
    if (found->second.is_job_form && !now.is_job_form) violations.push_back({"step back", describe(record)});
    found->second = now;
  }

  for (const auto& ledger : ledgers) {
    for (const auto& conversation : truth) {
      const common::Interval instant{conversation.start, conversation.start + common::Duration(1)};
      const bool reads_jobs = ledger.lane == connector::core::Lane::kSettle || ledger.lane == connector::core::Lane::kBackfill;
      const bool is_awaited = reads_jobs && wanted.contains(conversation.key);
      if (ledger.complete.covers(instant) && !published.contains(conversation.key) && !is_awaited) {
        violations.push_back({"lost", std::string(to_string(ledger.lane)) + " says it is done with " +
                                          common::format_instant(conversation.start) + ", but " + conversation.key +
                                          " is not in the topic"});
      }
    }
  }
  return violations;
}

std::vector<Violation> find_differences(const std::vector<Final>& truth, const std::vector<Delivered>& records) {
  std::vector<Violation> violations;
  std::unordered_map<std::string_view, const Delivered*> last;
  for (const auto& record : records) last.insert_or_assign(record.key, &record);
  Contents contents;
  for (const auto& conversation : truth) {
    const auto found = last.find(conversation.key);
    if (found == last.end()) {
      violations.push_back({"missing", conversation.key});
      continue;
    }
    const auto published = contents.of(found->second->value);
    const auto held = contents.of(conversation.value);
    if (published && held && *published == *held) continue;
    violations.push_back({"stale", describe(*found->second) + " is " + found->second->value + ", not " + conversation.value});
  }
  return violations;
}

}  // namespace tests::crash
