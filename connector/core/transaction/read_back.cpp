#include "connector/core/transaction/read_back.h"

namespace connector::core {

ReadBackFinding assess(const StoredState& stored, const Ownership& owner, std::optional<std::uint64_t> in_doubt) {
  const bool claim_is_mine = stored.claim && stored.claim->incarnation == owner.incarnation;
  ReadBackFinding finding;
  if (owner.claimed) {
    // Compaction keeps the last claim, so nobody but an administrator takes it away, or brings an earlier one back.
    finding.lost = !stored.claim || owner.inherited.contains(stored.claim->incarnation);
    finding.foreign = !claim_is_mine && !finding.lost;
    for (const auto& [source, ledger] : stored.ledgers) {
      const std::string& writer = ledger.stamp().incarnation;
      if (writer != owner.incarnation && !owner.inherited.contains(writer)) finding.foreign = true;
    }
  }
  if (!in_doubt || !claim_is_mine) return finding;
  if (*in_doubt == 0) {
    finding.applied = true;
    return finding;
  }
  for (const auto& [source, ledger] : stored.ledgers) {
    if (ledger.stamp().incarnation == owner.incarnation && ledger.stamp().number >= *in_doubt) finding.applied = true;
  }
  return finding;
}

std::set<std::string> incarnations_in(const StoredState& stored) {
  std::set<std::string> names;
  if (stored.claim) names.insert(stored.claim->incarnation);
  for (const auto& [source, ledger] : stored.ledgers) names.insert(ledger.stamp().incarnation);
  return names;
}

}  // namespace connector::core
