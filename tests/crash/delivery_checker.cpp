#include "tests/crash/delivery_checker.h"

#include "connector/source/content_digest.h"

#include <string_view>
#include <unordered_map>

namespace tests::crash {

namespace {

// What was published last of a key.
struct Last {
  std::uint64_t content = 0;
  bool is_job_form = false;
};

std::string describe(const Delivered& record) {
  return std::string(to_string(record.lane)) + " " + record.window + " " + record.key + " (" + record.form + ")";
}

}  // namespace

std::vector<Violation> find_violations(const std::vector<Truth>& truth, const std::vector<Claimed>& ledgers,
                                       const std::vector<Delivered>& records, const std::set<std::string>& wanted) {
  std::vector<Violation> violations;
  std::unordered_map<std::string_view, Last> published;
  connector::source::ContentDigester digester({});
  std::string padded;
  for (const auto& record : records) {
    if (record.is_tombstone) {
      if (published.erase(record.key) == 0) violations.push_back({"twice", "deleted, and not there: " + describe(record)});
      continue;
    }
    if (record.value.find("\"conversationId\":\"" + record.key + "\"") == std::string::npos) {
      violations.push_back({"wrong key", record.key + " is the key of " + record.value.substr(0, 80)});
    }
    padded.assign(record.value);
    padded.resize(record.value.size() + connector::source::ContentDigester::padding());
    const auto digests = digester.digest(std::string_view(padded).substr(0, record.value.size()));
    if (!digests) {
      violations.push_back({"wrong key", describe(record) + ": " + digests.error().message});
      continue;
    }
    const Last now{.content = digests->full, .is_job_form = record.form == "job"};
    const auto [found, is_new] = published.try_emplace(record.key, now);
    if (is_new) continue;
    if (found->second.content == now.content) violations.push_back({"twice", describe(record)});
    if (found->second.is_job_form && !now.is_job_form) violations.push_back({"step back", describe(record)});
    found->second = now;
  }

  for (const auto& ledger : ledgers) {
    for (const auto& conversation : truth) {
      const common::Interval instant{conversation.start, conversation.start + common::Duration(1)};
      const bool is_awaited = ledger.lane == connector::core::Lane::kSettle && wanted.contains(conversation.key);
      if (ledger.complete.covers(instant) && !published.contains(conversation.key) && !is_awaited) {
        violations.push_back({"lost", std::string(to_string(ledger.lane)) + " says it is done with " +
                                          common::format_instant(conversation.start) + ", but " + conversation.key +
                                          " is not in the topic"});
      }
    }
  }
  return violations;
}

}  // namespace tests::crash
