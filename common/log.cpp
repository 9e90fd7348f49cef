#include "common/log.h"

#include "common/clock.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace common {

struct Logger::Core {
  LogOptions options;
  LogSink sink;
};

namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      return "off";
  }
  std::unreachable();
}

// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none (Unicode 15, table 3-7).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  const auto in = [](unsigned value, unsigned low, unsigned high) { return low <= value && value <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  if (in(first, 0xC2, 0xDF)) {
    return in(byte(1), 0x80, 0xBF) ? 2 : 0;
  }
  if (in(first, 0xE0, 0xEF)) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return in(byte(1), low, high) && in(byte(2), 0x80, 0xBF) ? 3 : 0;
  }
  if (in(first, 0xF0, 0xF4)) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return in(byte(1), low, high) && in(byte(2), 0x80, 0xBF) && in(byte(3), 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

// Peers write into our messages; a line that is not UTF-8 would be dropped by the collectors.
std::string to_utf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) {
      clean += "\xEF\xBF\xBD";  // U+FFFD
      text.remove_prefix(1);
    } else {
      clean += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return clean;
}

// What a line shows of a field: text as UTF-8, whole numbers without an exponent (240, not 2.4E2).
json::Value readable(const json::Value& value) {
  if (const auto* number = value.if_double()) {
    constexpr double kExactBelow = 9'007'199'254'740'992;  // 2^53
    const bool whole = std::trunc(*number) == *number && std::abs(*number) < kExactBelow;
    return whole ? json::Value(static_cast<std::int64_t>(*number)) : value;
  }
  if (const auto* text = value.if_string()) {
    return json::Value(to_utf8(std::string_view(text->data(), text->size())));
  }
  if (const auto* array = value.if_array()) {
    json::Array clean;
    clean.reserve(array->size());
    for (const auto& element : *array) {
      clean.push_back(readable(element));
    }
    return clean;
  }
  if (const auto* object = value.if_object()) {
    json::Object clean;
    for (const auto& [key, member] : *object) {
      clean[to_utf8(std::string_view(key.data(), key.size()))] = readable(member);
    }
    return clean;
  }
  return value;
}

std::string json_line(Instant now, LogLevel level, std::string_view logger, std::string_view sentence,
                      std::initializer_list<LogField> fields) {
  json::Object line;
  line["ts"] = format_instant(now);
  line["level"] = level_name(level);
  line["logger"] = logger;
  line["message"] = to_utf8(sentence);
  for (const auto& field : fields) {
    std::string key = to_utf8(field.key);
    while (line.contains(key)) {
      key += '_';  // a field never hides the event's own members, nor is it lost
    }
    line[key] = readable(field.value.json());
  }
  return boost::json::serialize(line);
}

bool reads_plainly(std::string_view text) {
  const auto plain = [](unsigned char byte) { return byte > ' ' && byte != '"' && byte != '=' && byte != '\\' && byte != 0x7F; };
  return !text.empty() && std::ranges::all_of(text, plain);
}

// One line for people: `2026-05-04T09:12:03.386Z WARN  request: sentence key=value …`. Control characters stay escaped.
std::string text_line(Instant now, LogLevel level, std::string_view logger, std::string_view sentence,
                      std::initializer_list<LogField> fields) {
  static constexpr std::string_view kNames[] = {"DEBUG", "INFO ", "WARN ", "ERROR", "OFF  "};
  std::string line = format_instant(now);
  line.append(" ").append(kNames[static_cast<std::size_t>(level)]).append(" ");
  if (!logger.empty()) {
    line.append(logger).append(": ");
  }
  for (const char character : to_utf8(sentence)) {
    line += static_cast<unsigned char>(character) < ' ' ? ' ' : character;
  }
  for (const auto& field : fields) {
    line.append(" ").append(field.key).append("=");
    const auto value = readable(field.value.json());
    const auto* text = value.if_string();
    if (text != nullptr && reads_plainly(std::string_view(text->data(), text->size()))) {
      line.append(text->data(), text->size());
    } else {
      line.append(boost::json::serialize(value));
    }
  }
  return line;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  std::unreachable();
}

}  // namespace

Logger::Logger() = default;

Logger::Logger(const LogOptions& options, LogSink sink)
    : core_(std::make_shared<const Core>(Core{.options = options, .sink = std::move(sink)})) {}

Logger Logger::to_stderr(const LogOptions& options) {
  auto output = std::make_shared<spdlog::logger>("stderr", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  output->set_pattern("%v");  // the line is finished: spdlog's patterns do not escape
  output->set_level(spdlog::level::trace);
  output->flush_on(spdlog::level::trace);
  return Logger(options, [output](LogLevel level, std::string_view line) {
    output->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
  });
}

Logger Logger::named(std::string_view name) const {
  Logger logger = *this;
  logger.name_ = name;
  return logger;
}

bool Logger::enabled(LogLevel level) const {
  return core_ != nullptr && level != LogLevel::kOff && level >= core_->options.level;
}

void Logger::log(LogLevel level, std::string_view sentence, std::initializer_list<LogField> fields) const {
  if (!enabled(level)) {
    return;
  }
  const auto now = SystemClock().utc_now();
  const auto render = core_->options.format == LogFormat::kJson ? json_line : text_line;
  core_->sink(level, render(now, level, name_, sentence, fields));
}

}  // namespace common
