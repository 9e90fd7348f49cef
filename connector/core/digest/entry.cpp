#include "connector/core/digest/entry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <utility>

namespace connector::core {

using common::ErrorCode;
using common::fail;
using common::Result;

namespace {

constexpr std::string_view kRemedy = "; export the state, then restore the digests topic from a copy (docs/state.md)";
constexpr std::size_t kDigestLength = 16;
constexpr std::string_view kNone = "-";

std::unexpected<common::Error> damaged(std::string_view what) {
  return fail(ErrorCode::kStateRefused, "a stored digest entry is damaged: " + std::string(what) + std::string(kRemedy));
}

// Words of one line, with exactly one space between them.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  std::string_view next() {
    const std::size_t space = rest_.find(' ');
    const std::string_view word = rest_.substr(0, space);
    more_ = space != std::string_view::npos;
    rest_ = more_ ? rest_.substr(space + 1) : std::string_view();
    return word;
  }
  [[nodiscard]] bool more() const { return more_; }

 private:
  std::string_view rest_;
  bool more_ = true;
};

template <class Number>
std::optional<Number> to_number(std::string_view word, int base) {
  Number number{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number, base);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> to_digest(std::string_view word) {
  if (word.size() != kDigestLength) return std::nullopt;
  return to_number<std::uint64_t>(word, 16);
}

// Until 2106, as the index holds it.
std::optional<Second> to_second(std::string_view word) {
  const auto seconds = to_number<std::uint32_t>(word, 10);
  return seconds ? std::optional(Second(std::chrono::seconds(*seconds))) : std::nullopt;
}

std::optional<HomeDay> to_day(std::string_view word) {
  if (word.size() != 10 || word[4] != '-' || word[7] != '-') return std::nullopt;
  const auto year = to_number<unsigned>(word.substr(0, 4), 10);
  const auto month = to_number<unsigned>(word.substr(5, 2), 10);
  const auto day = to_number<unsigned>(word.substr(8, 2), 10);
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day));
  if (!date.ok()) return std::nullopt;
  const HomeDay home_day(date);
  const auto count = home_day.time_since_epoch().count();
  if (count < 0 || count > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  return home_day;
}

constexpr std::array kStates{DigestState::kWanted, DigestState::kProvisional, DigestState::kSealed, DigestState::kGone,
                             DigestState::kDead};

std::optional<DigestState> to_state(std::string_view word) {
  for (const DigestState state : kStates) {
    if (to_string(state) == word) return state;
  }
  return std::nullopt;
}

void append_digest(std::string& line, std::uint64_t digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < kDigestLength; ++i) line += kDigits[digest >> (60U - 4U * i) & 0xFU];
}

void append_digest(std::string& line, const std::optional<std::uint64_t>& digest) {
  if (digest) {
    append_digest(line, *digest);
  } else {
    line += kNone;
  }
}

// What lies outside of what an entry can hold (the service's data may say anything) is written as the index holds it: a value
// that parse() refuses would refuse every later start.
void append_second(std::string& line, Second second) {
  const std::int64_t count = second.time_since_epoch().count();
  line += std::to_string(std::clamp<std::int64_t>(count, 0, std::numeric_limits<std::uint32_t>::max()));
}

void append_day(std::string& line, HomeDay home_day) {
  const std::int64_t count = home_day.time_since_epoch().count();
  const auto held = std::clamp<std::int64_t>(count, 0, std::numeric_limits<std::uint16_t>::max());
  const std::chrono::year_month_day date{HomeDay(std::chrono::days(held))};
  std::array<char, 40> buffer{};
  const int length = std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                                   static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  line.append(buffer.data(), static_cast<std::size_t>(length));
}

// What no decision makes of an entry: read as it stands, it would lead to a wrong one.
std::optional<std::string_view> contradiction(const DigestEntry& entry) {
  const bool has_content = entry.state != DigestState::kWanted && entry.state != DigestState::kGone;
  if (has_content != entry.common.has_value()) return "its state and its digest contradict each other";
  if (entry.full && !entry.common) return "it has a full digest without a common one";
  if (entry.state == DigestState::kSealed && !entry.full) return "it is sealed without a full digest";
  return std::nullopt;
}

}  // namespace

std::string_view to_string(DigestState state) {
  switch (state) {
    case DigestState::kWanted:
      return "wanted";
    case DigestState::kProvisional:
      return "provisional";
    case DigestState::kSealed:
      return "sealed";
    case DigestState::kGone:
      return "gone";
    case DigestState::kDead:
      return "dead";
  }
  std::unreachable();
}

std::string DigestEntry::serialize() const {
  std::string line = std::to_string(kFormatVersion);
  line.append(" ").append(to_string(state)).append(open ? " open " : " closed ");
  append_digest(line, common);
  line += ' ';
  append_digest(line, full);
  line += ' ';
  append_second(line, read_at);
  line += ' ';
  append_second(line, changed_at);
  line += ' ';
  append_day(line, home_day);
  if (owed_at) {
    line += " owed ";
    append_second(line, *owed_at);
  }
  if (seen) {
    line += " seen ";
    append_digest(line, *seen);
  }
  if (doubt) line += " doubt";
  return line;
}

Result<DigestEntry> DigestEntry::parse(std::string_view stored) {
  Words words(stored);
  const auto version = to_number<int>(words.next(), 10);
  if (!version || *version < 1) return damaged("it has no format version");
  if (*version > kFormatVersion) {
    return fail(ErrorCode::kStateRefused, "a stored digest entry has format version " + std::to_string(*version) +
                                              ", this release knows versions up to " + std::to_string(kFormatVersion) +
                                              ": start the release that wrote it, or a newer one (docs/state.md)");
  }
  DigestEntry entry;
  const auto state = to_state(words.next());
  if (!state) return damaged("its state is none");
  entry.state = *state;
  const std::string_view open = words.next();
  if (open != "open" && open != "closed") return damaged("it is neither open nor closed");
  entry.open = open == "open";
  for (auto* digest : {&entry.common, &entry.full}) {
    const std::string_view word = words.next();
    *digest = to_digest(word);
    if (!*digest && word != kNone) return damaged("a digest is none");
  }
  for (auto* time : {&entry.read_at, &entry.changed_at}) {
    const auto second = to_second(words.next());
    if (!second) return damaged("a time is none");
    *time = *second;
  }
  const auto home_day = to_day(words.next());
  if (!home_day) return damaged("its home day is none");
  entry.home_day = *home_day;

  const auto next = [&] { return words.more() ? std::optional(words.next()) : std::nullopt; };
  std::optional<std::string_view> word = next();
  if (word == "owed") {
    entry.owed_at = to_second(words.next());
    if (!entry.owed_at) return damaged("a time is none");
    word = next();
  }
  if (word == "seen") {
    entry.seen = to_digest(words.next());
    if (!entry.seen) return damaged("a digest is none");
    word = next();
  }
  if (word == "doubt") {
    entry.doubt = true;
    word = next();
  }
  if (word) return damaged("something follows its end");
  if (const auto what = contradiction(entry)) return damaged(*what);
  return entry;
}

std::string digest_key(const StreamName& stream, std::string_view record_key) {
  std::string key;
  key.reserve(stream.str().size() + 1 + record_key.size());
  key.append(stream.str()).append("/").append(record_key);
  return key;
}

Result<DigestKey> parse_digest_key(std::string_view stored) {
  const std::size_t slash = stored.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == stored.size()) {
    return fail(ErrorCode::kStateRefused, "the key of a stored digest entry is not <stream>/<record key>" + std::string(kRemedy));
  }
  return DigestKey{.stream = stored.substr(0, slash), .record_key = stored.substr(slash + 1)};
}

}  // namespace connector::core
