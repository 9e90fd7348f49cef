#include "common/http/proxy.h"

#include <gtest/gtest.h>

namespace common::http {
namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

struct BypassCase {
  std::string name;
  std::vector<std::string> no_proxy;
  std::string host;
  std::uint16_t port = 443;
  bool bypassed = false;
};
class NoProxy : public testing::TestWithParam<BypassCase> {};

TEST_P(NoProxy, IsReadAsCurlReadsIt) {
  ProxyOptions proxy;
  proxy.no_proxy = GetParam().no_proxy;

  EXPECT_EQ(bypasses_proxy(proxy, {.tls = true, .host = GetParam().host, .port = GetParam().port}), GetParam().bypassed);
}

INSTANTIATE_TEST_SUITE_P(Rules, NoProxy,
                         testing::Values(BypassCase{"EmptyList", {}, "api.x", 443, false},
                                         BypassCase{"Everything", {"*"}, "api.x", 443, true},
                                         BypassCase{"EverythingIp", {"*"}, "10.0.0.1", 443, true},
                                         BypassCase{"Host", {"other", "api.x"}, "api.x", 443, true},
                                         BypassCase{"CaseAndTrailingDots", {"API.X."}, "Api.x.", 443, true},
                                         BypassCase{"Subdomain", {"example.com"}, "api.example.com", 443, true},
                                         BypassCase{"LeadingDot", {".example.com"}, "api.example.com", 443, true},
                                         BypassCase{"LeadingDotMatchesTheDomain", {".example.com"}, "example.com", 443, true},
                                         BypassCase{"WildcardDot", {"*.example.com"}, "api.example.com", 443, true},
                                         BypassCase{"OnlyAtADot", {"example.com"}, "notexample.com", 443, false},
                                         BypassCase{"NotALongerName", {"api.example.com"}, "example.com", 443, false},
                                         BypassCase{"SamePort", {"api.x:8443"}, "api.x", 8443, true},
                                         BypassCase{"OtherPort", {"api.x:8443"}, "api.x", 443, false},
                                         BypassCase{"Address", {"10.0.0.1"}, "10.0.0.1", 443, true},
                                         BypassCase{"AddressIsNoSuffix", {"0.0.1"}, "10.0.0.1", 443, false},
                                         BypassCase{"Network", {"10.1.0.0/16"}, "10.1.200.3", 443, true},
                                         BypassCase{"OutsideNetwork", {"10.1.0.0/16"}, "10.2.0.1", 443, false},
                                         BypassCase{"NetworkWithHostBits", {"10.1.2.3/16"}, "10.1.0.1", 443, true},
                                         BypassCase{"WholeNetwork", {"0.0.0.0/0"}, "192.0.2.1", 443, true},
                                         BypassCase{"BrokenNetwork", {"10.1.0.0/33", "10.1.0.0/x"}, "10.1.0.1", 443, false},
                                         BypassCase{"NetworkIsNotForNames", {"0.0.0.0/0"}, "api.x", 443, false},
                                         BypassCase{"Ipv6", {"[::1]"}, "::1", 443, true},
                                         BypassCase{"Ipv6Bare", {"::1"}, "0:0::1", 443, true},
                                         BypassCase{"Ipv6Port", {"[::1]:8443"}, "::1", 443, false},
                                         BypassCase{"Ipv6Network", {"fd00::/8"}, "fd12::1", 443, true},
                                         BypassCase{"Ipv6OutsideNetwork", {"fd00::/8"}, "2001:db8::1", 443, false},
                                         BypassCase{"EmptyEntries", {"", "."}, "api.x", 443, false}),
                         [](const auto& info) { return info.param.name; });

TEST(ProxyFromEnvironment, NoneIsNamed) {
  const auto proxy = proxy_from_environment({{"PATH", "/bin"}, {"HTTPS_PROXY", ""}}, true);

  ASSERT_TRUE(proxy);
  EXPECT_FALSE(*proxy);
}

TEST(ProxyFromEnvironment, LowerCaseComesFirstAndTheOriginIsKept) {
  const Environment environment{{"HTTPS_PROXY", "http://upper:1"}, {"https_proxy", "http://lower:2"}, {"NO_PROXY", "a, .b\tc"}};

  const auto proxy = proxy_from_environment(environment, true);

  ASSERT_TRUE(proxy && *proxy);
  EXPECT_EQ((*proxy)->url, "http://lower:2");
  EXPECT_EQ((*proxy)->origin, "https_proxy");
  EXPECT_EQ((*proxy)->no_proxy, (std::vector<std::string>{"a", ".b", "c"}));
  EXPECT_FALSE((*proxy)->username);
}

TEST(ProxyFromEnvironment, CredentialsAreDecodedAndKeptOutOfTheUrl) {
  const auto proxy = proxy_from_environment({{"ALL_PROXY", "user%40corp:p%3Aw@proxy.corp:3128/"}}, true);

  ASSERT_TRUE(proxy && *proxy);
  EXPECT_EQ((*proxy)->url, "http://proxy.corp:3128");
  EXPECT_EQ((*proxy)->username, "user@corp");
  EXPECT_EQ((*proxy)->password.value().reveal(), "p:w");
}

TEST(ProxyFromEnvironment, HttpProxyIsIgnoredInACgiProgram) {
  const Environment environment{{"HTTP_PROXY", "http://evil:1"}, {"REQUEST_METHOD", "GET"}};

  EXPECT_FALSE(proxy_from_environment(environment, false).value());
  EXPECT_TRUE(proxy_from_environment({environment.front()}, false).value());
}

TEST(ProxyFromEnvironment, RefusesWhatItCannotUseWithoutShowingThePassword) {
  for (const std::string value : {"https://u:hunter2@proxy:1", "socks5://u:hunter2@proxy:1", "http://u:hunter2@proxy:x",
                                  "http://u:hunter2%4@proxy:1", "http://u:hunter2@", "http://u:hunter2@proxy:1/path"}) {
    const auto proxy = proxy_from_environment({{"https_proxy", value}}, true);
    ASSERT_FALSE(proxy) << value;
    EXPECT_EQ(proxy.error().code, ErrorCode::kConfigInvalid);
    EXPECT_EQ(proxy.error().message.find("hunter2"), std::string::npos) << proxy.error().message;
  }
}

TEST(BasicCredentials, AreEncoded) {
  EXPECT_EQ(basic_credentials("Aladdin", Secret("open sesame")), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");  // RFC 7617
  EXPECT_EQ(basic_credentials("a", Secret("")), "Basic YTo=");
}

}  // namespace
}  // namespace common::http
