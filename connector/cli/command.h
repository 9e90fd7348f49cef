#pragma once

// What the user asked for on the command line. Parsing only: nothing is read, opened or run here. CLI11 stops in command.cpp.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace connector::cli {

enum class Output : std::uint8_t { kText, kJson };

struct RunCommand {
  std::filesystem::path config;
  bool until_complete = false;
};
struct CheckCommand {
  std::filesystem::path config;
  bool offline = false;  // configuration only
  Output output = Output::kText;
};
enum class SavedForm : std::uint8_t { kQuery, kJob, kById };
struct SampleCommand {
  std::filesystem::path config;  // may be empty beside `against`
  std::string stream;            // beside `against`: or a definition
  std::string from;              // RFC 3339; empty: the last hour
  std::string to;
  std::uint64_t max_records = 10;
  std::filesystem::path against;  // an answer that was saved: nobody is asked
  std::optional<SavedForm> form;  // what it answers
  Output output = Output::kText;
};
struct StreamsListCommand {
  std::filesystem::path config;  // empty: the built-in definitions alone
  Output output = Output::kText;
};
struct StreamsShowCommand {
  std::filesystem::path config;
  std::string name;  // of a definition, or of a stream of the configuration
  Output output = Output::kText;
};
struct PlanCommand {
  std::filesystem::path config;
  std::vector<std::string> records_per_day;  // a number, or STREAM=NUMBER
  std::string mean_duration = "10m";
  std::string job_duration = "2m";
  std::optional<std::filesystem::path> diff;  // the former configuration
  Output output = Output::kText;
};
enum class VerifyForm : std::uint8_t { kBest, kJob, kQuery };
struct VerifyCommand {
  std::filesystem::path config;
  std::string stream;
  std::string from;  // RFC 3339
  std::string to;
  VerifyForm form = VerifyForm::kBest;  // kBest: by the job where the stream has one
  bool repair = false;
  bool yes = false;  // do not ask before the repair
  Output output = Output::kText;
};
struct BackfillCommand {
  std::filesystem::path config;
  std::string stream;
  std::string from;  // RFC 3339
  std::string to;
  std::uint32_t parallel = 2;
  std::optional<double> weight;
  std::string wait = "30s";  // for somebody to take it
  bool detach = false;       // do not wait for its end
  bool here = false;         // as the owner of the task
  bool yes = false;          // do not ask before
  Output output = Output::kText;
};
struct BackfillCancelCommand {
  std::filesystem::path config;
  std::string stream;
  std::string wait = "30s";  // for it to end
};
struct BackfillListCommand {
  std::filesystem::path config;
  Output output = Output::kText;
};
struct ConfigShowCommand {
  std::filesystem::path config;
  Output output = Output::kText;
};
struct ConfigSchemaCommand {};
// `offsets get`, and `offsets export`, which is the same in JSON.
struct OffsetsGetCommand {
  std::filesystem::path config;
  std::string stream;  // empty: every one
  std::string lane;
  Output output = Output::kText;
};
// `offsets set`, `reset` and `import`: what they have in common.
struct OffsetsChange {
  bool dry_run = false;
  bool yes = false;  // do not ask
  Output output = Output::kText;
};
// One of `start`, `complete_until` and `reread` is given.
struct OffsetsSetCommand {
  std::filesystem::path config;
  std::string stream;
  std::string lane;
  std::string start;           // RFC 3339
  std::string complete_until;  // RFC 3339
  std::string reread;          // start/end
  OffsetsChange change;
};
struct OffsetsResetCommand {
  std::filesystem::path config;
  std::string stream;
  std::string lane;  // empty: every one
  OffsetsChange change;
};
struct OffsetsImportCommand {
  std::filesystem::path config;
  std::string file;
  bool force_identity = false;
  OffsetsChange change;
};
struct OffsetsAcceptLostDigestsCommand {
  std::filesystem::path config;
  bool yes = false;
};
// Which dead letters: empty for every one.
struct DeadLettersChoice {
  std::string stream;
  std::string reason;
  std::string from;  // RFC 3339
  std::string to;
};
struct DeadLettersListCommand {
  std::filesystem::path config;
  DeadLettersChoice choice;
  std::uint64_t max_records = 100;
  bool show_bytes = false;
  Output output = Output::kText;
};
struct DeadLettersRetryCommand {
  std::filesystem::path config;
  DeadLettersChoice choice;
  std::vector<std::string> keys;
  bool dry_run = false;
  bool yes = false;  // do not ask
  Output output = Output::kText;
};
using Command = std::variant<RunCommand, CheckCommand, SampleCommand, PlanCommand, VerifyCommand, ConfigShowCommand,
                             ConfigSchemaCommand, OffsetsGetCommand, OffsetsSetCommand, OffsetsResetCommand, OffsetsImportCommand,
                             OffsetsAcceptLostDigestsCommand, BackfillCommand, BackfillCancelCommand, BackfillListCommand,
                             DeadLettersListCommand, DeadLettersRetryCommand, StreamsListCommand, StreamsShowCommand>;

// The command line is answered already: --help and --version (exit 0, text for stdout), or a mistake (exit 2, text for stderr).
struct Answered {
  int exit_code = 0;
  std::string text;
};

std::variant<Command, Answered> parse(const std::vector<std::string>& arguments);

}  // namespace connector::cli
