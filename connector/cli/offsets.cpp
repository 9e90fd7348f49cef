#include "connector/app/offsets.h"

#include "common/clock.h"
#include "common/json.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/takeover.h"
#include "connector/cli/verbs.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::cli {

using common::ErrorCode;
using common::Result;
using core::Ledger;
using core::SourcePartition;

namespace {

constexpr common::Duration kPatience = std::chrono::minutes(1);

common::Logger logger_of(const Configuration& configuration) {
  return common::Logger::to_stderr({.level = common::LogLevel::kWarn, .format = configuration.loaded.config.log.format});
}

int refused(const Surroundings& surroundings, const common::Error& error) {
  surroundings.err << error.message << "\n";
  // The brokers were asked all the time: it is Kafka that does not answer.
  return error.code == ErrorCode::kRetryable ? kKafkaRefused : exit_code_of(error);
}

std::string name_of(const SourcePartition& source) {
  return fmt::format("{} {}", source.stream.str(), core::to_string(source.lane));
}

std::string summary_of(const Ledger& ledger) {
  std::string text = fmt::format("start {}, complete until {}", common::format_instant(ledger.start()),
                                 common::format_instant(ledger.complete_until()));
  if (!ledger.passes().empty()) text += ", settled until " + common::format_instant(ledger.settled_until());
  return text;
}

std::string summary_of(const std::string& stored) {
  const auto ledger = Ledger::parse(stored);
  return ledger ? summary_of(*ledger) : "cannot be read";
}

void print_intervals(std::string_view title, const std::vector<common::Interval>& intervals, std::ostream& out) {
  for (const common::Interval& interval : intervals) out << fmt::format("  {:<16}{}\n", title, common::format_interval(interval));
}

std::string position_of(const core::OpenWindow& open) {
  std::string text = common::format_interval(open.window);
  if (const auto* page = std::get_if<core::AtPage>(&open.position)) text += fmt::format(", page {}", page->number);
  if (const auto* job = std::get_if<core::AtJob>(&open.position)) text += fmt::format(", job {}", job->job.str());
  if (open.pass.is_owed) text += ", owed";
  if (open.pass.age != common::Duration{0}) text += ", again at " + common::format_duration(open.pass.age);
  return text + fmt::format(", {} record(s)", open.records);
}

void print_ledger(const Ledger& ledger, std::ostream& out) {
  const auto line = [&](std::string_view title, const std::string& value) { out << fmt::format("  {:<16}{}\n", title, value); };
  line("start", common::format_instant(ledger.start()));
  line("complete until", common::format_instant(ledger.complete_until()));
  line("settled until", common::format_instant(ledger.settled_until()));
  std::vector<common::Interval> ahead;
  for (const common::Interval& interval : ledger.complete().intervals()) {
    if (interval.start > ledger.complete_until()) ahead.push_back(interval);
  }
  print_intervals("complete, too", ahead, out);
  for (const core::OpenWindow& open : ledger.open()) line("open", position_of(open));
  for (const core::OwedDay& owed : ledger.owed()) line("owed", common::format_interval(owed.window));
  print_intervals("short", ledger.short_windows(), out);
  print_intervals("lost", ledger.lost().intervals(), out);
  if (ledger.lost_at()) line("lost at", common::format_instant(*ledger.lost_at()));
  line("written by", fmt::format("{}, transaction {}", ledger.stamp().incarnation, ledger.stamp().number));
}

void print_text(const app::TaskOffsets& found, std::ostream& out) {
  if (found.owner) {
    out << fmt::format("owner: {} since {}, incarnation {}\n", found.owner->host, common::format_instant(found.owner->claimed_at),
                       found.owner->incarnation);
  }
  for (const auto& [source, stored] : found.offsets) {
    out << name_of(source) << "\n";
    if (const auto ledger = Ledger::parse(stored)) {
      print_ledger(*ledger, out);
    } else {
      out << "  " << ledger.error().message << "\n";
    }
  }
}

// --- changes

std::string told_owner(const app::TaskOffsets& found) {
  return found.owner ? fmt::format("last owned by host {} since {} (incarnation {})", found.owner->host,
                                   common::format_instant(found.owner->claimed_at), found.owner->incarnation)
                     : std::string("never owned");
}

void print_changes(const std::vector<app::OffsetChange>& changes, std::ostream& out) {
  for (const auto& change : changes) {
    out << name_of(change.source) << "\n"
        << "  is       " << (change.before ? summary_of(*change.before) : "nothing stored") << "\n"
        << "  becomes  " << (change.after ? summary_of(*change.after) : "nothing stored: it begins as the configuration says")
        << "\n";
  }
}

void print_changes_as_json(const std::vector<app::OffsetChange>& changes, bool written, std::ostream& out) {
  common::json::Array entries;
  for (const auto& change : changes) {
    const auto to_json = [](const std::optional<std::string>& stored) {
      if (!stored) return common::json::Value(nullptr);
      auto value = common::json::parse(*stored);
      return value ? std::move(*value) : common::json::Value(*stored);
    };
    entries.push_back(common::json::Object{
        {"partition",
         common::json::Object{{"stream", change.source.stream.str()}, {"lane", core::to_string(change.source.lane)}}},
        {"before", to_json(change.before)},
        {"after", to_json(change.after ? std::optional{change.after->serialize()} : std::nullopt)}});
  }
  out << common::json::serialize(common::json::Object{{"changes", std::move(entries)}, {"written", written}}) << "\n";
}

// The question, and what the answer means for a connector that runs.
std::optional<int> ask(bool yes, std::string_view what, const Configuration& configuration, const Surroundings& surroundings) {
  return ask(yes ? Confirmed::kBeforehand : Confirmed::kAskFirst,
             fmt::format("{} {}", of_a_connector_that_runs(configuration.loaded.config.kafka.delivery), what), surroundings);
}

// Shows the changes, asks, writes.
int carry_out(const Configuration& configuration, const app::TaskOffsets& found, std::vector<app::OffsetChange> changes,
              const OffsetsChange& how, const Surroundings& surroundings) {
  const bool json = how.output == Output::kJson;
  std::ostream& shown = json ? surroundings.err : surroundings.out;
  if (changes.empty()) {
    shown << "nothing to change\n";
    if (json) print_changes_as_json(changes, false, surroundings.out);
    return kDone;
  }
  print_changes(changes, shown);
  if (how.dry_run) {
    if (json) print_changes_as_json(changes, false, surroundings.out);
    return kDone;
  }
  surroundings.err << "the task was " << told_owner(found) << "\n";
  if (const auto declined = ask(how.yes, "Write this?", configuration, surroundings)) return *declined;
  const auto written = app::change_offsets(configuration.loaded.config, found, changes, logger_of(configuration), kPatience);
  if (!written) return refused(surroundings, written.error());
  if (json) {
    print_changes_as_json(changes, true, surroundings.out);
  } else {
    surroundings.out << "written\n";
  }
  return kDone;
}

// A lane by its name, which the command line has checked.
core::Lane lane_of(const std::string& name) {
  return *core::parse_lane(name);
}

Result<app::LaneMove> move_of(const OffsetsSetCommand& command) {
  if (!command.reread.empty()) {
    const auto window = common::parse_interval(command.reread);
    if (!window) return common::fail(common::with_context(window.error(), "--reread"));
    if (window->empty()) return common::fail(ErrorCode::kConfigInvalid, "--reread: the interval is empty");
    return app::Reread{*window};
  }
  const bool starts = !command.start.empty();
  const auto instant = common::parse_instant(starts ? command.start : command.complete_until);
  if (!instant) return common::fail(common::with_context(instant.error(), starts ? "--start" : "--complete-until"));
  if (starts) return app::StartAt{*instant};
  return app::CompleteUntil{*instant};
}

// The topic of `found` exists.
Result<app::TaskOffsets> read_existing(const Configuration& configuration) {
  auto found = app::read_offsets(configuration.loaded.config, logger_of(configuration), kPatience);
  if (found && !found->topic_exists) {
    return common::fail(ErrorCode::kConfigInvalid, fmt::format("topic {} does not exist: no connector of this `name` has run in "
                                                               "this cluster",
                                                               found->topic));
  }
  return found;
}

bool is_configured(const Configuration& configuration, const core::StreamName& stream) {
  return std::ranges::any_of(configuration.loaded.config.streams, [&](const auto& known) { return known.name == stream; });
}

}  // namespace

int offsets_get(const OffsetsGetCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  auto found = read_existing(*configuration);
  if (!found) return refused(surroundings, found.error());
  std::erase_if(found->offsets, [&](const auto& offset) {
    const SourcePartition& source = offset.first;
    return (!command.stream.empty() && source.stream.str() != command.stream) ||
           (!command.lane.empty() && core::to_string(source.lane) != command.lane);
  });
  if (command.output == Output::kJson) {
    surroundings.out << common::json::serialize(app::to_connect_form(found->offsets)) << "\n";
  } else {
    print_text(*found, surroundings.out);
  }
  return kDone;
}

int offsets_set(const OffsetsSetCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto move = move_of(command);
  if (!move) {
    surroundings.err << move.error().message << "\n";
    return kConfigurationError;
  }
  const auto found = read_existing(*configuration);
  if (!found) return refused(surroundings, found.error());
  auto changes = app::plan_set(found->offsets, {.stream = core::StreamName(command.stream), .lane = lane_of(command.lane)}, *move,
                               common::SystemClock().utc_now());
  if (!changes) return refused(surroundings, changes.error());
  return carry_out(*configuration, *found, std::move(*changes), command.change, surroundings);
}

int offsets_reset(const OffsetsResetCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto found = read_existing(*configuration);
  if (!found) return refused(surroundings, found.error());
  const core::StreamName stream(command.stream);
  auto changes =
      app::plan_reset(found->offsets, stream, command.lane.empty() ? std::nullopt : std::optional{lane_of(command.lane)});
  if (!changes) return refused(surroundings, changes.error());
  const auto of_stream = std::ranges::count_if(found->offsets, [&](const auto& offset) { return offset.first.stream == stream; });
  if (std::cmp_equal(of_stream, changes->size()) && is_configured(*configuration, stream)) {
    surroundings.err << fmt::format(
        "no ledger of stream {0} is left then: if its topic has records, the next start needs streams.{0}.existing_topic: "
        "append\n",
        stream.str());
  }
  return carry_out(*configuration, *found, std::move(*changes), command.change, surroundings);
}

int offsets_import(const OffsetsImportCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto document = surroundings.read_file(command.file);
  if (!document) {
    surroundings.err << command.file << ": cannot be read: " << document.error().message << "\n";
    return kConfigurationError;
  }
  const auto& options = configuration->loaded.config;
  const auto logger = logger_of(*configuration);
  const auto found = app::read_offsets(options, logger, kPatience);
  if (!found) return refused(surroundings, found.error());
  const auto identities = app::present_identities(options, configuration->definitions, *found, logger, kPatience);
  if (!identities) return refused(surroundings, identities.error());
  auto plan = app::plan_import(*document, found->offsets, *identities, command.force_identity, common::SystemClock().utc_now());
  for (const auto& problem : plan.problems) surroundings.err << command.file << ": " << problem << "\n";
  if (!plan.problems.empty()) {
    surroundings.err << plan.problems.size() << " problem(s); nothing was changed\n";
    return kConfigurationError;
  }
  return carry_out(*configuration, *found, std::move(plan.changes), command.change, surroundings);
}

int offsets_accept_lost_digests(const OffsetsAcceptLostDigestsCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto found = read_existing(*configuration);
  if (!found) return refused(surroundings, found.error());
  if (!found->owner || !found->owner->digests) {
    surroundings.out << "nothing to change: the next start takes the digests topic as it is\n";
    return kDone;
  }
  surroundings.err
      << "the task was " << told_owner(*found) << "\n"
      << "the next start takes the digests topic as it is; what it reads again (the days that are not settled yet, "
         "open conversations) is published again once, if its digest is not there, and may be without attributes until "
         "its day is settled again\n";
  if (const auto declined = ask(command.yes, "Accept that?", *configuration, surroundings)) return *declined;
  const auto written = app::accept_lost_digests(configuration->loaded.config, *found, logger_of(*configuration), kPatience);
  if (!written) return refused(surroundings, written.error());
  surroundings.out << "written\n";
  return kDone;
}

}  // namespace connector::cli
