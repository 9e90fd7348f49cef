#pragma once

// A child process under a test's control: started, signalled, frozen and killed by its pid, its output kept in a file.
// Not a shell and not a pipeline. The kernel kills the child when the *thread* that started it ends, so start it from one that
// lives as long as the child shall (usually main). Not thread-safe.

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tests::support {

struct ProcessOptions {
  std::vector<std::string> arguments;              // the first is the program: a path, or a name on the PATH
  std::map<std::string, std::string> environment;  // added to our own, or in its place
  bool inherit_environment = true;
  std::filesystem::path output = "/dev/null";         // standard output, appended
  std::optional<std::filesystem::path> error_output;  // standard error, appended; unset: to `output`
  std::optional<std::filesystem::path> working_folder;
};

struct ExitStatus {
  std::optional<int> code;    // of a process that ended by itself
  std::optional<int> signal;  // that ended it
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

class Process final {
 public:
  // Throws std::system_error when the program cannot be started (also when exec fails).
  explicit Process(ProcessOptions options);
  ~Process();  // SIGKILL if it still runs, and reaped
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();
  // Nothing happens if it has ended already.
  void signal(int number);
  // Its status once it has ended, within `bound`; none if it still runs then.
  std::optional<ExitStatus> wait(std::chrono::milliseconds bound);
  // SIGKILL, and gone when this returns.
  ExitStatus kill();
  // SIGTERM, then SIGKILL after `grace`.
  ExitStatus terminate(std::chrono::milliseconds grace);

  // What it has written to `output` so far.
  [[nodiscard]] std::string output() const;
  // True once `text` stands in the output; false if the process ends without it, or after `bound`.
  [[nodiscard]] bool wait_for_output(std::string_view text, std::chrono::milliseconds bound);

 private:
  pid_t pid_ = -1;
  int handle_ = -1;  // a pidfd: readable when the process has ended, immune to pid reuse
  std::optional<ExitStatus> status_;
  std::filesystem::path output_;
};

// A new folder under the system's folder for temporary files, removed with all it holds at the end.
class TemporaryFolder final {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The whole of a file; empty if it cannot be read.
[[nodiscard]] std::string read_file(const std::filesystem::path& file);

}  // namespace tests::support
