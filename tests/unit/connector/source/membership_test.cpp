#include "connector/source/membership.h"

#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

std::string fingerprint(const std::string& query) {
  StreamOptions options = conversations(true);
  options.query = common::json::parse(query).value().as_object();
  return membership_fingerprint(conversation_details(), options);
}

// The value is stored: a release that computes another one would refuse to start everywhere.
TEST(MembershipFingerprint, IsStable) {
  EXPECT_EQ(fingerprint("{}"), "1:5162b1f252e417a278f99bd1686eb3e6");
}

TEST(MembershipFingerprint, SpellingDoesNotCount) {
  EXPECT_EQ(fingerprint(R"({"a":{"x":1,"y":[2,3]},"b":4})"), fingerprint(R"({"b":4,"a":{"y":[2,3],"x":1}})"));
  EXPECT_EQ(fingerprint(R"({"order":"desc"})"), fingerprint("{}"));
}

TEST(MembershipFingerprint, WhatDecidesTheRecordsCounts) {
  EXPECT_NE(fingerprint(R"({"a":1})"), fingerprint(R"({"a":2})"));
  EXPECT_NE(fingerprint(R"({"a":[1,2]})"), fingerprint(R"({"a":[2,1]})"));
  Definition other = conversation_details();
  other.key = "/externalTag";
  EXPECT_NE(membership_fingerprint(other, conversations(true)), fingerprint("{}"));
  other = conversation_details();
  other.query->request.path += "2";
  EXPECT_NE(membership_fingerprint(other, conversations(true)), fingerprint("{}"));
}

TEST(MembershipFingerprint, LanesWindowsAndPageSizesDoNotCount) {
  StreamOptions options = conversations(false);
  options.page_size = 17;
  options.live.every = common::Duration{1};
  EXPECT_EQ(membership_fingerprint(conversation_details(), options), fingerprint("{}"));
}

}  // namespace
}  // namespace connector::source
