#include "common/http/message.h"

#include <gtest/gtest.h>

namespace common::http {
namespace {

TEST(Headers, NamesCompareWithoutCaseAndTheFirstWins) {
  Headers headers{{"Content-Type", "text/plain"}, {"X-A", "1"}};
  headers.add("x-a", "2");

  EXPECT_EQ(headers.find("content-TYPE"), "text/plain");
  EXPECT_EQ(headers.find("X-a"), "1");
  EXPECT_FALSE(headers.find("X"));
}

struct UrlCase {
  std::string name;
  std::string url;
  Endpoint endpoint;
  std::string target;
};
class SplitsUrl : public testing::TestWithParam<UrlCase> {};

TEST_P(SplitsUrl, IntoEndpointAndTarget) {
  const auto split = split_url(GetParam().url);

  ASSERT_TRUE(split) << split.error().message;
  EXPECT_EQ(split->endpoint, GetParam().endpoint);
  EXPECT_EQ(split->target, GetParam().target);
}

INSTANTIATE_TEST_SUITE_P(
    Urls, SplitsUrl,
    testing::Values(UrlCase{"DefaultTlsPort", "https://api.example.com/v2?a=b", {true, "api.example.com", 443}, "/v2?a=b"},
                    UrlCase{"DefaultPort", "http://api.example.com", {false, "api.example.com", 80}, "/"},
                    UrlCase{"EmptyPort", "http://api.example.com:/", {false, "api.example.com", 80}, "/"},
                    UrlCase{"OwnPort", "http://localhost:8080/x", {false, "localhost", 8080}, "/x"},
                    UrlCase{"Ipv6", "https://[2001:db8::1]:8443/x", {true, "2001:db8::1", 8443}, "/x"},
                    UrlCase{"Ipv6DefaultPort", "http://[::1]/", {false, "::1", 80}, "/"},
                    UrlCase{"HostIsLowered", "HTTPS://API.Example.COM/Path", {true, "api.example.com", 443}, "/Path"},
                    UrlCase{"QueryWithoutPath", "http://h?q=1", {false, "h", 80}, "/?q=1"},
                    UrlCase{"ColonAndAtInTarget", "http://h/a:b@c", {false, "h", 80}, "/a:b@c"}),
    [](const auto& info) { return info.param.name; });

TEST(SplitUrl, RefusesWhatCannotBeRequested) {
  for (const std::string url : {"", "api.example.com", "ftp://x/", "://x", "http://", "http:///path", "http://h:0/",
                                "http://h:65536/", "http://h:8a/", "http://[::1/", "http://[::1]x/", "http://h/a#b",
                                "http://h/a b", "http://h/\r\nX: y", "http://h/\xC3\xA9", "http://h:80:80/"}) {
    const auto split = split_url(url);
    ASSERT_FALSE(split) << url;
    EXPECT_EQ(split.error().code, ErrorCode::kConfigInvalid);
  }
}

TEST(SplitUrl, NeverShowsThePasswordOfAUrl) {
  const auto split = split_url("https://user:hunter2@host/");

  ASSERT_FALSE(split);
  EXPECT_EQ(split.error().message.find("hunter2"), std::string::npos);
}

TEST(JoinUrl, JoinsWithOneSlashAndEncodesTheQuery) {
  EXPECT_EQ(join_url("https://h", "/a/b"), "https://h/a/b");
  EXPECT_EQ(join_url("https://h/", "a"), "https://h/a");
  EXPECT_EQ(join_url("https://h/base//", "/a"), "https://h/base/a");
  EXPECT_EQ(join_url("https://h/x", ""), "https://h/x");
  EXPECT_EQ(join_url("https://h/x", "", {{"q", "1"}}), "https://h/x?q=1");
  EXPECT_EQ(join_url("https://h", "/a", {{"id", "x y&z"}, {"ü", "=+"}}), "https://h/a?id=x%20y%26z&%C3%BC=%3D%2B");
  EXPECT_EQ(join_url("https://h", "/a?n=1", {{"m", "2"}}), "https://h/a?n=1&m=2");
}

TEST(PercentEncode, KeepsOnlyUnreservedCharacters) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("/?#[]@!$&'()*+,;= %"), "%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%20%25");
  EXPECT_EQ(percent_encode(std::string_view("\0\xFF", 2)), "%00%FF");
}

}  // namespace
}  // namespace common::http
