#include "connector/core/digest/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <set>
#include <string>

namespace connector::core {
namespace {

using namespace std::chrono_literals;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;

// Minutes after the day's begin, by the service's clock.
Second at(int minutes) {
  return kDay + std::chrono::minutes(minutes);
}

Sighting query(std::uint64_t common, int minutes, bool open = false) {
  return {.form = SightingForm::kQuery, .open = open, .digests = {common, common}, .read_at = at(minutes), .home_day = kDay};
}
Sighting open_query(std::uint64_t common, int minutes) {
  return query(common, minutes, true);
}
Sighting by_id(std::uint64_t common, int minutes, bool open = false) {
  Sighting sighting = query(common, minutes, open);
  sighting.form = SightingForm::kById;
  return sighting;
}
// Read long after its data was complete.
Sighting job(std::uint64_t common, std::uint64_t full, int availability, bool open = false) {
  return {.form = SightingForm::kJob,
          .open = open,
          .digests = {common, full},
          .read_at = at(availability + 100),
          .availability = at(availability),
          .home_day = kDay};
}
Sighting open_job(std::uint64_t common, std::uint64_t full, int availability) {
  return job(common, full, availability, true);
}
// Asked for by id in vain, long after a job whose data is complete to `availability` did not return it.
Sighting absent(int availability, int read_at) {
  return {.form = SightingForm::kAbsent, .read_at = at(read_at), .availability = at(availability), .home_day = kDay};
}
Sighting repair(Sighting sighting) {
  sighting.requested = Requested::kRepair;
  return sighting;
}
Sighting oversize(Sighting sighting) {
  sighting.publishable = Publishable::kNo;
  return sighting;
}

// One key of a stream: what is seen of it, one row after the other.
class Key {
 public:
  explicit Key(StreamRules rules = {}) : rules_(rules) {}
  RowDecision see(const Sighting& sighting) {
    const RowDecision decision = reconcile(entry, sighting, rules_);
    if (decision.entry) entry = decision.entry;
    // What is told of the key is what is remembered of it.
    EXPECT_EQ(decision.owed, entry && entry->is_owed());
    // Everything that is stored can be read again.
    if (entry) EXPECT_EQ(DigestEntry::parse(entry->serialize()).value_or(DigestEntry{}), *entry);
    return decision;
  }
  std::optional<DigestEntry> entry;

 private:
  StreamRules rules_;
};

// NOLINTBEGIN(readability-identifier-naming): matchers are named as gmock's own.
MATCHER_P(Publishes, reason, "") {
  return arg.outcome == DigestOutcome::kPublish && arg.reason == reason && arg.entry.has_value();
}
MATCHER_P(PublishesNothing, reason, "") {
  return arg.outcome == DigestOutcome::kNothing && arg.reason == reason;
}
MATCHER_P(IsADeadLetter, reason, "") {
  return arg.outcome == DigestOutcome::kDeadLetter && arg.reason == reason && arg.entry->state == DigestState::kDead;
}
MATCHER(Deletes, "") {
  return arg.outcome == DigestOutcome::kDelete && arg.reason == DigestReason::kGone && arg.entry->state == DigestState::kGone;
}
// NOLINTEND(readability-identifier-naming)
using R = DigestReason;

constexpr StreamRules kQueryOnly{.has_query = true, .has_job = false, .has_by_id = false};
constexpr StreamRules kJobOnly{.has_query = false, .has_job = true, .has_by_id = false};
constexpr StreamRules kNoFollow{.has_query = true, .has_job = true, .has_by_id = false};

// A record that lasts: every day's readings return it, and it is remembered with the last of them.

Sighting on_day(int day, Sighting sighting) {
  sighting.home_day = kDay + std::chrono::days{day};
  return sighting;
}

TEST(ManyDays, AKeyStaysWithTheLatestDayThatItWasSeenOn) {
  Key key({.has_query = true, .has_job = false, .has_by_id = false, .many_days = true});

  EXPECT_THAT(key.see(on_day(0, open_query(1, 10))), Publishes(R::kNew));
  EXPECT_EQ(key.see(on_day(0, open_query(1, 20))).entry, std::nullopt) << "nothing to write while the day is the same";
  EXPECT_THAT(key.see(on_day(2, open_query(1, 2'900))), PublishesNothing(R::kUnchanged));
  EXPECT_EQ(key.entry->home_day, kDay + std::chrono::days{2});
  EXPECT_EQ(key.entry->changed_at, at(10));

  // An earlier day is read again at one of its ages.
  EXPECT_EQ(key.see(on_day(1, open_query(1, 3'000))).entry, std::nullopt);
  EXPECT_THAT(key.see(on_day(1, query(2, 3'010))), Publishes(R::kChanged));
  EXPECT_EQ(key.entry->home_day, kDay + std::chrono::days{2});
}

TEST(ManyDays, JobsMoveItToo) {
  Key key({.has_query = true, .has_job = true, .has_by_id = false, .many_days = true});

  key.see(on_day(0, query(1, 10)));
  EXPECT_THAT(key.see(on_day(1, job(1, 1, 3'000))), PublishesNothing(R::kSealedUnchanged));
  EXPECT_EQ(key.entry->home_day, kDay + std::chrono::days{1});
  EXPECT_EQ(key.entry->state, DigestState::kSealed);
  EXPECT_EQ(key.see(on_day(0, job(1, 1, 3'500))).entry, std::nullopt);
  EXPECT_THAT(key.see(on_day(3, job(1, 1, 5'000))), PublishesNothing(R::kUnchanged));
  EXPECT_EQ(key.entry->home_day, kDay + std::chrono::days{3});
}

TEST(ManyDays, OtherRecordsKeepTheDayTheyBeganOn) {
  Key key(kQueryOnly);

  key.see(on_day(0, query(1, 10)));
  EXPECT_EQ(key.see(on_day(1, query(1, 1'500))).entry, std::nullopt);
  EXPECT_EQ(key.entry->home_day, kDay);
}

// Provisional: the query form is published whenever it changes.

TEST(Provisional, AnUnknownKeyIsPublished) {
  Key key;

  EXPECT_THAT(key.see(open_query(1, 10)), Publishes(R::kNew));

  EXPECT_EQ(key.entry, (DigestEntry{.state = DigestState::kProvisional,
                                    .open = true,
                                    .common = 1,
                                    .read_at = at(10),
                                    .changed_at = at(10),
                                    .home_day = kDay}));
}

TEST(Provisional, TheSameContentIsNotPublishedAgainByAnyLane) {
  Key key;
  key.see(query(1, 10));

  EXPECT_THAT(key.see(query(1, 20)), PublishesNothing(R::kUnchanged));
  EXPECT_THAT(key.see(by_id(1, 30)), PublishesNothing(R::kUnchanged));

  EXPECT_EQ(key.entry->read_at, at(10)) << "of the read that published it";
}

// Of a projection without the record's end: how long it has been quiet counts from there.
TEST(Provisional, ClosingIsAChangeThoughTheContentDoesNotShowIt) {
  Key key;
  key.see(open_query(1, 10));

  EXPECT_THAT(key.see(query(1, 20)), PublishesNothing(R::kUnchanged));
  EXPECT_EQ(key.entry->changed_at, at(20));
  EXPECT_THAT(key.see(query(1, 30)), PublishesNothing(R::kUnchanged));
  EXPECT_EQ(key.entry->changed_at, at(20));
}

TEST(Provisional, EveryOtherContentIsPublished) {
  Key key;
  key.see(open_query(1, 10));

  EXPECT_THAT(key.see(open_query(2, 20)), Publishes(R::kChanged));
  EXPECT_THAT(key.see(query(3, 30)), Publishes(R::kChanged));
  EXPECT_THAT(key.see(query(2, 40)), Publishes(R::kChanged)) << "a return to what it was is a change, too";
  EXPECT_EQ(key.entry->changed_at, at(40));
  EXPECT_FALSE(key.entry->open);
}

// A key may expire while an answer about it is under way: the service is slow, the host was suspended.
TEST(Provisional, WhatWasForgottenWhileItWasAskedForIsNotTakenForNew) {
  Sighting unchanged = by_id(1, 20);
  unchanged.known_when_asked = true;
  Key forgotten({.has_query = true, .has_job = false, .has_by_id = true});
  EXPECT_THAT(forgotten.see(unchanged), PublishesNothing(R::kUnchanged));
  EXPECT_FALSE(forgotten.entry);

  EXPECT_THAT(forgotten.see(by_id(2, 20)), Publishes(R::kNew)) << "a change that came just then is not lost";

  Key known;
  known.see(query(2, 10));
  EXPECT_THAT(known.see(unchanged), Publishes(R::kChanged)) << "published anew meanwhile, and changed back";
}

// Asked for while it was open; when the answer comes a job has brought the whole of it, and its day was done with.
TEST(Sealed, WhatWasSealedAndForgottenWhileItWasAskedForDoesNotLoseItsAttributes) {
  Key forgotten;

  EXPECT_THAT(forgotten.see(by_id(2, 20)), PublishesNothing(R::kSupersededBySealed));

  EXPECT_FALSE(forgotten.entry);
  EXPECT_THAT(forgotten.see(repair(by_id(2, 20))), Publishes(R::kNew)) << "whom it was asked for by an operator";
}

// Arrival is the order of query rows: a clock that was set back, or that of another server, must not hide what is newer.
TEST(Provisional, TheRowThatArrivesLaterCountsWhateverItsDate) {
  Key key;
  key.see(query(1, 30));

  EXPECT_THAT(key.see(query(2, 20)), Publishes(R::kChanged));
  EXPECT_THAT(key.see(by_id(3, 10)), Publishes(R::kChanged));
}

TEST(Provisional, TimesAreCutToTheResolutionOfTheServicesDate) {
  Key key;
  Sighting sighting = query(1, 10);
  sighting.read_at += 900ms;

  key.see(sighting);

  EXPECT_EQ(key.entry->read_at, at(10));
  Sighting same_second = job(1, 5, 10);
  *same_second.availability += 950ms;
  EXPECT_THAT(key.see(same_second), PublishesNothing(R::kTooOldToSeal));
}

TEST(Provisional, WhetherItIsOpenFollowsTheRowEvenWhereContentDoesNotTell) {
  Key key;
  key.see(open_query(1, 10));  // what it is open by is ignored in its digest

  EXPECT_THAT(key.see(query(1, 20)), PublishesNothing(R::kUnchanged));
  EXPECT_FALSE(key.entry->open);
}

TEST(Provisional, OfASettledDayItIsOwedAtOnce) {
  Key key;
  Sighting late = query(1, 10);
  late.home_day_settled = true;

  EXPECT_TRUE(key.see(late).owed);
  EXPECT_EQ(key.entry->owed_at, at(10));

  Key without_job(kQueryOnly);
  EXPECT_FALSE(without_job.see(late).owed);
}

// In doubt: a row must not replace a richer one.

TEST(Doubt, AnOpenRowWhereAClosedOneIsPublishedIsReadById) {
  Key key;
  key.see(query(1, 10));

  const RowDecision decision = key.see(open_query(2, 20));

  EXPECT_THAT(decision, PublishesNothing(R::kInDoubt));
  EXPECT_TRUE(decision.follow_by_id);
  EXPECT_TRUE(key.entry->is_followed());
  EXPECT_FALSE(key.entry->open);
}

TEST(Doubt, WhatIsReadByIdWins) {
  Key reopened;
  reopened.see(query(1, 10));
  reopened.see(open_query(2, 20));
  EXPECT_THAT(reopened.see(by_id(2, 30, true)), Publishes(R::kChanged));
  EXPECT_FALSE(reopened.entry->doubt);
  EXPECT_TRUE(reopened.entry->open);

  Key stale;
  stale.see(query(1, 10));
  stale.see(open_query(2, 20));
  EXPECT_THAT(stale.see(by_id(1, 30)), PublishesNothing(R::kUnchanged));
  EXPECT_FALSE(stale.entry->doubt);
}

TEST(Doubt, LastsWhileOpenRowsComeAndEndsWithAClosedOne) {
  Key key;
  key.see(query(1, 10));
  key.see(open_query(2, 20));

  EXPECT_THAT(key.see(open_query(3, 30)), PublishesNothing(R::kInDoubt));
  EXPECT_TRUE(key.entry->doubt);
  EXPECT_THAT(key.see(query(4, 40)), Publishes(R::kChanged));
  EXPECT_FALSE(key.entry->doubt);

  key.see(open_query(5, 50));
  EXPECT_THAT(key.see(query(4, 60)), PublishesNothing(R::kUnchanged));
  EXPECT_FALSE(key.entry->doubt);
}

TEST(Doubt, WhereNothingCanBeReadByIdTheJobDecides) {
  Key key(kNoFollow);
  key.see(query(1, 10));

  const RowDecision decision = key.see(open_query(2, 20));

  EXPECT_THAT(decision, PublishesNothing(R::kInDoubt));
  EXPECT_FALSE(decision.follow_by_id);
  EXPECT_EQ(key.entry->owed_at, at(20));
  EXPECT_THAT(key.see(job(1, 5, 15)), Publishes(R::kSealed));
  EXPECT_TRUE(key.entry->is_owed()) << "that job did not know of the doubtful read";
  EXPECT_THAT(key.see(job(1, 5, 25)), PublishesNothing(R::kUnchanged));
  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Doubt, WhereNobodyCanDecideTheLaterRowCounts) {
  Key key(kQueryOnly);
  key.see(query(1, 10));

  EXPECT_THAT(key.see(open_query(2, 20)), Publishes(R::kChanged));
}

TEST(Doubt, OutlivesSealing) {
  Key key;
  key.see(query(1, 10));
  key.see(open_query(2, 50));

  const RowDecision sealed = key.see(job(1, 5, 40));  // complete before the doubtful read

  EXPECT_THAT(sealed, Publishes(R::kSealed));
  EXPECT_TRUE(sealed.follow_by_id);
  EXPECT_THAT(key.see(by_id(2, 60, true)), PublishesNothing(R::kAwaitsJob));
}

// Sealing.

TEST(Sealing, ByTheFirstClosedJobRowThatKnowsAsMuch) {
  Key key;
  key.see(query(1, 10));

  EXPECT_THAT(key.see(job(1, 5, 11)), Publishes(R::kSealed));

  EXPECT_EQ(
      key.entry,
      (DigestEntry{
          .state = DigestState::kSealed, .common = 1, .full = 5, .read_at = at(11), .changed_at = at(111), .home_day = kDay}));
}

TEST(Sealing, PublishesTheMissingAttributes) {
  Key key;
  key.see(query(1, 10));

  EXPECT_THAT(key.see(job(1, 2, 20)), Publishes(R::kSealed)) << "common is equal, but it has more";
}

TEST(Sealing, WithoutAnyDifferencePublishesNothingAndIsRemembered) {
  Key key;
  key.see(query(1, 10));

  EXPECT_THAT(key.see(job(1, 1, 20)), PublishesNothing(R::kSealedUnchanged));

  EXPECT_EQ(key.entry->state, DigestState::kSealed);
  EXPECT_EQ(key.entry->full, 1U);
  EXPECT_EQ(key.entry->changed_at, at(10));
  EXPECT_THAT(key.see(query(2, 30)), PublishesNothing(R::kAwaitsJob)) << "it is sealed indeed";
}

TEST(Sealing, AnUnknownKeyIsSealedAtOnce) {
  Key key;

  EXPECT_THAT(key.see(job(1, 5, 20)), Publishes(R::kNew));
  EXPECT_EQ(key.entry->state, DigestState::kSealed);
}

TEST(Sealing, AJobThatMayKnowLessLeavesTheDayOwed) {
  Key key;
  key.see(query(2, 30));

  for (const int availability : {20, 30}) {  // as old as the read is too old
    const RowDecision decision = key.see(job(1, 5, availability));
    EXPECT_THAT(decision, PublishesNothing(R::kTooOldToSeal));
    EXPECT_TRUE(decision.owed);
    EXPECT_EQ(key.entry->owed_at, at(30)) << "until availability has passed the read that is published";
  }
  EXPECT_THAT(key.see(job(2, 6, 31)), Publishes(R::kSealed));
  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Sealing, WhatIsOwedIsOwedBeyondTheNextReadToo) {
  Key key;
  key.see(query(2, 30));
  key.see(job(1, 5, 20));

  key.see(query(3, 40));

  EXPECT_EQ(key.entry->owed_at, at(40));
}

TEST(Sealing, AJobThatDoesNotSayHowFarItKnowsSealsNothing) {
  Key key;
  key.see(query(1, 10));
  Sighting silent = job(1, 5, 20);
  silent.availability.reset();

  EXPECT_THAT(key.see(silent), PublishesNothing(R::kTooOldToSeal));
}

TEST(Sealing, AnOpenJobRowOfAnUnknownKeyIsHandedToFollow) {
  Key key;

  const RowDecision decision = key.see(open_job(1, 5, 20));

  EXPECT_THAT(decision, PublishesNothing(R::kOpenInJob));
  EXPECT_TRUE(decision.follow_by_id);
  EXPECT_TRUE(decision.owed);
  EXPECT_EQ(key.entry->state, DigestState::kWanted);
  EXPECT_THAT(key.see(by_id(1, 30, true)), Publishes(R::kNew));
  EXPECT_TRUE(key.entry->is_owed()) << "it must be sealed one day, though its passes may be over";
  EXPECT_THAT(key.see(by_id(2, 40)), Publishes(R::kChanged));
  EXPECT_EQ(key.entry->owed_at, at(40));
  EXPECT_THAT(key.see(job(2, 6, 41)), Publishes(R::kSealed));
}

TEST(Sealing, AWantedKeyIsSealedByItsFirstClosedJobRow) {
  Key key;
  key.see(open_job(1, 5, 20));
  EXPECT_THAT(key.see(open_job(2, 6, 30)), PublishesNothing(R::kOpenInJob));
  EXPECT_EQ(key.entry->owed_at, at(30));

  EXPECT_THAT(key.see(job(3, 7, 40)), Publishes(R::kNew));
  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Sealing, AnOpenJobRowOfAnOpenKeyPublishesNothingAndIsOwed) {
  Key key;
  key.see(open_query(1, 10));

  const RowDecision decision = key.see(open_job(1, 5, 20));

  EXPECT_THAT(decision, PublishesNothing(R::kOpenInJob));
  EXPECT_TRUE(decision.owed);
  EXPECT_FALSE(decision.follow_by_id) << "it is followed as it is open";
  EXPECT_EQ(key.entry->state, DigestState::kProvisional);
}

TEST(Sealing, AnOpenJobRowOfAClosedKeyIsReadById) {
  Key key;
  key.see(query(1, 10));

  EXPECT_TRUE(key.see(open_job(2, 6, 20)).follow_by_id);

  EXPECT_TRUE(key.entry->doubt);
  EXPECT_EQ(key.entry->owed_at, at(20));
  Key no_follow(kNoFollow);
  no_follow.see(query(1, 10));
  EXPECT_FALSE(no_follow.see(open_job(2, 6, 20)).follow_by_id);
  EXPECT_EQ(no_follow.entry->owed_at, at(20));
}

TEST(Sealing, WhatTheJobSpellsOtherwiseIsNotOwedWhenTheQuerySaysItAgain) {
  Key key;
  key.see(query(1, 10));
  EXPECT_THAT(key.see(job(2, 5, 20)), Publishes(R::kSealed));

  EXPECT_THAT(key.see(query(1, 30)), PublishesNothing(R::kSupersededBySealed));
  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Sealing, AWantedKeyIsSealedByAJobOfTheSameDate) {
  Key key;
  key.see(open_job(1, 5, 20));

  EXPECT_THAT(key.see(job(2, 6, 20)), Publishes(R::kNew)) << "nothing is published that could be newer";
}

// Sealed keys take updates from jobs only.

Key sealed_key(StreamRules rules = {}) {
  Key key(rules);
  key.see(query(1, 10));
  key.see(job(1, 5, 20));
  return key;
}

TEST(Sealed, ALaterJobRowWithOtherContentIsPublished) {
  Key key = sealed_key();

  EXPECT_THAT(key.see(job(1, 6, 30)), Publishes(R::kChanged)) << "attributes alone";
  EXPECT_THAT(key.see(job(2, 7, 30)), Publishes(R::kChanged)) << "the same date: the later to arrive";
  EXPECT_EQ(key.entry->read_at, at(30));
  EXPECT_EQ(key.entry->common, 2U);
}

TEST(Sealed, TheSameContentIsNotPublishedAgain) {
  Key key = sealed_key();
  const auto before = key.entry;

  const RowDecision decision = key.see(job(1, 5, 30));

  EXPECT_THAT(decision, PublishesNothing(R::kUnchanged));
  EXPECT_FALSE(decision.entry) << "a settle pass without changes writes no state";
  EXPECT_EQ(key.entry, before);
}

TEST(Sealed, AnOlderJobPublishesNothing) {
  Key key = sealed_key();

  EXPECT_THAT(key.see(job(2, 6, 19)), PublishesNothing(R::kOlderJob));
  EXPECT_THAT(key.see(open_job(2, 6, 19)), PublishesNothing(R::kOlderJob));
  EXPECT_FALSE(key.entry->doubt);
}

TEST(Sealed, QueryRowsAreNotPublished) {
  Key key = sealed_key();

  EXPECT_THAT(key.see(query(1, 30)), PublishesNothing(R::kUnchanged));
  EXPECT_THAT(key.see(by_id(1, 30)), PublishesNothing(R::kUnchanged));
  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Sealed, ANewerQueryRowWithOtherContentLeavesTheKeyOwed) {
  for (const auto& row : {query(2, 30), by_id(2, 30)}) {
    Key key = sealed_key();

    const RowDecision decision = key.see(row);

    EXPECT_THAT(decision, PublishesNothing(R::kAwaitsJob));
    EXPECT_TRUE(decision.owed);
    EXPECT_EQ(key.entry->owed_at, at(30));
    EXPECT_THAT(key.see(job(2, 6, 31)), Publishes(R::kChanged));
    EXPECT_FALSE(key.entry->is_owed());
  }
}

TEST(Sealed, AQueryRowFromBeforeTheJobsDateOwesNothing) {
  Key key = sealed_key();

  EXPECT_THAT(key.see(query(2, 20)), PublishesNothing(R::kSupersededBySealed));
  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Sealed, IsOwedUntilAJobKnowsBeyondTheRead) {
  Key key = sealed_key();
  key.see(query(2, 30));

  EXPECT_THAT(key.see(job(1, 5, 30)), PublishesNothing(R::kUnchanged));
  EXPECT_TRUE(key.entry->is_owed());
  EXPECT_THAT(key.see(job(1, 6, 30)), Publishes(R::kChanged));
  EXPECT_TRUE(key.entry->is_owed());
  EXPECT_THAT(key.see(job(2, 7, 31)), Publishes(R::kChanged));
  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Sealed, TheSameQueryContentIsNotOwedAgainOnceAJobBeyondItWasUnchanged) {
  Key key = sealed_key();
  key.see(query(2, 30));
  EXPECT_THAT(key.see(job(1, 5, 40)), PublishesNothing(R::kUnchanged));
  EXPECT_FALSE(key.entry->is_owed());

  EXPECT_THAT(key.see(query(2, 50)), PublishesNothing(R::kSupersededBySealed));
  EXPECT_FALSE(key.entry->is_owed());

  EXPECT_THAT(key.see(query(3, 60)), PublishesNothing(R::kAwaitsJob));
  EXPECT_EQ(key.entry->owed_at, at(60));
}

TEST(Sealed, TheSameQueryContentDoesNotMoveWhatIsOwed) {
  Key key = sealed_key();
  key.see(query(2, 30));

  key.see(query(2, 50));

  EXPECT_EQ(key.entry->owed_at, at(30)) << "a job beyond the first such read knows it";
}

TEST(Sealed, TheQueryFormThatAJobAnsweredWithOtherContentIsKnownToo) {
  Key key = sealed_key();
  key.see(query(2, 30));
  EXPECT_THAT(key.see(job(3, 6, 40)), Publishes(R::kChanged));

  EXPECT_THAT(key.see(query(2, 50)), PublishesNothing(R::kSupersededBySealed)) << "the job spells it so";
}

TEST(Sealed, AReturnToAnEarlierStateIsOwedAgain) {
  Key key = sealed_key();
  key.see(query(2, 30));
  key.see(job(1, 5, 40));                                               // 2 is how the query spells 1
  EXPECT_THAT(key.see(job(3, 6, 50)), Publishes(R::kChanged));          // another state, seen by the job alone
  EXPECT_THAT(key.see(query(2, 60)), PublishesNothing(R::kAwaitsJob));  // back
  EXPECT_THAT(key.see(job(1, 5, 61)), Publishes(R::kChanged));
}

TEST(Sealed, TheDigestItIsSpeltByIsNotRememberedTwice) {
  Key key = sealed_key();
  key.see(query(2, 30));

  key.see(job(2, 6, 40));

  EXPECT_EQ(key.entry->seen, std::nullopt);
}

TEST(Sealed, ChangedAttributesDoNotForgetHowTheQuerySpellsIt) {
  Key key = sealed_key();
  key.see(query(2, 30));
  key.see(job(1, 5, 40));
  EXPECT_THAT(key.see(job(1, 6, 50)), Publishes(R::kChanged));

  EXPECT_THAT(key.see(query(2, 60)), PublishesNothing(R::kSupersededBySealed));
}

TEST(Sealed, AReopenedRecordIsFollowedThenSettledAgain) {
  Key key = sealed_key();

  const RowDecision reopened = key.see(open_query(2, 30));
  EXPECT_THAT(reopened, PublishesNothing(R::kAwaitsJob));
  EXPECT_TRUE(reopened.follow_by_id);
  EXPECT_TRUE(key.entry->is_followed());
  EXPECT_TRUE(key.see(by_id(3, 40, true)).follow_by_id);
  EXPECT_FALSE(key.see(by_id(4, 50)).follow_by_id) << "closed again";
  EXPECT_EQ(key.entry->owed_at, at(50));
  EXPECT_THAT(key.see(job(4, 8, 51)), Publishes(R::kChanged));
  EXPECT_EQ(key.entry->state, DigestState::kSealed);
}

TEST(Sealed, AJobThatShowsItOpenPublishesNothingAndIsOwed) {
  Key key = sealed_key();

  const RowDecision decision = key.see(open_job(2, 6, 30));

  EXPECT_THAT(decision, PublishesNothing(R::kOpenInJob));
  EXPECT_TRUE(decision.follow_by_id);
  EXPECT_EQ(key.entry->owed_at, at(30));
  EXPECT_EQ(key.entry->state, DigestState::kSealed);
  EXPECT_THAT(key.see(by_id(1, 40)), PublishesNothing(R::kUnchanged));
  EXPECT_FALSE(key.entry->doubt);
  EXPECT_THAT(key.see(job(1, 6, 50)), Publishes(R::kChanged));
}

TEST(Sealed, WhatIsOwedIsNeverMovedBack) {
  Key key = sealed_key();
  key.see(open_job(2, 6, 50));

  key.see(query(3, 40));

  EXPECT_EQ(key.entry->owed_at, at(50));
}

TEST(Sealed, ARowFromBeforeTheJobsDateNeitherRaisesNorEndsADoubt) {
  Key key = sealed_key();
  key.see(open_query(2, 30));

  key.see(query(3, 20));
  EXPECT_TRUE(key.entry->doubt);

  Key quiet = sealed_key();
  quiet.see(open_query(3, 20));
  EXPECT_FALSE(quiet.entry->doubt);
}

TEST(Sealed, WhereNothingCanBeReadByIdAnOpenRowIsOwedOnly) {
  Key key = sealed_key(kNoFollow);

  const RowDecision decision = key.see(open_query(2, 30));

  EXPECT_TRUE(decision.owed);
  EXPECT_FALSE(decision.follow_by_id);
}

// Streams with one form only.

TEST(JobOnly, EveryJobRowWithOtherContentIsPublishedOpenOnesToo) {
  Key key(kJobOnly);

  EXPECT_THAT(key.see(open_job(1, 5, 20)), Publishes(R::kNew));
  EXPECT_EQ(key.entry->state, DigestState::kProvisional);
  EXPECT_THAT(key.see(open_job(1, 6, 30)), Publishes(R::kChanged));
  EXPECT_THAT(key.see(open_job(1, 6, 40)), PublishesNothing(R::kUnchanged));
  EXPECT_THAT(key.see(job(2, 7, 50)), Publishes(R::kChanged));
  EXPECT_EQ(key.entry->state, DigestState::kSealed);
  EXPECT_THAT(key.see(open_job(3, 8, 60)), Publishes(R::kChanged));
  EXPECT_EQ(key.entry->state, DigestState::kProvisional);
}

// A projection may hide that it has ended: then nothing else tells.
TEST(JobOnly, WhatHasClosedWithoutAnotherContentIsNotHeldForOpen) {
  Key key(kJobOnly);
  key.see(open_job(1, 5, 20));

  EXPECT_THAT(key.see(job(1, 5, 30)), PublishesNothing(R::kUnchanged));

  EXPECT_FALSE(key.entry->open);
  EXPECT_EQ(key.entry->state, DigestState::kSealed);
  EXPECT_EQ(key.entry->changed_at, at(120));
}

TEST(JobOnly, RowsAreOrderedByTheirAvailability) {
  Key key(kJobOnly);
  key.see(job(1, 5, 30));

  EXPECT_THAT(key.see(job(2, 6, 29)), PublishesNothing(R::kOlderJob));
  EXPECT_THAT(key.see(job(2, 6, 30)), Publishes(R::kChanged));
}

TEST(JobOnly, WhatWasProvisionalBeforeItsQueryLaneWasLeftIsNotPutBack) {
  Key key(kJobOnly);
  key.entry = DigestEntry{.state = DigestState::kProvisional, .common = 1, .read_at = at(30), .home_day = kDay};

  EXPECT_THAT(key.see(job(2, 6, 20)), PublishesNothing(R::kTooOldToSeal));
  EXPECT_THAT(key.see(job(2, 6, 31)), Publishes(R::kSealed));
  EXPECT_EQ(key.entry->seen, std::nullopt);
}

TEST(JobOnly, AReadByIdDoesNotTakeTheAttributesAway) {
  Key key({.has_query = false, .has_job = true, .has_by_id = true});
  key.see(open_job(1, 5, 20));

  EXPECT_THAT(key.see(by_id(2, 30)), PublishesNothing(R::kAwaitsJob));
}

TEST(QueryOnly, NothingIsEverSealedOrOwed) {
  Key key(kQueryOnly);

  EXPECT_THAT(key.see(query(1, 10)), Publishes(R::kNew));
  EXPECT_THAT(key.see(query(2, 20)), Publishes(R::kChanged));
  EXPECT_EQ(key.entry->state, DigestState::kProvisional);
  EXPECT_FALSE(key.entry->is_owed());
}

// Gone.

TEST(Gone, WhateverComesBackIsPublishedEqualContentToo) {
  for (const Sighting& row : {query(1, 50), by_id(1, 50), job(1, 5, 50)}) {
    Key key = sealed_key();
    key.entry = gone_entry(*key.entry, at(40));
    EXPECT_EQ(key.entry->read_at, at(40));
    EXPECT_EQ(key.entry->common, std::nullopt);

    EXPECT_THAT(key.see(row), Publishes(R::kReturned));
  }
}

TEST(Gone, AQueryFormThatComesBackIsOwedItsAttributes) {
  Key key = sealed_key();
  key.entry = gone_entry(*key.entry, at(40));

  EXPECT_TRUE(key.see(query(1, 50)).owed);
  EXPECT_THAT(key.see(job(1, 5, 60)), Publishes(R::kSealed));

  Key without_job(kQueryOnly);
  without_job.entry = key.entry = gone_entry(*key.entry, at(40));
  EXPECT_FALSE(without_job.see(query(1, 50)).owed);
}

TEST(Gone, AJobFromBeforeDoesNotBringItBack) {
  Key key = sealed_key();
  key.entry = gone_entry(*key.entry, at(40));

  const RowDecision decision = key.see(job(1, 5, 40));

  EXPECT_THAT(decision, PublishesNothing(R::kTooOldToSeal));
  EXPECT_TRUE(decision.owed);
  EXPECT_THAT(key.see(job(1, 5, 41)), Publishes(R::kReturned));
}

TEST(Gone, AnOpenRowOfAJobFromBeforeIsNotReadByIdEither) {
  Key key = sealed_key();
  key.entry = gone_entry(*key.entry, at(40));

  EXPECT_THAT(key.see(open_job(1, 5, 40)), PublishesNothing(R::kTooOldToSeal));

  EXPECT_EQ(key.entry->state, DigestState::kGone);
  EXPECT_TRUE(key.entry->is_owed());
}

TEST(Gone, IsWhatWasAskedForInVain) {
  for (Key key : {sealed_key(), [] {
                    Key provisional;
                    provisional.see(open_query(1, 10));
                    return provisional;
                  }()}) {
    EXPECT_THAT(key.see(absent(30, 50)), Deletes());

    EXPECT_EQ(key.entry, gone_entry(*key.entry, at(50)));
    EXPECT_THAT(key.see(absent(30, 60)), PublishesNothing(R::kSeenSince)) << "once";
    EXPECT_THAT(key.see(query(1, 70)), Publishes(R::kReturned));
  }
}

TEST(Gone, IsNotWhatWasReadAfterTheJobThatDidNotReturnIt) {
  Key key = sealed_key();
  key.see(query(2, 45));  // set aside: a job is needed
  EXPECT_THAT(key.see(absent(40, 50)), PublishesNothing(R::kSeenSince));

  Key provisional;
  provisional.see(query(1, 45));
  EXPECT_THAT(provisional.see(absent(40, 50)), PublishesNothing(R::kSeenSince));
  EXPECT_EQ(provisional.entry->state, DigestState::kProvisional);
}

TEST(Gone, IsNotWhatIsNotKnown) {
  Key key;

  EXPECT_THAT(key.see(absent(30, 50)), PublishesNothing(R::kSeenSince));

  EXPECT_FALSE(key.entry);
}

TEST(Gone, OfWhatWasNeverPublishedNothingIsDeleted) {
  Key key;
  key.see(open_job(1, 5, 20));
  ASSERT_EQ(key.entry->state, DigestState::kWanted);

  EXPECT_THAT(key.see(absent(30, 50)), PublishesNothing(R::kGone));

  EXPECT_EQ(key.entry->state, DigestState::kGone);
  EXPECT_FALSE(key.entry->is_followed());
  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Gone, ForGoodItIsOwedNothingAnyMore) {
  Key key = sealed_key();
  key.see(absent(30, 50));
  key.see(job(1, 5, 45));  // the lake still had it
  ASSERT_TRUE(key.entry->is_owed());

  EXPECT_THAT(key.see(absent(60, 70)), PublishesNothing(R::kGone)) << "its tombstone is there";

  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Gone, OpenInAJobItIsReadByIdAgain) {
  Key key = sealed_key();
  key.entry = gone_entry(*key.entry, at(40));

  EXPECT_TRUE(key.see(open_job(1, 5, 50)).follow_by_id);

  EXPECT_EQ(key.entry->state, DigestState::kWanted);
  EXPECT_TRUE(key.entry->open);
  EXPECT_THAT(key.see(by_id(1, 60, true)), Publishes(R::kNew));
}

// Dead letters: once per content.

TEST(Dead, ARecordThatCannotBePublishedIsADeadLetterOncePerContent) {
  Key key;

  EXPECT_THAT(key.see(oversize(query(1, 10))), IsADeadLetter(R::kNew));
  EXPECT_THAT(key.see(oversize(query(1, 20))), PublishesNothing(R::kUnchanged));
  EXPECT_THAT(key.see(oversize(query(2, 30))), IsADeadLetter(R::kChanged));
  EXPECT_THAT(key.see(query(3, 40)), Publishes(R::kChanged));
  EXPECT_EQ(key.entry->state, DigestState::kProvisional);
}

TEST(Dead, TheJobFormMayBeTheOneThatIsTooLarge) {
  Key key;
  key.see(query(1, 10));

  EXPECT_THAT(key.see(oversize(job(1, 5, 20))), IsADeadLetter(R::kSealed));
  EXPECT_THAT(key.see(oversize(job(1, 5, 30))), PublishesNothing(R::kUnchanged));
  EXPECT_THAT(key.see(query(1, 40)), PublishesNothing(R::kUnchanged));
  EXPECT_THAT(key.see(query(2, 50)), PublishesNothing(R::kAwaitsJob)) << "attributes may have been published before";
  EXPECT_THAT(key.see(job(2, 6, 60)), Publishes(R::kChanged));
  EXPECT_EQ(key.entry->state, DigestState::kSealed);
}

TEST(Dead, TheSameContentInTheJobsFormIsNotAnotherDeadLetter) {
  Key key;
  key.see(oversize(query(1, 10)));

  EXPECT_THAT(key.see(oversize(job(1, 1, 20))), PublishesNothing(R::kSealedUnchanged));
  EXPECT_EQ(key.entry->state, DigestState::kDead);
  EXPECT_THAT(key.see(oversize(job(1, 2, 30))), IsADeadLetter(R::kChanged));
}

TEST(Dead, IsInDoubtAsAPublishedOneIs) {
  Key key;
  key.see(oversize(query(1, 10)));

  EXPECT_THAT(key.see(open_query(2, 20)), PublishesNothing(R::kInDoubt));
}

// Repair: on request, whatever is known.

TEST(Repair, PublishesKnownContent) {
  Key provisional;
  provisional.see(query(1, 10));
  EXPECT_THAT(provisional.see(repair(query(1, 20))), Publishes(R::kRepaired));
  EXPECT_THAT(provisional.see(repair(by_id(1, 30))), Publishes(R::kRepaired));
  EXPECT_THAT(provisional.see(repair(job(1, 1, 40))), Publishes(R::kRepaired));

  Key sealed = sealed_key();
  EXPECT_THAT(sealed.see(repair(job(1, 5, 30))), Publishes(R::kRepaired));
  EXPECT_EQ(sealed.entry->state, DigestState::kSealed);

  Key job_only(kJobOnly);
  job_only.see(open_job(1, 5, 30));
  EXPECT_THAT(job_only.see(repair(open_job(1, 5, 40))), Publishes(R::kRepaired));
}

TEST(Repair, PutsNoQueryFormAfterAJobFormButOwesTheKeyAJob) {
  Key key = sealed_key();
  const DigestEntry sealed = *key.entry;

  const RowDecision decision = key.see(repair(query(1, 30)));

  EXPECT_THAT(decision, PublishesNothing(R::kAwaitsJob));
  EXPECT_TRUE(decision.owed);
  EXPECT_EQ(key.entry->full, sealed.full) << "what is published is still the job form";
  EXPECT_THAT(key.see(repair(job(1, 5, 31))), Publishes(R::kRepaired));
  EXPECT_FALSE(key.entry->is_owed());
}

TEST(Repair, DoesNotPutAnOlderStateAfterANewerOne) {
  Key key;
  key.see(query(2, 30));

  EXPECT_THAT(key.see(repair(job(1, 5, 20))), PublishesNothing(R::kTooOldToSeal));
  EXPECT_THAT(key.see(repair(open_job(1, 5, 40))), PublishesNothing(R::kOpenInJob));
  Key sealed = sealed_key();
  EXPECT_THAT(sealed.see(repair(job(1, 5, 19))), PublishesNothing(R::kOlderJob));
}

TEST(Repair, OfADeadRecordTriesAgain) {
  Key key;
  key.see(oversize(query(1, 10)));

  EXPECT_THAT(key.see(repair(query(1, 20))), Publishes(R::kRepaired));
}

TEST(Repair, OfWhatStillCannotBePublishedMakesNoSecondDeadLetter) {
  Key key;
  key.see(oversize(query(1, 10)));
  EXPECT_THAT(key.see(repair(oversize(by_id(1, 20)))), PublishesNothing(R::kUnchanged));
  EXPECT_EQ(key.see(repair(oversize(by_id(2, 30)))).outcome, DigestOutcome::kDeadLetter)
      << "another content is another dead letter";

  key.see(oversize(job(2, 5, 40)));
  EXPECT_EQ(key.entry->state, DigestState::kDead);
  EXPECT_TRUE(key.entry->is_job_form());
  EXPECT_THAT(key.see(repair(oversize(job(2, 5, 50)))), PublishesNothing(R::kUnchanged));
  EXPECT_EQ(key.see(repair(oversize(job(2, 6, 60)))).outcome, DigestOutcome::kDeadLetter);
  EXPECT_EQ(key.entry->state, DigestState::kDead);

  EXPECT_THAT(key.see(repair(job(2, 6, 70))), Publishes(R::kRepaired)) << "its topic takes it now";
  EXPECT_EQ(key.entry->state, DigestState::kSealed);
}

TEST(Repair, OfADeadQueryFormByAJobThatAddsNothingMakesNoSecondDeadLetter) {
  Key key;
  key.see(oversize(query(1, 10)));

  EXPECT_THAT(key.see(repair(oversize(job(1, 1, 20)))), PublishesNothing(R::kSealedUnchanged));
  EXPECT_EQ(key.entry->state, DigestState::kDead);
  EXPECT_THAT(key.see(repair(job(1, 1, 30))), Publishes(R::kRepaired));
}

TEST(DigestReason, IsSpeltDistinctly) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kDigestReasons; ++i) names.insert(to_string(static_cast<DigestReason>(i)));
  EXPECT_EQ(names.size(), kDigestReasons);
}

}  // namespace
}  // namespace connector::core
