#include "connector/core/ledger/backfill_mark.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace connector::core {

using common::ErrorCode;
using common::fail;
using common::Result;
namespace json = common::json;

namespace {

constexpr std::array kStates{BackfillState::kRunning, BackfillState::kDone, BackfillState::kCancelled, BackfillState::kRefused};

std::unexpected<common::Error> wrong(std::string_view member) {
  return fail(ErrorCode::kMalformedResponse, "`backfill." + std::string(member) + "` is missing or not as we write it");
}

std::optional<std::uint64_t> count_at(const json::Value& value, std::string_view member) {
  const auto count = json::find_int(value, member);
  return count && *count >= 0 ? std::optional(static_cast<std::uint64_t>(*count)) : std::nullopt;
}

std::optional<common::Instant> instant_at(const json::Value& value, std::string_view member) {
  const auto text = json::find_string(value, member);
  if (!text) return std::nullopt;
  const auto instant = common::parse_instant(*text);
  return instant ? std::optional(*instant) : std::nullopt;
}

}  // namespace

std::string_view to_string(BackfillState state) {
  switch (state) {
    case BackfillState::kRunning:
      return "running";
    case BackfillState::kDone:
      return "done";
    case BackfillState::kCancelled:
      return "cancelled";
    case BackfillState::kRefused:
      return "refused";
  }
  std::unreachable();
}

std::optional<BackfillState> parse_backfill_state(std::string_view text) {
  for (const BackfillState state : kStates) {
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

json::Object BackfillMark::to_json() const {
  json::Object object;
  object["id"] = order.id;
  object["range"] = common::format_interval(order.range);
  object["parallel"] = order.parallel;
  if (order.weight) object["weight"] = *order.weight;
  object["state"] = to_string(state);
  if (!detail.empty()) object["detail"] = detail;
  object["began"] = common::format_instant(began);
  object["updated"] = common::format_instant(updated);
  object["records"] = records;
  object["windows"] = windows;
  object["requests"] = requests;
  object["permitted"] = permitted;
  if (set_aside > 0) object["set_aside"] = set_aside;
  return object;
}

Result<BackfillMark> BackfillMark::from_json(const json::Value& value) {
  BackfillMark mark;
  const auto id = json::find_string(value, "id");
  if (!id || id->empty()) return wrong("id");
  mark.order.id = *id;
  const auto range = json::find_string(value, "range");
  const auto interval = range ? common::parse_interval(*range) : fail(ErrorCode::kMalformedResponse, "");
  if (!interval || interval->empty()) return wrong("range");
  mark.order.range = *interval;
  const auto parallel = count_at(value, "parallel");
  if (!parallel || *parallel == 0 || *parallel > BackfillOrder::kMaxParallel) return wrong("parallel");
  mark.order.parallel = static_cast<std::uint32_t>(*parallel);
  mark.order.weight = json::find_thousandths(value, "weight");
  if (json::find(value, "weight") != nullptr && !(mark.order.weight >= 0.0)) return wrong("weight");
  const auto state_name = json::find_string(value, "state");
  const auto state = state_name ? parse_backfill_state(*state_name) : std::nullopt;
  if (!state) return wrong("state");
  mark.state = *state;
  if (json::find(value, "detail") != nullptr) {
    const auto detail = json::find_string(value, "detail");
    if (!detail) return wrong("detail");
    mark.detail = *detail;
  }
  for (auto [member, target] : {std::pair{"began", &mark.began}, std::pair{"updated", &mark.updated}}) {
    const auto instant = instant_at(value, member);
    if (!instant) return wrong(member);
    *target = *instant;
  }
  for (auto [member, target] :
       {std::pair{"records", &mark.records}, std::pair{"windows", &mark.windows}, std::pair{"requests", &mark.requests}}) {
    const auto count = count_at(value, member);
    if (!count) return wrong(member);
    *target = *count;
  }
  const auto permitted = json::find_thousandths(value, "permitted");
  if (!permitted || *permitted < 0) return wrong("permitted");
  mark.permitted = *permitted;
  if (json::find(value, "set_aside") != nullptr) {
    const auto set_aside = count_at(value, "set_aside");
    if (!set_aside) return wrong("set_aside");
    mark.set_aside = *set_aside;
  }
  return mark;
}

std::optional<std::string> problem_of(const BackfillOrder& order, common::Instant now) {
  if (order.range.empty()) return "the range is empty: its start must lie before its end";
  if (order.range.end > now) {
    return fmt::format("the range ends at {}, which is still to come (it is {})", common::format_instant(order.range.end),
                       common::format_instant(now));
  }
  if (order.parallel == 0 || order.parallel > BackfillOrder::kMaxParallel) {
    return fmt::format("{} jobs at the same time are not possible (allowed: 1 to {})", order.parallel,
                       BackfillOrder::kMaxParallel);
  }
  if (order.weight && !(*order.weight > 0 && *order.weight <= BackfillOrder::kMaxWeight)) {
    return fmt::format("a weight of {} is not possible (allowed: above 0, at most {})", *order.weight, BackfillOrder::kMaxWeight);
  }
  return std::nullopt;
}

}  // namespace connector::core
