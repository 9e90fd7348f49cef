#include "connector/source/membership.h"

#include "tests/unit/connector/source/reader_fixture.h"

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

TEST(MembershipFingerprint, WhatStandsInTheUrlCounts) {
  Definition other = conversation_details();
  other.query->request.parameters = {{"state", "any"}};
  EXPECT_NE(membership_fingerprint(other, conversations(true)), fingerprint("{}"));

  StreamOptions filtered = conversations(true);
  filtered.query["state"] = "any";
  other = conversation_details();
  other.query->request.method = common::http::Method::kGet;
  const std::string in_url = membership_fingerprint(other, filtered);
  other.query->request.send_body = true;
  EXPECT_NE(membership_fingerprint(other, filtered), in_url) << "the same filters, and another place";
}

TEST(MembershipFingerprint, HowRecordsArePutTogetherCounts) {
  const CompositeRecords records{.each = {"/users/*/presence/*"}, .with = {"/users/*/userId"}, .as = "status", .list = {}};
  const auto of = [&](const auto& change) {
    Definition definition = conversation_details();
    definition.job.reset();
    definition.key = std::vector<KeyPart>{{"/userId"}, {"/status/start"}};
    CompositeRecords changed = records;
    change(definition, changed);
    definition.query->records = changed;
    return membership_fingerprint(definition, conversations(false));
  };
  std::set<std::string> different;
  different.insert(of([](Definition&, CompositeRecords&) {}));
  different.insert(of([](Definition&, CompositeRecords& changed) { changed.each.push_back("/users/*/routing/*"); }));
  different.insert(of([](Definition&, CompositeRecords& changed) { changed.with.clear(); }));
  different.insert(of([](Definition&, CompositeRecords& changed) { changed.as = "entry"; }));
  different.insert(of([](Definition&, CompositeRecords& changed) { changed.list = "list"; }));
  different.insert(of([](Definition& definition, CompositeRecords&) { definition.key = "/userId"; }));
  different.insert(of([](Definition& definition, CompositeRecords&) { definition.key = std::vector<KeyPart>{{"/userId"}}; }));
  different.insert(of([](Definition& definition, CompositeRecords&) {
    definition.key = std::vector<KeyPart>{{"/userId"}, {"/status/start", true}};
  }));

  EXPECT_EQ(different.size(), 8U);
  EXPECT_EQ(of([](Definition&, CompositeRecords&) {}), of([](Definition&, CompositeRecords&) {}));
}

TEST(MembershipFingerprint, HashesOfTheKeyCountAndNoOthers) {
  Definition definition = conversation_details();
  definition.key = std::vector<KeyPart>{{"/group"}, {"/interval"}};
  const auto of = [&](std::vector<std::string> hash, const char* key) {
    StreamOptions options = conversations(false);
    options.redaction = {.drop = {}, .hash = std::move(hash), .key = common::SecretSource::of_value(common::Secret(key))};
    return membership_fingerprint(definition, options);
  };
  const std::string plain = membership_fingerprint(definition, conversations(false));
  EXPECT_EQ(of({"/name"}, "one key of 16 bytes"), plain);
  const std::string hashed = of({"/group/ani", "/name"}, "one key of 16 bytes");
  EXPECT_NE(hashed, plain);
  EXPECT_EQ(of({"/name", "/group/ani"}, "one key of 16 bytes"), hashed);
  EXPECT_NE(of({"/group/ani", "/name"}, "two key of 16 bytes"), hashed) << "every record would have another key";
  EXPECT_NE(of({"/group", "/name"}, "one key of 16 bytes"), hashed);
  EXPECT_EQ(of({"/group/ani"}, "one key of 16 bytes"), hashed) << "the keys are what they were";
  EXPECT_EQ(of({"/group/ani", "/other/name", "/participants/*/name"}, "one key of 16 bytes"), hashed);
  EXPECT_NE(of({"/group/ani", "/*/name"}, "one key of 16 bytes"), hashed) << "it may lead into the group";
}

TEST(MembershipFingerprint, ATimeZoneCountsWhereItsBucketsBeginElsewhere) {
  Definition figures = conversation_details();
  figures.job.reset();
  figures.bucket = "/granularity";
  figures.time_zone = "/timeZone";
  const auto of = [&](core::Buckets buckets, std::string_view zone) {
    StreamOptions options = conversations(true);
    options.live.buckets = std::move(buckets);
    if (!zone.empty()) options.query["timeZone"] = zone;
    return membership_fingerprint(figures, options);
  };
  const auto berlin = common::TimeZone::find("Europe/Berlin");
  ASSERT_TRUE(berlin) << berlin.error().message;
  using std::chrono::hours;

  EXPECT_EQ(of(core::Buckets(hours{1}, *berlin), "Europe/Berlin"), of(core::Buckets(hours{1}), ""));
  EXPECT_NE(of(core::Buckets(hours{24}, *berlin), "Europe/Berlin"), of(core::Buckets(hours{24}), ""));
}

TEST(MembershipFingerprint, LanesWindowsAndPageSizesDoNotCount) {
  StreamOptions options = conversations(false);
  options.page_size = 17;
  options.live.every = common::Duration{1};
  EXPECT_EQ(membership_fingerprint(conversation_details(), options), fingerprint("{}"));
}

}  // namespace
}  // namespace connector::source
