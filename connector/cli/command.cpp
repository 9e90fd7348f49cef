#include "connector/cli/command.h"

#include "connector/core/dead_letters/letter.h"
#include "connector/core/ledger/backfill_mark.h"
#include "connector/core/names.h"
#include "connector/observability/build_info.h"

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

namespace connector::cli {
namespace {

const std::map<std::string, Output> kOutputs{{"text", Output::kText}, {"json", Output::kJson}};
const std::map<std::string, VerifyForm> kVerifyForms{{"job", VerifyForm::kJob}, {"query", VerifyForm::kQuery}};

const std::map<std::string, SavedForm> kSavedForms{
    {"query", SavedForm::kQuery}, {"job", SavedForm::kJob}, {"by_id", SavedForm::kById}};

void add_config_option(CLI::App& verb, std::filesystem::path& path) {
  verb.add_option("-c,--config", path, "Configuration file (YAML)")->required()->type_name("FILE");
}

void add_output_option(CLI::App& verb, Output& output) {
  verb.add_option("-o,--output", output, "text or json")
      ->transform(CLI::CheckedTransformer(kOutputs, CLI::ignore_case))
      ->type_name("FORMAT");
}

void add_lane_option(CLI::App& verb, std::string& lane, std::string_view meaning) {
  std::vector<std::string> lanes;
  for (const core::Lane known : core::kAllLanes) lanes.emplace_back(core::to_string(known));
  verb.add_option("--lane", lane, std::string(meaning))->check(CLI::IsMember(lanes))->type_name("LANE");
}

void add_change_options(CLI::App& verb, OffsetsChange& change) {
  verb.add_flag("--dry-run", change.dry_run, "Show what would change; change nothing");
  verb.add_flag("-y,--yes", change.yes, "Do not ask; needed where there is no terminal");
  add_output_option(verb, change.output);
}

// Of a verb that knows the built-in definitions without one.
void add_optional_config_option(CLI::App& verb, std::filesystem::path& path) {
  verb.add_option("-c,--config", path, "Configuration file (YAML)")->type_name("FILE");
}

struct StreamsVerbs {
  StreamsListCommand list;
  StreamsShowCommand show;
  CLI::App* list_verb = nullptr;
  CLI::App* show_verb = nullptr;

  explicit StreamsVerbs(CLI::App& app) {
    CLI::App* streams = app.add_subcommand("streams", "Look at the stream definitions there are; nothing is asked");
    streams->require_subcommand(1);
    list_verb = streams->add_subcommand("list", "The built-in definitions, and those of the configuration if one is given");
    add_optional_config_option(*list_verb, list.config);
    add_output_option(*list_verb, list.output);
    show_verb = streams->add_subcommand("show", "A definition as it stands in its file, to copy and to change");
    show_verb->add_option("name", show.name, "Name of a definition, or of a stream of the configuration")
        ->required()
        ->type_name("NAME");
    add_optional_config_option(*show_verb, show.config);
    add_output_option(*show_verb, show.output);
  }

  [[nodiscard]] std::optional<Command> chosen() const {
    if (*list_verb) return Command{list};
    if (*show_verb) return Command{show};
    return std::nullopt;
  }
};

struct OffsetsVerbs {
  OffsetsGetCommand get;
  OffsetsGetCommand take_out;
  OffsetsSetCommand set;
  OffsetsResetCommand reset;
  OffsetsImportCommand take_in;
  CLI::App* get_verb = nullptr;
  CLI::App* export_verb = nullptr;
  CLI::App* set_verb = nullptr;
  CLI::App* reset_verb = nullptr;
  CLI::App* import_verb = nullptr;
  OffsetsAcceptLostDigestsCommand accept;
  CLI::App* accept_verb = nullptr;

  explicit OffsetsVerbs(CLI::App& app) {
    CLI::App* offsets = app.add_subcommand("offsets", "Look at the stored source offsets, move them, take them elsewhere");
    offsets->require_subcommand(1);
    get_verb = offsets->add_subcommand("get", "What each lane has read; beside a running connector, too");
    add_reading(*get_verb, get);
    add_output_option(*get_verb, get.output);
    export_verb = offsets->add_subcommand("export", "Everything of it as JSON, in Kafka Connect's form");
    add_reading(*export_verb, take_out);
    take_out.output = Output::kJson;

    set_verb = offsets->add_subcommand("set", "Move a lane of a connector that is stopped");
    add_config_option(*set_verb, set.config);
    set_verb->add_option("stream", set.stream, "Name of a stream")->required()->type_name("STREAM");
    add_lane_option(*set_verb, set.lane, "The lane to move");
    set_verb->get_option("--lane")->required();
    auto* how = set_verb->add_option_group("how", "How it is moved: one of");
    how->add_option("--start", set.start, "It begins there: what lies between there and what it has read is read")
        ->type_name("INSTANT");
    how->add_option("--complete-until", set.complete_until,
                    "It goes on there: what lies before counts as read, nothing behind it")
        ->type_name("INSTANT");
    how->add_option("--reread", set.reread, "It reads this interval again")->type_name("FROM/TO");
    how->require_option(1);
    add_change_options(*set_verb, set.change);

    reset_verb = offsets->add_subcommand("reset", "Let a stream's lanes begin as the configuration says");
    add_config_option(*reset_verb, reset.config);
    reset_verb->add_option("stream", reset.stream, "Name of a stream")->required()->type_name("STREAM");
    add_lane_option(*reset_verb, reset.lane, "This lane alone");
    add_change_options(*reset_verb, reset.change);

    import_verb = offsets->add_subcommand("import", "Store what was exported; the connector is stopped");
    add_config_option(*import_verb, take_in.config);
    import_verb->add_option("file", take_in.file, "An export")->required()->type_name("FILE");
    import_verb->add_flag("--force-identity", take_in.force_identity,
                          "Take over what belongs to another organisation, cluster or topic, or to other filters");
    add_change_options(*import_verb, take_in.change);

    accept_verb = offsets->add_subcommand("accept-lost-digests",
                                          "Start with the digests topic as it is; what is read again is published again");
    add_config_option(*accept_verb, accept.config);
    accept_verb->add_flag("-y,--yes", accept.yes, "Do not ask; needed where there is no terminal");
  }

  [[nodiscard]] std::optional<Command> chosen() const {
    if (*get_verb) return Command{get};
    if (*export_verb) return Command{take_out};
    if (*set_verb) return Command{set};
    if (*reset_verb) return Command{reset};
    if (*import_verb) return Command{take_in};
    if (*accept_verb) return Command{accept};
    return std::nullopt;
  }

 private:
  static void add_reading(CLI::App& verb, OffsetsGetCommand& command) {
    add_config_option(verb, command.config);
    verb.add_option("--stream", command.stream, "This stream alone")->type_name("STREAM");
    add_lane_option(verb, command.lane, "This lane alone");
  }
};

struct BackfillVerbs {
  BackfillCommand ask;
  BackfillCancelCommand cancel;
  BackfillListCommand list;
  CLI::App* ask_verb = nullptr;
  CLI::App* cancel_verb = nullptr;
  CLI::App* list_verb = nullptr;

  explicit BackfillVerbs(CLI::App& app) {
    ask_verb =
        app.add_subcommand("backfill", "Read a range of the past beside everything else; `list` and `cancel` those there are");
    ask_verb->require_subcommand(0, 1);
    // What is needed of these is checked afterwards: beside `list` and `cancel` it is not.
    ask_verb->add_option("-c,--config", ask.config, "Configuration file (YAML)")->type_name("FILE");
    ask_verb->add_option("stream", ask.stream, "Name of a stream of the configuration")->type_name("STREAM");
    ask_verb->add_option("--from", ask.from, "Records that began at or after this, RFC 3339")->type_name("INSTANT");
    ask_verb->add_option("--to", ask.to, "… and before this, RFC 3339")->type_name("INSTANT");
    ask_verb->add_option("--parallel", ask.parallel, "Jobs at the same time")
        ->check(CLI::Range(1U, core::BackfillOrder::kMaxParallel))
        ->capture_default_str()
        ->type_name("N");
    ask_verb->add_option("--weight", ask.weight, "Of the quota while it runs (default: genesys.budget.weights.backfill)")
        ->type_name("W");
    ask_verb->add_option("--wait", ask.wait, "How long until a running connector must have taken it")
        ->capture_default_str()
        ->type_name("DURATION");
    ask_verb->add_flag("--detach", ask.detach, "Return when the running connector has taken it");
    ask_verb->add_flag("--here", ask.here, "Do it in this process, as the owner of the task: stop the connector first");
    ask_verb->add_flag("-y,--yes", ask.yes, "With --here: do not ask; needed where there is no terminal");
    add_output_option(*ask_verb, ask.output);

    cancel_verb = ask_verb->add_subcommand("cancel", "End the backfill of a stream; its jobs are deleted");
    add_config_option(*cancel_verb, cancel.config);
    cancel_verb->add_option("stream", cancel.stream, "Name of a stream")->required()->type_name("STREAM");
    cancel_verb->add_option("--wait", cancel.wait, "How long for its end")->capture_default_str()->type_name("DURATION");
    list_verb = ask_verb->add_subcommand("list", "The backfill of each stream: under way, or the last one");
    add_config_option(*list_verb, list.config);
    add_output_option(*list_verb, list.output);
  }

  [[nodiscard]] std::optional<std::variant<Command, Answered>> chosen() const {
    if (*cancel_verb) return Command{cancel};
    if (*list_verb) return Command{list};
    if (!*ask_verb) return std::nullopt;
    for (const auto& [given, name] : {std::pair{!ask.stream.empty(), "STREAM"}, std::pair{!ask.from.empty(), "--from"},
                                      std::pair{!ask.to.empty(), "--to"}, std::pair{!ask.config.empty(), "--config"}}) {
      if (!given) {
        return Answered{.exit_code = 2, .text = std::string(name) + " is required\nRun with --help for more information.\n"};
      }
    }
    if (ask.here && ask.detach) return Answered{.exit_code = 2, .text = "--detach excludes --here\n"};
    return Command{ask};
  }
};

struct DeadLettersVerbs {
  DeadLettersListCommand list;
  DeadLettersRetryCommand retry;
  CLI::App* list_verb = nullptr;
  CLI::App* retry_verb = nullptr;

  explicit DeadLettersVerbs(CLI::App& app) {
    CLI::App* dead_letters = app.add_subcommand("dead-letters", "Look at what could not be published, and publish it after all");
    dead_letters->require_subcommand(1);
    list_verb = dead_letters->add_subcommand("list", "What could not be published, why, and from where; without its contents");
    add_config_option(*list_verb, list.config);
    add_choice(*list_verb, list.choice);
    list_verb->add_option("--max-records", list.max_records, "How many of the newest ones are shown; all are counted")
        ->check(CLI::Range(1U, 1'000'000U))
        ->capture_default_str();
    list_verb->add_flag("--show-bytes", list.show_bytes, "The records' bytes, too, as far as they were kept");
    add_output_option(*list_verb, list.output);

    retry_verb = dead_letters->add_subcommand(
        "retry", "Read them from the service again and publish them, as the owner of the task: stop the connector first");
    add_config_option(*retry_verb, retry.config);
    add_choice(*retry_verb, retry.choice);
    retry_verb->add_option("--key", retry.keys, "This record alone; repeatable")->type_name("KEY");
    retry_verb->add_flag("--dry-run", retry.dry_run, "Say what would be done; change nothing, and do not ask the service");
    retry_verb->add_flag("-y,--yes", retry.yes, "Do not ask; needed where there is no terminal");
    add_output_option(*retry_verb, retry.output);
  }

  [[nodiscard]] std::optional<Command> chosen() const {
    if (*list_verb) return Command{list};
    if (*retry_verb) return Command{retry};
    return std::nullopt;
  }

 private:
  static void add_choice(CLI::App& verb, DeadLettersChoice& choice) {
    verb.add_option("--stream", choice.stream, "Of this stream alone")->type_name("STREAM");
    const std::vector<std::string> reasons(core::kDeadLetterReasons.begin(), core::kDeadLetterReasons.end());
    verb.add_option("--reason", choice.reason, "With this reason alone")->check(CLI::IsMember(reasons))->type_name("REASON");
    verb.add_option("--from", choice.from, "Read at or after this, RFC 3339")->type_name("INSTANT");
    verb.add_option("--to", choice.to, "… and before this, RFC 3339")->type_name("INSTANT");
  }
};

}  // namespace

std::variant<Command, Answered> parse(const std::vector<std::string>& arguments) {
  CLI::App app{"genesys-kafka: Genesys Cloud Analytics to Apache Kafka source connector", "genesys-kafka"};
  app.set_version_flag("--version", "genesys-kafka " + std::string(observability::kVersion) + " (" +
                                        std::string(observability::kRevision) + ", " + std::string(observability::kCompiler) +
                                        ")");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 internal, 2 configuration or state, 3 credentials or permission, 4 fenced, 5 Kafka refused, 6 "
      "difference or something left, 7 interrupted.");

  RunCommand run;
  CLI::App* run_verb = app.add_subcommand("run", "Run the connector until SIGTERM or SIGINT");
  add_config_option(*run_verb, run.config);
  run_verb->add_flag("--until-complete", run.until_complete,
                     "End by itself (exit 0) when what is due at the start is done: for cron");

  CheckCommand check;
  CLI::App* check_verb =
      app.add_subcommand("check", "Check configuration, credentials, permissions, topics and ACLs; change nothing");
  add_config_option(*check_verb, check.config);
  check_verb->add_flag("--offline", check.offline, "The configuration only: no connection is made");
  add_output_option(*check_verb, check.output);

  SampleCommand sample;
  CLI::App* sample_verb = app.add_subcommand("sample", "Read a few records of a stream and print them; Kafka is not touched");
  add_optional_config_option(*sample_verb, sample.config);  // required unless --against: checked below
  sample_verb->add_option("stream", sample.stream, "Name of a stream of the configuration; with --against of a definition, too")
      ->required()
      ->type_name("STREAM");
  CLI::Option* against =
      sample_verb->add_option("--against", sample.against, "Cut this saved answer instead: nobody is asked")->type_name("FILE");
  sample_verb->add_option("--form", sample.form, "What it answers: query, job or by_id (default: query where there is one)")
      ->transform(CLI::CheckedTransformer(kSavedForms, CLI::ignore_case))
      ->needs(against)
      ->type_name("FORM");
  add_output_option(*sample_verb, sample.output);
  sample_verb->add_option("--from", sample.from, "Start of the interval, RFC 3339 (default: an hour ago)")->type_name("INSTANT");
  sample_verb->add_option("--to", sample.to, "End of the interval, RFC 3339 (default: now)")->type_name("INSTANT");
  sample_verb->add_option("--max-records", sample.max_records, "How many records at most")
      ->check(CLI::Range(1U, 100000U))
      ->capture_default_str();

  for (const char* interval : {"--from", "--to"}) against->excludes(sample_verb->get_option(interval));

  const StreamsVerbs streams(app);
  const OffsetsVerbs offsets(app);
  const BackfillVerbs backfills(app);
  PlanCommand plan;
  CLI::App* plan_verb = app.add_subcommand("plan", "What the configuration will cost and make, estimated; nothing is asked");
  add_config_option(*plan_verb, plan.config);
  plan_verb
      ->add_option("--records-per-day", plan.records_per_day, "Assumed, of each stream (default: 10000), or STREAM=N; repeatable")
      ->type_name("N");
  plan_verb->add_option("--mean-duration", plan.mean_duration, "Assumed, from a record's start to its end")
      ->type_name("DURATION")
      ->capture_default_str();
  plan_verb->add_option("--job-duration", plan.job_duration, "Assumed, of a job at the service")
      ->type_name("DURATION")
      ->capture_default_str();
  plan_verb->add_option("--diff", plan.diff, "Instead: what this configuration will do to the state made with the former one")
      ->type_name("OLD.yaml");
  add_output_option(*plan_verb, plan.output);
  VerifyCommand verify;
  CLI::App* verify_verb = app.add_subcommand(
      "verify", "Ask the service again for a range, read the stream's topic and say where they differ (exit code 6)");
  add_config_option(*verify_verb, verify.config);
  verify_verb->add_option("stream", verify.stream, "Name of a stream of the configuration")->required()->type_name("STREAM");
  verify_verb->add_option("--from", verify.from, "Records that began at or after this, RFC 3339")
      ->required()
      ->type_name("INSTANT");
  verify_verb->add_option("--to", verify.to, "… and before this, RFC 3339")->required()->type_name("INSTANT");
  verify_verb->add_option("--form", verify.form, "Ask the job or the query (default: the job where the stream has one)")
      ->transform(CLI::CheckedTransformer(kVerifyForms, CLI::ignore_case))
      ->type_name("FORM");
  verify_verb->add_flag("--repair", verify.repair,
                        "Publish what is missing or different, as the owner of the task: stop the connector first");
  verify_verb->add_flag("--yes", verify.yes, "Repair without asking");
  add_output_option(*verify_verb, verify.output);

  const DeadLettersVerbs dead_letters(app);

  CLI::App* config_verb = app.add_subcommand("config", "Look at the configuration");
  config_verb->require_subcommand(1);
  ConfigShowCommand show;
  CLI::App* show_verb = config_verb->add_subcommand("show", "Every effective setting with its origin; secrets masked");
  add_config_option(*show_verb, show.config);
  add_output_option(*show_verb, show.output);
  CLI::App* schema_verb = config_verb->add_subcommand("schema", "The JSON Schema of the configuration, for editors");

  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes them from the back
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream problems;
    const int code = app.exit(error, out, problems);
    return code == 0 ? Answered{.exit_code = 0, .text = out.str()} : Answered{.exit_code = 2, .text = problems.str()};
  }

  if (*run_verb) return Command{run};
  if (*check_verb) return Command{check};
  if (*sample_verb) {
    if (sample.config.empty() && sample.against.empty()) {
      return Answered{.exit_code = 2, .text = "--config is required\nRun with --help for more information.\n"};
    }
    return Command{sample};
  }
  if (*plan_verb) return Command{plan};
  if (*verify_verb) return Command{verify};
  if (*show_verb) return Command{show};
  if (*schema_verb) return Command{ConfigSchemaCommand{}};
  if (auto chosen = streams.chosen()) return std::move(*chosen);
  if (auto chosen = offsets.chosen()) return std::move(*chosen);
  if (auto chosen = backfills.chosen()) return std::move(*chosen);
  if (auto chosen = dead_letters.chosen()) return std::move(*chosen);
  return Answered{.exit_code = 2, .text = app.help()};
}

}  // namespace connector::cli
