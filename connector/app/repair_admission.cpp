#include "connector/app/repair_admission.h"

#include "connector/app/admission.h"
#include "connector/source/content_fingerprint.h"
#include "connector/source/membership.h"

namespace connector::app {

using common::fail;

common::Result<void> admit_repair(const RepairedStream& stream, const kafka::KafkaPublisher& publisher,
                                  const kafka::RestoredState& restored, const genesys::Organization& organization,
                                  common::Instant now) {
  const core::StreamName& name = stream.options.name;
  if (auto trouble = publisher.stream_trouble(name)) return fail(*trouble);
  StreamFindings findings{.identity = {.organization_id = organization.id,
                                       .cluster_id = restored.cluster_id,
                                       .topic_id = {},
                                       .membership = source::membership_fingerprint(stream.definition, stream.options),
                                       .content = source::content_fingerprint(stream.definition, stream.options)},
                          .topic = {},
                          .lanes = stream.lanes,
                          .ledgers = {},
                          .now = now};
  if (const auto facts = publisher.topic(name)) {
    findings.identity.topic_id = facts->id;
    findings.topic = facts->name;
    findings.topic_empty = facts->empty;
    findings.topic_created = facts->created;
  }
  for (const auto& [source, ledger] : restored.ledgers) {
    // A backfill's is no evidence of where the stream began, nor has a repair to do with it.
    if (source.stream == name && source.lane != core::Lane::kBackfill) findings.ledgers.emplace(source.lane, ledger);
  }
  const auto admitted = admit(stream.options, findings);
  if (!admitted) return fail(admitted.error());
  if (!admitted->ledgers.empty()) {
    return fail(
        common::ErrorCode::kStateRefused,
        "the settings of stream " + name.str() + " differ from those its state was made with: run the connector with them first");
  }
  return {};
}

}  // namespace connector::app
