#include "tests/simulator/fault_script.h"

#include "tests/simulator/chance.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace tests::simulator {

namespace {

using common::ErrorCode;
using common::fail;
using common::Result;
using common::json::Object;
using common::json::Value;

template <class E>
struct Spelling {
  std::string_view text;
  E value;
};

constexpr std::array<Spelling<FaultKind>, 32> kKinds{{
    {"status", FaultKind::kStatus},
    {"html", FaultKind::kHtml},
    {"not_json", FaultKind::kNotJson},
    {"reset_before", FaultKind::kResetBefore},
    {"reset_after", FaultKind::kResetAfter},
    {"close_after", FaultKind::kCloseAfter},
    {"truncate", FaultKind::kTruncate},
    {"reset_in_body", FaultKind::kResetInBody},
    {"wrong_length", FaultKind::kWrongLength},
    {"never_answer", FaultKind::kNeverAnswer},
    {"stall", FaultKind::kStall},
    {"drip", FaultKind::kDrip},
    {"garbage", FaultKind::kGarbage},
    {"delay", FaultKind::kDelay},
    {"cut_json", FaultKind::kCutJson},
    {"empty_body", FaultKind::kEmptyBody},
    {"no_rate_headers", FaultKind::kNoRateHeaders},
    {"duplicate_rows", FaultKind::kDuplicateRows},
    {"duplicate_page", FaultKind::kDuplicatePage},
    {"drift", FaultKind::kDrift},
    {"short_page", FaultKind::kShortPage},
    {"empty_page", FaultKind::kEmptyPage},
    {"wrong_total", FaultKind::kWrongTotal},
    {"cut_chain", FaultKind::kCutChain},
    {"cursor_in_body", FaultKind::kCursorInBody},
    {"bad_record", FaultKind::kBadRecord},
    {"job_state", FaultKind::kJobState},
    {"unknown_cursor", FaultKind::kUnknownCursor},
    {"not_ready", FaultKind::kNotReady},
    {"availability_frozen", FaultKind::kAvailabilityFrozen},
    {"availability_back", FaultKind::kAvailabilityBack},
    {"revoke_tokens", FaultKind::kRevokeTokens},
}};

constexpr std::array<Spelling<BadRecord>, 7> kBadRecords{{
    {"not_object", BadRecord::kNotObject},
    {"no_id", BadRecord::kNoId},
    {"id_not_text", BadRecord::kIdNotText},
    {"oversize", BadRecord::kOversize},
    {"deep", BadRecord::kDeep},
    {"broken", BadRecord::kBroken},
    {"long_string", BadRecord::kLongString},
}};

constexpr std::array<std::string_view, 6> kJobStates{"QUEUED", "PENDING", "FAILED", "CANCELLED", "FULFILLED", "EXPIRED"};

template <class E, std::size_t N>
Result<E> spelled(const std::array<Spelling<E>, N>& table, std::string_view what, std::string_view text) {
  const auto found = std::ranges::find(table, text, &Spelling<E>::text);
  if (found != table.end()) {
    return found->value;
  }
  std::string allowed;
  for (const auto& entry : table) {
    allowed += allowed.empty() ? "" : ", ";
    allowed += entry.text;
  }
  return fail(ErrorCode::kConfigInvalid, std::string(what) + ": `" + std::string(text) + "` is none of " + allowed);
}

// Takes members out of an object one by one, remembering the first that is wrong; what is left at the end is unknown.
class Members {
 public:
  Members(const Value& value, std::string where) : where_(std::move(where)) {
    if (value.is_object()) {
      left_ = value.get_object();
    } else {
      note("must be an object");
    }
  }

  void take(std::string_view name, std::string& out) {
    if (const Value* value = find(name)) {
      value->is_string() ? void(out = std::string_view(value->get_string())) : note(std::string(name) + " must be a text");
      left_.erase(name);
    }
  }
  template <std::integral T>
  void take(std::string_view name, T& out) {
    if (const Value* value = find(name)) {
      const bool fits = value->is_int64() && (std::is_signed_v<T> || value->get_int64() >= 0);
      fits ? void(out = static_cast<T>(value->get_int64())) : note(std::string(name) + " must be a whole number");
      left_.erase(name);
    }
  }
  void take(std::string_view name, double& out) {
    if (const Value* value = find(name)) {
      value->is_number() ? void(out = value->to_number<double>()) : note(std::string(name) + " must be a number");
      left_.erase(name);
    }
  }
  void take(std::string_view name, Duration& out) {
    std::string text;
    take(name, text);
    if (!text.empty()) {
      const auto duration = common::parse_duration(text);
      duration ? void(out = *duration) : note(std::string(name) + ": " + duration.error().message);
    }
  }
  [[nodiscard]] const Value* find(std::string_view name) const { return left_.if_contains(name); }
  void erase(std::string_view name) { left_.erase(name); }
  void note(std::string problem) {
    if (problem_.empty()) {
      problem_ = where_ + ": " + std::move(problem);
    }
  }
  [[nodiscard]] Result<void> finish() {
    if (!left_.empty()) {
      note("unknown member `" + std::string(left_.begin()->key()) + "`");
    }
    if (!problem_.empty()) {
      return fail(ErrorCode::kConfigInvalid, problem_);
    }
    return {};
  }

 private:
  std::string where_;
  Object left_;
  std::string problem_;
};

Result<Fault> read_fault(const Value& value, const std::string& where) {
  Members members(value, where);
  Fault fault;
  std::string kind;
  std::string record;
  members.take("kind", kind);
  members.take("status", fault.status);
  std::int64_t retry_after = -1;
  members.take("retry_after", retry_after);
  if (retry_after >= 0) {
    fault.retry_after = std::chrono::seconds{retry_after};
  }
  members.take("code", fault.code);
  members.take("message", fault.message);
  members.take("by", fault.by);
  members.take("after", fault.after);
  members.take("count", fault.count);
  members.take("factor", fault.factor);
  members.take("state", fault.state);
  members.take("record", record);
  members.take("bytes", fault.bytes);
  members.take("depth", fault.depth);
  if (std::ranges::find(kJobStates, fault.state) == kJobStates.end()) {
    members.note("state: `" + fault.state + "` is no state of a job");
  }
  if (auto finished = members.finish(); !finished) {
    return std::unexpected(finished.error());
  }
  auto parsed = spelled(kKinds, where + ".kind", kind);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  fault.kind = *parsed;
  if (fault.kind == FaultKind::kUnknownCursor || fault.kind == FaultKind::kNotReady || fault.kind == FaultKind::kHtml ||
      fault.kind == FaultKind::kNotJson) {
    // Their status is another one unless it was given.
    fault.status = value.get_object().contains("status") ? fault.status : 0;
  }
  if (fault.kind == FaultKind::kBadRecord) {
    auto which = spelled(kBadRecords, where + ".record", record);
    if (!which) {
      return std::unexpected(which.error());
    }
    fault.record = *which;
  }
  return fault;
}

Result<FaultRule> read_rule(const Value& value, std::size_t number) {
  const std::string where = "rules[" + std::to_string(number) + "]";
  Members members(value, where);
  FaultRule rule;
  rule.name = "rule-" + std::to_string(number);
  members.take("name", rule.name);
  if (const Value* match = members.find("match")) {
    Members conditions(*match, where + ".match");
    conditions.take("method", rule.method);
    conditions.take("nth", rule.nth);
    conditions.take("first", rule.first);
    conditions.take("every", rule.every);
    conditions.take("probability", rule.probability);
    conditions.take("limit", rule.limit);
    std::string path;
    conditions.take("path", path);
    if (!path.empty()) {
      try {
        rule.path.emplace(path, std::regex::ECMAScript | std::regex::optimize);
      } catch (const std::regex_error& error) {
        conditions.note("path: " + std::string(error.what()));
      }
    }
    if (auto finished = conditions.finish(); !finished) {
      return std::unexpected(finished.error());
    }
    members.erase("match");
  }
  const Value* fault_value = members.find("fault");
  if (fault_value == nullptr) {
    return fail(ErrorCode::kConfigInvalid, where + ": `fault` is missing");
  }
  auto fault = read_fault(*fault_value, where + ".fault");
  if (!fault) {
    return std::unexpected(fault.error());
  }
  rule.fault = *fault;
  members.erase("fault");
  if (auto finished = members.finish(); !finished) {
    return std::unexpected(finished.error());
  }
  return rule;
}

}  // namespace

Result<void> FaultScript::add(const Value& script) {
  const Value* rules = common::json::find(script, "rules");
  if (rules == nullptr || !rules->is_array()) {
    return fail(ErrorCode::kConfigInvalid, "a fault script is an object with an array `rules`");
  }
  std::vector<Armed> read;
  for (const Value& value : rules->get_array()) {
    auto rule = read_rule(value, read.size());
    if (!rule) {
      return std::unexpected(rule.error());
    }
    read.push_back({.rule = std::move(*rule)});
  }
  std::ranges::move(read, std::back_inserter(rules_));
  return {};
}

std::optional<Fault> FaultScript::next(std::string_view method, std::string_view target) {
  std::optional<Fault> fault;
  for (std::size_t number = 0; number < rules_.size(); ++number) {
    Armed& armed = rules_[number];
    const FaultRule& rule = armed.rule;
    if ((!rule.method.empty() && rule.method != method) ||
        (rule.path && !std::regex_search(target.begin(), target.end(), *rule.path))) {
      continue;
    }
    ++armed.seen;
    const bool strikes = !fault && (rule.nth == 0 || armed.seen == rule.nth) && (rule.first == 0 || armed.seen <= rule.first) &&
                         (rule.every == 0 || armed.seen % rule.every == 0) && (rule.limit == 0 || armed.struck < rule.limit) &&
                         to_unit(chance(seed_, 0xfa017ULL, number, armed.seen)) < rule.probability;
    if (strikes) {
      ++armed.struck;
      fault = rule.fault;
    }
  }
  return fault;
}

Object FaultScript::strikes() const {
  Object counts;
  for (const Armed& armed : rules_) {
    counts[armed.rule.name] = armed.struck;
  }
  return counts;
}

}  // namespace tests::simulator
