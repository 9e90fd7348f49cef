#pragma once

// May this stream run on the state that was found? Decides at the start, for each stream, whether stored ledgers belong to what
// is configured and what a lane without one begins with. Pure functions.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/names.h"
#include "connector/source/options.h"

#include <map>
#include <string>
#include <vector>

namespace connector::app {

// What the start has learnt about one stream.
struct StreamFindings {
  core::LedgerIdentity identity;  // as it is now; topic_id empty if the topic cannot be looked at
  std::string topic;
  bool topic_empty = true;
  bool topic_created = false;                  // by this start
  std::vector<core::Lane> lanes;               // that will run
  std::map<core::Lane, core::Ledger> ledgers;  // found in the offsets topic, of any lane of the stream
  common::Instant now;
};

// Ledgers for the lanes that have none yet. kStateRefused with the remedy when the found state belongs to another organisation,
// cluster or membership, or when the topic has records and no ledger says that they are ours; kTopicUnusable when the topic was
// deleted and made again: that stream alone is stopped.
common::Result<std::map<core::Lane, core::Ledger>> admit(const source::StreamOptions& stream, const StreamFindings& findings);

}  // namespace connector::app
