#pragma once

// A dead letter as it stands in its topic (docs/data.md, "Dead letters"), which of them somebody asked for, and how many of them
// are shown. Values; `DeadLetterListing` keeps no more than it was told to, however long the topic is.

#include "common/instant.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::core {

// Why a record could not be published: every value of header gk.reason.
inline constexpr std::array<std::string_view, 4> kDeadLetterReasons{"not_an_object", "no_key", "oversize", "broker_refused"};

// What its headers say; a text is empty where a header is missing.
struct StoredDeadLetter {
  common::Instant read_at;  // header gk.read-at, else the message's timestamp
  std::string stream;
  std::string lane;
  std::string reason;
  std::string detail;
  std::string key;  // none: the record had none
  std::string window;
  std::string position;
  std::string correlation_id;
  std::optional<std::uint64_t> index;  // on its page
  std::optional<std::uint64_t> size;   // of the whole record
  std::string bytes;                   // of the record, or their beginning; only if they were asked for
  friend bool operator==(const StoredDeadLetter&, const StoredDeadLetter&) = default;
};

struct DeadLetterSelection {
  std::string stream;  // empty: every one; likewise below
  std::string reason;
  std::vector<std::string> keys;
  std::optional<common::Instant> from;  // read at or after
  std::optional<common::Instant> to;    // read before

  [[nodiscard]] bool takes(const StoredDeadLetter& letter) const;
};

struct DeadLetterSum {
  std::uint64_t letters = 0;
  std::uint64_t bytes = 0;  // of the whole records
  common::Instant first;
  common::Instant last;
  friend bool operator==(const DeadLetterSum&, const DeadLetterSum&) = default;
};

class DeadLetterListing {
 public:
  explicit DeadLetterListing(std::size_t most) : most_(most) {}

  void take(StoredDeadLetter letter);

  // The newest ones, in the order in which they were read.
  [[nodiscard]] std::vector<StoredDeadLetter> newest() const;
  // Of all that were taken, by stream and reason.
  [[nodiscard]] const std::map<std::pair<std::string, std::string>, DeadLetterSum>& sums() const { return sums_; }
  [[nodiscard]] std::uint64_t taken() const { return taken_; }

 private:
  std::size_t most_;
  std::uint64_t taken_ = 0;
  std::multimap<common::Instant, StoredDeadLetter> newest_;
  std::map<std::pair<std::string, std::string>, DeadLetterSum> sums_;
};

}  // namespace connector::core
