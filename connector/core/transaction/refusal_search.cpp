#include "connector/core/transaction/refusal_search.h"

#include <algorithm>

namespace connector::core {

bool narrow(TransactionBatch& batch, const std::vector<std::size_t>& refused, RecordFate at_fault) {
  if (refused.empty()) return false;
  // Sent alone and refused: it is the one. (A request holds records of one partition, so a single report means a single record.)
  const bool alone = refused.size() == 1;
  bool condemned = false;
  std::size_t suspects = 0;
  for (std::size_t place : refused) {
    RecordFate& fate = batch.fates[place];
    if (alone || (batch.suspect_chunk == 1 && fate == RecordFate::kSuspect)) {
      fate = at_fault;
      condemned = true;
    }
  }
  // The attempt stopped at the first refusal it met, so earlier suspects that were not reported stay suspects only while the
  // search is at its narrowest; otherwise the reports name the company the culprit is in.
  for (std::size_t place = 0; place < batch.fates.size(); ++place) {
    RecordFate& fate = batch.fates[place];
    if (is_unpublishable(fate) || fate == RecordFate::kWithheld) continue;
    const bool reported = std::ranges::binary_search(refused, place);
    const bool keep = fate == RecordFate::kSuspect && condemned;
    fate = reported || keep ? RecordFate::kSuspect : RecordFate::kPublish;
    if (fate == RecordFate::kSuspect) ++suspects;
  }
  if (suspects == 0) {
    batch.suspect_chunk = 0;
  } else if (batch.suspect_chunk == 0) {
    batch.suspect_chunk = std::max<std::size_t>(1, suspects / 2);
  } else if (!condemned) {
    batch.suspect_chunk = std::max<std::size_t>(1, std::min(batch.suspect_chunk, suspects) / 2);
  }
  return true;
}

}  // namespace connector::core
