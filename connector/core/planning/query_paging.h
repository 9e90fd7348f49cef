#pragma once

// The pages of one live window: which to ask for next, when the window has been read whole, when it must be cut into smaller
// ones. A short page never ends a window; a page without records does. A decision: told what a page held, answers what to do.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/planning/window_split.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace connector::core {

enum class PageChain : std::uint8_t {
  kSingle,    // one answer is all
  kNumbered,  // page 1, 2, 3 … until one is empty
  kToken      // each answer names the next one (cursor, next URI)
};
enum class TotalUse : std::uint8_t { kNone, kApproximate, kExact };

struct QueryPagingOptions {
  PageChain chain = PageChain::kNumbered;
  std::int64_t first_page = 1;
  std::int64_t page_size = 100;
  TotalUse total = TotalUse::kNone;
  bool start_day = false;   // rows come newest first and are those of the whole start day
  bool split_short = true;  // cut a window that yields fewer rows than its total (false: cutting has not helped lately)
  // A page that only repeats others is behind the last one (kNumbered): the service says of its end nothing better.
  bool repeats_end = false;
  // A next page that is refused cuts the window: that of an earlier reading of it was refused, too.
  bool split_refused = false;
  // A page this many rows deep that is refused ends the window, which is short then (kNumbered): the service has a wall there and
  // says so only in this way. 0: none known.
  std::uint64_t refused_behind = 0;
  std::uint32_t rereads = 2;  // of a window that yields fewer rows than its total, or whose total became less on the way
  // The window's beginning that an earlier one has covered. Every part of the window begins with it again, so that only what
  // lies behind it can be cut.
  common::Duration overlap{0};
  WindowLimits limits;
};

// What a page held.
struct PageFacts {
  std::uint64_t rows = 0;        // on this page
  std::uint64_t bytes = 0;       // of its body
  std::uint64_t distinct = 0;    // rows of the window so far, each once, this page included
  std::uint64_t held_bytes = 0;  // of the pages held for the window, this one included
  std::optional<std::int64_t> total;
  std::optional<std::int64_t> page_count;
  std::optional<std::string> next;  // kToken
  bool all_before_window = false;   // every row began before the window (start_day: what follows is older still)
};

struct FetchPage {
  Position at;
};
// Give up what was read of the window and plan parts of this length instead.
struct SplitInto {
  common::Duration part;
};
struct WindowRead {
  bool is_short = false;
  bool is_refused = false;  // short because its next page was: how much is missing nobody says
};
struct FailRead {
  common::Error error;
};
using PagingAction = std::variant<FetchPage, SplitInto, WindowRead, FailRead>;

class QueryPaging {
 public:
  QueryPaging(QueryPagingOptions options, common::Interval window);

  [[nodiscard]] PagingAction begin() const { return FetchPage{first()}; }
  PagingAction step(const PageFacts& page);
  PagingAction step(const common::Error& error);

  // The window cannot be split and does not fit in memory: what is held is committed now, and every further page by itself.
  [[nodiscard]] bool page_by_page() const { return page_by_page_; }

 private:
  [[nodiscard]] Position first() const;
  PagingAction follow(const PageFacts& page);
  PagingAction finish(std::uint64_t distinct);
  PagingAction read_again();
  [[nodiscard]] bool may_lack_rows() const { return has_shrunk_ && passes_ < options_.rereads; }
  PagingAction split_or(common::Error error) const;

  QueryPagingOptions options_;
  common::Interval fresh_;  // the window without its overlap
  std::int64_t page_;
  std::string token_;
  std::optional<std::int64_t> total_;  // the newest
  bool has_shrunk_ = false;            // it became less since this pass began
  std::uint64_t distinct_ = 0;
  std::uint32_t passes_ = 0;
  std::uint32_t pages_of_pass_ = 0;
  std::uint64_t rows_of_pass_ = 0;
  bool is_anew_ = false;      // for that reason: what former passes saw proves nothing
  std::uint32_t barren_ = 0;  // pages in a row without a row not seen before
  std::uint32_t barren_bound_;
  bool page_by_page_ = false;
};

}  // namespace connector::core
