#include "common/log.h"

#include "common/instant.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace common {
namespace {

class LogTest : public testing::Test {
 protected:
  Logger logger(LogFormat format = LogFormat::kJson, LogLevel level = LogLevel::kInfo) {
    return Logger({.level = level, .format = format}, [this](LogLevel, std::string_view line) { lines_.emplace_back(line); });
  }
  json::Value only_line() const {
    EXPECT_EQ(lines_.size(), 1U);
    return lines_.empty() ? json::Value() : json::parse(lines_.front()).value_or(json::Value());
  }

  std::vector<std::string> lines_;
};

TEST_F(LogTest, AnEventIsOneFlatJsonObject) {
  logger().named("task").info("window read", {{.key = "records", .value = 42}, {.key = "stream", .value = std::string("calls")}});

  const auto line = only_line();
  EXPECT_TRUE(parse_instant(json::find_string(line, "ts").value_or(""))) << lines_.front();
  EXPECT_EQ(json::find_string(line, "level"), "info");
  EXPECT_EQ(json::find_string(line, "logger"), "task");
  EXPECT_EQ(json::find_string(line, "message"), "window read");
  EXPECT_EQ(json::find_int(line, "records"), 42);
  EXPECT_EQ(json::find_string(line, "stream"), "calls");
}

TEST_F(LogTest, WholeNumbersHaveNoExponentWhateverTheirType) {
  logger().info("limits", {{.key = "per_minute", .value = 240.0}, {.key = "share", .value = 0.5}});

  const auto line = only_line();
  EXPECT_EQ(json::find_int(line, "per_minute"), 240);
  EXPECT_EQ(json::find(line, "share")->to_number<double>(), 0.5);
}

TEST_F(LogTest, NothingInAValueBreaksTheLine) {
  const std::string nasty = "a\"b\\c\nd\x1b[31m\x01";
  logger().warn("refused", {{.key = "reason", .value = nasty}});

  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_EQ(lines_.front().find('\n'), std::string::npos);
  EXPECT_EQ(lines_.front().find('\x1b'), std::string::npos);
  EXPECT_EQ(json::find_string(only_line(), "reason"), nasty);
}

TEST_F(LogTest, BytesThatAreNotUtf8AreReplaced) {
  logger().warn("refused", {{.key = "latin1", .value = "caf\xE9"},
                            {.key = "overlong", .value = "\xC0\xAF"},
                            {.key = "surrogate", .value = "\xED\xA0\x80"},
                            {.key = "good", .value = "é€😀"}});

  EXPECT_EQ(json::find_string(only_line(), "latin1"), "caf\xEF\xBF\xBD");
  EXPECT_EQ(json::find_string(only_line(), "overlong"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(json::find_string(only_line(), "surrogate"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(json::find_string(only_line(), "good"), "é€😀");
}

TEST_F(LogTest, AFieldNeverHidesTheEventsOwnMembers) {
  logger().info("sentence", {{.key = "message", .value = "mine"}, {.key = "level", .value = 3}});

  EXPECT_EQ(json::find_string(only_line(), "message"), "sentence");
  EXPECT_EQ(json::find_string(only_line(), "message_"), "mine");
  EXPECT_EQ(json::find_int(only_line(), "level_"), 3);
}

TEST_F(LogTest, LessThanTheLevelIsNotWritten) {
  const auto warn = logger(LogFormat::kJson, LogLevel::kWarn);
  warn.debug("d");
  warn.info("i");
  warn.warn("w");
  warn.error("e");
  logger(LogFormat::kJson, LogLevel::kOff).error("nothing");

  EXPECT_EQ(lines_.size(), 2U);
  EXPECT_FALSE(warn.enabled(LogLevel::kInfo));
  EXPECT_FALSE(Logger().enabled(LogLevel::kError));
}

TEST_F(LogTest, TheTextFormIsOneReadableLine) {
  logger(LogFormat::kText)
      .named("request")
      .error("request\nfailed", {{.key = "status", .value = 503},
                                 {.key = "host", .value = "api.x"},
                                 {.key = "reason", .value = "two words\n"},
                                 {.key = "none", .value = ""}});

  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_EQ(lines_.front().substr(lines_.front().find(' ') + 1),
            R"(ERROR request: request failed status=503 host=api.x reason="two words\n" none="")");
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  testing::internal::CaptureStderr();
  {
    const auto out = Logger::to_stderr({});
    std::vector<std::jthread> threads;
    for (int number = 0; number < 4; ++number) {
      threads.emplace_back([out, number] {
        for (int count = 0; count < 50; ++count) {
          out.named("kafka").info("delivered",
                                  {{.key = "thread", .value = number}, {.key = "pad", .value = std::string(200, 'x')}});
        }
      });
    }
  }
  const std::string text = testing::internal::GetCapturedStderr();

  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const auto end = text.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_TRUE(json::parse(text.substr(at, end - at))) << text.substr(at, end - at);
    at = end + 1;
  }
  EXPECT_EQ(count, 200U);
}

}  // namespace
}  // namespace common
