#include "tests/model/world.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace tests::model {

namespace {

std::string render(const Conversation& conversation, const Version& version, Form form, bool spells_apart) {
  const bool with_attributes = form == Form::kJob && version.attributes != 0;
  std::string text = R"({"conversationId":")" + conversation.key + R"(",)";
  if (version.end) text += R"("conversationEnd":")" + std::to_string(version.end->time_since_epoch().count()) + R"(",)";
  text += R"("handle":)" + std::to_string(version.content) + (form == Form::kJob && spells_apart ? ".0" : "");
  text += R"(,"participants":[{)";
  if (with_attributes) text += R"("attributes":{"a":)" + std::to_string(version.attributes) + "}";
  return text + "}]}";
}

}  // namespace

World::World(const WorldPlan& plan)
    : plan_(plan), digester_({.ignore = {}, .job_only = {"/participants/*/attributes"}}), rows_(plan.conversations.size()) {}

std::optional<std::size_t> World::find(std::string_view key) const {
  for (std::size_t number = 0; number < plan_.conversations.size(); ++number) {
    if (plan_.conversations[number].key == key) return number;
  }
  return std::nullopt;
}

Instant World::availability_at(Instant at) const {
  const auto next = std::ranges::upper_bound(plan_.availability, at, {}, &AvailabilityStep::at);
  return next == plan_.availability.begin() ? next->date : std::prev(next)->date;
}

Instant World::best_availability_until(Instant at) const {
  Instant best = plan_.availability.front().date;
  for (const AvailabilityStep& step : plan_.availability) {
    if (step.at > at) break;
    best = std::max(best, step.date);
  }
  return best;
}

bool World::exists_at(std::size_t number, Instant at) const {
  const Conversation& conversation = plan_.conversations[number];
  return !conversation.deleted || at < *conversation.deleted || (conversation.returns && at >= *conversation.returns);
}

bool World::is_hidden_at(std::size_t number, Instant at) const {
  return plan_.conversations[number].hidden && plan_.hidden.contains(at);
}

std::optional<std::size_t> World::shown_by_query(std::size_t number, Instant at) const {
  const Conversation& conversation = plan_.conversations[number];
  if (!exists_at(number, at) || is_hidden_at(number, at)) return std::nullopt;
  if (at < conversation.start + conversation.late) return std::nullopt;
  std::size_t version = 0;
  while (version + 1 < conversation.versions.size() && conversation.versions[version + 1].at + conversation.lag <= at) ++version;
  return version;
}

std::optional<std::size_t> World::known_to_job(std::size_t number, Instant complete_to) const {
  const Conversation& conversation = plan_.conversations[number];
  if (conversation.start >= complete_to) return std::nullopt;
  std::size_t version = 0;
  while (version + 1 < conversation.versions.size() && conversation.versions[version + 1].at < complete_to) ++version;
  return version;
}

bool World::lives_in(std::size_t number, std::size_t version, const Interval& window) const {
  const Conversation& conversation = plan_.conversations[number];
  const auto& end = conversation.versions[version].end;
  return conversation.start < window.end && (!end || *end >= window.start);
}

std::vector<std::size_t> World::in_query(const Interval& window, Instant at) const {
  std::vector<std::size_t> found;
  const Instant first_day = common::start_of_day(window.start);
  const Instant behind = common::start_of_day(window.end - Duration{1}) + kDay;
  for (std::size_t number = 0; number < plan_.conversations.size(); ++number) {
    const Instant start = plan_.conversations[number].start;
    if (start < first_day || start >= behind) continue;
    const auto version = shown_by_query(number, at);
    if (version && (plan_.whole_days || lives_in(number, *version, window))) found.push_back(number);
  }
  return found;
}

std::vector<std::size_t> World::in_job(const Interval& window, Instant complete_to, Instant at) const {
  std::vector<std::size_t> found;
  const Instant first_day = common::start_of_day(window.start);
  for (std::size_t number = 0; number < plan_.conversations.size(); ++number) {
    const Instant start = plan_.conversations[number].start;
    if (start < first_day || start >= first_day + kDay) continue;
    const bool shows = plan_.conversations[number].in_lake && exists_at(number, complete_to) && !is_hidden_at(number, at);
    if (!shows) continue;
    const auto version = known_to_job(number, complete_to);
    if (version && lives_in(number, *version, window)) found.push_back(number);
  }
  return found;
}

std::size_t World::oldest_like(std::size_t conversation, std::size_t version, Form form) {
  while (version > 0 && row(conversation, version - 1, form).digests == row(conversation, version, form).digests) --version;
  return version;
}

std::size_t World::first_like(std::size_t conversation, std::size_t version, Form form) {
  std::size_t first = 0;
  while (row(conversation, first, form).digests != row(conversation, version, form).digests) ++first;
  return first;
}

const Row& World::row(std::size_t conversation, std::size_t version, Form form) {
  auto& rows = rows_[conversation];
  const Conversation& source = plan_.conversations[conversation];
  if (rows.empty()) rows.resize(source.versions.size() * 2);
  std::unique_ptr<Row>& row = rows[version * 2 + (form == Form::kJob ? 1 : 0)];
  if (row) return *row;
  row = std::make_unique<Row>(Row{.conversation = conversation, .version = version, .form = form, .text = {}, .digests = {}});
  row->text = render(source, source.versions[version], form, plan_.spells_apart);
  row->length = row->text.size();
  row->text.append(connector::source::ContentDigester::padding(), ' ');
  const auto digests = digester_.digest(row->json());
  if (!digests) throw std::logic_error(digests.error().message);
  row->digests = *digests;
  by_text_.emplace(row->text.data(), row.get());
  return *row;
}

}  // namespace tests::model
