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

struct Admitted {
  // Of every lane that runs, those to begin with where they are not the ones found: lanes without one, ledgers that are given the
  // present identity, and lanes that read everything again.
  std::map<core::Lane, core::Ledger> ledgers;
  std::vector<core::Lane> begun;     // lanes that had none
  std::vector<std::string> notices;  // for the operator: changes that were accepted
};

// Of the lanes that run, whether this one, where it has no ledger yet, begins at the stream's start. (A live lane beside jobs
// begins where these are, whatever its start.)
bool reads_from_its_start(core::Lane lane, const std::vector<core::Lane>& lanes);

// What the lanes begin with. kStateRefused with the remedy when the found state belongs to another organisation,
// cluster or membership, or when the topic has records and no ledger says that they are ours; kTopicUnusable when the topic was
// deleted and made again: that stream alone is stopped; kConfigInvalid when a lane that begins has a start behind what the
// service keeps.
common::Result<Admitted> admit(const source::StreamOptions& stream, const StreamFindings& findings);

}  // namespace connector::app
