#include "connector/cli/exit_code.h"

#include <gtest/gtest.h>

namespace connector::cli {
namespace {

using enum common::ErrorCode;

TEST(ExitCode, FollowsTheKindOfError) {
  const auto code_of = [](common::ErrorCode code) { return exit_code_of({.code = code, .message = {}, .retry_after = {}}); };

  EXPECT_EQ(code_of(kConfigInvalid), 2);
  EXPECT_EQ(code_of(kStateRefused), 2);
  EXPECT_EQ(code_of(kCredentialsInvalid), 3);
  EXPECT_EQ(code_of(kPermissionDenied), 3);
  EXPECT_EQ(code_of(kFenced), 4);
  EXPECT_EQ(code_of(kTopicUnusable), 5);
  EXPECT_EQ(code_of(kCancelled), 7);
  EXPECT_EQ(code_of(kInternal), 1);
}

}  // namespace
}  // namespace connector::cli
