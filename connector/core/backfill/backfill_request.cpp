#include "connector/core/backfill/backfill_request.h"

#include "common/json.h"

#include <algorithm>
#include <utility>

namespace connector::core {

using common::ErrorCode;
using common::fail;
using common::Result;
namespace json = common::json;

namespace {

std::unexpected<common::Error> damaged(std::string_view what) {
  return fail(ErrorCode::kStateRefused,
              "the request for a backfill is damaged: " + std::string(what) + "; ask again with `genesys-kafka backfill`");
}

}  // namespace

std::string BackfillRequest::serialize() const {
  json::Object object;
  object["v"] = kFormatVersion;
  object["wanted"] = wanted == Wanted::kRun ? "run" : "cancel";
  object["id"] = order.id;
  if (wanted == Wanted::kRun) {
    object["range"] = common::format_interval(order.range);
    object["parallel"] = order.parallel;
    if (order.weight) object["weight"] = *order.weight;
  }
  object["asked_at"] = common::format_instant(asked_at);
  object["asked_by"] = asked_by;
  return json::serialize(object);
}

Result<BackfillRequest> BackfillRequest::parse(std::string_view stored) {
  const auto document = json::parse(stored);
  if (!document) return damaged(document.error().message);
  const auto version = json::find_int(*document, "v");
  if (!version || *version < 1) return damaged("it has no format version `v`");
  if (*version > kFormatVersion) {
    return fail(ErrorCode::kStateRefused, "the request for a backfill has format version " + std::to_string(*version) +
                                              ", this release knows versions up to " + std::to_string(kFormatVersion) +
                                              ": ask with the release that runs, or upgrade it");
  }
  BackfillRequest request;
  const auto wanted = json::find_string(*document, "wanted");
  if (!wanted || (*wanted != "run" && *wanted != "cancel")) return damaged("`wanted` is neither run nor cancel");
  request.wanted = *wanted == "run" ? Wanted::kRun : Wanted::kCancel;
  const auto id = json::find_string(*document, "id");
  if (!id || id->empty()) return damaged("it has no `id`");
  if (id->size() > BackfillOrder::kMaxIdBytes) return damaged("its `id` is too long");
  request.order.id = *id;
  const auto asked_at = json::find_string(*document, "asked_at");
  const auto instant = asked_at ? common::parse_instant(*asked_at) : fail(ErrorCode::kStateRefused, "");
  if (!instant) return damaged("`asked_at` is no instant");
  request.asked_at = *instant;
  const auto asked_by = json::find_string(*document, "asked_by");
  if (!asked_by) return damaged("it has no `asked_by`");
  request.asked_by = *asked_by;
  if (request.wanted == Wanted::kCancel) return request;

  const auto range = json::find_string(*document, "range");
  const auto interval = range ? common::parse_interval(*range) : fail(ErrorCode::kStateRefused, "");
  if (!interval) return damaged("`range` is no interval");
  request.order.range = *interval;
  const auto parallel = json::find_int(*document, "parallel");
  if (!parallel || *parallel < 0 || *parallel > 1'000'000) return damaged("`parallel` is no count");
  request.order.parallel = static_cast<std::uint32_t>(*parallel);
  request.order.weight = json::find_thousandths(*document, "weight");
  if (!request.order.weight && json::find(*document, "weight") != nullptr) return damaged("`weight` is no number");
  return request;
}

BackfillDecision judge(const BackfillRequest& request, const BackfillStanding& standing) {
  using enum BackfillDecision::Action;
  const bool is_known = standing.mark && standing.mark->order.id == request.order.id;
  const bool other_runs = standing.mark && standing.mark->is_running() && !is_known;
  if (request.wanted == BackfillRequest::Wanted::kCancel) {
    return {.action = is_known && standing.mark->is_running() ? kCancel : kNothing, .reason = {}};
  }
  if (is_known) return {};
  if (other_runs) return {.action = kOtherRuns, .reason = {}};
  if (!standing.has_settle) {
    return {.action = kRefuse, .reason = "the stream has no settle lane, whose jobs a backfill reads by"};
  }
  if (auto problem = problem_of(request.order, standing.now)) return {.action = kRefuse, .reason = std::move(*problem)};
  return {.action = kBegin, .reason = {}};
}

BackfillOrder storable(BackfillOrder order) {
  if (order.range.empty()) order.range.end = order.range.start + common::Duration{1};
  order.parallel = std::clamp<std::uint32_t>(order.parallel, 1, BackfillOrder::kMaxParallel);
  if (order.weight && !(*order.weight > 0 && *order.weight <= BackfillOrder::kMaxWeight)) order.weight.reset();
  return order;
}

}  // namespace connector::core
