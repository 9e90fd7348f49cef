#pragma once

// Whether a verb that repairs may publish to a stream: as at the start of a run, its ledgers must be those of this organisation,
// cluster and topic, or nothing is touched.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/names.h"
#include "connector/genesys/organization.h"
#include "connector/kafka/publisher.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"

#include <vector>

namespace connector::app {

struct RepairedStream {
  const source::Definition& definition;
  const source::StreamOptions& options;
  std::vector<core::Lane> lanes;  // under which it is repaired; each has a ledger
};

// `publisher` has started. kStateRefused, also when the settings differ from those the state was made with (whether they are
// taken up is not decided by a repair); or why the stream's topic cannot be used.
common::Result<void> admit_repair(const RepairedStream& stream, const kafka::KafkaPublisher& publisher,
                                  const kafka::RestoredState& restored, const genesys::Organization& organization,
                                  common::Instant now);

}  // namespace connector::app
