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

  EXPECT_EQ(parsed<ConfigShowCommand>({"config", "show", "-c", "a.yaml"}).output, Output::kText);
  EXPECT_NO_THROW(parsed<ConfigSchemaCommand>({"config", "schema"}));
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

INSTANTIATE_TEST_SUITE_P(Parse, Mistakes,
                         testing::Values(Mistake{"NoVerb", {}}, Mistake{"UnknownVerb", {"walk"}},
                                         Mistake{"NoConfiguration", {"run"}},
                                         Mistake{"UnknownOption", {"run", "-c", "a.yaml", "--fast"}},
                                         Mistake{"UnknownFormat", {"check", "-c", "a.yaml", "-o", "xml"}},
                                         Mistake{"NoStream", {"sample", "-c", "a.yaml"}},
                                         Mistake{"NoRecords", {"sample", "s", "-c", "a.yaml", "--max-records", "0"}},
                                         Mistake{"ConfigAlone", {"config"}}),
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
