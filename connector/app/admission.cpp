#include "connector/app/admission.h"

#include "connector/app/retention.h"
#include "connector/core/planning/buckets.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>
#include <vector>

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
  if (!now.topic_id.empty() && stored.topic_id != now.topic_id) {
    return fail(ErrorCode::kTopicUnusable,
                fmt::format("stream {}: topic {} was deleted and created again (id {}, its ledger knows {}), so the records "
                            "published before are gone; "
                            "give the stream another name to read everything again, or restore the topic",
                            stream.name.str(), findings.topic, now.topic_id, stored.topic_id));
  }
  return {};
}

common::Result<void> has_members(const source::StreamOptions& stream, const core::LedgerIdentity& stored,
                                 const core::LedgerIdentity& now) {
  if (stored.membership == now.membership || stream.on_changed_membership != source::OnChangedMembership::kRefuse) return {};
  return fail(
      ErrorCode::kStateRefused,
      fmt::format(
          "stream {}: endpoint, filters or key (or its hashes) differ from those its ledger was made with (fingerprint {}, now "
          "{}); give the changed stream another name and topic, restore the old `query` or `redaction`, or set "
          "streams.{}.on_changed_membership to `continue` (what was read stays as it is) or `re_read`",
          stream.name.str(), stored.membership, now.membership, stream.name.str()));
}

// Of a service that answers in buckets of time, windows are of whole ones: where they have another length or time zone than
// before, or an operator has moved the lane into one, it begins with the bucket. What is open of others is given up.
core::Ledger from_whole_bucket(core::Ledger ledger, core::Lane lane, const core::Buckets& buckets) {
  if (lane != core::Lane::kLive || !buckets) return ledger;
  const std::vector<core::OpenWindow> open_windows = ledger.open();
  for (const core::OpenWindow& open : open_windows) {
    const common::Interval whole = buckets.is_local() ? buckets.at(open.window.start) : buckets.whole(open.window);
    if (whole != open.window) static_cast<void>(ledger.apply(core::WindowAbandoned{open.window}));
  }
  const common::Instant start = buckets.start_of(ledger.start());
  return start == ledger.start() ? ledger : ledger.started_at(start);
}

common::Instant first_start(const source::StreamOptions& stream, const StreamFindings& findings) {
  if (const auto* instant = std::get_if<common::Instant>(&stream.start)) return *instant;
  // `now` was resolved when the stream first ran; a lane that joins later begins at the same instant.
  for (const auto& [lane, ledger] : findings.ledgers) return ledger.start();
  return findings.now;
}

// Of a lane that begins now, or anew. Where a former start is taken over that the operator did not write, what has expired since
// is not asked for.
common::Result<common::Instant> begin_at(const source::StreamOptions& stream, const StreamFindings& findings, core::Lane lane) {
  const common::Instant start = first_start(stream, findings);
  if (!reads_from_its_start(lane, findings.lanes)) return start;
  if (auto problem = problem_of_start(stream, findings.now)) {
    return fail(ErrorCode::kConfigInvalid, fmt::format("lane {}: {}", core::to_string(lane), *problem));
  }
  if (std::holds_alternative<common::Instant>(stream.start)) return start;
  return std::max(start, readable_from(stream, findings.now, form_of_history(stream)).value_or(start));
}

}  // namespace

bool reads_from_its_start(core::Lane lane, const std::vector<core::Lane>& lanes) {
  const bool has_settle = std::ranges::find(lanes, core::Lane::kSettle) != lanes.end();
  return lane == core::Lane::kSettle || (lane == core::Lane::kLive && !has_settle);
}

common::Result<Admitted> admit(const source::StreamOptions& stream, const StreamFindings& findings) {
  for (const auto& [lane, ledger] : findings.ledgers) {
    if (auto same = belongs(stream, ledger.identity(), findings); !same) return fail(same.error());
  }
  for (const core::Lane lane : findings.lanes) {
    const auto found = findings.ledgers.find(lane);
    if (found == findings.ledgers.end()) continue;
    if (auto same = has_members(stream, found->second.identity(), findings.identity); !same) return fail(same.error());
  }
  if (findings.ledgers.empty() && !findings.topic_empty && stream.existing_topic == source::ExistingTopic::kRefuse) {
    return fail(ErrorCode::kStateRefused,
                fmt::format("stream {}: topic {} has records but the offsets topic has no ledger for them; they would be "
                            "published again. Choose another "
                            "topic, restore the offsets topic or import an export of it (`genesys-kafka offsets import`), or set "
                            "streams.{}.existing_topic: append",
                            stream.name.str(), findings.topic, stream.name.str()));
  }

  Admitted admitted;
  bool membership_changed = false;
  bool content_changed = false;
  for (const core::Lane lane : findings.lanes) {
    const auto found = findings.ledgers.find(lane);
    if (found == findings.ledgers.end()) {
      const auto start = begin_at(stream, findings, lane);
      if (!start) return fail(start.error());
      admitted.begun.push_back(lane);
      admitted.ledgers.emplace(lane, core::Ledger(findings.identity, *start));
      continue;
    }
    const core::LedgerIdentity& stored = found->second.identity();
    core::LedgerIdentity identity = findings.identity;
    if (identity.topic_id.empty()) identity.topic_id = stored.topic_id;
    core::Ledger aligned = from_whole_bucket(found->second, lane, stream.live.buckets);
    if (stored == identity && aligned == found->second) continue;
    membership_changed = membership_changed || stored.membership != identity.membership;
    content_changed = content_changed || (!stored.content.empty() && stored.content != identity.content);
    const bool anew =
        stored.membership != identity.membership && stream.on_changed_membership == source::OnChangedMembership::kReRead;
    core::Ledger ledger = std::move(aligned);
    if (anew) {
      const auto start = begin_at(stream, findings, lane);
      if (!start) return fail(start.error());
      ledger = core::Ledger({}, *start);
    }
    ledger.set_identity(std::move(identity));
    admitted.ledgers.emplace(lane, std::move(ledger));
  }
  if (membership_changed) {
    const bool continues = stream.on_changed_membership == source::OnChangedMembership::kContinue;
    admitted.notices.emplace_back(
        continues ? "endpoint, filters or key have changed: what was read before stays as it is, as on_changed_membership says"
                  : "endpoint, filters or key have changed: everything is read again, as on_changed_membership says");
  }
  if (content_changed) {
    admitted.notices.emplace_back(
        "what counts as a change of a record is another: records are published once more when they are read next");
  }
  return admitted;
}

}  // namespace connector::app
