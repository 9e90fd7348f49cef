#include "connector/cli/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace connector::cli {
namespace {

using testing::HasSubstr;

template <class Verb>
Verb parsed(const std::vector<std::string>& arguments) {
  return std::get<Verb>(std::get<Command>(parse(arguments)));
}

TEST(Parse, ReadsEveryVerbWithItsOptions) {
  EXPECT_EQ(parsed<RunCommand>({"run", "--config", "a.yaml"}).config, "a.yaml");

  const auto check = parsed<CheckCommand>({"check", "-c", "a.yaml", "--offline", "--output", "json"});
  EXPECT_TRUE(check.offline);
  EXPECT_EQ(check.output, Output::kJson);

  const auto sample =
      parsed<SampleCommand>({"sample", "calls", "-c", "a.yaml", "--from", "2026-01-01T00:00:00Z", "--max-records", "3"});
  EXPECT_EQ(sample.stream, "calls");
  EXPECT_EQ(sample.from, "2026-01-01T00:00:00Z");
  EXPECT_EQ(sample.max_records, 3U);

  const auto plan = parsed<PlanCommand>({"plan", "-c", "a.yaml", "--records-per-day", "5", "--records-per-day", "calls=7"});
  EXPECT_EQ(plan.records_per_day, (std::vector<std::string>{"5", "calls=7"}));
  EXPECT_FALSE(plan.diff);
  EXPECT_EQ(parsed<PlanCommand>({"plan", "-c", "a.yaml", "--diff", "old.yaml"}).diff, "old.yaml");
  const auto verify = parsed<VerifyCommand>({"verify", "calls", "-c", "a.yaml", "--from", "2026-01-01T00:00:00Z", "--to",
                                             "2026-01-02T00:00:00Z", "--form", "query", "--repair", "--yes"});
  EXPECT_EQ(verify.stream, "calls");
  EXPECT_EQ(verify.to, "2026-01-02T00:00:00Z");
  EXPECT_EQ(verify.form, VerifyForm::kQuery);
  EXPECT_TRUE(verify.repair && verify.yes);

  EXPECT_EQ(parsed<ConfigShowCommand>({"config", "show", "-c", "a.yaml"}).output, Output::kText);
  EXPECT_NO_THROW(parsed<ConfigSchemaCommand>({"config", "schema"}));
}

TEST(Parse, ReadsTheVerbsAboutDefinitions) {
  EXPECT_TRUE(parsed<StreamsListCommand>({"streams", "list"}).config.empty());
  EXPECT_EQ(parsed<StreamsListCommand>({"streams", "list", "-c", "a.yaml", "-o", "json"}).config, "a.yaml");
  const auto show = parsed<StreamsShowCommand>({"streams", "show", "agent-status"});
  EXPECT_EQ(show.name, "agent-status");
  EXPECT_TRUE(show.config.empty());

  const auto saved = parsed<SampleCommand>({"sample", "agent-status", "--against", "a.json", "--form", "by_id"});
  EXPECT_EQ(saved.against, "a.json");
  EXPECT_EQ(saved.form, SavedForm::kById);
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"sample", "calls"}, std::vector<std::string>{"sample", "calls", "-c", "a.yaml", "--form", "job"},
        std::vector<std::string>{"sample", "calls", "--against", "a.json", "--from", "2026-01-01T00:00:00Z"},
        std::vector<std::string>{"streams"}, std::vector<std::string>{"streams", "show"}}) {
    EXPECT_EQ(std::get<Answered>(parse(wrong)).exit_code, 2) << wrong.back();
  }
}

TEST(Parse, ReadsTheBackfillVerbs) {
  const auto ask = parsed<BackfillCommand>({"backfill", "calls", "-c", "a.yaml", "--from", "2026-01-01T00:00:00Z", "--to",
                                            "2026-02-01T00:00:00Z", "--parallel", "4", "--weight", "0.5", "--detach"});
  EXPECT_EQ(ask.stream, "calls");
  EXPECT_EQ(ask.parallel, 4U);
  EXPECT_EQ(ask.weight, 0.5);
  EXPECT_TRUE(ask.detach);
  EXPECT_FALSE(ask.here);
  EXPECT_EQ(parsed<BackfillCancelCommand>({"backfill", "cancel", "calls", "-c", "a.yaml"}).stream, "calls");
  EXPECT_EQ(parsed<BackfillListCommand>({"backfill", "list", "-c", "a.yaml", "-o", "json"}).output, Output::kJson);
  EXPECT_TRUE(parsed<RunCommand>({"run", "-c", "a.yaml", "--until-complete"}).until_complete);
}

TEST(Parse, ABackfillNeedsItsRangeAndItsStream) {
  const std::vector<std::string> whole{
      "backfill", "calls", "-c", "a.yaml", "--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z"};
  for (const std::vector<std::string>& less :
       {std::vector<std::string>(whole.begin(), whole.end() - 2), std::vector<std::string>{"backfill", "calls", "-c", "a.yaml"},
        std::vector<std::string>{"backfill", "-c", "a.yaml"}, std::vector<std::string>{"backfill", "cancel", "-c", "a.yaml"}}) {
    const auto answered = std::get<Answered>(parse(less));
    EXPECT_EQ(answered.exit_code, 2);
    EXPECT_THAT(answered.text, HasSubstr("required"));
  }
  auto both = whole;
  both.insert(both.end(), {"--detach", "--here"});
  EXPECT_EQ(std::get<Answered>(parse(both)).exit_code, 2);
  auto many = whole;
  many.insert(many.end(), {"--parallel", "17"});
  EXPECT_EQ(std::get<Answered>(parse(many)).exit_code, 2);
}

TEST(Parse, ReadsTheOffsetsVerbs) {
  const auto get = parsed<OffsetsGetCommand>({"offsets", "get", "-c", "a.yaml", "--stream", "calls", "--lane", "live"});
  EXPECT_EQ(get.stream, "calls");
  EXPECT_EQ(get.lane, "live");
  EXPECT_EQ(get.output, Output::kText);
  EXPECT_EQ(parsed<OffsetsGetCommand>({"offsets", "export", "-c", "a.yaml"}).output, Output::kJson);

  const auto set = parsed<OffsetsSetCommand>(
      {"offsets", "set", "calls", "-c", "a.yaml", "--lane", "settle", "--complete-until", "2026-01-01T00:00:00Z", "--dry-run"});
  EXPECT_EQ(set.stream, "calls");
  EXPECT_EQ(set.complete_until, "2026-01-01T00:00:00Z");
  EXPECT_TRUE(set.change.dry_run);
  EXPECT_FALSE(set.change.yes);

  const auto reset = parsed<OffsetsResetCommand>({"offsets", "reset", "calls", "-c", "a.yaml", "--yes", "-o", "json"});
  EXPECT_TRUE(reset.lane.empty());
  EXPECT_TRUE(reset.change.yes);
  EXPECT_EQ(reset.change.output, Output::kJson);

  const auto import = parsed<OffsetsImportCommand>({"offsets", "import", "a.json", "-c", "a.yaml", "--force-identity"});
  EXPECT_EQ(import.file, "a.json");
  EXPECT_TRUE(import.force_identity);

  EXPECT_TRUE(parsed<OffsetsAcceptLostDigestsCommand>({"offsets", "accept-lost-digests", "-c", "a.yaml", "-y"}).yes);
}

TEST(Parse, ReadsTheDeadLettersVerbs) {
  const auto list = parsed<DeadLettersListCommand>({"dead-letters", "list", "-c", "a.yaml", "--stream", "calls", "--reason",
                                                    "oversize", "--from", "2026-01-01T00:00:00Z", "--max-records", "5"});
  EXPECT_EQ(list.choice.stream, "calls");
  EXPECT_EQ(list.choice.reason, "oversize");
  EXPECT_EQ(list.choice.from, "2026-01-01T00:00:00Z");
  EXPECT_EQ(list.max_records, 5U);
  EXPECT_FALSE(list.show_bytes);
  EXPECT_TRUE(parsed<DeadLettersListCommand>({"dead-letters", "list", "-c", "a.yaml", "--show-bytes"}).show_bytes);

  const auto retry = parsed<DeadLettersRetryCommand>(
      {"dead-letters", "retry", "-c", "a.yaml", "--key", "a", "--key", "b", "--dry-run", "-y", "-o", "json"});
  EXPECT_EQ(retry.keys, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(retry.dry_run && retry.yes);
  EXPECT_EQ(retry.output, Output::kJson);
}

struct Mistake {
  std::string name;
  std::vector<std::string> arguments;
};
class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, EndWithExitCodeTwoAndAReason) {
  const auto answered = std::get<Answered>(parse(GetParam().arguments));

  EXPECT_EQ(answered.exit_code, 2);
  EXPECT_FALSE(answered.text.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Parse, Mistakes,
    testing::Values(Mistake{"NoVerb", {}}, Mistake{"UnknownVerb", {"walk"}}, Mistake{"NoConfiguration", {"run"}},
                    Mistake{"UnknownOption", {"run", "-c", "a.yaml", "--fast"}},
                    Mistake{"UnknownFormat", {"check", "-c", "a.yaml", "-o", "xml"}},
                    Mistake{"NoStream", {"sample", "-c", "a.yaml"}},
                    Mistake{"NoRecords", {"sample", "s", "-c", "a.yaml", "--max-records", "0"}},
                    Mistake{"NoRange", {"verify", "s", "-c", "a.yaml", "--from", "2026-01-01T00:00:00Z"}},
                    Mistake{"ConfigAlone", {"config"}}, Mistake{"DeadLettersAlone", {"dead-letters"}},
                    Mistake{"UnknownReason", {"dead-letters", "list", "-c", "a.yaml", "--reason", "bad"}},
                    Mistake{"OffsetsAlone", {"offsets"}},
                    Mistake{"UnknownLane", {"offsets", "get", "-c", "a.yaml", "--lane", "fast"}},
                    Mistake{"SetWithoutALane", {"offsets", "set", "s", "-c", "a", "--start", "x"}},
                    Mistake{"SetWhere", {"offsets", "set", "s", "-c", "a", "--lane", "live"}},
                    Mistake{"SetTwice", {"offsets", "set", "s", "-c", "a", "--lane", "live", "--start", "x", "--reread", "y"}}),
    [](const auto& info) { return info.param.name; });

TEST(Parse, HelpAndVersionAreAnswersNotMistakes) {
  const auto help = std::get<Answered>(parse({"--help"}));
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.text, HasSubstr("Exit codes: 0 done"));

  const auto version = std::get<Answered>(parse({"--version"}));
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.text, HasSubstr("genesys-kafka 0."));
}

}  // namespace
}  // namespace connector::cli
