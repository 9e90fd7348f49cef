#include "tests/simulator/world.h"

#include "tests/simulator/chance.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>

namespace tests::simulator {

namespace {

// What a choice is about; part of the hash, so that choices are independent of each other.
enum Aspect : std::uint64_t {
  kId = 1,
  kJitter,
  kLife,
  kLong,
  kReopen,
  kSecondLife,
  kEvaluation,
  kSurvey,
  kDeletion,
  kVisible,
  kMedia,
  kDirection,
  kDivision,
  kQueue,
  kAgent,
  kSize,
  kOrganization,
  kUser,
  kWrapUp,
  kPresence,
  kRouting,
};

constexpr std::uint64_t kIndexMask = (1ULL << 48U) - 1;

std::uint64_t id_round(std::uint64_t seed, std::uint64_t round, std::uint64_t half) {
  return chance(seed, kId, round, half) & 0xffffffU;
}

// A permutation of 48 bits (Feistel, four rounds), so that an id leads back to its index without a table.
std::uint64_t scramble(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t left = (index >> 24U) & 0xffffffU;
  std::uint64_t right = index & 0xffffffU;
  for (std::uint64_t round = 0; round < 4; ++round) {
    const std::uint64_t next = left ^ id_round(seed, round, right);
    left = right;
    right = next;
  }
  return (left << 24U) | right;
}

std::uint64_t unscramble(std::uint64_t seed, std::uint64_t value) {
  std::uint64_t left = (value >> 24U) & 0xffffffU;
  std::uint64_t right = value & 0xffffffU;
  for (std::uint64_t round = 4; round-- > 0;) {
    const std::uint64_t previous = right ^ id_round(seed, round, left);
    right = left;
    left = previous;
  }
  return (left << 24U) | right;
}

Duration scaled(Duration duration, double factor) {
  return Duration{std::max<std::int64_t>(1, std::llround(static_cast<double>(duration.count()) * factor))};
}

// Half of the values below 1, half above; between 0.55 and 1.6, as the recorded sizes spread.
double spread(double unit) {
  return unit < 0.5 ? 0.55 + 0.9 * unit : 1.0 + 1.2 * (unit - 0.5);
}

// Bytes of the parts of a record, measured on rendered ones (record_test.cpp holds the median to the option).
constexpr double kBareBytes = 1'350;   // conversation and customer
constexpr double kFlowBytes = 2'350;   // IVR and ACD participants
constexpr double kAgentBytes = 2'200;  // one agent
constexpr double kStatBytes = 225;     // one media endpoint statistic

constexpr std::array<std::string_view, 6> kPresences{"AVAILABLE", "ON_QUEUE", "ON_QUEUE", "BUSY", "MEAL", "OFFLINE"};
constexpr std::array<std::string_view, 4> kRoutingStatuses{"IDLE", "INTERACTING", "INTERACTING", "NOT_RESPONDING"};

std::vector<StateEntry> states(const Interval& interval, Instant now, Duration slot, std::span<const std::string_view> names,
                               std::uint64_t seed) {
  std::vector<StateEntry> entries;
  const auto slot_of = [&](Instant instant) { return instant.time_since_epoch() / slot; };
  const auto name_of = [&](std::int64_t number) {
    return names[chance(seed, static_cast<std::uint64_t>(number)) % names.size()];
  };
  const Instant until = std::min(interval.end, now + Duration{1});
  if (interval.start >= until) {
    return entries;
  }
  // An entry is a run of slots of one state: go back to where the first one began.
  std::int64_t number = slot_of(interval.start);
  while (name_of(number - 1) == name_of(number)) {
    --number;
  }
  for (; Instant{slot * number} < until; ++number) {
    const Instant start{slot * number};
    if (entries.empty() || entries.back().state != name_of(number)) {
      if (!entries.empty()) {
        entries.back().end = start;
      }
      entries.push_back({.start = start, .end = std::nullopt, .state = name_of(number)});
    }
  }
  // The last one may end after the interval but before now.
  while (name_of(number) == entries.back().state) {
    ++number;
  }
  if (Instant{slot * number} <= now) {
    entries.back().end = Instant{slot * number};
  }
  return entries;
}

}  // namespace

std::string_view to_string(Media media) {
  switch (media) {
    case Media::kVoice:
      return "voice";
    case Media::kMessage:
      return "message";
    case Media::kEmail:
      return "email";
    case Media::kChat:
      return "chat";
  }
  return "unknown";
}

std::optional<Instant> Conversation::end_at(Instant now) const {
  if (reopened && now >= *reopened) {
    return now >= end ? std::optional(end) : std::nullopt;
  }
  return now >= first_end ? std::optional(first_end) : std::nullopt;
}

bool Conversation::overlaps(const Interval& interval, Instant now) const {
  if (start >= interval.end || start > now) {
    return false;
  }
  const std::optional<Instant> ended = end_at(now);
  // A conversation that starts inside counts even if it has no length.
  return start >= interval.start || !ended || *ended > interval.start;
}

std::uint32_t Conversation::agent_user(std::uint32_t leg, std::uint32_t users) const {
  return static_cast<std::uint32_t>(chance(bits, kAgent, leg) % users);
}

World::World(WorldOptions options) : options_(options) {
  if (options_.spacing <= Duration::zero() || options_.users == 0 || options_.queues == 0 || options_.divisions == 0) {
    throw std::invalid_argument("spacing, users, queues and divisions must be above zero");
  }
}

Instant World::start_of(std::uint64_t index) const {
  const auto jitter =
      static_cast<std::int64_t>(chance(options_.seed, kJitter, index) % static_cast<std::uint64_t>(options_.spacing.count()));
  return options_.start + options_.spacing * static_cast<std::int64_t>(index) + Duration{jitter};
}

std::uint64_t World::first_from(Instant instant) const {
  if (instant <= options_.start) {
    return 0;
  }
  auto index = static_cast<std::uint64_t>((instant - options_.start) / options_.spacing);
  if (start_of(index) < instant) {
    ++index;
  }
  return options_.conversations == 0 ? index : std::min(index, options_.conversations);
}

Conversation World::conversation(std::uint64_t index) const {
  Conversation it;
  const std::uint64_t seed = options_.seed;
  const auto unit = [&](Aspect aspect) { return to_unit(chance(seed, aspect, index)); };
  it.index = index;
  it.bits = chance(seed, kId, index);
  it.start = start_of(index);
  it.visible_from = it.start + Duration{std::llround(unit(kVisible) * static_cast<double>(options_.index_lag.count()))};
  const bool is_long = unit(kLong) < options_.long_share;
  it.first_end = it.start + scaled(is_long ? options_.long_duration : options_.duration, spread(unit(kLife)));
  it.end = it.first_end;
  if (unit(kReopen) < options_.reopen_share) {
    it.reopened = it.first_end + options_.reopen_after;
    it.end = *it.reopened + scaled(options_.duration, spread(unit(kSecondLife)));
  }
  if (unit(kEvaluation) < options_.late_share) {
    it.evaluated = it.end + options_.late_after;
    if (chance(seed, kSurvey, index) % 2 == 0) {
      it.surveyed = it.end + options_.late_after / 2;
    }
  }
  if (unit(kDeletion) < options_.deleted_share) {
    it.deleted = it.end + options_.deleted_after;
  }
  if (const auto removed = removed_.find(index); removed != removed_.end()) {
    it.deleted = removed->second;
  }
  const double media = unit(kMedia);
  it.media = media < 0.7 ? Media::kVoice : media < 0.85 ? Media::kMessage : media < 0.95 ? Media::kEmail : Media::kChat;
  it.inbound = unit(kDirection) < 0.8;
  it.division = static_cast<std::uint32_t>(chance(seed, kDivision, index) % options_.divisions);
  it.queue = static_cast<std::uint32_t>(chance(seed, kQueue, index) % options_.queues);

  const double target = options_.record_bytes * spread(unit(kSize));
  it.attribute_bytes = static_cast<std::uint32_t>(0.13 * target);
  double left = target - it.attribute_bytes - kBareBytes;
  it.with_flow = left > kFlowBytes;
  left -= it.with_flow ? kFlowBytes : 0;
  it.agents = static_cast<std::uint32_t>(std::clamp(std::floor(left / kAgentBytes), 0.0, 200.0));
  left -= it.agents * kAgentBytes;
  it.stats = static_cast<std::uint32_t>(std::clamp(std::round(left / kStatBytes), 0.0, 1000.0));
  return it;
}

std::string World::id_of(std::uint64_t index) const {
  const std::uint64_t bits = chance(options_.seed, kId, index);
  // The last 48 bits are the scrambled index, the others prove that the id is ours.
  return to_uuid(bits, (mix(bits) & ~kIndexMask) | scramble(options_.seed, index & kIndexMask));
}

std::optional<std::uint64_t> World::index_of(std::string_view id) const {
  if (id.size() != 36) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char digit : id.substr(24)) {
    const std::size_t nibble = std::string_view("0123456789abcdef").find(digit);
    if (nibble == std::string_view::npos) {
      return std::nullopt;
    }
    value = (value << 4U) | nibble;
  }
  const std::uint64_t index = unscramble(options_.seed, value);
  if ((options_.conversations != 0 && index >= options_.conversations) || id_of(index) != id) {
    return std::nullopt;
  }
  return index;
}

std::string World::organization() const {
  return uuid_of(chance(options_.seed, kOrganization));
}
std::string World::division(std::uint32_t number) const {
  return uuid_of(chance(options_.seed, kDivision, ~0ULL, number));
}
std::string World::queue(std::uint32_t number) const {
  return uuid_of(chance(options_.seed, kQueue, ~0ULL, number));
}
std::string World::user(std::uint32_t number) const {
  return uuid_of(chance(options_.seed, kUser, number));
}
std::string World::wrap_up_code(std::uint64_t bits) const {
  return uuid_of(chance(options_.seed, kWrapUp, bits % 8));
}
std::string World::presence_definition(std::string_view presence) const {
  std::uint64_t bits = chance(options_.seed, kPresence);
  for (const char character : presence) {
    bits = mix(bits ^ static_cast<unsigned char>(character));
  }
  return uuid_of(bits);
}

std::vector<StateEntry> World::presences(std::uint32_t user, const Interval& interval, Instant now) const {
  return states(interval, now, options_.duration * 6, kPresences, chance(options_.seed, kPresence, user));
}

std::vector<StateEntry> World::routing_statuses(std::uint32_t user, const Interval& interval, Instant now) const {
  return states(interval, now, options_.duration, kRoutingStatuses, chance(options_.seed, kRouting, user));
}

}  // namespace tests::simulator
