#include "connector/core/planning/query_paging.h"

#include <utility>

namespace connector::core {

using common::Duration;
using common::Error;
using common::ErrorCode;

namespace {

// A service that ignores the page number, or whose cursors go round, would be read for ever.
constexpr std::uint32_t kMaxBarrenPages = 100;

}  // namespace

QueryPaging::QueryPaging(QueryPagingOptions options, common::Interval window)
    : options_(options),
      fresh_{.start = window.start + options.overlap, .end = window.end},
      page_(options.first_page),
      barren_bound_(kMaxBarrenPages) {}

Position QueryPaging::first() const {
  return options_.chain == PageChain::kNumbered ? Position{AtPage{options_.first_page}} : Position{AtStart{}};
}

PagingAction QueryPaging::split_or(Error error) const {
  const Duration part = half_of(fresh_, options_.limits.min_window);
  // Every part of a day answers with the whole day then, so that cutting it asks for no less.
  const bool helps = !options_.start_day || error.code == ErrorCode::kOversize;
  if (part > Duration{0} && helps) return SplitInto{part};
  return FailRead{std::move(error)};
}

PagingAction QueryPaging::step(const Error& error) {
  const auto depth = static_cast<std::uint64_t>((page_ - options_.first_page + 1) * options_.page_size);
  const bool at_the_wall =
      options_.chain == PageChain::kNumbered && options_.refused_behind != 0 && depth > options_.refused_behind;
  if (at_the_wall && pages_of_pass_ > 0 && (error.code == ErrorCode::kRequestRejected || error.code == ErrorCode::kTooComplex)) {
    return WindowRead{.is_short = true, .is_refused = true};
  }
  if (error.code == ErrorCode::kTooComplex) return split_or(error);
  // The same question without a token was answered: what is refused is the token, however the service says so.
  const bool at_a_token = !token_.empty();
  const bool is_refused = error.code == ErrorCode::kRequestRejected || error.code == ErrorCode::kPositionInvalid;
  if (at_a_token && is_refused && options_.split_refused) return split_or(error);
  if (at_a_token && error.code == ErrorCode::kRequestRejected) {
    Error refused = error;
    refused.code = ErrorCode::kPositionInvalid;
    return FailRead{std::move(refused)};
  }
  return FailRead{error};
}

PagingAction QueryPaging::step(const PageFacts& page) {
  ++pages_of_pass_;
  rows_of_pass_ += page.rows;
  barren_ = page.distinct > distinct_ ? 0 : barren_ + 1;
  distinct_ = page.distinct;
  // The newest counts, but not that of the page behind the last: it may say 0 there.
  if (page.total && (page.rows > 0 || pages_of_pass_ == 1)) {
    // Rows that go away move those behind them to an earlier page, which may be one that was read already.
    const bool is_less = options_.total != TotalUse::kNone && pages_of_pass_ > 1 && total_ && *page.total < *total_;
    has_shrunk_ = has_shrunk_ || (is_less && options_.chain == PageChain::kNumbered && !options_.repeats_end);
    total_ = page.total;
  }
  if (barren_ > barren_bound_) {
    return FailRead{{.code = ErrorCode::kMalformedResponse,
                     .message = "the service repeats its pages: " + std::to_string(barren_) + " in a row without a new record"}};
  }

  if (!page_by_page_ && !options_.start_day && total_ && *total_ > 0 && page.rows > 0) {
    const SplitPlan plan = plan_split(fresh_, static_cast<std::uint64_t>(*total_), page.bytes / page.rows, options_.limits);
    if (plan.fit == WindowFit::kSplit) return SplitInto{plan.part};
    if (plan.fit == WindowFit::kTooDeep) {  // before a page is published that would be published again with every attempt
      return FailRead{{.code = ErrorCode::kTooComplex,
                       .message = std::to_string(*total_) + " records in a window of " +
                                  common::format_duration(fresh_.length()) + ", the service pages through " +
                                  std::to_string(options_.limits.max_depth) + ": set a smaller live.min_window or a filter"}};
    }
    if (plan.fit != WindowFit::kFits) page_by_page_ = true;
  }
  // Totals may be missing or wrong: what is held counts, too.
  if (!page_by_page_ && page.held_bytes > options_.limits.memory_bytes) {
    if (const Duration part = half_of(fresh_, options_.limits.min_window); part > Duration{0}) return SplitInto{part};
    page_by_page_ = true;
  }
  return follow(page);
}

PagingAction QueryPaging::follow(const PageFacts& page) {
  switch (options_.chain) {
    case PageChain::kSingle:
      return finish(page.distinct);
    case PageChain::kToken:
      if (!page.next || page.next->empty()) return finish(page.distinct);
      if (*page.next == token_) {
        return FailRead{{.code = ErrorCode::kMalformedResponse, .message = "the service names the same next page again"}};
      }
      token_ = *page.next;
      return FetchPage{AtCursor{token_}};
    case PageChain::kNumbered:
      break;
  }
  if (options_.start_day && page.rows > 0 && page.all_before_window) {
    return may_lack_rows() ? read_again() : WindowRead{};
  }
  const std::uint64_t seen = is_anew_ ? rows_of_pass_ : page.distinct;
  const bool by_total = options_.total == TotalUse::kExact && total_ && seen >= static_cast<std::uint64_t>(*total_);
  const bool by_count = page.page_count && page_ - options_.first_page + 1 >= *page.page_count;
  const bool by_repeat = options_.repeats_end && barren_ > 0;
  if (page.rows == 0 || by_total || by_count || by_repeat) return finish(page.distinct);
  ++page_;
  const std::int64_t depth = (page_ - options_.first_page + 1) * options_.page_size;
  if (options_.limits.max_depth != 0 && static_cast<std::uint64_t>(depth) > options_.limits.max_depth) {
    // The last full page may have been the end: the total says so.
    if (total_ && page.distinct >= static_cast<std::uint64_t>(*total_)) return finish(page.distinct);
    return split_or({.code = ErrorCode::kTooComplex,
                     .message = "the window holds more records than the " + std::to_string(options_.limits.max_depth) +
                                " the service pages through: set a smaller live.min_window or a filter"});
  }
  return FetchPage{AtPage{page_}};
}

PagingAction QueryPaging::read_again() {
  ++passes_;
  page_ = options_.first_page;
  token_.clear();
  is_anew_ = std::exchange(has_shrunk_, false);
  rows_of_pass_ = 0;
  barren_ = 0;
  barren_bound_ = kMaxBarrenPages + std::exchange(pages_of_pass_, 0);
  return FetchPage{first()};
}

PagingAction QueryPaging::finish(std::uint64_t distinct) {
  const bool is_short =
      options_.total != TotalUse::kNone && total_ && *total_ > 0 && distinct < static_cast<std::uint64_t>(*total_);
  if (may_lack_rows() || (is_short && passes_ < options_.rereads)) return read_again();
  if (!is_short) return WindowRead{};
  const Duration part = options_.split_short ? half_of(fresh_, options_.limits.min_window) : Duration{0};
  if (part > Duration{0} && !options_.start_day && !page_by_page_) return SplitInto{part};
  if (options_.total == TotalUse::kApproximate) return WindowRead{.is_short = true};
  return FailRead{
      {.code = ErrorCode::kMalformedResponse,
       .message = "the service promises " + std::to_string(*total_) + " records and returned " + std::to_string(distinct)}};
}

}  // namespace connector::core
