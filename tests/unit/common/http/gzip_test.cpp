#include "common/http/gzip.h"

#include "common/http/message.h"
#include "tests/unit/common/http/gzip.h"

#include <gtest/gtest.h>

namespace common::http {
namespace {

std::string patterned(std::size_t size) {
  std::string text;
  text.reserve(size + 16);
  for (std::size_t number = 0; text.size() < size; ++number) {
    text += std::to_string(number * 7919) + ',';
  }
  text.resize(size);
  return text;
}

// The whole body in pieces of `step` bytes.
Result<std::string> unpack(std::string_view packed, std::size_t max_bytes, std::size_t step = 1000, std::string storage = {}) {
  GzipDecoder decoder(storage, max_bytes);
  while (!packed.empty()) {
    if (auto written = decoder.write(packed.substr(0, step)); !written) {
      return fail(written.error());
    }
    packed.remove_prefix(std::min(step, packed.size()));
  }
  if (auto finished = decoder.finish(); !finished) {
    return fail(finished.error());
  }
  return storage;
}

TEST(Gzip, UnpacksWhateverTheSizesOfItsPieces) {
  const std::string plain = patterned(1'000'000);
  const std::string packed = gzip(plain);

  for (const std::size_t step : {1UL, 7UL, 1000UL, packed.size()}) {
    const auto unpacked = unpack(packed, plain.size(), step);
    ASSERT_TRUE(unpacked) << unpacked.error().message;
    EXPECT_TRUE(*unpacked == plain) << "in steps of " << step;
  }
}

TEST(Gzip, UsesTheStorageItIsGiven) {
  const std::string plain = patterned(500'000);
  std::string storage;
  storage.reserve(plain.size() + 1 + kBodyPadding);
  const auto* before = storage.data();

  GzipDecoder decoder(storage, 1UL << 30U);
  ASSERT_TRUE(decoder.write(gzip(plain)));
  ASSERT_TRUE(decoder.finish());

  EXPECT_EQ(storage.data(), before);
  EXPECT_TRUE(storage == plain);
}

TEST(Gzip, ABombStopsAtTheBound) {
  const std::string bomb = gzip(std::string(50'000'000, '\0'));
  ASSERT_LT(bomb.size(), 100'000U);
  std::string storage;
  GzipDecoder decoder(storage, 100'000);

  const auto written = decoder.write(bomb);

  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kOversize);
  EXPECT_LE(storage.capacity(), 1'000'000U);
}

TEST(Gzip, TheBoundItselfIsAllowed) {
  const std::string plain = patterned(100'000);

  EXPECT_TRUE(unpack(gzip(plain), plain.size()));
  EXPECT_EQ(unpack(gzip(plain), plain.size() - 1).error().code, ErrorCode::kOversize);
}

TEST(Gzip, ATruncatedBodyIsMalformed) {
  const std::string packed = gzip(patterned(10'000));
  for (const std::size_t missing : {1UL, 8UL, packed.size() - 1}) {
    const auto unpacked = unpack(packed.substr(0, packed.size() - missing), 1UL << 20U);
    ASSERT_FALSE(unpacked) << missing;
    EXPECT_EQ(unpacked.error().code, ErrorCode::kMalformedResponse);
  }
}

TEST(Gzip, BytesBehindTheLastMemberAreMalformed) {
  const auto unpacked = unpack(gzip("hello") + "garbage", 1000);

  ASSERT_FALSE(unpacked);
  EXPECT_EQ(unpacked.error().code, ErrorCode::kMalformedResponse);
}

TEST(Gzip, SeveralMembersAreOneBody) {
  for (const std::size_t step : {1UL, 1000UL}) {
    const auto unpacked = unpack(gzip("one,") + gzip("") + gzip("two"), 1000, step);
    ASSERT_TRUE(unpacked) << unpacked.error().message;
    EXPECT_EQ(*unpacked, "one,two");
  }
}

TEST(Gzip, ADamagedBodyIsMalformed) {
  std::string packed = gzip(patterned(10'000));
  packed[packed.size() - 5] ^= 0x20;  // in the checksum

  const auto unpacked = unpack(packed, 1UL << 20U);

  ASSERT_FALSE(unpacked);
  EXPECT_EQ(unpacked.error().code, ErrorCode::kMalformedResponse);
  EXPECT_EQ(unpack("not gzip at all", 1000).error().code, ErrorCode::kMalformedResponse);
}

TEST(Gzip, NothingIsAnEmptyBody) {
  EXPECT_EQ(unpack("", 1000).value(), "");
  EXPECT_EQ(unpack(gzip(""), 1000).value(), "");
}

}  // namespace
}  // namespace common::http
