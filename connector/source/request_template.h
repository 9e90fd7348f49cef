#pragma once

// Makes a call out of a definition's template: fixed members, over them the user's filters, over them window and page. In a
// request without a body the filters are parameters of the URL. Pure.

#include "connector/core/names.h"
#include "connector/core/ports/api.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"

#include <cstdint>
#include <optional>
#include <string>

namespace connector::source {

class RequestBuilder {
 public:
  // `user_query`: its members go to the places of the path that have their names; the others into the body, or where the request
  // has none, into the URL: a list as one parameter for each item.
  RequestBuilder(const RequestTemplate& request, const common::json::Object& user_query);
  // A call that the user's filters do not belong to (status, results, availability).
  explicit RequestBuilder(const RequestTemplate& request);

  // Of a snapshot: nothing.
  RequestBuilder& window(const WindowPlaces& places, const common::Interval& window);
  RequestBuilder& put(const Place& place, std::string value);
  RequestBuilder& put(const Place& place, std::int64_t value);
  RequestBuilder& job(const core::JobId& job);  // {job} in the path
  // An absolute URL instead of the template's path and query: the next page as the service names it.
  RequestBuilder& follow(std::string url);
  // Without what the body has there.
  RequestBuilder& leave_out(const std::string& pointer);
  // Rows newest first; only where can_turn_rows (row_order.h).
  RequestBuilder& newest_first();

  [[nodiscard]] core::ApiRequest build(core::SourcePartition source) &&;

 private:
  core::ApiRequest request_;
  bool has_body_;
  common::json::Object body_;
};

// The stream's query for a window. The service is not asked for buckets of a time zone: what it makes of one beside an interval
// in UTC its description leaves open. Where they are UTC's it need not know, and a local one is a window of its own, asked for
// without a length: the answer is then one bucket, the whole interval.
RequestBuilder query_request(const Definition& definition, const StreamOptions& options, const common::Interval& window);

}  // namespace connector::source
