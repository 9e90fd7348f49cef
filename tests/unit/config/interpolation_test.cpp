#include "config/interpolation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace config {
namespace {

using ::testing::HasSubstr;

common::Result<Interpolated> put_in(std::string_view text) {
  const std::map<std::string, std::string> environment{{"A", "one"}, {"B_2", "two"}, {"EMPTY", ""}, {"TRICK", "${env:A}"}};
  const ReadFile read_file = [](const std::string& path) -> common::Result<std::string> {
    const std::map<std::string, std::string> files{
        {"/s", "secret\n"}, {"/two-lines", "a\nb\n"}, {"/crlf", "x\r\n"}, {"/empty", "\n"}, {"/dir/s", "below"}};
    const auto found = files.find(path);
    return found == files.end() ? common::fail(common::ErrorCode::kConfigInvalid, "No such file")
                                : common::Result<std::string>(found->second);
  };
  return interpolate(text, environment, read_file, "/dir");
}

struct Good {
  std::string text;
  std::string expected;
};
class Interpolation : public ::testing::TestWithParam<Good> {};

TEST_P(Interpolation, PutsIn) {
  const auto result = put_in(GetParam().text);

  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->text, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(All, Interpolation,
                         ::testing::Values(Good{"plain", "plain"}, Good{"", ""}, Good{"${env:A}", "one"},
                                           Good{"<${env:A}-${env:B_2}>", "<one-two>"}, Good{"${env:NO:-else}", "else"},
                                           Good{"${env:EMPTY:-else}", "else"}, Good{"${env:EMPTY}", ""}, Good{"${env:NO:-}", ""},
                                           Good{"${file:/s}", "secret"}, Good{"${file:s}", "below"},
                                           Good{"${file:/two-lines}", "a\nb"}, Good{"${file:/crlf}", "x"},
                                           Good{"$${env:A}", "${env:A}"}, Good{"$$${env:A}", "$${env:A}"},
                                           Good{"5$ and $5", "5$ and $5"}, Good{"${env:TRICK}", "${env:A}"}));

struct Bad {
  std::string text;
  std::string part;
};
class RefusedInterpolation : public ::testing::TestWithParam<Bad> {};

TEST_P(RefusedInterpolation, SaysWhy) {
  const auto result = put_in(GetParam().text);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, common::ErrorCode::kConfigInvalid);
  EXPECT_THAT(result.error().message, HasSubstr(GetParam().part));
}

INSTANTIATE_TEST_SUITE_P(All, RefusedInterpolation,
                         ::testing::Values(Bad{"${env:NO}", "NO is not set"}, Bad{"${env:}", "no name"},
                                           Bad{"${env:A B}", "no name"}, Bad{"${env:1A}", "no name"}, Bad{"${A}", "unknown kind"},
                                           Bad{"${", "not closed"}, Bad{"${env:A", "not closed"},
                                           Bad{"${file:/none}", "/none cannot be read: No such file"},
                                           Bad{"${file:/empty}", "/empty is empty"}, Bad{"${file:}", "no path"}));

TEST(InterpolationOrigin, TellsAWholeFileFromAPartOfOne) {
  EXPECT_EQ(put_in("${file:/s}")->whole_file, "/s");
  EXPECT_FALSE(put_in("x${file:/s}")->whole_file.has_value());
  EXPECT_FALSE(put_in("${file:/s}x")->whole_file.has_value());
  EXPECT_TRUE(put_in("x${file:/s}")->from_file);
  EXPECT_FALSE(put_in("${env:A}")->from_file);
}

TEST(InterpolationOrigin, NamesWhereTheValueCameFrom) {
  EXPECT_EQ(put_in("${env:A}")->origin, "environment A");
  EXPECT_EQ(put_in("${env:NO:-x}")->origin, "default of environment NO");
  EXPECT_EQ(put_in("${env:A}:${file:/s}")->origin, "environment A, file /s");
  EXPECT_FALSE(put_in("$${x}")->changed);
}

}  // namespace
}  // namespace config
