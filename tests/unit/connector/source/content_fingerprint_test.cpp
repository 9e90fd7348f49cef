#include "connector/source/content_fingerprint.h"

#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

// The value is stored: a release that computes another one would warn everywhere of records that are published again.
TEST(ContentFingerprint, IsStable) {
  EXPECT_EQ(content_fingerprint({}, {}), "1:7b9ffb79e13859453f4e1da6b83d702b");
  Definition definition;
  definition.job_only = {"/participants/*/attributes"};
  EXPECT_EQ(content_fingerprint(definition, {}), "1:fc379aeca53b03b548687cce73c2795d");
}

TEST(ContentFingerprint, WhatDecidesAChangeCounts) {
  const std::string before = content_fingerprint(conversation_details(), {});

  Definition other = conversation_details();
  other.digest_ignore.emplace_back("/lastUpdated");
  EXPECT_NE(content_fingerprint(other, {}), before);
  other = conversation_details();
  other.job_only.emplace_back("/notes");
  EXPECT_NE(content_fingerprint(other, {}), before);
  Definition swapped = conversation_details();
  swapped.digest_ignore = {"/a", "/b"};
  other.job_only = swapped.job_only;
  other.digest_ignore = {"/b", "/a"};
  EXPECT_EQ(content_fingerprint(other, {}), content_fingerprint(swapped, {})) << "a set";
}

TEST(ContentFingerprint, WhichRecordsThereAreDoesNotCount) {
  Definition other = conversation_details();
  other.key = "/externalTag";
  other.query->request.path += "2";

  EXPECT_EQ(content_fingerprint(other, {}), content_fingerprint(conversation_details(), {}));
}

StreamOptions redacted(const std::string& key) {
  StreamOptions options;
  options.redaction = {.drop = {"/a", "/b"}, .hash = {"/c"}, .key = common::SecretSource::of_value(common::Secret(key))};
  return options;
}

// Stored as well: of streams with a projection or redaction.
TEST(ContentFingerprint, OfARedactionIsStable) {
  EXPECT_EQ(content_fingerprint({}, redacted("key of this test")), "1:faeb38d02b5a983528ff81393b25e84a");
}

TEST(ContentFingerprint, WhatRecordsAreMadeIntoCounts) {
  const std::string key = "key of this test";
  const std::string before = content_fingerprint({}, redacted(key));
  EXPECT_NE(before, content_fingerprint({}, {}));

  StreamOptions other = redacted(key);
  other.redaction.drop = {"/b", "/a"};
  EXPECT_EQ(content_fingerprint({}, other), before) << "a set";
  other.redaction.drop = {"/a"};
  EXPECT_NE(content_fingerprint({}, other), before);
  other = redacted(key);
  other.redaction.hash.emplace_back("/d");
  EXPECT_NE(content_fingerprint({}, other), before);
  EXPECT_NE(content_fingerprint({}, redacted("another key of it")), before) << "no hash would equal its former one";
  other = redacted(key);
  other.projection.fields = {{.name = "x", .from = "/x/*"}};
  const std::string flat = content_fingerprint({}, other);
  EXPECT_NE(flat, before);
  other.projection.fields[0].take = TakeValues::kFirst;
  EXPECT_NE(content_fingerprint({}, other), flat);

  other = redacted(key);
  other.redaction.hash.clear();
  StreamOptions without_key = other;
  without_key.redaction.key = {};
  EXPECT_EQ(content_fingerprint({}, other), content_fingerprint({}, without_key)) << "of no use";
}

}  // namespace
}  // namespace connector::source
