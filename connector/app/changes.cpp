#include "connector/app/changes.h"

#include "connector/app/retention.h"
#include "connector/app/stream_topics.h"
#include "connector/source/content_fingerprint.h"
#include "connector/source/membership.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <variant>

namespace connector::app {
namespace {

using common::Duration;
using source::StreamOptions;

std::string path_of(const StreamOptions& stream) {
  return "streams." + stream.name.str();
}

std::string start_of(const StreamOptions& stream) {
  const auto* instant = std::get_if<common::Instant>(&stream.start);
  return instant != nullptr ? common::format_instant(*instant, false) : "now";
}

// Settings whose consequence does not depend on others; the first that fits, by the path's beginning.
struct Rule {
  std::string_view path;
  Effect effect;
  std::string_view consequence;
};
constexpr Rule kRules[] = {
    {"name", Effect::kNewState,
     "another connector: it begins without state, in topics of its own; the former one's are left. A stream whose topic keeps "
     "its "
     "name is refused, as it has records and no ledger"},
    {"genesys.api_url", Effect::kRefuses, "if it is another organisation; else from the next start"},
    {"genesys.region", Effect::kRefuses, "another organisation cannot be read into the same topics: use another name"},
    {"genesys.client_id", Effect::kRefuses, "if the client is of another organisation; else from the next start"},
    {"kafka.bootstrap_servers", Effect::kRefuses, "if it is another cluster (use another name then); else from the next start"},
    {"kafka.delivery", Effect::kFromNow, "from the next start; the state is the same"},
    {"kafka.transactional_id_prefix", Effect::kFromNow,
     "an instance that runs with the former prefix is not fenced: stop it before the next start"},
    {"kafka.topics.offsets.name", Effect::kRefuses,
     "there are no ledgers in another topic, and the streams' topics have records: keep the name"},
    {"kafka.topics.digests.name", Effect::kRefuses,
     "the topic that goes with the ledgers is missed, until `offsets accept-lost-digests` says that what is read again may be "
     "published again. Keep the name"},
    {"kafka.topics.dead_letters.name", Effect::kFromNow, "later dead letters go there; the former ones stay where they are"},
    {"kafka.topics.progress.name", Effect::kFromNow, "later progress is told there; the former topic stays as it is"},
    {"kafka.topics.progress.enabled", Effect::kFromNow, "from the next start"},
    {"kafka.topics.progress.every", Effect::kFromNow, "from the next start"},
    {"kafka.topics.control.name", Effect::kFromNow, "what was asked for in the former topic is not seen any more: ask again"},
    {"kafka.topics.control.enabled", Effect::kFromNow, "from the next start"},
    {"kafka.topics.create", Effect::kFromNow, "from the next start"},
    {"kafka.topics.stream_pattern", Effect::kFromNow,
     "names the topics of streams that have none of their own: see those streams"},
    {"kafka.topics.", Effect::kNoEffect, "topics that exist are left as they are; only a missing one would be made so"},
};

std::optional<Rule> rule_of(std::string_view path) {
  for (const Rule& rule : kRules) {
    if (path == rule.path || (rule.path.ends_with('.') && path.starts_with(rule.path))) return rule;
  }
  return std::nullopt;
}

class Comparison {
 public:
  Comparison(const Configured& before, const Configured& after, common::Instant now)
      : before_(before), after_(after), now_(now) {}

  std::vector<Change> result() && {
    for (const StreamOptions& stream : before_.options.streams) {
      if (find(after_, stream.name) == nullptr) removed(stream);
    }
    for (const StreamOptions& stream : after_.options.streams) {
      const StreamOptions* former = find(before_, stream.name);
      if (former == nullptr) {
        added(stream);
      } else {
        stream_changes(*former, stream);
      }
    }
    settings();
    std::vector<Change> gravest_first;
    for (auto effect = static_cast<int>(Effect::kRefuses); effect >= 0; --effect) {
      std::ranges::copy_if(changes_, std::back_inserter(gravest_first),
                           [&](const Change& change) { return static_cast<int>(change.effect) == effect; });
    }
    return gravest_first;
  }

 private:
  static const StreamOptions* find(const Configured& configured, const core::StreamName& name) {
    const auto found = std::ranges::find(configured.options.streams, name, &StreamOptions::name);
    return found == configured.options.streams.end() ? nullptr : &*found;
  }
  static std::string topic_of(const Configured& configured, const core::StreamName& name) {
    for (const auto& topic : stream_topics(configured.options, configured.definitions)) {
      if (topic.stream == name) return topic.topic;
    }
    return {};
  }
  static std::string setting(const Configured& configured, const std::string& path) {
    const auto found = configured.settings.find(path);
    // `(…)`: not set, and what counts then.
    return found == configured.settings.end() || found->second.starts_with('(') ? std::string() : found->second;
  }

  void add(std::string path, std::string before, std::string after, Effect effect, std::string consequence) {
    changes_.push_back({.path = std::move(path),
                        .before = std::move(before),
                        .after = std::move(after),
                        .effect = effect,
                        .consequence = std::move(consequence)});
  }
  // What was said about the whole covers these settings.
  void cover(const std::string& path) { covered_.insert(path); }

  void removed(const StreamOptions& stream) {
    cover(path_of(stream) + ".");
    add(path_of(stream), "a stream", "", Effect::kFromNow,
        "is read no longer; its topic and its ledgers stay, and it goes on from them when it is configured again");
  }

  void added(const StreamOptions& stream) {
    cover(path_of(stream) + ".");
    add(path_of(stream), "", "a stream", Effect::kNewState,
        fmt::format("is read from {} into {}; refused if that topic has records", start_of(stream),
                    topic_of(after_, stream.name)));
  }

  void stream_changes(const StreamOptions& before, const StreamOptions& after) {
    const auto& old_definition = before_.definitions.at(before.definition);
    const auto& new_definition = after_.definitions.at(after.definition);
    membership(before, old_definition, after, new_definition);
    if (source::content_fingerprint(old_definition, {}) != source::content_fingerprint(new_definition, {})) {
      cover(path_of(after) + ".definition");
      add(path_of(after) + ".definition", before.definition, after.definition, Effect::kPublishes,
          "what counts as a change is another: each record is published once more when it is read next");
    }
    rewriting(before, after);
    topic(before, after);
    lanes(before, old_definition, after, new_definition);
    ages(path_of(after) + ".live.ages", before.live.ages, after.live.ages, before.live.enabled && after.live.enabled);
    ages(path_of(after) + ".settle.ages", before.settle.ages, after.settle.ages, before.settle.enabled && after.settle.enabled);
    start(before, after);
    retention(before, after);
  }

  void membership(const StreamOptions& before, const source::Definition& old_definition, const StreamOptions& after,
                  const source::Definition& new_definition) {
    if (source::membership_fingerprint(old_definition, before) == source::membership_fingerprint(new_definition, after)) return;
    const std::string path = path_of(after);
    for (const char* key : {".query", ".definition"}) cover(path + key);
    const bool filters = setting(before_, path + ".query") != setting(after_, path + ".query");
    StreamOptions hashed_as_after = before;
    hashed_as_after.redaction = after.redaction;
    const bool hashes =
        source::membership_fingerprint(old_definition, before) != source::membership_fingerprint(old_definition, hashed_as_after);
    const std::string key = filters ? ".query" : hashes ? ".redaction" : ".definition";
    const std::string was = filters ? setting(before_, path + key) : hashes ? "hashes of the record key" : before.definition;
    const std::string is = filters ? setting(after_, path + key) : hashes ? "other hashes of the record key" : after.definition;
    switch (after.on_changed_membership) {
      case source::OnChangedMembership::kRefuse:
        add(path + key, was, is, Effect::kRefuses,
            fmt::format("endpoint, filters or key decide which records belong, and what was read is complete only for the former "
                        "ones. Give the stream another name and topic, or set {}.on_changed_membership to continue or re_read",
                        path));
        break;
      case source::OnChangedMembership::kContinue:
        add(path + key, was, is, Effect::kFromNow,
            "what was read before stays as it was; what is read from now on is chosen by the new ones");
        break;
      case source::OnChangedMembership::kReRead:
        add(path + key, was, is, Effect::kReads,
            fmt::format("everything is read again from {}; what has not changed is not published again as long as its key is "
                        "remembered, older records are published once more, and what no longer belongs stays in the topic",
                        begins_at(after) ? start_of(after) : "where the stream first began"));
        break;
    }
  }

  // What records are made into before they are published.
  void rewriting(const StreamOptions& before, const StreamOptions& after) {
    const auto made = [](const source::ProjectionOptions& projection, const source::RedactionOptions& redaction) {
      StreamOptions stream;
      stream.projection = projection;
      stream.redaction = redaction;
      return source::content_fingerprint({}, stream);
    };
    const std::string path = path_of(after);
    for (const char* key : {".projection.", ".redaction."}) cover(path + key);
    constexpr std::string_view kConsequence =
        "what is published of a record is another: each is published once more when it is read next. What was published before "
        "stays in the topic until it is compacted away or expires; a stream with another name and topic begins without it";
    if (made(before.projection, {}) != made(after.projection, {})) {
      const auto fields = [](const StreamOptions& stream) {
        const std::size_t count = stream.projection.fields.size();
        return count == 0 ? std::string("whole records") : fmt::format("{} field(s)", count);
      };
      add(path + ".projection", fields(before), fields(after), Effect::kPublishes, std::string{kConsequence});
    }
    if (made({}, before.redaction) == made({}, after.redaction)) return;
    const auto pointers = [](const StreamOptions& stream) {
      return fmt::format("drop [{}], hash [{}]", fmt::join(stream.redaction.drop, ", "), fmt::join(stream.redaction.hash, ", "));
    };
    const bool another_key = before.redaction.drop == after.redaction.drop && before.redaction.hash == after.redaction.hash;
    if (another_key) {
      add(path + ".redaction.key", "a key", "another key", Effect::kPublishes,
          std::string{kConsequence} + ". No hash equals its former one");
    } else {
      add(path + ".redaction", pointers(before), pointers(after), Effect::kPublishes, std::string{kConsequence});
    }
  }

  void topic(const StreamOptions& before, const StreamOptions& after) {
    const std::string old_topic = topic_of(before_, before.name);
    const std::string new_topic = topic_of(after_, after.name);
    for (const char* key : {".topic", ".topic.name"}) cover(path_of(after) + key);
    if (old_topic == new_topic) return;
    add(path_of(after) + ".topic.name", old_topic, new_topic, Effect::kStops,
        "its ledgers belong to the former topic, so the new one would miss what was read: give the stream another name too, or "
        "keep the topic");
  }

  void lanes(const StreamOptions& before, const source::Definition& old_definition, const StreamOptions& after,
             const source::Definition& new_definition) {
    const auto old_lanes = lanes_of(before, old_definition);
    const auto new_lanes = lanes_of(after, new_definition);
    for (const core::Lane lane : core::kAllLanes) {
      const bool was = std::ranges::find(old_lanes, lane) != old_lanes.end();
      const bool is = std::ranges::find(new_lanes, lane) != new_lanes.end();
      if (was == is) continue;
      const std::string path = path_of(after) + "." + std::string{core::to_string(lane)};
      cover(path);
      cover(path + ".");
      if (is && lane == core::Lane::kFollow) {
        add(path, "off", "on", Effect::kReads, "records that are open are read by their ids");
      } else if (is) {
        add(path, "off", "on", Effect::kReads,
            fmt::format("the lane reads from where the stream first began (its start: {}), or goes on where it was switched off",
                        start_of(after)));
      } else {
        add(path, "on", "off", Effect::kFromNow, "the lane stops; its ledger stays, and it goes on from there if switched on");
      }
    }
  }

  void ages(const std::string& path, const std::vector<Duration>& before, const std::vector<Duration>& after, bool runs) {
    cover(path);
    if (!runs) return;
    for (const Duration age : after) {
      if (std::ranges::find(before, age) != before.end()) continue;
      add(path, "", common::format_duration(age), Effect::kReads,
          fmt::format("what lies after {} is read again at this age; older records are not",
                      common::format_instant(common::start_of_day(now_ - age), false)));
    }
    for (const Duration age : before) {
      if (std::ranges::find(after, age) != after.end()) continue;
      add(path, common::format_duration(age), "", Effect::kFromNow, "nothing is read again at this age any more");
    }
  }

  // `now` is the instant at which the stream first ran, also where it is read again (see first_start in admission.cpp).
  static bool begins_at(const StreamOptions& stream) { return std::holds_alternative<common::Instant>(stream.start); }

  bool is_read_again(const StreamOptions& before, const StreamOptions& after) const {
    return after.on_changed_membership == source::OnChangedMembership::kReRead &&
           source::membership_fingerprint(before_.definitions.at(before.definition), before) !=
               source::membership_fingerprint(after_.definitions.at(after.definition), after);
  }

  void start(const StreamOptions& before, const StreamOptions& after) {
    cover(path_of(after) + ".start");
    if (start_of(before) == start_of(after)) return;
    if (begins_at(after) && is_read_again(before, after)) {
      add(path_of(after) + ".start", start_of(before), start_of(after), Effect::kReads,
          "everything is read again from there, because on_changed_membership is re_read: what lies before is not, and no "
          "watermark "
          "speaks of it any more");
      return;
    }
    add(path_of(after) + ".start", start_of(before), start_of(after), Effect::kNoEffect,
        "the stream keeps the start it first ran with; to read older records use another stream");
  }

  void retention(const StreamOptions& before, const StreamOptions& after) {
    const std::string path = path_of(after) + ".retention";
    cover(path);
    kept_for(path, before.retention, after.retention, readable_from(after, now_, form_of_history(after)));
    // (Only a definition says it: no setting has this path.)
    kept_for(path_of(after) + ".definition: query.retention", before.query_retention, after.query_retention,
             readable_from(after, now_, core::RecordForm::kQuery));
  }

  // 0: no bound is known.
  void kept_for(std::string path, Duration before, Duration after, std::optional<common::Instant> from) {
    if (before == after) return;
    const auto bound = [](Duration kept) { return kept > Duration{0} ? common::format_duration(kept) : "no bound"; };
    const bool is_shorter = after > Duration{0} && (before == Duration{0} || after < before);
    add(std::move(path), bound(before), bound(after), Effect::kFromNow,
        is_shorter && from
            ? fmt::format(
                  "from the next start; nothing is read again for it. What lies before {} is not asked for any more: what a lane "
                  "has not read of it is lost to it (an error, alert RecordsLost), what it has read stays as it was read, also "
                  "where ages of it were still to come",
                  common::format_instant(*from, false))
            : "from the next start; nothing is read again for it. What lies further back can be asked for (`backfill`, `sample`, "
              "`verify`); what a lane has lost it reads only if it is told to: `offsets set STREAM --lane L --reread FROM/TO`");
  }

  [[nodiscard]] bool is_covered(const std::string& path) const {
    return std::ranges::any_of(covered_, [&](const std::string& covered) {
      return path == covered || (covered.ends_with('.') && path.starts_with(covered)) || path.starts_with(covered + "[");
    });
  }

  void settings() {
    std::set<std::string> paths;
    for (const auto& [path, value] : before_.settings) paths.insert(path);
    for (const auto& [path, value] : after_.settings) paths.insert(path);
    for (const std::string& path : paths) {
      const std::string was = setting(before_, path);
      const std::string is = setting(after_, path);
      if (was == is || is_covered(path)) continue;
      const bool topic = path.starts_with("streams.") && path.find(".topic.") != std::string::npos;
      const auto rule = topic ? rule_of("kafka.topics.") : rule_of(path);
      add(path, was, is, rule ? rule->effect : Effect::kFromNow,
          rule ? std::string{rule->consequence} : "from the next start; no state is touched");
    }
  }

  const Configured& before_;
  const Configured& after_;
  common::Instant now_;
  std::set<std::string> covered_;
  std::vector<Change> changes_;
};

}  // namespace

std::string_view to_string(Effect effect) {
  switch (effect) {
    case Effect::kFromNow:
      return "from now";
    case Effect::kNoEffect:
      return "no effect";
    case Effect::kReads:
      return "reads";
    case Effect::kPublishes:
      return "publishes again";
    case Effect::kNewState:
      return "new state";
    case Effect::kStops:
      return "stops the stream";
    case Effect::kRefuses:
      return "refused";
  }
  return "unknown";
}

std::vector<Change> compare(const Configured& before, const Configured& after, common::Instant now) {
  return Comparison(before, after, now).result();
}

}  // namespace connector::app
