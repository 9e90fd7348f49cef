// genesys-kafka: reads the command line, the environment and files; everything else is handed down.

#include "connector/cli/command.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/surroundings.h"
#include "connector/cli/verbs.h"

#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace {

using namespace connector;

std::map<std::string, std::string> read_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (const auto equals = text.find('='); equals != std::string::npos)
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

common::Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || file.bad())
    return common::fail(common::ErrorCode::kConfigInvalid, errno != 0 ? std::strerror(errno) : "not readable");
  return content;
}

std::optional<bool> confirm(const std::string& question) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) return std::nullopt;
  std::cerr << question << " [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

// Pages come and go by the megabyte. glibc would learn from the first one freed to take the others from its heaps, where the gaps
// between them stay with the process; and it would keep a heap for each of librdkafka's threads.
void bound_heaps() {
  constexpr int kMapFrom = 1 << 20;    // above a produce request (1,000,000 bytes), which is freed and taken again all the time
  constexpr int kKeepOnTop = 4 << 20;  // of them a few
  mallopt(M_MMAP_THRESHOLD, kMapFrom);
  mallopt(M_TRIM_THRESHOLD, kKeepOnTop);
  mallopt(M_ARENA_MAX, 2);
}

int dispatch(const cli::Command& command, const cli::Surroundings& surroundings) {
  return std::visit(
      [&surroundings]<class Verb>(const Verb& verb) {
        if constexpr (std::is_same_v<Verb, cli::RunCommand>) return cli::run(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::CheckCommand>) return cli::check(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::SampleCommand>) return cli::sample(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::StreamsListCommand>) return cli::streams_list(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::StreamsShowCommand>) return cli::streams_show(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::OffsetsGetCommand>) return cli::offsets_get(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::OffsetsSetCommand>) return cli::offsets_set(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::OffsetsResetCommand>) return cli::offsets_reset(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::OffsetsImportCommand>) return cli::offsets_import(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::OffsetsAcceptLostDigestsCommand>)
          return cli::offsets_accept_lost_digests(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::PlanCommand>) return cli::plan(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::VerifyCommand>) return cli::verify(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::BackfillCommand>) return cli::backfill(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::BackfillCancelCommand>) return cli::backfill_cancel(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::BackfillListCommand>) return cli::backfill_list(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::DeadLettersListCommand>) return cli::dead_letters_list(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::DeadLettersRetryCommand>) return cli::dead_letters_retry(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::ConfigShowCommand>) return cli::config_show(verb, surroundings);
        if constexpr (std::is_same_v<Verb, cli::ConfigSchemaCommand>) return cli::config_schema(verb, surroundings);
      },
      command);
}

}  // namespace

int main(int argc, char** argv) {
  bound_heaps();
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe or socket is an error value, not an end
  try {
    const auto parsed = cli::parse({argv + 1, argv + argc});
    if (const auto* answered = std::get_if<cli::Answered>(&parsed)) {
      (answered->exit_code == cli::kDone ? std::cout : std::cerr) << answered->text;
      return answered->exit_code;
    }
    return dispatch(std::get<cli::Command>(parsed), {.environment = read_environment(),
                                                     .read_file = read_file,
                                                     .confirm = confirm,
                                                     .out = std::cout,
                                                     .err = std::cerr,
                                                     .terminal = isatty(STDERR_FILENO) != 0});
  } catch (const std::exception& exception) {
    std::cerr << "internal error: " << exception.what() << "\n";
    return cli::kInternalError;
  }
}
