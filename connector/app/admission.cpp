#include "connector/app/admission.h"

#include <fmt/format.h>

#include <variant>

namespace connector::app {
namespace {

using common::ErrorCode;
using common::fail;

common::Result<void> belongs(const source::StreamOptions& stream, const core::LedgerIdentity& stored,
                             const StreamFindings& findings) {
  const core::LedgerIdentity& now = findings.identity;
  if (stored.organization_id != now.organization_id) {
    return fail(ErrorCode::kStateRefused, fmt::format("stream {}: its ledger belongs to organisation {}, but the client id is of "
                                                      "organisation {}; use another connector `name` "
                                                      "for another organisation",
                                                      stream.name.str(), stored.organization_id, now.organization_id));
  }
  if (stored.cluster_id != now.cluster_id) {
    return fail(ErrorCode::kStateRefused, fmt::format("stream {}: its ledger was written in Kafka cluster {}, this is cluster "
                                                      "{}; use another connector `name`, or remove the "
                                                      "offsets topic if it was copied here",
                                                      stream.name.str(), stored.cluster_id, now.cluster_id));
  }
  if (stored.membership != now.membership) {
    return fail(ErrorCode::kStateRefused, fmt::format("stream {}: endpoint, filters or key differ from those its ledger was made "
                                                      "with (fingerprint {}, now {}); give the changed "
                                                      "stream another name and topic, or restore the old `query`",
                                                      stream.name.str(), stored.membership, now.membership));
  }
  if (!now.topic_id.empty() && stored.topic_id != now.topic_id) {
    return fail(ErrorCode::kTopicUnusable,
                fmt::format("stream {}: topic {} was deleted and created again (id {}, its ledger knows {}), so the records "
                            "published before are gone; "
                            "give the stream another name to read everything again, or restore the topic",
                            stream.name.str(), findings.topic, now.topic_id, stored.topic_id));
  }
  return {};
}

common::Instant first_start(const source::StreamOptions& stream, const StreamFindings& findings) {
  if (const auto* instant = std::get_if<common::Instant>(&stream.start)) return *instant;
  // `now` was resolved when the stream first ran; a lane that joins later begins at the same instant.
  for (const auto& [lane, ledger] : findings.ledgers) return ledger.start();
  return findings.now;
}

}  // namespace

common::Result<std::map<core::Lane, core::Ledger>> admit(const source::StreamOptions& stream, const StreamFindings& findings) {
  for (const auto& [lane, ledger] : findings.ledgers) {
    if (auto same = belongs(stream, ledger.identity(), findings); !same) return fail(same.error());
  }
  if (findings.ledgers.empty() && !findings.topic_empty && stream.existing_topic == source::ExistingTopic::kRefuse) {
    return fail(ErrorCode::kStateRefused,
                fmt::format("stream {}: topic {} has records but the offsets topic has no ledger for them; they would be "
                            "published again. Choose another "
                            "topic, restore the offsets topic or import an export of it (`genesys-kafka offsets import`), or set "
                            "streams.{}.existing_topic: append",
                            stream.name.str(), findings.topic, stream.name.str()));
  }

  std::map<core::Lane, core::Ledger> fresh;
  for (const core::Lane lane : findings.lanes) {
    if (!findings.ledgers.contains(lane)) fresh.emplace(lane, core::Ledger(findings.identity, first_start(stream, findings)));
  }
  return fresh;
}

}  // namespace connector::app
