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
};
struct CheckCommand {
  std::filesystem::path config;
  bool offline = false;  // configuration only
  Output output = Output::kText;
};
struct SampleCommand {
  std::filesystem::path config;
  std::string stream;
  std::string from;  // RFC 3339; empty: the last hour
  std::string to;
  std::uint64_t max_records = 10;
};
struct PlanCommand {
  std::filesystem::path config;
  std::vector<std::string> records_per_day;  // a number, or STREAM=NUMBER
  std::string mean_duration = "10m";
  std::string job_duration = "2m";
  std::optional<std::filesystem::path> diff;  // the former configuration
  Output output = Output::kText;
};
struct ConfigShowCommand {
  std::filesystem::path config;
  Output output = Output::kText;
};
struct ConfigSchemaCommand {};
using Command = std::variant<RunCommand, CheckCommand, SampleCommand, PlanCommand, ConfigShowCommand, ConfigSchemaCommand>;

// The command line is answered already: --help and --version (exit 0, text for stdout), or a mistake (exit 2, text for stderr).
struct Answered {
  int exit_code = 0;
  std::string text;
};

std::variant<Command, Answered> parse(const std::vector<std::string>& arguments);

}  // namespace connector::cli
