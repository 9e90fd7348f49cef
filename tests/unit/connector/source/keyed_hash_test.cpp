#include "connector/source/keyed_hash.h"

#include <gtest/gtest.h>
#include <string>

namespace connector::source {
namespace {

std::string hash_of(const std::string& key, std::string_view text) {
  std::string out = "before ";
  EXPECT_TRUE(KeyedHash(common::Secret(key)).append(text, out));
  return out.substr(std::string("before ").size());
}

// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
TEST(KeyedHash, IsHmacSha256) {
  EXPECT_EQ(hash_of(std::string(20, '\x0b'), "Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hash_of("Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hash_of(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(KeyedHash, OneAfterAnotherAreAsOneAlone) {
  KeyedHash hash(common::Secret("Jefe"));
  std::string first;
  std::string other;
  std::string again;

  ASSERT_TRUE(hash.append("what do ya want for nothing?", first));
  ASSERT_TRUE(hash.append("", other));
  ASSERT_TRUE(hash.append("what do ya want for nothing?", again));

  EXPECT_EQ(first, hash_of("Jefe", "what do ya want for nothing?"));
  EXPECT_EQ(again, first);
  EXPECT_EQ(other, hash_of("Jefe", ""));
  EXPECT_NE(other, first);
  EXPECT_EQ(other.size(), KeyedHash::kDigits);
}

}  // namespace
}  // namespace connector::source
