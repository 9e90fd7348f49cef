#include "connector/cli/takeover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace connector::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Takeover : public testing::Test {
 protected:
  std::optional<int> ask_with(std::optional<bool> answer, Confirmed confirmed = Confirmed::kAskFirst) {
    return ask(confirmed, "This is done?",
               {.environment = {},
                .read_file = {},
                .confirm =
                    [&, answer](const std::string& question) {
                      asked = question;
                      return answer;
                    },
                .out = out,
                .err = err});
  }
  std::string asked;
  std::ostringstream out;
  std::ostringstream err;
};

TEST(OfAConnectorThatRuns, NobodySaysThatItIsFencedWhereItIsNot) {
  EXPECT_THAT(of_a_connector_that_runs(kafka::Delivery::kExactlyOnce), HasSubstr("is fenced and ends with exit code 4"));
  EXPECT_THAT(of_a_connector_that_runs(kafka::Delivery::kAtLeastOnce),
              AllOf(HasSubstr("is not fenced"), HasSubstr("make sure that it is stopped"), Not(HasSubstr("exit code 4"))));
}

TEST_F(Takeover, GoesOnWhenConfirmed) {
  EXPECT_EQ(ask_with(true), std::nullopt);
  EXPECT_EQ(asked, "This is done?");
}

TEST_F(Takeover, DeclinedIsAnInterruption) {
  EXPECT_EQ(ask_with(false), 7);
  EXPECT_THAT(err.str(), HasSubstr("nothing was changed"));
}

TEST_F(Takeover, WithNobodyToAskItNeedsToBeConfirmedBeforehand) {
  EXPECT_EQ(ask_with(std::nullopt), 2);
  EXPECT_THAT(err.str(), AllOf(HasSubstr("This is done?"), HasSubstr("--yes")));
}

TEST_F(Takeover, ConfirmedBeforehandItIsSaidAllTheSame) {
  EXPECT_EQ(ask_with(false, Confirmed::kBeforehand), std::nullopt);
  EXPECT_EQ(asked, "");
  EXPECT_THAT(err.str(), HasSubstr("This is done?"));
}

}  // namespace
}  // namespace connector::cli
