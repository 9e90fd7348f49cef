#include "common/json.h"
#include "connector/cli/verbs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

namespace connector::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kYaml = R"(name: acme
genesys:
  region: eu-central-1
  client_id: 3f2c1d40
  client_secret: not-used
  budget: {share: 0.5, max_requests_per_month: 100000}
kafka:
  bootstrap_servers: kafka-1:9092
  topics: {replication_factor: 3}
streams:
  conversations:
    definition: conversation-details
    start: now
    topic: {partitions: 12}
  calls:
    definition: conversation-details
    start: 2026-01-01T00:00:00Z
    live: off
)";

class Plan : public testing::Test {
 protected:
  int run(PlanCommand command) {
    command.config = "acme.yaml";
    out.str("");
    err.str("");
    return plan(command, {.environment = {},
                          .read_file = [this](const std::string& path) -> common::Result<std::string> {
                            const auto found = files.find(path);
                            if (found != files.end()) return found->second;
                            return common::fail(common::ErrorCode::kConfigInvalid, "no such file");
                          },
                          .out = out,
                          .err = err});
  }
  common::json::Value json() { return *common::json::parse(out.str()); }

  std::map<std::string, std::string> files{{"acme.yaml", std::string{kYaml}}};
  std::ostringstream out;
  std::ostringstream err;
};

TEST_F(Plan, SaysWhatIsAssumedWhatItCostsAndWhichTopicsAreMade) {
  ASSERT_EQ(run({.records_per_day = {"20000", "calls=500"}}), 0) << err.str();

  EXPECT_THAT(out.str(), HasSubstr("conversations 20000 records a day"));
  EXPECT_THAT(out.str(), HasSubstr("calls 500 records a day"));
  EXPECT_THAT(out.str(), HasSubstr("follow"));
  EXPECT_THAT(out.str(), HasSubstr("of max_requests_per_month (100000)"));
  EXPECT_THAT(out.str(), HasSubstr("150 a minute"));
  EXPECT_THAT(out.str(), HasSubstr("acme.conversations"));
  EXPECT_THAT(out.str(), HasSubstr("acme-dead-letters"));
  EXPECT_THAT(out.str(), HasSubstr("acme-progress"));
  EXPECT_THAT(out.str(), HasSubstr("acme-control"));
  EXPECT_THAT(out.str(), HasSubstr("beside what comes every day")) << "calls has history";
}

TEST_F(Plan, OfAStartBehindWhatTheServiceKeepsCountsWhatIsKept) {
  ASSERT_EQ(run({.records_per_day = {}, .output = Output::kJson}), 0) << err.str();
  EXPECT_THAT(err.str(), Not(HasSubstr("lies behind")));
  const auto catch_up = [&] { return json().at("budget").at("catch_up_requests").as_double(); };
  const double all = catch_up();

  std::string kept{kYaml};
  files["acme.yaml"] = kept.replace(kept.find("    live: off"), 13, "    live: off\n    retention: 10d");
  ASSERT_EQ(run({.records_per_day = {}, .output = Output::kJson}), 0);

  EXPECT_THAT(err.str(),
              HasSubstr("streams.calls.start (2026-01-01T00:00:00Z) lies behind what the service keeps, which is 10d"));
  EXPECT_LT(catch_up(), all / 3);
}

TEST_F(Plan, SaysWhetherTheMonthsRequestsSuffice) {
  ASSERT_EQ(run({.records_per_day = {}}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("of max_requests_per_month (100000): NOT ENOUGH, used up after "));
  ASSERT_EQ(run({.records_per_day = {}, .output = Output::kJson}), 0);
  EXPECT_EQ(json().at("budget").at("month_suffices"), false);

  auto& yaml = files["acme.yaml"];
  yaml.replace(yaml.find("100000"), 6, "100000000");
  ASSERT_EQ(run({.records_per_day = {}}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("(100000000): enough\n"));
  ASSERT_EQ(run({.records_per_day = {}, .output = Output::kJson}), 0);
  EXPECT_EQ(json().at("budget").at("month_suffices"), true);
  EXPECT_EQ(json().at("budget").at("month_suffices_with_catch_up"), true);

  yaml.replace(yaml.find(", max_requests_per_month: 100000000"), 35, "");
  ASSERT_EQ(run({.records_per_day = {}, .output = Output::kJson}), 0) << err.str();
  EXPECT_TRUE(json().at("budget").at("month_suffices").is_null());
}

TEST_F(Plan, IsAvailableToPrograms) {
  ASSERT_EQ(run({.records_per_day = {}, .output = Output::kJson}), 0) << err.str();

  const auto report = json().as_object();
  const auto& lanes = report.at("lanes").as_array();
  ASSERT_EQ(lanes.size(), 4U) << "live, follow and settle of the one, settle of the other";
  EXPECT_EQ(lanes[3].at("lane"), "settle");
  EXPECT_EQ(lanes[3].at("a_day").at("jobs").to_number<double>(), 3);
  EXPECT_GT(lanes[3].at("catch_up").at("jobs").to_number<double>(), 300);
  EXPECT_EQ(lanes[0].at("catch_up").at("requests").to_number<double>(), 0);
  const auto& topics = report.at("topics").as_array();
  ASSERT_EQ(topics.size(), 7U);
  EXPECT_EQ(topics[5].at("partitions"), 12);
  EXPECT_EQ(topics[5].at("replication_factor"), 3);
  EXPECT_EQ(topics[5].at("created_if_missing"), true);
}

// As the lane does: it waits for other ids half of `every` at most.
TEST_F(Plan, CountsARequestForEverySpanThatFollowGathersIds) {
  files["acme.yaml"].replace(files["acme.yaml"].find("    topic:"), 0, "    follow: {every: 10s}\n");

  ASSERT_EQ(run({.records_per_day = {"5000"}, .output = Output::kJson}), 0) << err.str();

  const auto follow = json().as_object().at("lanes").as_array().at(1);
  ASSERT_EQ(follow.at("lane"), "follow");
  EXPECT_GT(follow.at("a_day").at("requests").to_number<double>(), 86'400 / 5 * 0.9);
}

TEST_F(Plan, RefusesAssumptionsThatCannotBeMeant) {
  EXPECT_EQ(run({.records_per_day = {"many"}}), 2);
  EXPECT_THAT(err.str(), HasSubstr("--records-per-day many"));
  EXPECT_EQ(run({.records_per_day = {"cals=1"}}), 2);
  EXPECT_THAT(err.str(), HasSubstr("no such stream"));
  EXPECT_EQ(run({.records_per_day = {}, .mean_duration = "10"}), 2);
  EXPECT_THAT(err.str(), HasSubstr("--mean-duration"));
}

TEST_F(Plan, OfAListWhatIsAssumedIsWhatItHolds) {
  files["acme.yaml"].replace(files["acme.yaml"].find("streams:"), std::string::npos,
                             "streams:\n  queues: {definition: queues, start: now}\n");
  ASSERT_EQ(run({.records_per_day = {"3000"}, .output = Output::kJson}), 0) << err.str();

  const double requests = json().at("lanes").as_array().at(0).at("a_day").at("requests").to_number<double>();
  EXPECT_GE(requests, 24 * 6) << "six full pages an hour: " << out.str();
  EXPECT_LE(requests, 24 * 8) << out.str();
}

}  // namespace
}  // namespace connector::cli
