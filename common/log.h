#pragma once

// Structured log: one JSON object (or one readable line) an event, to stderr. A fixed sentence plus fields; no data in the
// sentence, no payload, no secret, never per record. Loggers are values passed down, not globals. Thread-safe: librdkafka's
// threads log too.

#include "common/json.h"

#include <boost/json/string_view.hpp>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace common {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : std::uint8_t { kJson, kText };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
};

// What a field may hold: text, a number, a truth value or JSON. A Secret does not convert.
class LogValue {
 public:
  template <class T>
    requires std::convertible_to<const T&, std::string_view>
  LogValue(const T& text) : value_(boost::json::string_view(std::string_view(text).data(), std::string_view(text).size())) {}
  template <class T>
    requires(!std::convertible_to<const T&, std::string_view> && std::constructible_from<json::Value, T>)
  LogValue(T value) : value_(std::move(value)) {}

  [[nodiscard]] const json::Value& json() const { return value_; }

 private:
  json::Value value_;
};

struct LogField {
  std::string_view key;
  LogValue value;
};

// Receives finished lines without a newline. The default one writes to stderr through spdlog.
using LogSink = std::function<void(LogLevel, std::string_view line)>;

class Logger {
 public:
  // Discards everything: the default of tests.
  Logger();
  Logger(const LogOptions& options, LogSink sink);
  static Logger to_stderr(const LogOptions& options);

  // The same sink with another `logger` field ("request", "task", "kafka" …).
  [[nodiscard]] Logger named(std::string_view name) const;
  [[nodiscard]] bool enabled(LogLevel level) const;

  void debug(std::string_view sentence, std::initializer_list<LogField> fields = {}) const {
    log(LogLevel::kDebug, sentence, fields);
  }
  void info(std::string_view sentence, std::initializer_list<LogField> fields = {}) const {
    log(LogLevel::kInfo, sentence, fields);
  }
  void warn(std::string_view sentence, std::initializer_list<LogField> fields = {}) const {
    log(LogLevel::kWarn, sentence, fields);
  }
  void error(std::string_view sentence, std::initializer_list<LogField> fields = {}) const {
    log(LogLevel::kError, sentence, fields);
  }
  void log(LogLevel level, std::string_view sentence, std::initializer_list<LogField> fields) const;

 private:
  struct Core;
  std::shared_ptr<const Core> core_;  // shared: every named logger writes to the one sink
  std::string name_;
};

}  // namespace common
