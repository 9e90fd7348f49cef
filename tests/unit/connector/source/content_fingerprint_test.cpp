#include "connector/source/content_fingerprint.h"

#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

// The value is stored: a release that computes another one would warn everywhere of records that are published again.
TEST(ContentFingerprint, IsStable) {
  EXPECT_EQ(content_fingerprint({}), "1:7b9ffb79e13859453f4e1da6b83d702b");
  Definition definition;
  definition.job_only = {"/participants/*/attributes"};
  EXPECT_EQ(content_fingerprint(definition), "1:fc379aeca53b03b548687cce73c2795d");
}

TEST(ContentFingerprint, WhatDecidesAChangeCounts) {
  const std::string before = content_fingerprint(conversation_details());

  Definition other = conversation_details();
  other.digest_ignore.emplace_back("/lastUpdated");
  EXPECT_NE(content_fingerprint(other), before);
  other = conversation_details();
  other.job_only.emplace_back("/notes");
  EXPECT_NE(content_fingerprint(other), before);
  Definition swapped = conversation_details();
  swapped.digest_ignore = {"/a", "/b"};
  other.job_only = swapped.job_only;
  other.digest_ignore = {"/b", "/a"};
  EXPECT_EQ(content_fingerprint(other), content_fingerprint(swapped)) << "a set";
}

TEST(ContentFingerprint, WhichRecordsThereAreDoesNotCount) {
  Definition other = conversation_details();
  other.key = "/externalTag";
  other.query->request.path += "2";

  EXPECT_EQ(content_fingerprint(other), content_fingerprint(conversation_details()));
}

}  // namespace
}  // namespace connector::source
