#include "connector/source/request_template.h"

#include "common/http/message.h"
#include "connector/source/json_pointer.h"
#include "connector/source/row_order.h"
#include "connector/source/url_members.h"

#include <algorithm>
#include <utility>

namespace connector::source {

namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

RequestBuilder::RequestBuilder(const RequestTemplate& request, const common::json::Object& user_query) : RequestBuilder(request) {
  const auto places = places_in(request.path);
  common::json::Object rest;
  for (const auto& member : user_query) {
    const auto texts = url_texts(member.value());
    const bool has_place = std::ranges::find(places, std::string_view(member.key())) != places.end();
    if (!has_place || texts.size() != 1) {  // of several config/ has said so
      rest.emplace(member.key(), member.value());
      continue;
    }
    const std::string place = "{" + std::string(member.key()) + "}";
    request_.path.replace(request_.path.find(place), place.size(), common::http::percent_encode(texts.front()));
  }
  if (has_body_) {
    merge_over(body_, rest);
    return;
  }
  for (const auto& member : rest) {
    std::erase_if(request_.query, [&](const auto& fixed) { return fixed.first == member.key(); });
    for (std::string& text : url_texts(member.value())) request_.query.emplace_back(member.key(), std::move(text));
  }
}

RequestBuilder::RequestBuilder(const RequestTemplate& request) : has_body_(has_body(request)), body_(request.body) {
  request_.method = request.method;
  request_.path = request.path;
  request_.query = request.parameters;
}

RequestBuilder& RequestBuilder::window(const WindowPlaces& places, const common::Interval& window) {
  if (const auto* one = std::get_if<IntervalPlace>(&places)) return put(one->place, common::format_interval(window));
  if (const auto* two = std::get_if<FromToPlaces>(&places)) {
    put(two->from, common::format_instant(window.start)).put(two->to, common::format_instant(window.end));
  }
  return *this;
}

RequestBuilder& RequestBuilder::put(const Place& place, std::string value) {
  std::visit(Overloaded{[&](const InBody& in) { set_at(body_, in.pointer, common::json::Value(value)); },
                        [&](const InQuery& in) {
                          std::erase_if(request_.query, [&](const auto& other) { return other.first == in.name; });
                          request_.query.emplace_back(in.name, std::move(value));
                        },
                        [&](const InHeader& in) { request_.headers.add(in.name, std::move(value)); }},
             place);
  return *this;
}

RequestBuilder& RequestBuilder::put(const Place& place, std::int64_t value) {
  if (const auto* in = std::get_if<InBody>(&place)) {
    set_at(body_, in->pointer, value);
    return *this;
  }
  return put(place, std::to_string(value));
}

RequestBuilder& RequestBuilder::job(const core::JobId& job) {
  constexpr std::string_view kPlaceholder = "{job}";
  if (const auto at = request_.path.find(kPlaceholder); at != std::string::npos) {
    request_.path.replace(at, kPlaceholder.size(), common::http::percent_encode(job.str()));
  }
  return *this;
}

RequestBuilder& RequestBuilder::follow(std::string url) {
  request_.path = std::move(url);
  request_.query.clear();
  return *this;
}

RequestBuilder& RequestBuilder::leave_out(const std::string& pointer) {
  erase_at(body_, pointer);
  return *this;
}

RequestBuilder& RequestBuilder::newest_first() {
  if (!has_body_) return put(InQuery{std::string(kRowOrder)}, std::string(kNewestFirst));
  body_[kRowOrder] = kNewestFirst;
  return *this;
}

core::ApiRequest RequestBuilder::build(core::SourcePartition source) && {
  request_.source = std::move(source);
  if (has_body_) request_.body = common::json::serialize(body_);
  return std::move(request_);
}

RequestBuilder query_request(const Definition& definition, const StreamOptions& options, const common::Interval& window) {
  RequestBuilder builder(definition.query->request, options.query);
  builder.window(definition.window, window);
  if (definition.time_zone) builder.leave_out(*definition.time_zone);
  if (definition.bucket && options.live.buckets.is_local()) builder.leave_out(*definition.bucket);
  return builder;
}

}  // namespace connector::source
