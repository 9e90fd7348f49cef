#include "common/secret.h"

#include "common/log.h"
#include "tests/support/process.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace common {
namespace {

// No way into text but reveal(): neither a log field nor a string takes one.
static_assert(!std::constructible_from<LogValue, Secret>);
static_assert(!std::convertible_to<Secret, std::string>);
static_assert(!std::convertible_to<Secret, std::string_view>);

class SecretFile : public testing::Test {
 protected:
  void write(const std::string& text) { std::ofstream(path_, std::ios::binary | std::ios::trunc) << text; }

  tests::support::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "secret";
  SecretSource source_ = SecretSource::of_file(path_, Secret("first"));
};

TEST(Secret, IsMaskedInStreams) {
  std::ostringstream out;

  out << Secret("hunter2");

  EXPECT_EQ(out.str(), "***");
}

TEST(SecretSource, AValueInPlaceNeverChanges) {
  auto source = SecretSource::of_value(Secret("v"));

  const auto changed = source.refresh();

  ASSERT_TRUE(changed);
  EXPECT_FALSE(*changed);
  EXPECT_EQ(source.value().reveal(), "v");
  EXPECT_FALSE(source.file());
}

TEST_F(SecretFile, ARotatedFileIsReadAgain) {
  write("second\n");

  const auto changed = source_.refresh();

  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_TRUE(*changed);
  EXPECT_EQ(source_.value().reveal(), "second");
  EXPECT_FALSE(source_.refresh().value());
}

TEST_F(SecretFile, OnlyOneNewlineAtTheEndIsNotPartOfTheValue) {
  write(" a b \n\n");
  ASSERT_TRUE(source_.refresh());
  EXPECT_EQ(source_.value().reveal(), " a b \n");

  write("windows\r\n");
  ASSERT_TRUE(source_.refresh());
  EXPECT_EQ(source_.value().reveal(), "windows");
}

TEST_F(SecretFile, AnUnusableFileKeepsTheOldValueAndIsNamed) {
  for (const std::string& content : {std::string(), std::string("\n"), std::string(100'000, 'x')}) {
    write(content);

    const auto changed = source_.refresh();

    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().code, ErrorCode::kConfigInvalid);
    EXPECT_NE(changed.error().message.find(path_.string()), std::string::npos);
    EXPECT_EQ(source_.value().reveal(), "first");
  }
}

TEST_F(SecretFile, AMissingFileKeepsTheOldValue) {
  const auto changed = source_.refresh();

  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::kConfigInvalid);
  EXPECT_EQ(source_.value().reveal(), "first");
}

}  // namespace
}  // namespace common
