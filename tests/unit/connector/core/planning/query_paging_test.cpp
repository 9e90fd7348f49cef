#include "connector/core/planning/query_paging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Duration;
using common::ErrorCode;
using common::Instant;
using common::Interval;

const Interval kWindow{.start = Instant(0ms), .end = Instant(60s)};

QueryPagingOptions numbered(TotalUse total = TotalUse::kApproximate) {
  return {.page_size = 100, .total = total, .limits = {.memory_bytes = 10'000'000, .max_depth = 100'000, .min_window = 1s}};
}

PageFacts page(std::uint64_t rows, std::uint64_t distinct, std::optional<std::int64_t> total = std::nullopt) {
  return {.rows = rows, .bytes = rows * 100, .distinct = distinct, .held_bytes = distinct * 100, .total = total};
}

std::string show(const PagingAction& action) {
  if (const auto* fetch = std::get_if<FetchPage>(&action)) {
    if (const auto* at = std::get_if<AtPage>(&fetch->at)) return "page " + std::to_string(at->number);
    if (const auto* at = std::get_if<AtCursor>(&fetch->at)) return "cursor " + at->cursor;
    return "start";
  }
  if (const auto* split = std::get_if<SplitInto>(&action)) return "split " + common::format_duration(split->part);
  if (const auto* read = std::get_if<WindowRead>(&action)) return read->is_short ? "short" : "read";
  return std::string(common::to_string(std::get<FailRead>(action).error.code));
}

TEST(QueryPaging, ReadsUntilAPageIsEmpty) {
  QueryPaging paging(numbered(), kWindow);
  EXPECT_EQ(show(paging.begin()), "page 1");
  EXPECT_EQ(show(paging.step(page(100, 100, 130))), "page 2");
  EXPECT_EQ(show(paging.step(page(30, 130, 130))), "page 3") << "an approximate total proves nothing";
  EXPECT_EQ(show(paging.step(page(0, 130, 130))), "read");
}

// However a service says that a cursor is no longer good: the same question without one was answered.
TEST(QueryPaging, ACursorThatIsRefusedIsNoWrongQuestion) {
  const common::Error refused{.code = ErrorCode::kRequestRejected, .message = "no longer there"};
  QueryPaging paging({.chain = PageChain::kToken, .limits = {.memory_bytes = 10'000'000, .min_window = 1s}}, kWindow);
  EXPECT_EQ(show(paging.step(refused)), "request_rejected") << "the first page is the question itself";

  PageFacts facts = page(100, 100);
  facts.next = "a";
  EXPECT_EQ(show(paging.step(facts)), "cursor a");
  EXPECT_EQ(show(paging.step(refused)), "position_invalid");
  EXPECT_EQ(show(paging.step({.code = ErrorCode::kPermissionDenied, .message = "no"})), "permission_denied");

  QueryPaging by_number(numbered(), kWindow);
  EXPECT_EQ(show(by_number.step(page(100, 100))), "page 2");
  EXPECT_EQ(show(by_number.step(refused)), "request_rejected") << "a number is good for ever";
}

// A row that goes away moves those behind it to the page before, which was read already.
TEST(QueryPaging, WhatBecomesLessOnTheWayIsReadAgain) {
  QueryPaging paging(numbered(), kWindow);
  EXPECT_EQ(show(paging.step(page(100, 100, 201))), "page 2");
  EXPECT_EQ(show(paging.step(page(100, 200, 200))), "page 3");
  EXPECT_EQ(show(paging.step(page(0, 200, 200))), "page 1") << "as many as promised, but one of them is gone";
  EXPECT_EQ(show(paging.step(page(100, 200, 200))), "page 2") << "less than in the pass before is no reason";
  EXPECT_EQ(show(paging.step(page(100, 201, 200))), "page 3");
  EXPECT_EQ(show(paging.step(page(0, 201, 200))), "read");

  QueryPaging restless(numbered(), kWindow);
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(show(restless.step(page(100, 100, 101))), "page 2");
    EXPECT_EQ(show(restless.step(page(1, 101, 100))), "page 3");
    EXPECT_EQ(show(restless.step(page(0, 101, 100))), "page 1");
  }
  EXPECT_EQ(show(restless.step(page(100, 101, 101))), "page 2");
  EXPECT_EQ(show(restless.step(page(1, 101, 100))), "page 3");
  EXPECT_EQ(show(restless.step(page(0, 101, 100))), "read") << "not for ever";
}

TEST(QueryPaging, WhatBecomesLessOnTheWayIsReadAgainWhereverTheReadingEnds) {
  auto options = numbered();
  options.start_day = true;
  PageFacts before = page(100, 200, 299);
  before.all_before_window = true;
  QueryPaging start_day(options, kWindow);
  EXPECT_EQ(show(start_day.step(page(100, 100, 300))), "page 2");
  EXPECT_EQ(show(start_day.step(before)), "page 1");
  EXPECT_EQ(show(start_day.step(page(100, 200, 299))), "page 2");
  EXPECT_EQ(show(start_day.step(before)), "read");

  QueryPaging exact(numbered(TotalUse::kExact), kWindow);
  EXPECT_EQ(show(exact.step(page(100, 100, 201))), "page 2");
  EXPECT_EQ(show(exact.step(page(100, 200, 200))), "page 1");
  EXPECT_EQ(show(exact.step(page(100, 200, 200))), "page 2") << "the row that is gone is no proof of the end";
  EXPECT_EQ(show(exact.step(page(100, 201, 200))), "read");
}

// Of these a number of rows that becomes less means nothing.
TEST(QueryPaging, WhatBecomesLessIsNoReasonWhereTotalsOrPlacesMeanNothing) {
  QueryPaging untold(numbered(TotalUse::kNone), kWindow);
  untold.step(page(100, 100, 201));
  untold.step(page(100, 200, 200));
  EXPECT_EQ(show(untold.step(page(0, 200, 200))), "read");

  auto by_token = numbered();
  by_token.chain = PageChain::kToken;
  QueryPaging token(by_token, kWindow);
  PageFacts first = page(100, 100, 101);
  first.next = "a";
  EXPECT_EQ(show(token.step(first)), "cursor a");
  EXPECT_EQ(show(token.step(page(1, 101, 100))), "read");
}

TEST(QueryPaging, AShortPageEndsNothing) {
  QueryPaging paging(numbered(TotalUse::kNone), kWindow);
  EXPECT_EQ(show(paging.step(page(3, 3))), "page 2");
  EXPECT_EQ(show(paging.step(page(1, 4))), "page 3");
  EXPECT_EQ(show(paging.step(page(0, 4))), "read");
}

TEST(QueryPaging, APageThatOnlyRepeatsOthersIsBehindTheLastOneIfTold) {
  QueryPagingOptions options = numbered(TotalUse::kNone);
  options.repeats_end = true;
  QueryPaging again(options, kWindow);
  EXPECT_EQ(show(again.step(page(100, 100))), "page 2");
  EXPECT_EQ(show(again.step(page(100, 130))), "page 3") << "a row that has moved here from the page before is no end";
  EXPECT_EQ(show(again.step(page(30, 130))), "read");
  QueryPaging empty(options, kWindow);
  EXPECT_EQ(show(empty.step(page(0, 0))), "read");
  QueryPaging untold(numbered(TotalUse::kNone), kWindow);
  EXPECT_EQ(show(untold.step(page(100, 100))), "page 2");
  EXPECT_EQ(show(untold.step(page(100, 100))), "page 3");
}

TEST(QueryPaging, AnExactTotalSavesTheEmptyPage) {
  QueryPaging paging(numbered(TotalUse::kExact), kWindow);
  EXPECT_EQ(show(paging.step(page(100, 100, 130))), "page 2");
  EXPECT_EQ(show(paging.step(page(30, 130, 130))), "read");
}

TEST(QueryPaging, APageCountEndsTheWindow) {
  QueryPaging paging(numbered(TotalUse::kNone), kWindow);
  PageFacts facts = page(100, 100);
  facts.page_count = 2;
  EXPECT_EQ(show(paging.step(facts)), "page 2");
  facts.distinct = 200;
  EXPECT_EQ(show(paging.step(facts)), "read");
}

TEST(QueryPaging, AnEmptyWindowIsOneRequest) {
  QueryPaging paging(numbered(), kWindow);
  EXPECT_EQ(show(paging.step(page(0, 0, 0))), "read");
}

TEST(QueryPaging, TooFewRowsAreReadAgainThenSplitThenShort) {
  QueryPaging paging(numbered(), kWindow);
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(show(paging.step(page(100, 100, 105))), "page 2") << pass;
    EXPECT_EQ(show(paging.step(page(0, 100, 105))), "page 1") << pass;
  }
  EXPECT_EQ(show(paging.step(page(100, 100, 105))), "page 2");
  EXPECT_EQ(show(paging.step(page(0, 100, 105))), "split 30s");
}

TEST(QueryPaging, ARowThatTurnsUpOnTheSecondPassIsEnough) {
  QueryPaging paging(numbered(), kWindow);
  EXPECT_EQ(show(paging.step(page(2, 2, 3))), "page 2");
  EXPECT_EQ(show(paging.step(page(0, 2, 3))), "page 1");
  EXPECT_EQ(show(paging.step(page(2, 3, 3))), "page 2");
  EXPECT_EQ(show(paging.step(page(0, 3, 3))), "read");
}

struct ShortCase {
  std::string name;
  TotalUse total;
  Duration length;
  bool split_short;
  std::string outcome;
};
void PrintTo(const ShortCase& one, std::ostream* out) {
  *out << one.name;
}
class ShortWindow : public testing::TestWithParam<ShortCase> {};

TEST_P(ShortWindow, EndsAsItsTotalDeserves) {
  QueryPagingOptions options = numbered(GetParam().total);
  options.rereads = 0;
  options.split_short = GetParam().split_short;
  QueryPaging paging(options, {.start = kWindow.start, .end = kWindow.start + GetParam().length});
  paging.step(page(1, 1, 2));
  EXPECT_EQ(show(paging.step(page(0, 1, 2))), GetParam().outcome);
}

INSTANTIATE_TEST_SUITE_P(Totals, ShortWindow,
                         testing::Values(ShortCase{"approximate_large", TotalUse::kApproximate, 60s, true, "split 30s"},
                                         ShortCase{"approximate_in_vain", TotalUse::kApproximate, 60s, false, "short"},
                                         ShortCase{"approximate_smallest", TotalUse::kApproximate, 1s, true, "short"},
                                         ShortCase{"exact_large", TotalUse::kExact, 60s, true, "split 30s"},
                                         ShortCase{"exact_smallest", TotalUse::kExact, 1s, true, "malformed_response"},
                                         ShortCase{"none", TotalUse::kNone, 60s, true, "read"}),
                         [](const auto& info) { return info.param.name; });

// A part begins with the overlap again: were that cut, too, the parts would never get smaller than it.
TEST(QueryPaging, OnlyWhatIsNewOfAWindowIsCut) {
  QueryPagingOptions options = numbered();
  options.rereads = 0;
  options.overlap = 50s;
  QueryPaging paging(options, kWindow);
  paging.step(page(1, 1, 2));
  EXPECT_EQ(show(paging.step(page(0, 1, 2))), "split 5s");

  options.overlap = 59s;
  QueryPaging smallest(options, kWindow);
  smallest.step(page(1, 1, 2));
  EXPECT_EQ(show(smallest.step(page(0, 1, 2))), "short");

  QueryPaging too_full(options, kWindow);
  PageFacts facts = page(100, 100, 2'000);
  facts.bytes = 1'000'000;
  EXPECT_EQ(show(too_full.step(facts)), "page 2");
  EXPECT_TRUE(too_full.page_by_page());
}

TEST(QueryPaging, TheTotalOfThePageBehindTheLastDoesNotCount) {
  QueryPagingOptions options = numbered();
  options.rereads = 1;
  QueryPaging paging(options, kWindow);
  paging.step(page(1, 1, 2));
  EXPECT_EQ(show(paging.step(page(0, 1, 0))), "page 1") << "one of two rows: read again";
  EXPECT_EQ(show(paging.step(page(0, 1, 0))), "read") << "now the first page itself says that there is nothing more";
}

TEST(QueryPaging, TooMuchForMemoryIsSplitBeforePaging) {
  QueryPaging paging(numbered(), kWindow);
  const auto action = paging.step(page(100, 100, 1'000'000));
  ASSERT_TRUE(std::holds_alternative<SplitInto>(action)) << show(action);
  EXPECT_LE(std::get<SplitInto>(action).part, 6s);
}

TEST(QueryPaging, TheSmallestWindowGoesPageByPage) {
  QueryPaging paging(numbered(), {.start = kWindow.start, .end = kWindow.start + 1s});
  PageFacts facts = page(100, 100, 2'000);
  facts.bytes = 1'000'000;
  EXPECT_EQ(show(paging.step(facts)), "page 2");
  EXPECT_TRUE(paging.page_by_page());
}

// Else its pages would be published, and published again with every attempt.
TEST(QueryPaging, TheSmallestWindowThatIsTooDeepFailsBeforeItIsPaged) {
  QueryPaging paging(numbered(), {.start = kWindow.start, .end = kWindow.start + 1s});
  EXPECT_EQ(show(paging.step(page(100, 100, 1'000'000))), "too_complex");
}

TEST(QueryPaging, WhatIsHeldCountsWhereTotalsAreMissing) {
  QueryPaging paging(numbered(TotalUse::kNone), kWindow);
  PageFacts facts = page(100, 100);
  facts.held_bytes = 10'000'001;
  EXPECT_EQ(show(paging.step(facts)), "split 30s");
}

TEST(QueryPaging, NeverAsksBelowTheServicesDepth) {
  QueryPagingOptions options = numbered(TotalUse::kNone);
  options.limits.max_depth = 200;
  QueryPaging paging(options, kWindow);
  EXPECT_EQ(show(paging.step(page(100, 100))), "page 2");
  EXPECT_EQ(show(paging.step(page(100, 200))), "split 30s");

  QueryPaging smallest(options, {.start = kWindow.start, .end = kWindow.start + 1s});
  smallest.step(page(100, 100));
  EXPECT_EQ(show(smallest.step(page(100, 200))), "too_complex");
}

TEST(QueryPaging, TooComplexSplitsAndOtherErrorsFail) {
  QueryPaging paging(numbered(), kWindow);
  EXPECT_EQ(show(paging.step(common::Error{.code = ErrorCode::kTooComplex, .message = {}})), "split 30s");
  EXPECT_EQ(show(paging.step(common::Error{.code = ErrorCode::kRetryable, .message = {}})), "retryable");
}

TEST(QueryPaging, StartDayStopsAtTheFirstPageWhollyBeforeTheWindow) {
  QueryPagingOptions options = numbered();
  options.start_day = true;
  QueryPaging paging(options, kWindow);
  EXPECT_EQ(show(paging.step(page(100, 100, 90'000))), "page 2") << "the total is that of the day: no reason to split";
  PageFacts older = page(100, 200, 90'000);
  older.all_before_window = true;
  EXPECT_EQ(show(paging.step(older)), "read");
}

TEST(QueryPaging, AServiceThatRepeatsItsPagesIsNotReadForEver) {
  QueryPaging paging(numbered(TotalUse::kNone), kWindow);
  PagingAction action = paging.step(page(100, 100));
  int requests = 1;
  while (std::holds_alternative<FetchPage>(action)) {
    action = paging.step(page(100, 100));
    ASSERT_LT(++requests, 200);
  }
  EXPECT_EQ(show(action), "malformed_response");
}

TEST(QueryPaging, FollowsTokensUntilThereIsNone) {
  QueryPagingOptions options = numbered(TotalUse::kNone);
  options.chain = PageChain::kToken;
  QueryPaging paging(options, kWindow);
  EXPECT_EQ(show(paging.begin()), "start");
  PageFacts facts = page(10, 10);
  facts.next = "a";
  EXPECT_EQ(show(paging.step(facts)), "cursor a");
  facts = page(0, 10);
  facts.next = "b";
  EXPECT_EQ(show(paging.step(facts)), "cursor b") << "an empty page with a next one goes on";
  EXPECT_EQ(show(paging.step(page(5, 15))), "read");
}

TEST(QueryPaging, ATokenThatNamesItselfFails) {
  QueryPagingOptions options = numbered(TotalUse::kNone);
  options.chain = PageChain::kToken;
  QueryPaging paging(options, kWindow);
  PageFacts facts = page(10, 10);
  facts.next = "a";
  paging.step(facts);
  EXPECT_EQ(show(paging.step(facts)), "malformed_response");
}

// It lies deeper than the service goes, then: read from its beginning again and again the window would never end.
TEST(QueryPaging, ACursorThatIsRefusedOnceMoreCutsTheWindow) {
  for (const ErrorCode code : {ErrorCode::kRequestRejected, ErrorCode::kPositionInvalid}) {
    const common::Error refused{.code = code, .message = "no further"};
    QueryPagingOptions options{
        .chain = PageChain::kToken, .split_refused = true, .limits = {.memory_bytes = 10'000'000, .min_window = 1s}};
    PageFacts facts = page(100, 100);
    facts.next = "a";
    QueryPaging paging(options, kWindow);
    EXPECT_EQ(show(paging.step(refused)), common::to_string(code)) << "the first page is the question itself";
    paging.step(facts);
    EXPECT_THAT(show(paging.step(refused)), testing::StartsWith("split"));

    options.limits.min_window = kWindow.length();
    QueryPaging whole(options, kWindow);
    whole.step(facts);
    EXPECT_EQ(show(whole.step(refused)), common::to_string(code)) << "what cannot be cut is for the operator";
  }
}

TEST(QueryPaging, ASingleAnswerIsAll) {
  QueryPagingOptions options = numbered(TotalUse::kNone);
  options.chain = PageChain::kSingle;
  QueryPaging paging(options, kWindow);
  EXPECT_EQ(show(paging.step(page(10, 10))), "read");
}

// A service that pages through so many and refuses the rest, whatever it counts: not to be read at all would be worse.
TEST(QueryPaging, APageThatIsRefusedBehindTheServicesWallEndsAWindowThatIsShort) {
  const common::Error refused{.code = ErrorCode::kRequestRejected, .message = "no further"};
  QueryPagingOptions options = numbered(TotalUse::kNone);
  options.refused_behind = 200;
  QueryPaging paging(options, kWindow);
  EXPECT_EQ(show(paging.step(page(100, 100))), "page 2");
  EXPECT_EQ(show(paging.step(refused)), "request_rejected") << "that deep it answers";

  QueryPaging deeper(options, kWindow);
  EXPECT_EQ(show(deeper.step(page(100, 100))), "page 2");
  EXPECT_EQ(show(deeper.step(page(100, 200))), "page 3");
  EXPECT_EQ(show(deeper.step({.code = ErrorCode::kRetryable, .message = "later"})), "retryable");
  EXPECT_EQ(show(deeper.step(refused)), "short");
  EXPECT_TRUE(std::get<WindowRead>(deeper.step(refused)).is_refused);

  QueryPaging unknown(numbered(TotalUse::kNone), kWindow);
  EXPECT_EQ(show(unknown.step(page(100, 100))), "page 2");
  EXPECT_EQ(show(unknown.step(page(100, 200))), "page 3");
  EXPECT_EQ(show(unknown.step(refused)), "request_rejected") << "nothing is known of a wall";
}

}  // namespace
}  // namespace connector::core
