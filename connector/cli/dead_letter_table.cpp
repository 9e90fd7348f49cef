#include "connector/cli/dead_letter_table.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace connector::cli {

namespace {

using common::json::Array;
using common::json::Object;
using core::RetryFinding;

constexpr std::size_t kShownKeys = 20;

// Bytes of the UTF-8 character at the beginning of `text`; 0: there is none.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  std::uint32_t code = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
    code = (code << 6U) | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && (code < 0x10000 || code > 0x10ffff));
  return overlong || (code >= 0xd800 && code <= 0xdfff) ? 0 : length;
}

// Well-formed UTF-8: what is none is replaced (a key or a prefix may be cut inside a character).
std::string text_of(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = character(bytes);
    text += length == 0 ? "\ufffd" : std::string(bytes.substr(0, length));
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

std::string or_dash(std::string_view text) {
  return text.empty() ? "-" : printable(text);
}

using Row = std::vector<std::string>;

// A line a row; each column as wide as its widest cell, the last one as it is.
std::vector<std::string> lines_of(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::vector<std::string> lines;
  for (const Row& row : rows) {
    std::string& line = lines.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
  }
  return lines;
}

std::string_view meaning(RetryFinding finding) {
  switch (finding) {
    case RetryFinding::kPublished:
      return "";
    case RetryFinding::kRetryable:
      return "would be read again and published";
    case RetryFinding::kNoLongerDead:
      return "published since, or deleted by the service: nothing to do";
    case RetryFinding::kNoKey:
      return "without a key: the service cannot be asked for them";
    case RetryFinding::kForgotten:
      return "unchanged for follow.give_up, so their digests have ended: `verify STREAM --repair` over their day publishes what "
             "is missing";
    case RetryFinding::kNotConfigured:
      return "their stream is not in the configuration";
    case RetryFinding::kNeedsJob:
      return "only a job may replace them, and the stream has no lane `settle`, or it has not run";
    case RetryFinding::kNoWay:
      return "no lane of the stream can read them, or none has run";
    case RetryFinding::kNotAvailableYet:
      return "the service does not guarantee their day yet: retry later";
    case RetryFinding::kTooLarge:
      return "larger than their topic takes: raise its max.message.bytes";
    case RetryFinding::kRefused:
      return "refused by the broker again";
    case RetryFinding::kAbsent:
      return "the service does not have them any more";
    case RetryFinding::kWaits:
      return "open, or changing, at the service: the connector publishes them when it runs";
  }
  return "";
}

constexpr std::array kTold{RetryFinding::kPublished, RetryFinding::kRetryable,       RetryFinding::kNoLongerDead,
                           RetryFinding::kTooLarge,  RetryFinding::kRefused,         RetryFinding::kWaits,
                           RetryFinding::kAbsent,    RetryFinding::kNotAvailableYet, RetryFinding::kForgotten,
                           RetryFinding::kNeedsJob,  RetryFinding::kNoWay,           RetryFinding::kNotConfigured,
                           RetryFinding::kNoKey};
static_assert(kTold.size() == core::kRetryFindings);

std::uint64_t letters_without_key(const app::RetryReport& report) {
  std::uint64_t letters = 0;
  for (const auto& [place, count] : report.without_key) letters += count;
  return letters;
}

void print_title(RetryFinding finding, std::uint64_t count, std::ostream& out) {
  const auto what = meaning(finding);
  out << fmt::format("{}: {}{}\n", core::to_string(finding), count, what.empty() ? "" : fmt::format(" ({})", what));
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text_of(text)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return shown;
}

void print_list(const app::DeadLetterList& list, bool show_bytes, std::ostream& out) {
  if (list.letters.taken() == 0) {
    out << "no dead letters in " << list.topic << "\n";
    return;
  }
  const auto letters = list.letters.newest();
  std::vector<Row> rows{{"time", "stream", "lane", "reason", "key", "window", "position", "size", "detail"}};
  for (const core::StoredDeadLetter& letter : letters) {
    std::string position = or_dash(letter.position);
    if (letter.index) position += fmt::format(", row {}", *letter.index);
    rows.push_back({common::format_instant(letter.read_at), or_dash(letter.stream), or_dash(letter.lane), or_dash(letter.reason),
                    or_dash(letter.key), or_dash(letter.window), position, letter.size ? std::to_string(*letter.size) : "-",
                    or_dash(letter.detail)});
  }
  const auto lines = lines_of(rows);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out << lines[i] << "\n";
    if (show_bytes && i > 0) out << "    " << printable(letters[i - 1].bytes) << "\n";
  }
  if (letters.size() < list.letters.taken()) {
    out << fmt::format("… and {} older (--max-records)\n", list.letters.taken() - letters.size());
  }
  out << "\n";
  std::vector<Row> sums{{"stream", "reason", "letters", "bytes", "first", "last"}};
  for (const auto& [place, sum] : list.letters.sums()) {
    sums.push_back({or_dash(place.first), or_dash(place.second), std::to_string(sum.letters), std::to_string(sum.bytes),
                    common::format_instant(sum.first), common::format_instant(sum.last)});
  }
  for (const std::string& line : lines_of(sums)) out << line << "\n";
}

Object list_as_json(const app::DeadLetterList& list, bool show_bytes) {
  Array letters;
  for (const core::StoredDeadLetter& letter : list.letters.newest()) {
    Object one{{"time", common::format_instant(letter.read_at)},
               {"stream", text_of(letter.stream)},
               {"lane", text_of(letter.lane)},
               {"reason", text_of(letter.reason)},
               {"key", nullptr},
               {"window", text_of(letter.window)},
               {"position", text_of(letter.position)},
               {"index", nullptr},
               {"size", nullptr},
               {"detail", text_of(letter.detail)},
               {"correlation_id", text_of(letter.correlation_id)}};
    if (!letter.key.empty()) one["key"] = text_of(letter.key);
    if (letter.index) one["index"] = *letter.index;
    if (letter.size) one["size"] = *letter.size;
    if (show_bytes) one["bytes"] = text_of(letter.bytes);
    letters.push_back(std::move(one));
  }
  Array sums;
  for (const auto& [place, sum] : list.letters.sums()) {
    sums.push_back(Object{{"stream", text_of(place.first)},
                          {"reason", text_of(place.second)},
                          {"letters", sum.letters},
                          {"bytes", sum.bytes},
                          {"first", common::format_instant(sum.first)},
                          {"last", common::format_instant(sum.last)}});
  }
  return {{"topic", list.topic}, {"count", list.letters.taken()}, {"letters", std::move(letters)}, {"summary", std::move(sums)}};
}

void print_retry(const app::RetryReport& report, bool dry_run, std::ostream& out) {
  for (const RetryFinding finding : kTold) {
    const std::uint64_t count = finding == RetryFinding::kNoKey ? letters_without_key(report) : report.count(finding);
    if (count == 0) continue;
    print_title(finding, count, out);
    std::size_t shown = 0;
    for (const app::RetriedRecord& record : report.records) {
      if (record.finding != finding) continue;
      if (++shown > kShownKeys) {
        out << "    … (--output json lists all)\n";
        break;
      }
      out << "    " << printable(record.letter.stream) << " " << printable(record.letter.key);
      if (record.way) out << ", " << core::to_string(*record.way);
      if (!record.detail.empty()) out << ": " << record.detail;
      out << "\n";
    }
    if (finding != RetryFinding::kNoKey) continue;
    for (const auto& [place, letters] : report.without_key) {
      out << fmt::format("    {} {}: {}\n", or_dash(place.first), or_dash(place.second), letters);
    }
  }
  if (report.records.empty() && report.without_key.empty()) {
    out << "no dead letters of these in " << report.topic << "\n";
  } else if (dry_run) {
    out << fmt::format("{} would be retried, {} cannot be; nothing was done\n", report.count(RetryFinding::kRetryable),
                       report.left());
  } else {
    out << fmt::format("{} published, {} left\n", report.count(RetryFinding::kPublished), report.left());
  }
}

Object retry_as_json(const app::RetryReport& report, bool dry_run) {
  Array records;
  for (const app::RetriedRecord& record : report.records) {
    Object one{{"stream", text_of(record.letter.stream)},
               {"key", text_of(record.letter.key)},
               {"reason", text_of(record.letter.reason)},
               {"time", common::format_instant(record.letter.read_at)},
               {"finding", core::to_string(record.finding)}};
    if (record.way) one["way"] = core::to_string(*record.way);
    if (!record.detail.empty()) one["detail"] = record.detail;
    records.push_back(std::move(one));
  }
  Object counts;
  for (const RetryFinding finding : kTold) {
    const auto count = finding == RetryFinding::kNoKey ? letters_without_key(report) : report.count(finding);
    if (count > 0) counts[core::to_string(finding)] = count;
  }
  return {{"topic", report.topic}, {"dry_run", dry_run},          {"published", report.count(RetryFinding::kPublished)},
          {"left", report.left()}, {"counts", std::move(counts)}, {"records", std::move(records)}};
}

}  // namespace connector::cli
