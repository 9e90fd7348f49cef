#include "tests/model/final_state.h"

#include "connector/core/planning/settle_planner.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>

namespace tests::model {

namespace core = connector::core;
using core::Lane;

namespace {

class FinalState {
 public:
  FinalState(Stage& stage, const Topics& topics, const SimPublisher& publisher)
      : stage_(stage),
        stream_(stage.scenario.stream),
        rules_(topic_of(stage.scenario).rules),
        topics_(topics),
        publisher_(publisher) {}

  void check() {
    check_ledgers();
    const std::size_t conversations = topics_.keys().size();
    for (std::size_t number = 0; number < conversations && !stage_.broken; ++number) check_key(number);
    check_digests();
  }

 private:
  [[nodiscard]] const core::Ledger& ledger(Lane lane) const { return publisher_.committed({stream_.name, lane}); }

  void check_ledgers() {
    if (rules_.has_query) {
      const core::Ledger& live = ledger(Lane::kLive);
      if (live.complete_until() < stage_.now - kDay) {
        stage_.fail("liveness: live has looked only until " + common::format_instant(live.complete_until()));
      }
      if (live.settled_until() < stage_.now - 2 * kDay) stage_.fail("liveness: live ages are late");
    }
    if (!rules_.has_job) return;
    const core::Ledger& settle = ledger(Lane::kSettle);
    const Instant due = stage_.now - std::chrono::days{5};
    if (settle.complete_until() < due) {
      stage_.fail("liveness: settle is complete only until " + common::format_instant(settle.complete_until()));
    }
    if (settle.settled_until() < due - stream_.settle.ages.back()) {
      stage_.fail("liveness: settled only until " + common::format_instant(settle.settled_until()));
    }
    // A job owes what it shows open, for as long as it is; what no job shows is owed for ever, unless it is known to be gone.
    const auto& conversations = stage_.world.plan().conversations;
    bool all_close = stage_.world.plan().hidden.empty();
    for (std::size_t number = 0; number < conversations.size(); ++number) {
      // (What is deleted after the last pass over its day, none looks for.)
      const bool is_decided = conversations[number].deleted ? fate_of(number) == Fate::kGone && is_judged(number) : true;
      all_close = all_close && conversations[number].versions.back().end && conversations[number].in_lake && is_decided;
    }
    if (all_close && !settle.owed().empty()) stage_.fail("liveness: days are owed for ever");
    if (all_close && owed_by_jobs() != 0) stage_.fail("liveness: records are owed for ever");
  }

  // What began before the lane did, and has ended since, no job of its first day returns: it is owed until it is given up.
  [[nodiscard]] std::size_t owed_by_jobs() const {
    std::size_t count = 0;
    visit_digests(
        [&](std::string_view key, const core::DigestEntry& entry) { count += entry.owed_at && !is_too_old(key) ? 1 : 0; });
    return count;
  }
  [[nodiscard]] bool is_too_old(std::string_view key) const {
    return stage_.world.conversation(*stage_.world.find(key)).start < ledger(Lane::kSettle).start();
  }

  // What the last pass over its day must have found of a conversation.
  enum class Fate : std::uint8_t { kThere, kGone, kEither };
  [[nodiscard]] Instant last_pass_of(const Conversation& conversation) const {
    const Interval window = core::settle_window_at(common::start_of_day(conversation.start), stream_.settle.window);
    Instant end = window.end;
    while (end <= conversation.start) end += window.length();
    // Of a window whose job keeps failing each part comes of age by itself (docs/data.md, `settled_until`).
    if (may_be_halved()) end = conversation.start + Duration{1};
    return end + stream_.settle.ages.back();
  }
  [[nodiscard]] bool may_be_halved() const {
    const Odds& odds = stage_.scenario.odds;
    return odds.request_fails != 0 || odds.job_fails != 0 || odds.slow_request != 0 ||
           std::ranges::any_of(stage_.scenario.faults, [](const Fault& fault) { return fault.kind == FaultKind::kOutage; });
  }
  [[nodiscard]] Fate fate_of(std::size_t number) const {
    const Conversation& conversation = stage_.world.conversation(number);
    if (!conversation.deleted) return Fate::kThere;
    const Instant last_pass = last_pass_of(conversation);
    if (conversation.returns) return *conversation.returns < last_pass ? Fate::kThere : Fate::kEither;
    return *conversation.deleted < last_pass ? Fate::kGone : Fate::kEither;
  }
  // Whether it was decided in the end what of its day is gone.
  [[nodiscard]] bool is_judged(std::size_t number) const {
    const auto day = std::chrono::floor<std::chrono::days>(stage_.world.conversation(number).start);
    return rules_.has_job && stage_.scenario.max_ids >= 2 && stream_.settle.window == kDay &&
           ledger(Lane::kSettle).start() <= day && !stage_.not_judged.contains(day) && !topics_.keys()[number].is_undecided;
  }

  // The oldest version that may be the last published one; none: the key may be missing.
  [[nodiscard]] std::optional<std::size_t> expected(std::size_t number) const {
    const Conversation& conversation = stage_.world.conversation(number);
    std::optional<std::size_t> least = topics_.keys()[number].seen;
    const auto expect = [&](std::optional<std::size_t> version) {
      if (version) least = std::max(least.value_or(0), *version);
    };
    if (rules_.has_job) {
      const core::Ledger& settle = ledger(Lane::kSettle);
      if (conversation.start >= settle.start() && conversation.in_lake) {
        // The pass at the last age knows everything until then.
        const auto known = stage_.world.known_to_job(number, last_pass_of(conversation));
        // (Of an open row nothing more follows than that the query must show it.)
        const bool is_open = !conversation.versions[*known].end;
        if (!is_open || !rules_.has_query) expect(known);
      }
    }
    // (A read may be late, and what comes and goes is not there then: docs/records.md. The jobs' last pass is never too early.)
    if (rules_.has_query && !conversation.deleted && conversation.start >= ledger(Lane::kLive).start()) {
      const Duration age = stream_.live.ages.empty() ? Duration{0} : stream_.live.ages.back();
      const auto shown = stage_.world.shown_by_query(number, conversation.start + age);
      // (Where jobs may have shown what lay between a change and the change back: docs/guarantees.md, G5.)
      if (shown && rules_.has_job) expect(stage_.world.first_like(number, *shown, Form::kQuery));
      if (shown && !rules_.has_job) expect(stage_.world.oldest_like(number, *shown, Form::kQuery));
    }
    // What was published open is followed until it closes.
    if (rules_.has_by_id && least) {
      while (*least + 1 < conversation.versions.size() && !conversation.versions[*least].end) ++*least;
    }
    // What only jobs show, and show open, is published when it closes.
    const bool is_open = least && !conversation.versions[*least].end;
    if (is_open && rules_.has_job && rules_.has_query && !rules_.has_by_id) return std::nullopt;
    return least;
  }

  void check_key(std::size_t number) {
    const Conversation& conversation = stage_.world.conversation(number);
    const Topics::Key& key = topics_.keys()[number];
    const Fate fate = fate_of(number);
    const bool deletes = stream_.settle.on_delete == core::OnDelete::kTombstone;
    // (What comes back open, is no longer in any query and cannot be asked for by its id is published when it closes.)
    const bool waits_for_end =
        conversation.returns && !conversation.versions.back().end && rules_.has_query && rules_.has_job && !rules_.has_by_id;
    // (What was hidden and is no more than the brake allows is taken for gone.)
    const bool is_there = fate == Fate::kThere && !waits_for_end && !conversation.hidden;
    if (key.is_deleted && (is_there || !deletes)) {
      return stage_.fail("G1: " + conversation.key + " is there and ends with a tombstone");
    }
    if (fate == Fate::kGone && deletes && is_judged(number) && key.last != nullptr && !key.is_deleted) {
      return stage_.fail("G1: " + conversation.key + " is deleted and stays in the topic");
    }
    // What comes and goes may have been missed by any read.
    if (conversation.deleted && fate != Fate::kThere) return;
    if (conversation.hidden) return;
    const auto least = expected(number);
    if (!least) return;
    if (key.last == nullptr) return stage_.fail("G1: " + conversation.key + " is missing");
    const bool closes = conversation.versions[*least].end.has_value();
    // Opened again for good: its query form does not follow its job form, and an open job row is not published.
    if (!closes && rules_.has_query && (key.last->form == Form::kJob || is_sealed(number, *key.last))) return;
    const bool is_settled = rules_.has_job && conversation.in_lake && conversation.start >= ledger(Lane::kSettle).start();
    if (is_settled && closes && key.last->form != Form::kJob && !has_equal(number, *least, Form::kJob, *key.last)) {
      return stage_.fail("G1: " + conversation.key + " ends in its query form");
    }
    if (has_equal(number, *least, key.last->form, *key.last)) return;
    stage_.fail("G1: " + conversation.key + " ends as #" + std::to_string(key.last->version) + " " +
                std::string(key.last->json()) + ", not as #" + std::to_string(*least) + " or a newer one");
  }

  // A job has shown the same content, with nothing besides: it stands for its own form.
  bool is_sealed(std::size_t number, const Row& published) {
    return rules_.has_job && published.digests.full == stage_.world.row(number, published.version, Form::kJob).digests.full;
  }

  // `published` has the content of version `least` or a newer one.
  bool has_equal(std::size_t number, std::size_t least, Form form, const Row& published) {
    for (std::size_t version = least; version < stage_.world.conversation(number).versions.size(); ++version) {
      if (stage_.world.row(number, version, form).digests.full == published.digests.full) return true;
    }
    return false;
  }

  // Of what is published closed, settled and quiet nothing is kept; nor of its day, unless that may have to be settled again
  // because one of it is published open.
  void check_digests() {
    std::set<core::HomeDay> open_days;
    visit_digests([&](std::string_view key, const core::DigestEntry& entry) {
      if (entry.open || (entry.owed_at && rules_.has_job && is_too_old(key))) open_days.insert(entry.home_day);
    });
    // What no job shows any more is owed for ever, if it was not decided whether it is gone.
    for (std::size_t number = 0; number < topics_.keys().size(); ++number) {
      const Conversation& conversation = stage_.world.conversation(number);
      const bool comes_and_goes = conversation.deleted && (fate_of(number) != Fate::kGone || !is_judged(number));
      if (!conversation.in_lake || conversation.hidden || comes_and_goes) {
        open_days.insert(std::chrono::floor<std::chrono::days>(conversation.start));
      }
    }
    visit_digests([&](std::string_view key, const core::DigestEntry& entry) {
      if (entry.home_day < stage_.now - stream_.settle.ages.back() - 6 * kDay && !open_days.contains(entry.home_day)) {
        stage_.fail("G9: the digest of " + std::string(key) + " does not expire: " + entry.serialize());
      }
    });
    const core::DigestIndex& index = publisher_.digests().committed();
    if (topics_.digests.size() != index.size()) stage_.fail("the digests topic and the index differ");
  }

  void visit_digests(const core::DigestIndex::Visitor& visitor) const {
    core::DigestIndex::Cursor cursor;
    while (!cursor.at_end()) publisher_.digests().committed().visit(cursor, 1000, visitor);
  }

  Stage& stage_;
  const connector::source::StreamOptions& stream_;
  core::StreamRules rules_;
  const Topics& topics_;
  const SimPublisher& publisher_;
};

}  // namespace

void check_final_state(Stage& stage, const Topics& topics, const SimPublisher& publisher) {
  FinalState(stage, topics, publisher).check();
}

}  // namespace tests::model
