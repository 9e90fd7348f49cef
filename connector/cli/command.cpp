#include "connector/cli/command.h"

#include "connector/observability/build_info.h"

#include <CLI/CLI.hpp>
#include <map>
#include <sstream>

namespace connector::cli {
namespace {

const std::map<std::string, Output> kOutputs{{"text", Output::kText}, {"json", Output::kJson}};

void add_config_option(CLI::App& verb, std::filesystem::path& path) {
  verb.add_option("-c,--config", path, "Configuration file (YAML)")->required()->type_name("FILE");
}

void add_output_option(CLI::App& verb, Output& output) {
  verb.add_option("-o,--output", output, "text or json")
      ->transform(CLI::CheckedTransformer(kOutputs, CLI::ignore_case))
      ->type_name("FORMAT");
}

}  // namespace

std::variant<Command, Answered> parse(const std::vector<std::string>& arguments) {
  CLI::App app{"genesys-kafka: Genesys Cloud Analytics to Apache Kafka source connector", "genesys-kafka"};
  app.set_version_flag("--version", "genesys-kafka " + std::string(observability::kVersion) + " (" +
                                        std::string(observability::kRevision) + ", " + std::string(observability::kCompiler) +
                                        ")");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 internal, 2 configuration or state, 3 credentials or permission, 4 fenced, 5 Kafka refused, 6 "
      "difference, 7 interrupted.");

  RunCommand run;
  CLI::App* run_verb = app.add_subcommand("run", "Run the connector until SIGTERM or SIGINT");
  add_config_option(*run_verb, run.config);

  CheckCommand check;
  CLI::App* check_verb =
      app.add_subcommand("check", "Check configuration, credentials, permissions, topics and ACLs; change nothing");
  add_config_option(*check_verb, check.config);
  check_verb->add_flag("--offline", check.offline, "The configuration only: no connection is made");
  add_output_option(*check_verb, check.output);

  SampleCommand sample;
  CLI::App* sample_verb = app.add_subcommand("sample", "Read a few records of a stream and print them; Kafka is not touched");
  add_config_option(*sample_verb, sample.config);
  sample_verb->add_option("stream", sample.stream, "Name of a stream of the configuration")->required()->type_name("STREAM");
  sample_verb->add_option("--from", sample.from, "Start of the interval, RFC 3339 (default: an hour ago)")->type_name("INSTANT");
  sample_verb->add_option("--to", sample.to, "End of the interval, RFC 3339 (default: now)")->type_name("INSTANT");
  sample_verb->add_option("--max-records", sample.max_records, "How many records at most")
      ->check(CLI::Range(1U, 100000U))
      ->capture_default_str();

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
  if (*sample_verb) return Command{sample};
  if (*plan_verb) return Command{plan};
  if (*show_verb) return Command{show};
  if (*schema_verb) return Command{ConfigSchemaCommand{}};
  return Answered{.exit_code = 2, .text = app.help()};
}

}  // namespace connector::cli
