#include "connector/kafka/dead_letter_reader.h"

#include "connector/kafka/topic_scan.h"

#include <charconv>
#include <utility>

namespace connector::kafka {

namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || wrong != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

core::StoredDeadLetter to_letter(const rd_kafka_message_t& message, LetterBytes bytes) {
  const auto text = [&](const char* name) { return std::string(header(message, name)); };
  core::StoredDeadLetter letter{.read_at = read_at(message),
                                .stream = text("gk.stream"),
                                .lane = text("gk.lane"),
                                .reason = text("gk.reason"),
                                .detail = text("gk.detail"),
                                .key = {},
                                .window = text("gk.window"),
                                .position = text("gk.position"),
                                .correlation_id = text("gk.correlation-id"),
                                .index = number(header(message, "gk.index")),
                                .size = number(header(message, "gk.size")),
                                .bytes = {}};
  if (message.key != nullptr) letter.key.assign(static_cast<const char*>(message.key), message.key_len);
  if (bytes == LetterBytes::kTake && message.payload != nullptr) {
    letter.bytes.assign(static_cast<const char*>(message.payload), message.len);
  }
  return letter;
}

}  // namespace

common::Result<void> read_dead_letters(const KafkaOptions& options, const core::ConnectorName& name, const std::string& topic,
                                       std::optional<common::Instant> from, LetterBytes bytes, common::Logger logger,
                                       common::Duration silence, const std::atomic<bool>& stop, const TakeDeadLetter& take) {
  const auto scanned = scan_topic(options, name, topic, from, std::move(logger), silence, stop,
                                  [&](const rd_kafka_message_t& message) { take(to_letter(message, bytes)); });
  if (!scanned) return common::fail(scanned.error());
  return {};
}

}  // namespace connector::kafka
