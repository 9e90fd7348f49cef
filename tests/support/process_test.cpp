#include "tests/support/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <system_error>

namespace tests::support {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Optional;

Process shell(const std::string& script, const std::filesystem::path& output = "/dev/null") {
  return Process({.arguments = {"sh", "-c", script}, .environment = {{"GREETING", "hello"}}, .output = output});
}

TEST(Process, TellsTheExitCode) {
  Process process = shell("exit 3");

  EXPECT_THAT(process.wait(seconds(30)), Optional(ExitStatus{.code = 3, .signal = std::nullopt}));
  EXPECT_FALSE(process.running());
}

TEST(Process, KeepsBothOutputsAndPassesTheEnvironment) {
  const TemporaryFolder folder;
  Process process = shell("echo \"$GREETING\"; echo world >&2", folder.path() / "out");

  ASSERT_TRUE(process.wait(seconds(30)));
  EXPECT_EQ(process.output(), "hello\nworld\n");
}

TEST(Process, WaitsForOutputWithinItsBound) {
  const TemporaryFolder folder;
  Process process = shell("echo ready; exec sleep 1000", folder.path() / "out");

  EXPECT_TRUE(process.wait_for_output("ready", seconds(30)));
  EXPECT_FALSE(process.wait_for_output("never said", milliseconds(50)));
  EXPECT_TRUE(process.running());
}

TEST(Process, StopsWaitingForOutputWhenItEnds) {
  const TemporaryFolder folder;
  Process process = shell("echo something else", folder.path() / "out");

  EXPECT_FALSE(process.wait_for_output("ready", std::chrono::hours(1)));
}

TEST(Process, KillEndsAProcessThatIgnoresTermination) {
  const TemporaryFolder folder;
  Process process = shell("trap '' TERM; echo armed; exec sleep 1000", folder.path() / "out");
  ASSERT_TRUE(process.wait_for_output("armed", seconds(30)));

  EXPECT_EQ(process.terminate(milliseconds(50)), (ExitStatus{.code = std::nullopt, .signal = SIGKILL}));
}

TEST(Process, IsKilledWithItsOwner) {
  pid_t pid = -1;
  {
    const Process process({.arguments = {"sleep", "1000"}});
    pid = process.pid();
    ASSERT_EQ(::kill(pid, 0), 0);
  }

  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(Process, ThrowsWhenTheProgramCannotBeStarted) {
  try {
    const Process process({.arguments = {"/nonexistent/program"}});
    FAIL() << "must throw";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/program"));
  }
}

}  // namespace
}  // namespace tests::support
