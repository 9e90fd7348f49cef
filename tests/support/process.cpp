#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// glibc 2.36 declares these without C linkage for C++.
extern "C" {
#include <sys/pidfd.h>
}

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

namespace tests::support {
namespace {

constexpr std::chrono::milliseconds kGlance{20};

[[noreturn]] void throw_errno(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

class Descriptor final {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }
  void reset() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_;
};

Descriptor open_for_append(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0) throw_errno(errno, "opening " + file.string());
  return Descriptor(descriptor);
}

std::vector<std::string> make_environment(const ProcessOptions& options) {
  std::map<std::string, std::string> merged = options.environment;
  if (options.inherit_environment) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view line(*entry);
      const std::size_t equals = line.find('=');
      if (equals != std::string_view::npos) merged.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
  }
  std::vector<std::string> lines;
  for (const auto& [name, value] : merged) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

struct ChildPlan {
  char* const* arguments;
  char* const* environment;
  int output;
  int error_output;
  int report;  // takes errno if the program cannot be started; closed by a successful exec
  const char* working_folder;
  pid_t parent;
};

// Between fork and exec: async-signal-safe calls only, since the parent may have threads.
[[noreturn]] void become(const ChildPlan& plan) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const bool prepared = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == plan.parent && input >= 0 &&
                        ::dup2(input, STDIN_FILENO) >= 0 && ::dup2(plan.output, STDOUT_FILENO) >= 0 &&
                        ::dup2(plan.error_output, STDERR_FILENO) >= 0 &&
                        (plan.working_folder == nullptr || ::chdir(plan.working_folder) == 0);
  if (prepared) ::execvpe(plan.arguments[0], plan.arguments, plan.environment);
  const int error = errno;
  const ssize_t written = ::write(plan.report, &error, sizeof error);
  ::_exit(written == sizeof error ? 127 : 126);
}

ExitStatus to_status(const siginfo_t& information) {
  if (information.si_code == CLD_EXITED) return {.code = information.si_status, .signal = std::nullopt};
  return {.code = std::nullopt, .signal = information.si_status};
}

}  // namespace

Process::Process(ProcessOptions options) : output_(options.output) {
  assert(!options.arguments.empty());
  const Descriptor output = open_for_append(options.output);
  const Descriptor error_output = open_for_append(options.error_output.value_or(options.output));
  std::vector<std::string> environment = make_environment(options);
  const std::vector<char*> argument_pointers = pointers(options.arguments);
  const std::vector<char*> environment_pointers = pointers(environment);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno(errno, "pipe");
  const Descriptor report_read(ends[0]);
  Descriptor report_write(ends[1]);
  const ChildPlan plan{.arguments = argument_pointers.data(),
                       .environment = environment_pointers.data(),
                       .output = output.get(),
                       .error_output = error_output.get(),
                       .report = report_write.get(),
                       .working_folder = options.working_folder ? options.working_folder->c_str() : nullptr,
                       .parent = ::getpid()};

  pid_ = ::fork();
  if (pid_ < 0) throw_errno(errno, "fork");
  if (pid_ == 0) become(plan);

  report_write.reset();
  int exec_error = 0;
  ssize_t count = 0;
  do {
    count = ::read(report_read.get(), &exec_error, sizeof exec_error);
  } while (count < 0 && errno == EINTR);
  if (count != 0) {
    ::waitpid(pid_, nullptr, 0);
    throw_errno(exec_error, "starting " + options.arguments.front());
  }
  handle_ = ::pidfd_open(pid_, 0);
  if (handle_ < 0) {
    const int error = errno;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    throw_errno(error, "pidfd_open");
  }
}

Process::~Process() {
  if (handle_ < 0) return;
  kill();
  ::close(handle_);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      handle_(std::exchange(other.handle_, -1)),
      status_(std::exchange(other.status_, std::nullopt)),
      output_(std::move(other.output_)) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(handle_, other.handle_);
  std::swap(status_, other.status_);
  std::swap(output_, other.output_);
  return *this;
}

bool Process::running() {
  return !wait(std::chrono::milliseconds(0)).has_value();
}

void Process::signal(int number) {
  // It cannot fail otherwise than by the process having ended: the handle is ours and so is the process.
  if (!status_) ::pidfd_send_signal(handle_, number, nullptr, 0);
}

std::optional<ExitStatus> Process::wait(std::chrono::milliseconds bound) {
  if (status_) return status_;
  const auto deadline = std::chrono::steady_clock::now() + bound;
  pollfd ended{.fd = handle_, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    ready = ::poll(&ended, 1, static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0)));
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) throw_errno(errno, "poll");
  if (ready == 0) return std::nullopt;
  siginfo_t information{};
  if (::waitid(P_PIDFD, static_cast<id_t>(handle_), &information, WEXITED) != 0) throw_errno(errno, "waitid");
  status_ = to_status(information);
  return status_;
}

ExitStatus Process::kill() {
  signal(SIGKILL);
  const std::optional<ExitStatus> status = wait(std::chrono::minutes(1));
  assert(status && "a killed process ends");
  return status.value_or(ExitStatus{});
}

ExitStatus Process::terminate(std::chrono::milliseconds grace) {
  signal(SIGTERM);
  if (const std::optional<ExitStatus> status = wait(grace)) return *status;
  return kill();
}

std::string Process::output() const {
  return read_file(output_);
}

bool Process::wait_for_output(std::string_view text, std::chrono::milliseconds bound) {
  const auto deadline = std::chrono::steady_clock::now() + bound;
  while (true) {
    const bool ended = wait(kGlance).has_value();  // looked at before the output, so that its last words count
    if (output().find(text) != std::string::npos) return true;
    if (ended || std::chrono::steady_clock::now() >= deadline) return false;
  }
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "genesys-kafka-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno(errno, "mkdtemp " + pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // nothing sensible can be done about a leftover here
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return std::move(text).str();
}

}  // namespace tests::support
