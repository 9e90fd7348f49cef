#include "connector/genesys/access_check.h"

#include "tests/unit/connector/genesys/genesys_fixture.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace connector::genesys {
namespace {

using common::ErrorCode;
using common::http::Method;
using testing::HasSubstr;
using namespace std::chrono_literals;

class AccessCheckTest : public GenesysFixture {
 protected:
  std::vector<CheckItem> check() {
    api_.emplace(options_, http_, clock_, metrics_, logger_, 1);
    std::vector<StreamProbe> probes(1);
    probes[0].stream = core::StreamName("conversations");
    probes[0].permissions = {"analytics:conversationDetail:view", "analytics:agentConversationDetail:view"};
    probes[0].request.source = {probes[0].stream, core::Lane::kLive};
    probes[0].request.method = Method::kPost;
    probes[0].request.path = "/api/v2/analytics/conversations/details/query";
    probes[0].request.body = "{}";
    return run(check_access(*api_, std::move(probes)));
  }
  static const CheckItem* find(const std::vector<CheckItem>& items, const std::string& subject) {
    for (const CheckItem& item : items) {
      if (item.subject == subject) {
        return &item;
      }
    }
    return nullptr;
  }
  void give_organization() { http_.expect(Method::kGet, "/organizations/me").returns(200, R"({"id":"org-1","name":"Acme"})"); }
  void give_token_info(const std::string& state) {
    http_.expect(Method::kGet, "/tokens/me")
        .returns(200,
                 R"({"OAuthClient":{"id":"client-1","name":"connector","authorizedGrantType":"CLIENT-CREDENTIALS","state":")" +
                     state + R"("}})");
  }

  std::optional<GenesysApi> api_;
};

TEST_F(AccessCheckTest, AsksAServiceThatTellsNothingOfItselfForItsStreamsAlone) {
  options_.organization_id = "desk-example";
  give_tokens();
  http_.expect(Method::kPost, "/details/query").returns(200, "{}");

  const auto items = check();

  EXPECT_EQ(find(items, "token")->status, CheckStatus::kProven);
  EXPECT_EQ(find(items, "stream conversations")->status, CheckStatus::kProven);
  EXPECT_EQ(find(items, "client"), nullptr);
  EXPECT_EQ(find(items, "divisions"), nullptr);
  EXPECT_EQ(api_requests().size(), 1U);
}

TEST_F(AccessCheckTest, ProvesTokenOrganisationAndStreamsAndSaysWhatItCannotProve) {
  give_tokens();
  give_organization();
  give_token_info("active");
  http_.expect(Method::kPost, "/details/query").returns(200, R"({"totalHits":0})");

  const auto items = check();

  EXPECT_EQ(find(items, "token")->status, CheckStatus::kProven);
  EXPECT_THAT(find(items, "organisation")->detail, HasSubstr("Acme (org-1)"));
  EXPECT_EQ(find(items, "client")->status, CheckStatus::kProven);
  EXPECT_EQ(find(items, "stream conversations")->status, CheckStatus::kProven);
  EXPECT_EQ(find(items, "divisions")->status, CheckStatus::kNotProvable);
}

TEST_F(AccessCheckTest, AWrongSecretEndsItWithTheClientIdNamed) {
  expect_token().returns(401, R"({"error":"invalid_client"})");

  const auto items = check();

  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].status, CheckStatus::kFailed);
  EXPECT_EQ(items[0].code, ErrorCode::kCredentialsInvalid);
  EXPECT_THAT(items[0].detail, HasSubstr("client-1"));
}

TEST_F(AccessCheckTest, AMissingPermissionIsNamedForItsStream) {
  give_tokens();
  give_organization();
  give_token_info("active");
  http_.expect(Method::kPost, "/details/query")
      .returns(403, R"({"message":"missing","code":"missing.permissions","contextId":"c"})");

  const auto items = check();

  const CheckItem* stream = find(items, "stream conversations");
  EXPECT_EQ(stream->status, CheckStatus::kFailed);
  EXPECT_EQ(stream->code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(stream->detail, HasSubstr("needed is analytics:conversationDetail:view or analytics:agentConversationDetail:view"));
}

TEST_F(AccessCheckTest, AnInactiveClientIsSaid) {
  give_tokens();
  give_organization();
  give_token_info("disabled");
  http_.expect(Method::kPost, "/details/query").returns(200, "{}");

  const auto items = check();

  EXPECT_EQ(find(items, "client")->status, CheckStatus::kFailed);
  EXPECT_THAT(find(items, "client")->detail, HasSubstr("disabled"));
}

TEST_F(AccessCheckTest, ATokenInfoThatIsNotOfferedDoesNotFailTheCheck) {
  give_tokens();
  give_organization();
  http_.expect(Method::kGet, "/tokens/me").returns(404);
  http_.expect(Method::kPost, "/details/query").returns(200, "{}");

  const auto items = check();

  EXPECT_EQ(find(items, "client")->status, CheckStatus::kNotProvable);
  EXPECT_EQ(find(items, "stream conversations")->status, CheckStatus::kProven);
}

}  // namespace
}  // namespace connector::genesys
