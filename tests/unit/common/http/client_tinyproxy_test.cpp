#include "tests/support/process.h"
#include "tests/unit/common/http/client_fixture.h"

#include <fstream>

namespace common::http {
namespace {

using tests::support::ReceivedRequest;
using tests::support::Reply;
using tests::support::ScriptedServer;
using namespace std::chrono_literals;

// A port that was free a moment ago: tinyproxy cannot pick one itself.
std::uint16_t free_port() {
  const ScriptedServer probe({}, [](const ReceivedRequest&) { return Reply{}; });
  return probe.port();
}

// A proxy nobody here wrote, in front of a scripted server.
class TinyproxyClient : public ClientTest {
 protected:
  TinyproxyClient() { options_.tls.ca_file = authority().ca_file(); }

  void start_proxy(const std::string& rules) {
    const auto port = free_port();
    const auto configuration = folder_.path() / "tinyproxy.conf";
    std::ofstream(configuration) << "Port " << port << "\nListen 127.0.0.1\nTimeout 60\nMaxClients 10\n" << rules << '\n';
    process_.emplace(tests::support::ProcessOptions{.arguments = {"tinyproxy", "-d", "-c", configuration.string()},
                                                    .output = folder_.path() / "log"});
    ASSERT_TRUE(process_->wait_for_output("Accepting connections", 10s)) << process_->output();
    options_.proxy = ProxyOptions{.url = "http://127.0.0.1:" + std::to_string(port), .origin = "test"};
  }

  tests::support::TemporaryFolder folder_;
  std::optional<tests::support::Process> process_;
};

TEST_F(TinyproxyClient, CarriesHttpsAndHttp) {
  ScriptedServer secure(tls_server(), [](const ReceivedRequest& request) { return Reply{.body = "secure " + request.target}; });
  ScriptedServer plain({}, [](const ReceivedRequest& request) { return Reply{.body = "plain " + request.target}; });
  start_proxy("ConnectPort " + std::to_string(secure.port()));

  EXPECT_THAT(fetch(by_name(secure) + "/a"), Answers(200, "secure /a"));
  EXPECT_THAT(fetch(plain.url() + "/b?c=d"), Answers(200, "plain /b?c=d"));
}

TEST_F(TinyproxyClient, ChecksCredentials) {
  ScriptedServer secure(tls_server(), [](const ReceivedRequest&) { return Reply{.body = "through"}; });
  start_proxy("BasicAuth user hunter2\nConnectPort " + std::to_string(secure.port()));

  EXPECT_THAT(fetch(by_name(secure)), FailsWith(ErrorCode::kConfigInvalid, "set the proxy's user name and password"));

  options_.proxy->username = "user";
  options_.proxy->password = SecretSource::of_value(Secret("hunter2"));
  forget_client();
  EXPECT_THAT(fetch(by_name(secure)), Answers(200, "through"));
}

TEST_F(TinyproxyClient, RefusesAPortThatIsNotAllowed) {
  ScriptedServer secure(tls_server(), [](const ReceivedRequest&) { return Reply{}; });
  start_proxy("ConnectPort 443");

  EXPECT_THAT(fetch(by_name(secure)), FailsWith(ErrorCode::kConfigInvalid, "allow the host and port"));
}

}  // namespace
}  // namespace common::http
