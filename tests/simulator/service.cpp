#include "tests/simulator/service.h"

#include "tests/simulator/chance.h"

#include <algorithm>
#include <cmath>

namespace tests::simulator {

using common::json::Object;
using common::json::Value;

Outcome<Object> read_body(const Service& service, const Call& call, std::initializer_list<std::string_view> known) {
  auto parsed = common::json::parse(call.request.body);
  if (!parsed || !parsed->is_object()) {
    return refuse(400, "invalid.json", "The request body is not a JSON object.");
  }
  if (service.options.api.strict_bodies) {
    for (const auto& member : parsed->get_object()) {
      if (std::ranges::find(known, std::string_view(member.key())) == known.end()) {
        return bad_request("Unrecognized field [" + std::string(member.key()) + "].");
      }
    }
  }
  return std::move(parsed->get_object());
}

Outcome<Interval> read_interval(const Object& body) {
  const Value* value = body.if_contains("interval");
  if (value == nullptr || !value->is_string()) {
    return bad_request("You must specify a search interval as part of your query.");
  }
  const auto interval = common::parse_interval(std::string_view(value->get_string()));
  if (!interval || interval->empty()) {
    return refuse(400, "invalid.date", "The interval [" + std::string(value->get_string()) + "] is not a valid start/end.");
  }
  return *interval;
}

Outcome<PageRequest> read_paging(const Object& body, const ApiOptions& options) {
  PageRequest page{.size = options.default_page_size};
  if (const Value* paging = body.if_contains("paging")) {
    const auto size = common::json::find_int(*paging, "pageSize");
    const auto number = common::json::find_int(*paging, "pageNumber");
    if (!size || !number || *size < 1 || *number < 1) {
      return bad_request("paging needs pageSize and pageNumber, both at least 1.");
    }
    page = {.size = static_cast<std::uint64_t>(*size), .number = static_cast<std::uint64_t>(*number)};
  }
  if (page.size > options.max_page_size) {
    return invalid_value("Page size [" + std::to_string(page.size) + "] exceeds the maximum of " +
                         std::to_string(options.max_page_size) + ".");
  }
  if (page.number > options.max_depth || page.size * page.number > options.max_depth) {
    return bad_request(
        "Pagination may not exceed " + std::to_string(options.max_depth) +
        " results.\n\nTip: When extracting large chunks of data (multiple days/weeks), maximize pagination "
        "performance by querying in smaller intervals. For example, paging through 1am-2am, then 2am-3am, then "
        "3am-4am, and so forth will outperform paging through one large interval that covers the same time frame.");
  }
  return page;
}

std::uint64_t told_total(const Service& service, const Call& call, std::uint64_t total) {
  if (const Fault* fault = call.fault_of(FaultKind::kWrongTotal)) {
    return static_cast<std::uint64_t>(std::max(0LL, std::llround(static_cast<double>(total) * fault->factor)));
  }
  if (service.options.api.total_hits == TotalHits::kApproximate) {
    const double factor = 0.9 + 0.2 * to_unit(chance(service.options.world.seed, 0x707a1ULL, service.requests));
    return static_cast<std::uint64_t>(std::llround(static_cast<double>(total) * factor));
  }
  return total;
}

std::string bad_record(const Fault& fault, std::uint64_t bits, Instant now) {
  const std::string start = common::format_instant(now);
  const std::string id = R"("conversationId":")" + uuid_of(bits) + "\"";
  const std::string common_part = R"({"conversationEnd":")" + start + "\"," + id + R"(,"conversationStart":")" + start + "\"";
  switch (fault.record) {
    case BadRecord::kNotObject:
      return "[42]";
    case BadRecord::kNoId:
      return R"({"conversationStart":")" + start + R"(","participants":[]})";
    case BadRecord::kIdNotText:
      return R"({"conversationId":{"value":1},"conversationStart":")" + start + "\"}";
    case BadRecord::kOversize:
    case BadRecord::kLongString:
      return common_part + R"(,"externalTag":")" + std::string(fault.bytes, 'x') + R"(","participants":[]})";
    case BadRecord::kDeep:
      return common_part + R"(,"unknownMember":)" + std::string(fault.depth, '[') + std::string(fault.depth, ']') + "}";
    case BadRecord::kBroken:
      return common_part + R"(,,"participants":[}])" + "}";
  }
  return "null";
}

}  // namespace tests::simulator
