#include "connector/genesys/token_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace connector::genesys {
namespace {

using common::ErrorCode;
using common::Secret;
using testing::HasSubstr;

class TokenStoreTest : public testing::Test {
 protected:
  TokenStoreTest() {
    std::string name = testing::TempDir() + "token-store-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~TokenStoreTest() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& text) const { std::ofstream(folder_ / "token") << text; }

  std::filesystem::path folder_;
  TokenStore store() const { return TokenStore(folder_ / "token"); }
};

TEST_F(TokenStoreTest, IsEmptyAtFirst) {
  EXPECT_EQ(store().load().value(), std::nullopt);
}

TEST_F(TokenStoreTest, GivesBackTheNewestTokenAndLeavesNothingBesides) {
  ASSERT_TRUE(store().save(Secret("one")));
  ASSERT_TRUE(store().save(Secret("two \"quoted\"")));

  EXPECT_EQ(store().load().value(), Secret("two \"quoted\""));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

// G12: the file is what version 1 wrote; it is never edited.
TEST_F(TokenStoreTest, ReadsItsFixtureOfVersion1AndWritesItTheSame) {
  const auto fixture = std::filesystem::path(GK_STATE_FIXTURES) / "v1" / "refresh-token.json";
  const auto read = [](const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  };
  ASSERT_FALSE(read(fixture).empty());
  std::filesystem::copy_file(fixture, folder_ / "token");

  EXPECT_EQ(store().load().value(), Secret("invented-token-1"));
  ASSERT_TRUE(store().save(Secret("invented-token-1")));
  EXPECT_EQ(read(folder_ / "token"), read(fixture));
}

TEST_F(TokenStoreTest, IsReadableByItsOwnerOnly) {
  write("x");
  std::filesystem::permissions(folder_ / "token", std::filesystem::perms(0644));
  ASSERT_TRUE(store().save(Secret("one")));

  struct stat status{};
  ASSERT_EQ(::stat((folder_ / "token").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(TokenStoreTest, AFailedSaveSaysWhyAndKeepsTheOldToken) {
  ASSERT_TRUE(store().save(Secret("one")));

  const TokenStore elsewhere(folder_ / "missing" / "token");
  const auto saved = elsewhere.save(Secret("two"));

  ASSERT_FALSE(saved.has_value());
  EXPECT_THAT(saved.error().message, HasSubstr("missing/token"));
  EXPECT_EQ(store().load().value(), Secret("one"));
}

TEST_F(TokenStoreTest, ReplacingAFolderFailsAndLeavesNoFileBehind) {
  std::filesystem::create_directories(folder_ / "token" / "inside");

  EXPECT_FALSE(store().save(Secret("two")).has_value());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

struct DamagedCase {
  std::string name;
  std::string text;
  std::string says;
};
class DamagedTokenStore : public TokenStoreTest, public testing::WithParamInterface<DamagedCase> {};
TEST_P(DamagedTokenStore, IsRefusedWithTheRemedy) {
  write(GetParam().text);

  const auto loaded = store().load();

  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kStateRefused);
  EXPECT_THAT(loaded.error().message, HasSubstr(GetParam().says));
  EXPECT_THAT(loaded.error().message, HasSubstr("fresh refresh token"));
}
INSTANTIATE_TEST_SUITE_P(Kinds, DamagedTokenStore,
                         testing::Values(DamagedCase{"Empty", "", "damaged"},
                                         DamagedCase{"CutShort", R"({"v":1,"refresh)", "damaged"},
                                         DamagedCase{"NoToken", R"({"v":1})", "damaged"},
                                         DamagedCase{"NoVersion", R"({"refresh_token":"a"})", "damaged"},
                                         DamagedCase{"Newer", R"({"v":2,"refresh_token":"a"})", "newer version"}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace connector::genesys
