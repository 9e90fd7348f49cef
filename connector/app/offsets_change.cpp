#include "connector/app/offsets_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace connector::app {

using common::ErrorCode;
using common::fail;
using common::Instant;
using common::Result;
using core::Ledger;
using core::SourcePartition;
namespace json = common::json;

namespace {

std::string name_of(const SourcePartition& source) {
  return fmt::format("stream {}, lane {}", source.stream.str(), core::to_string(source.lane));
}

// Equal but for who wrote it.
bool same(const std::optional<std::string>& stored, const Ledger& ledger) {
  if (!stored) return false;
  auto before = Ledger::parse(*stored);
  if (!before) return false;
  before->set_stamp(ledger.stamp());
  return *before == ledger;
}

std::optional<std::string> find_stored(const SourceOffsets& stored, const SourcePartition& source) {
  const auto found = stored.find(source);
  if (found == stored.end()) return std::nullopt;
  return found->second;
}

Result<Ledger> moved(const Ledger& ledger, const StartAt& move) {
  if (ledger.complete().intervals().empty()) {
    return fail(ErrorCode::kConfigInvalid, "the lane has read nothing yet: reset it and change the stream's `start`");
  }
  if (const Instant end = ledger.complete().intervals().back().end; move.instant >= end) {
    return fail(ErrorCode::kConfigInvalid,
                fmt::format("--start must lie before {}, up to which the lane has read; to go on later than that, use "
                            "--complete-until",
                            common::format_instant(end)));
  }
  return ledger.started_at(move.instant);
}

Result<Ledger> moved(const Ledger& ledger, const CompleteUntil& move) {
  if (move.instant <= ledger.start()) {
    return fail(ErrorCode::kConfigInvalid, fmt::format("--complete-until must lie behind {}, where the lane begins; to read what "
                                                       "lies before, use --start",
                                                       common::format_instant(ledger.start())));
  }
  return ledger.moved_to(move.instant);
}

Result<Ledger> moved(const Ledger& ledger, const Reread& move) {
  if (move.window.start < ledger.start()) {
    return fail(ErrorCode::kConfigInvalid, fmt::format("the lane begins at {}; to read what lies before, use --start",
                                                       common::format_instant(ledger.start())));
  }
  return ledger.without(move.window);
}

// Why a lane cannot have read everything before `instant`; nothing: it can. A watermark that lies beyond would claim what nobody
// has read, and the lane would wait until time has caught up.
std::optional<std::string> contradiction_of(const SourcePartition& source, const Ledger& ledger, Instant instant, Instant now) {
  if (instant > now) {
    return fmt::format("{} lies in the future: it is {} now", common::format_instant(instant), common::format_instant(now));
  }
  if (source.lane != core::Lane::kSettle || !ledger.availability() || instant <= *ledger.availability()) return std::nullopt;
  return fmt::format("{} lies beyond {}, up to which the service has guaranteed its data so far", common::format_instant(instant),
                     common::format_instant(*ledger.availability()));
}

// Up to where the lane has read. What was given up (`lost`) is complete, too, and no word of the service stands behind it: it may
// have expired before its jobs could be had.
Instant read_until(const Ledger& ledger) {
  core::IntervalSet read = ledger.complete();
  for (const common::Interval& lost : ledger.lost().intervals()) read.remove(lost);
  return read.intervals().empty() ? ledger.start() : read.intervals().back().end;
}

// One element of an imported document.
class Entry {
 public:
  Entry(const json::Value& entry, std::size_t index, const Identities& identities, bool adopt_identity, Instant now)
      : identities_(identities), adopt_identity_(adopt_identity), now_(now), place_(fmt::format("offsets[{}]", index)) {
    read(entry);
  }

  std::vector<std::string> problems;
  std::optional<SourcePartition> source;
  std::optional<Ledger> ledger;  // none: a tombstone

 private:
  void tell(std::string_view what) { problems.push_back(fmt::format("{}: {}", place_, what)); }

  void read(const json::Value& entry) {
    const json::Value* partition = json::find(entry, "partition");
    const json::Value* offset = json::find(entry, "offset");
    if (partition == nullptr || offset == nullptr) return tell("has no `partition` and `offset`");
    const auto stream = json::find_string(*partition, "stream");
    const auto lane_name = json::find_string(*partition, "lane");
    if (!stream || !lane_name) return tell("`partition` must have `stream` and `lane`");
    place_ += fmt::format(" (stream {}, lane {})", *stream, *lane_name);

    const auto identity = identities_.find(core::StreamName(*stream));
    if (identity == identities_.end()) tell("no such stream is configured");
    const auto lane = core::parse_lane(*lane_name);
    if (!lane) tell("there is no such lane");
    if (lane) source = SourcePartition{.stream = core::StreamName(*stream), .lane = *lane};
    if (offset->is_null()) return;
    auto parsed = Ledger::parse(json::serialize(*offset));
    if (!parsed) return tell(parsed.error().message);
    ledger = std::move(*parsed);
    if (source && !ledger->complete().intervals().empty()) {
      // Nothing has expired that is still to come: of what was given up, too, nothing lies beyond now.
      const Instant end = ledger->complete().intervals().back().end;
      const auto contradiction = contradiction_of(*source, *ledger, end > now_ ? end : read_until(*ledger), now_);
      if (contradiction) tell("what is complete cannot be: " + *contradiction);
    }
    if (identity != identities_.end()) compare(identity->second);
  }

  void compare(core::LedgerIdentity now) {
    const core::LedgerIdentity& stored = ledger->identity();
    if (now.topic_id.empty()) now.topic_id = stored.topic_id;
    now.content = stored.content;  // of what was read: a start tells when it has changed
    if (adopt_identity_) return ledger->set_identity(std::move(now));
    const auto differs = [&](std::string_view what, const std::string& theirs, const std::string& ours) {
      if (theirs != ours) {
        tell(fmt::format("belongs to {} {}, here it is {}; --force-identity takes it over all the same", what, theirs, ours));
      }
    };
    differs("organisation", stored.organization_id, now.organization_id);
    differs("Kafka cluster", stored.cluster_id, now.cluster_id);
    differs("topic id", stored.topic_id, now.topic_id);
    differs("membership fingerprint", stored.membership, now.membership);
  }

  const Identities& identities_;
  bool adopt_identity_;
  Instant now_;
  std::string place_;
};

}  // namespace

json::Value to_connect_form(const SourceOffsets& offsets) {
  json::Array entries;
  for (const auto& [source, stored] : offsets) {
    auto value = json::parse(stored);
    const json::Object partition{{"stream", source.stream.str()}, {"lane", core::to_string(source.lane)}};
    entries.push_back(json::Object{{"partition", partition}, {"offset", value ? std::move(*value) : json::Value(stored)}});
  }
  return json::Object{{"offsets", std::move(entries)}};
}

Result<std::vector<OffsetChange>> plan_reset(const SourceOffsets& stored, const core::StreamName& stream,
                                             std::optional<core::Lane> lane) {
  std::vector<OffsetChange> changes;
  for (const auto& [source, value] : stored) {
    if (source.stream != stream || (lane && source.lane != *lane)) continue;
    changes.push_back({.source = source, .before = value, .after = std::nullopt});
  }
  if (changes.empty()) {
    return fail(ErrorCode::kConfigInvalid, fmt::format("nothing is stored for stream {}{}", stream.str(),
                                                       lane ? fmt::format(", lane {}", core::to_string(*lane)) : std::string{}));
  }
  return changes;
}

Result<std::vector<OffsetChange>> plan_set(const SourceOffsets& stored, const SourcePartition& source, const LaneMove& move,
                                           Instant now) {
  if (source.lane == core::Lane::kFollow) {
    return fail(ErrorCode::kConfigInvalid, "lane follow has no position: it reads what the digests say is open");
  }
  if (source.lane == core::Lane::kBackfill) {
    return fail(ErrorCode::kConfigInvalid, "lane backfill is not moved: ask for another range with `genesys-kafka backfill`");
  }
  const auto before = find_stored(stored, source);
  if (!before) {
    return fail(ErrorCode::kConfigInvalid,
                fmt::format("nothing is stored for {}: where it begins is the stream's `start`", name_of(source)));
  }
  const auto ledger = Ledger::parse(*before);
  if (!ledger) return fail(common::with_context(ledger.error(), name_of(source)));
  if (const auto* until = std::get_if<CompleteUntil>(&move)) {
    if (source.lane == core::Lane::kSettle && !ledger->availability()) {
      return fail(
          ErrorCode::kConfigInvalid,
          fmt::format("{}: the lane has not learnt yet up to when the service guarantees its data: run the connector first, "
                      "or reset the lane and change the stream's `start`",
                      name_of(source)));
    }
    if (const auto contradiction = contradiction_of(source, *ledger, until->instant, now)) {
      return fail(ErrorCode::kConfigInvalid, fmt::format("{}: --complete-until: {}", name_of(source), *contradiction));
    }
  }
  auto after = std::visit([&](const auto& how) { return moved(*ledger, how); }, move);
  if (!after) return fail(common::with_context(after.error(), name_of(source)));
  // Whatever the move, what is written can be read again.
  if (auto readable = Ledger::parse(after->serialize()); !readable) {
    return fail(ErrorCode::kConfigInvalid, fmt::format("{}: the move leaves more gaps than a ledger holds", name_of(source)));
  }
  if (*after == *ledger) return std::vector<OffsetChange>{};
  return std::vector<OffsetChange>{{.source = source, .before = before, .after = std::move(*after)}};
}

ImportPlan plan_import(std::string_view document, const SourceOffsets& stored, const Identities& identities, bool adopt_identity,
                       Instant now) {
  ImportPlan plan;
  const auto parsed = json::parse(document);
  if (!parsed) {
    plan.problems.push_back("not JSON: " + parsed.error().message);
    return plan;
  }
  const json::Value* offsets = json::find(*parsed, "offsets");
  if (offsets == nullptr || !offsets->is_array()) {
    plan.problems.emplace_back("not an export: it has no array `offsets`");
    return plan;
  }
  std::set<SourcePartition> seen;
  std::size_t index = 0;
  for (const json::Value& element : offsets->get_array()) {
    Entry entry(element, index++, identities, adopt_identity, now);
    std::ranges::move(entry.problems, std::back_inserter(plan.problems));
    if (!entry.source) continue;
    if (!seen.insert(*entry.source).second) {
      plan.problems.push_back(fmt::format("offsets[{}] ({}) comes twice", index - 1, name_of(*entry.source)));
    }
    auto before = find_stored(stored, *entry.source);
    if (entry.ledger ? same(before, *entry.ledger) : !before) continue;
    plan.changes.push_back({.source = *entry.source, .before = std::move(before), .after = std::move(entry.ledger)});
  }
  return plan;
}

}  // namespace connector::app
