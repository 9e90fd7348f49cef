#include "tests/crash/delivery_checker.h"

#include <set>
#include <string_view>
#include <tuple>

namespace tests::crash {

using connector::core::Lane;

std::vector<Violation> find_violations(const std::vector<Truth>& truth, const std::vector<Claimed>& ledgers,
                                       const std::vector<Delivered>& records) {
  std::vector<Violation> violations;
  std::map<Lane, std::set<std::string_view>> seen;
  std::set<std::tuple<Lane, std::string_view, std::string_view>> once;
  for (const auto& record : records) {
    seen[record.lane].insert(record.key);
    if (!once.insert({record.lane, record.window, record.key}).second) {
      violations.push_back({"twice", std::string(to_string(record.lane)) + " " + record.window + " " + record.key});
    }
    if (record.value.find("\"conversationId\":\"" + record.key + "\"") == std::string::npos) {
      violations.push_back({"wrong key", record.key + " is the key of " + record.value.substr(0, 80)});
    }
  }

  for (const auto& ledger : ledgers) {
    for (const auto& conversation : truth) {
      const common::Interval instant{conversation.start, conversation.start + common::Duration(1)};
      if (ledger.complete.covers(instant) && !seen[ledger.lane].contains(conversation.key)) {
        violations.push_back({"lost", std::string(to_string(ledger.lane)) + " says it is done with " +
                                          common::format_instant(conversation.start) + ", but " + conversation.key +
                                          " is not in the topic"});
      }
    }
  }
  return violations;
}

}  // namespace tests::crash
