#include "connector/source/vanished_judge.h"

#include "connector/core/planning/unjudged_days.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace connector::source {

namespace asio = boost::asio;

using common::ErrorCode;
using common::fail;
using common::Interval;
using common::Result;

VanishedJudge::VanishedJudge(Lane& lane)
    : lane_(lane),
      stream_(lane.stream()),
      judges_(lane.source().lane == core::Lane::kSettle && can_tell_what_is_gone(stream_.definition) &&
              stream_.options.settle.window == std::chrono::days{1}) {
  const Definition& definition = stream_.definition;
  if (definition.by_id) by_id_spec_.records = definition.by_id->records;
  by_id_spec_.key = definition.key;
  by_id_spec_.start = definition.start_pointer.value_or("");
  by_id_spec_.open_while_absent = definition.open_while_absent.value_or("");
}

bool VanishedJudge::judges(const Interval& window) const {
  return judges_ && window == core::whole_day(std::chrono::floor<std::chrono::days>(window.start));
}

// In steps, so that nothing else waits for long.
asio::awaitable<core::MissedByPass> VanishedJudge::search_missed(const core::PassKeys& keys, core::HomeDay day,
                                                                 common::Instant availability) const {
  constexpr std::size_t kStep = 20'000;  // a few milliseconds
  const auto executor = co_await asio::this_coro::executor;
  core::MissedByPassSearch search(keys, day, availability);
  const core::StreamDigests* digests = stream_.publisher.digests(lane_.source().stream);
  core::DigestIndex::Cursor cursor;
  while (digests != nullptr && !cursor.at_end()) {
    digests->committed().visit_day(cursor, day, kStep,
                                   [&](std::string_view key, const core::DigestEntry& entry) { search.look_at(key, entry); });
    if (!cursor.at_end()) co_await asio::post(executor, asio::use_awaitable);
  }
  co_return search.take();
}

Result<void> VanishedJudge::take_pass(const Interval& window, const core::Pass& pass, common::Instant availability,
                                      const core::PassKeys& keys, std::optional<core::MissedByPass> missed,
                                      std::vector<core::LedgerChange>& changes) {
  if (missed) {
    begin(std::move(*missed), changes);
  } else if (keys.has_overflown()) {
    stream_.logger.warn(
        "a day has too many records for kafka.memory to tell which of them the service has deleted; that is not looked for",
        {{"stream", lane_.source().stream.str()}, {"window", common::format_interval(window)}});
  } else if (judges_) {
    core::Ledger after = lane_.working();
    for (const core::LedgerChange& change : changes) {
      if (auto applied = after.apply(change); !applied) return applied;
    }
    std::ranges::move(core::judgement_missed(after, window, pass, availability), std::back_inserter(changes));
  }
  return {};
}

void VanishedJudge::begin(core::MissedByPass missed, std::vector<core::LedgerChange>& changes) {
  const core::HomeDay day = missed.day;
  const Interval window = core::whole_day(day);
  if (missed.witnesses.empty()) {
    missed.witnesses = witnesses_;
  } else {
    witnesses_ = missed.witnesses;
  }
  if (missed.missing > 0) {
    stream_.logger.info("a job did not return records that are known of its day; they are looked for by id",
                        {{"stream", lane_.source().stream.str()},
                         {"window", common::format_interval(window)},
                         {"records", missed.missing},
                         {"of", missed.known}});
  }
  const SettleOptions& settle = stream_.options.settle;
  auto known = judged_.find(day);
  const bool is_new = known == judged_.end();
  if (is_new) {
    const core::VanishedOptions options{.confirm = settle.delete_confirm,
                                        .max_share = settle.delete_max_share,
                                        .max_ids = static_cast<std::size_t>(stream_.definition.by_id->max_ids),
                                        .again = std::min(settle.delete_confirm, core::VanishedOptions{}.again)};
    known = judged_.emplace(day, std::make_shared<core::VanishedDay>(options)).first;
  }
  core::VanishedDay& judged = *known->second;
  tell(judged, judged.take(std::move(missed), stream_.clock.steady_now()));
  if (!judged.is_decided()) {
    changes.emplace_back(core::JudgingBegun{window});
    return;
  }
  if (lane_.working().unjudged().overlaps(window)) changes.emplace_back(core::JudgingEnded{window});
  judged_.erase(known);
}

std::vector<core::LedgerChange> VanishedJudge::forgotten() const {
  std::set<core::HomeDay> judged;
  for (const auto& [day, ignored] : judged_) judged.insert(day);
  return core::forgotten_judgements(lane_.working(), judged);
}

void VanishedJudge::forget() {
  judged_.clear();
}

void VanishedJudge::forget_before(common::Instant instant) {
  std::erase_if(judged_, [&](const auto& day) { return day.first < instant; });
}

void VanishedJudge::judge_days(TaskGroup& group) {
  for (const auto& [day, judged] : judged_) {
    if (judging_.insert(day).second) group.spawn(judge(group, judged));
  }
}

// Until it is decided, or forgotten by the lane.
asio::awaitable<void> VanishedJudge::judge(TaskGroup& group, std::shared_ptr<core::VanishedDay> day) {
  co_await asio::this_coro::throw_if_cancelled(false);
  constexpr common::Duration kLookAgain{60'000};  // another pass may have come meanwhile
  core::LaneBackoff backoff;
  const core::HomeDay which = day->day();
  const auto is_mine = [&] {
    const auto found = judged_.find(which);
    return found != judged_.end() && found->second == day;
  };
  while (is_mine() && !group.trouble() && !co_await lane_.is_cancelled()) {
    // Absent by its id is then what was deleted, and what has expired.
    if (lane_.has_expired(which)) {
      judged_.erase(which);
      break;
    }
    const common::SteadyTime now = stream_.clock.steady_now();
    core::VanishedPlan plan = day->next(now);
    if (std::holds_alternative<core::VanishedDecided>(plan)) break;
    if (const auto* at = std::get_if<core::AskVanishedAt>(&plan)) {
      const auto wait = std::chrono::ceil<common::Duration>(at->when - now);
      if (auto slept = co_await lane_.sleep(std::min(wait, kLookAgain)); !slept) break;
      continue;
    }
    Result<void> done = co_await ask_whether_gone(*day, std::get<core::AskVanished>(std::move(plan)), backoff);
    if (!done && !co_await lane_.is_cancelled()) group.fail(std::move(done.error()));
    if (!done) break;
  }
  if (is_mine() && day->is_decided()) judged_.erase(which);
  lane_.report_recovery({.start = which, .end = which});
  judging_.erase(which);
}

// A read of the query form, though only the keys matter: what another read brought before is handed over, and none begins before
// what is gone is handed over, too. So whatever comes later is published.
VanishedJudge::Awaited VanishedJudge::ask_whether_gone(core::VanishedDay& day, core::AskVanished asked,
                                                       core::LaneBackoff& backoff) {
  auto turn = co_await stream_.reads.take();
  if (!turn) {
    day.put_back(std::move(asked), stream_.clock.steady_now());
    co_return fail(turn.error());
  }
  std::vector<core::RecordKey> ids = asked.ids;
  ids.push_back(asked.witness);
  Result<ReadPage> read = co_await lane_.fetch_by_id(ids, by_id_spec_);
  if (read && !read->sliced.dead_letters.empty()) {
    read = fail(ErrorCode::kMalformedResponse, "a record that was asked for by id has no key");
  }
  const Interval window = core::whole_day(day.day());
  const Interval failing{.start = window.start, .end = window.start};  // not the job's, which may be failing for itself
  const common::SteadyTime now = stream_.clock.steady_now();
  core::VanishedFindings findings;
  if (read) {
    backoff.reset();
    lane_.report_recovery(failing);
    std::vector<std::string_view> found;
    for (const core::RecordSlice& record : read->sliced.records) found.push_back(record.key);
    findings = day.answered(std::move(asked), found, now);
  } else if (may_be_one_of_them(read.error().code)) {
    findings = day.refused(std::move(asked));
  } else {
    const common::Duration wait = needs_operator(read.error().code) ? backoff.slow() : backoff.next(lane_.chance());
    day.put_back(std::move(asked), now + wait);
    if (read.error().code == ErrorCode::kCancelled) co_return fail(read.error());
    lane_.report_failure(read.error(), failing, core::AtStart{}, wait);
    co_return Result<void>{};
  }
  tell(day, findings);

  std::vector<core::LedgerChange> changes;
  const auto judged = judged_.find(day.day());
  const bool is_mine =
      judged != judged_.end() && judged->second.get() == &day;  // else another pass has settled it, or begun anew
  if (is_mine && day.is_decided()) changes.emplace_back(core::JudgingEnded{window});
  if (findings.gone.empty()) {
    if (changes.empty()) co_return Result<void>{};
    co_return co_await lane_.submit_changes(window, std::move(changes));
  }
  core::PageGroup group;
  group.push_back(lane_.make_page(*read, core::AtStart{}, window, core::RecordForm::kJob));
  core::Page& page = group.back();
  page.position = std::to_string(findings.gone.size()) + " ids";
  page.gone = stream_.options.settle.on_delete;
  page.availability = day.availability();
  page.buffer = std::make_unique<std::string>();
  for (const core::RecordKey& key : findings.gone) *page.buffer += key.str();
  std::size_t begin = 0;
  for (const core::RecordKey& key : findings.gone) {
    page.records.push_back({.key = std::string_view(*page.buffer).substr(begin, key.str().size()), .value = {}});
    page.contents.push_back({.digests = {}, .home_day = day.day(), .open = false});
    begin += key.str().size();
  }
  page.changes = std::move(changes);
  co_return co_await lane_.submit(std::move(group));
}

// (What is gone is told when it is committed.)
void VanishedJudge::tell(const core::VanishedDay& day, const core::VanishedFindings& findings) const {
  const core::StreamName& stream = lane_.source().stream;
  for (const auto& [outcome, count] : {std::pair{"present", findings.present}, std::pair{"unknown", findings.unknown},
                                       std::pair{"withheld", findings.withheld}}) {
    if (count > 0) stream_.metrics.records_gone(stream, outcome, count);
  }
  if (!findings.is_braked) return;
  stream_.metrics.delete_braked(stream);
  stream_.logger.warn(
      "more of a day's records are absent at the service than settle.delete.max_share allows: none is taken for deleted",
      {{"stream", stream.str()},
       {"window", common::format_interval(core::whole_day(day.day()))},
       {"records", findings.withheld}});
}

}  // namespace connector::source
