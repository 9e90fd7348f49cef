#include "common/http/response_reader.h"

#include "tests/unit/common/http/gzip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <optional>

namespace common::http {
namespace {

struct Reading {
  std::optional<Error> error;
  Response response;
  bool done = false;
  bool reusable = false;
};

class ReaderTest : public testing::Test {
 protected:
  // Feeds the bytes in pieces of at most `step`, then the end of the connection.
  Reading read(std::string_view bytes, std::size_t step = 4096) {
    ResponseReader reader(method_, bounds_, storage_);
    Reading reading;
    while (!reader.done() && !bytes.empty()) {
      const auto space = reader.prepare();
      EXPECT_FALSE(space.empty());
      const auto size = std::min({step, space.size(), bytes.size()});
      std::memcpy(space.data(), bytes.data(), size);
      bytes.remove_prefix(size);
      if (auto committed = reader.commit(size); !committed) {
        reading.error = committed.error();
        return reading;
      }
    }
    reading.done = reader.done();
    if (auto finished = reader.finish_at_end(); !finished) {
      reading.error = finished.error();
      return reading;
    }
    reading.reusable = reader.reusable();
    reading.response = reader.take();
    return reading;
  }

  Method method_ = Method::kGet;
  ResponseReader::Bounds bounds_{.max_header_bytes = 4096, .max_body_bytes = 100'000};
  std::string storage_;
};

TEST_F(ReaderTest, ReadsABodyOfKnownLengthInAnyPieces) {
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-A: b\r\n\r\nhello world";

  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const auto reading = read(bytes, step);
    ASSERT_FALSE(reading.error) << reading.error->message;
    EXPECT_TRUE(reading.done);
    EXPECT_TRUE(reading.reusable);
    EXPECT_EQ(reading.response.status, 200);
    EXPECT_EQ(reading.response.body, "hello world");
    EXPECT_EQ(reading.response.wire_bytes, 11U);
    EXPECT_EQ(reading.response.headers.find("x-a"), "b");
    EXPECT_GE(reading.response.body.capacity() - reading.response.body.size(), kBodyPadding);
  }
}

TEST_F(ReaderTest, ReadsChunksInAnyPiecesAndDropsTheirTrailers) {
  const std::string bytes =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=\"1\"\r\nhello\r\n06\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n";

  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const auto reading = read(bytes, step);
    ASSERT_FALSE(reading.error) << step << ": " << reading.error->message;
    EXPECT_TRUE(reading.done);
    EXPECT_TRUE(reading.reusable);
    EXPECT_EQ(reading.response.body, "hello world");
    EXPECT_EQ(reading.response.wire_bytes, 11U);
    EXPECT_FALSE(reading.response.headers.find("X-Trailer"));
    EXPECT_GE(reading.response.body.capacity() - reading.response.body.size(), kBodyPadding);
  }
}

TEST_F(ReaderTest, AnEmptyChunkedBodyMayComeByteByByte) {
  const auto reading = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1);

  ASSERT_FALSE(reading.error) << reading.error->message;
  EXPECT_TRUE(reading.reusable);
  EXPECT_EQ(reading.response.body, "");
}

TEST_F(ReaderTest, UnpacksGzipWithLengthAndInChunks) {
  const std::string plain(50'000, 'x');
  const std::string packed = gzip(plain);
  const std::string size = std::to_string(packed.size());
  std::array<char, 16> hex{};
  std::snprintf(hex.data(), hex.size(), "%zx", packed.size());

  for (const auto& bytes : {"HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\nContent-Length: " + size + "\r\n\r\n" + packed,
                            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                std::string(hex.data()) + "\r\n" + packed + "\r\n0\r\n\r\n"}) {
    const auto reading = read(bytes, 13);
    ASSERT_FALSE(reading.error) << reading.error->message;
    EXPECT_TRUE(reading.response.body == plain);
    EXPECT_EQ(reading.response.wire_bytes, packed.size());
    EXPECT_GE(reading.response.body.capacity() - reading.response.body.size(), kBodyPadding);
  }
}

TEST_F(ReaderTest, ABodyWithoutLengthEndsWithTheConnection) {
  const auto reading = read("HTTP/1.0 200 OK\r\n\r\nhello", 3);

  ASSERT_FALSE(reading.error);
  EXPECT_FALSE(reading.done) << "only the end of the connection ends it";
  EXPECT_FALSE(reading.reusable);
  EXPECT_EQ(reading.response.body, "hello");
}

TEST_F(ReaderTest, InterimAnswersAreSkipped) {
  const auto reading = read(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: "
      "2\r\n\r\nok",
      9);

  ASSERT_FALSE(reading.error) << reading.error->message;
  EXPECT_EQ(reading.response.status, 201);
  EXPECT_FALSE(reading.response.headers.find("Link"));
  EXPECT_EQ(reading.response.body, "ok");
}

TEST_F(ReaderTest, InterimAnswersWithoutEndAreMalformed) {
  std::string bytes;
  for (int count = 0; count < 20; ++count) {
    bytes += "HTTP/1.1 102 Processing\r\n\r\n";
  }

  const auto reading = read(bytes);

  ASSERT_TRUE(reading.error);
  EXPECT_EQ(reading.error->code, ErrorCode::kMalformedResponse);
}

TEST_F(ReaderTest, SomeAnswersHaveNoBodyWhateverTheirHeader) {
  for (const std::string head : {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"}) {
    const auto reading = read(head);
    ASSERT_FALSE(reading.error);
    EXPECT_TRUE(reading.done);
    EXPECT_TRUE(reading.reusable);
    EXPECT_EQ(reading.response.body, "");
  }
  method_ = Method::kHead;
  const auto head = read("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Encoding: gzip\r\n\r\n");
  ASSERT_FALSE(head.error);
  EXPECT_TRUE(head.done);
  EXPECT_TRUE(head.reusable);
}

TEST_F(ReaderTest, ReusesTheStorageItIsGiven) {
  storage_.reserve(1000);
  ResponseReader reader(Method::kGet, bounds_, std::move(storage_));
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
  std::memcpy(reader.prepare().data(), head.data(), head.size());
  ASSERT_TRUE(reader.commit(head.size()));

  const auto direct = reader.prepare();
  ASSERT_EQ(direct.size(), 500U) << "from here the socket writes where the body stays";
  std::memset(direct.data(), 'x', direct.size());
  ASSERT_TRUE(reader.commit(direct.size()));

  const auto response = reader.take();
  EXPECT_EQ(response.body.data(), direct.data());
  EXPECT_EQ(response.body, std::string(500, 'x'));
}

TEST_F(ReaderTest, BytesBehindTheAnswerMakeTheConnectionUnusable) {
  for (const std::string bytes : {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", "HTTP/1.1 204 No Content\r\n\r\nX",
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"}) {
    const auto reading = read(bytes);
    ASSERT_FALSE(reading.error);
    EXPECT_FALSE(reading.reusable) << bytes;
  }
}

TEST_F(ReaderTest, ConnectionCloseAndHttp10AreNotReused) {
  EXPECT_FALSE(read("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").reusable);
  EXPECT_FALSE(read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").reusable);
  EXPECT_TRUE(read("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n").reusable);
}

struct BadAnswer {
  std::string name;
  std::string bytes;
  ErrorCode code;
};
class BadAnswers : public ReaderTest, public testing::WithParamInterface<BadAnswer> {};

TEST_P(BadAnswers, AreClassified) {
  for (const std::size_t step : {1UL, 10UL, 10'000UL}) {
    const auto reading = read(GetParam().bytes, step);
    ASSERT_TRUE(reading.error) << "in steps of " << step;
    EXPECT_EQ(to_string(reading.error->code), to_string(GetParam().code)) << reading.error->message;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, BadAnswers,
    testing::Values(
        BadAnswer{"Nothing", "", ErrorCode::kRetryable},
        BadAnswer{"HeaderCutShort", "HTTP/1.1 200 OK\r\nA: b", ErrorCode::kRetryable},
        BadAnswer{"BodyCutShort", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", ErrorCode::kRetryable},
        BadAnswer{"ChunkCutShort", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", ErrorCode::kRetryable},
        BadAnswer{"LastChunkMissing", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                  ErrorCode::kRetryable},
        BadAnswer{"BadChunkSize", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n", ErrorCode::kRetryable},
        BadAnswer{"ChunkLongerThanItSays", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
                  ErrorCode::kRetryable},
        BadAnswer{"EndlessChunkHeader", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(20'000, 'x'),
                  ErrorCode::kRetryable},
        BadAnswer{"NotHttp", "SSH-2.0-OpenSSH_9.2\r\n", ErrorCode::kMalformedResponse},
        BadAnswer{"BadStatus", "HTTP/1.1 2x0 OK\r\n\r\n", ErrorCode::kMalformedResponse},
        BadAnswer{"StatusBelow100", "HTTP/1.1 099 Low\r\n\r\n", ErrorCode::kMalformedResponse},
        BadAnswer{"Http2", "HTTP/2.0 200 OK\r\n\r\n", ErrorCode::kMalformedResponse},
        BadAnswer{"BadField", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", ErrorCode::kMalformedResponse},
        BadAnswer{"BadLength", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ErrorCode::kMalformedResponse},
        BadAnswer{"TwoLengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                  ErrorCode::kMalformedResponse},
        BadAnswer{"LengthAndChunks", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                  ErrorCode::kMalformedResponse},
        BadAnswer{"StrangeTransferEncoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
                  ErrorCode::kMalformedResponse},
        BadAnswer{"StrangeContentEncoding", "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
                  ErrorCode::kMalformedResponse},
        BadAnswer{"SwitchingProtocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrorCode::kMalformedResponse},
        BadAnswer{"HeaderTooLarge", "HTTP/1.1 200 OK\r\nA: " + std::string(5000, 'x') + "\r\n\r\n",
                  ErrorCode::kMalformedResponse},
        BadAnswer{"HeaderWithoutEnd", "HTTP/1.1 200 OK\r\n" + std::string(9000, 'x'), ErrorCode::kMalformedResponse},
        BadAnswer{"BadGzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
                  ErrorCode::kMalformedResponse},
        BadAnswer{"GzipCutShort",
                  "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" +
                      gzip(std::string(1000, 'x')).substr(0, 20),
                  ErrorCode::kMalformedResponse},
        BadAnswer{"LengthAboveTheBound", "HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n", ErrorCode::kOversize},
        BadAnswer{"AbsurdLength", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", ErrorCode::kOversize},
        BadAnswer{"ChunksAboveTheBound",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186A1\r\n" + std::string(100'001, 'x') + "\r\n0\r\n\r\n",
                  ErrorCode::kOversize},
        BadAnswer{"EndlessBody", "HTTP/1.1 200 OK\r\n\r\n" + std::string(100'001, 'x'), ErrorCode::kOversize},
        BadAnswer{"GzipBomb", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip(std::string(1'000'000, 'x')),
                  ErrorCode::kOversize}),
    [](const auto& info) { return info.param.name; });

TEST_F(ReaderTest, ManySmallFieldsCountTogether) {
  std::string bytes = "HTTP/1.1 200 OK\r\n";
  for (int count = 0; count < 1000; ++count) {
    bytes += "A: b\r\n";
  }

  const auto reading = read(bytes + "\r\n", 64);

  ASSERT_TRUE(reading.error);
  EXPECT_EQ(reading.error->code, ErrorCode::kMalformedResponse);
}

}  // namespace
}  // namespace common::http
