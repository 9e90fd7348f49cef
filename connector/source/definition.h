#pragma once

// A stream definition: the declarative description of a kind of record (docs/stream-definitions.md). Values only; config/ reads
// them from YAML, request_template, pagination and job turn them into calls.

#include "common/http/message.h"
#include "common/instant.h"
#include "common/json.h"
#include "common/result.h"
#include "connector/source/records_rule.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace connector::source {

// Where a value goes in a request, or comes from in an answer.
struct InBody {
  std::string pointer;
};  // RFC 6901
struct InQuery {
  std::string name;
};
struct InHeader {
  std::string name;
};
using Place = std::variant<InBody, InQuery, InHeader>;

struct RequestTemplate {
  common::http::Method method = common::http::Method::kPost;
  // {job} is replaced by the job id; in a query every other {name} by the member of the stream's `query` with that name.
  std::string path;
  common::json::Object body;  // fixed members; the stream's `query` is merged over them
  // Of the URL; where there is no body, the members of the stream's `query` stand beside them and in their place.
  std::vector<std::pair<std::string, std::string>> parameters = {};
  bool send_body = false;  // though the method has none by its nature: some services want a body with a GET
};

inline bool has_body(const RequestTemplate& request) {
  using common::http::Method;
  return request.send_body || request.method == Method::kPost || request.method == Method::kPut ||
         request.method == Method::kPatch;
}

enum class TotalTrust : std::uint8_t { kExact, kApproximate, kNone };
struct Total {
  std::string pointer;
  TotalTrust trust = TotalTrust::kNone;
};

struct NoPages {};
// What shows that a page was the last one, where neither a total nor a count of pages says so.
enum class PagesEnd : std::uint8_t {
  kEmpty,      // a page without records
  kNothingNew  // that, or one that only repeats others: as a service answers that gives its last page again, or numbers none
};
struct PageNumberPages {
  Place number;
  std::optional<Place> size;
  int first = 1;
  int max_size = 100;
  std::int64_t max_depth = 0;             // page × size; 0: none known
  std::int64_t refused_behind = 0;        // a page deeper than that may be refused, and ends what can be read; 0: none known
  std::optional<std::string> page_count;  // pointer, where the service gives one
  PagesEnd end = PagesEnd::kEmpty;
};
struct CursorPages {
  std::vector<Place> next_from;  // in order of preference
  Place next_to;
  std::optional<Place> size;
  int max_size = 1000;
};
struct NextUriPages {
  std::string next_from;  // pointer to the next URI
  std::string parameter;  // that the next page's URI has: without it, it is none; empty: any URI counts
  std::optional<Place> size;
  int max_size = 100;
};
using Pages = std::variant<NoPages, PageNumberPages, CursorPages, NextUriPages>;

struct QuerySource {
  RequestTemplate request;
  RecordsRule records;  // absent, null and [] all mean no more
  std::optional<Total> total;
  Pages pages;
  common::Duration retention{};  // where the query forgets sooner than the job; 0: it does not
};

struct JobSource {
  RequestTemplate submit;  // answers 202 with the id at `id`
  std::string id = "/jobId";
  RequestTemplate status;  // GET <submit>/{job}
  std::string state = "/state";
  std::string error_message = "/errorMessage";
  RequestTemplate results;       // GET <submit>/{job}/results
  RequestTemplate cancel;        // DELETE <submit>/{job}; without a path jobs cannot be given up
  RequestTemplate availability;  // GET <submit>/availability
  std::string availability_date = "/dataAvailabilityDate";
  // Instead of the two: the service tells no date, and what is this old counts as complete. Then empty, too.
  std::optional<common::Duration> lag;
  // Where no date does: what every page of results has (pointer), so that `{}` of whoever answers in the service's place is no
  // empty page.
  std::string page_mark = {};
  // What the service calls the states FULFILLED, FAILED, CANCELLED and EXPIRED → these.
  std::map<std::string, std::string, std::less<>> states = {};
  std::uint32_t max_open = 0;  // jobs that the service runs at once; 0: no bound known
  RecordsRule records;
  Pages pages;
};

// A job's state in the words that core::JobPolicy knows.
inline std::string state_of_job(const JobSource& job, const std::string& told) {
  const auto known = job.states.find(told);
  return known == job.states.end() ? told : known->second;
}

// What a service that runs so many jobs at once answers to one more. (Which status it is is not documented.)
constexpr int kTooManyJobs = 409;
inline common::Error too_many_jobs() {
  return {.code = common::ErrorCode::kRateLimited,
          .message = "HTTP 409: the service runs no more jobs at once, and others run",
          .retry_after = std::nullopt};
}

// Reading records whose keys are known, many a request.
struct ByIdSource {
  RequestTemplate request;
  Place ids = InQuery{"id"};  // joined by commas
  int max_ids = 50;           // of a request
  RecordsRule records;
};

// One interval field, or two.
struct IntervalPlace {
  Place place;
};
struct FromToPlaces {
  Place from;
  Place to;
};
// What the service tells as it is now, without a window: read whole at a cadence.
struct Snapshot {
  std::optional<common::Duration> every;  // unless the user says otherwise
  bool compact = false;                   // its topic, if it has to be made and the user says nothing else of it
};
using WindowPlaces = std::variant<IntervalPlace, FromToPlaces, Snapshot>;

// A bound that the service sets to a list in the body of its query.
struct ListRule {
  std::size_t max_items = 0;         // 0: none known
  std::vector<std::string> allowed;  // texts; empty: any
  std::vector<std::string> known;    // texts that the service knew when the definition was written; empty: nothing is known
};

// What the service is known to send: the names of the members of objects, by pointers to these (`*` for every element and every
// member; empty: the record). Members of objects that are not in it may be anything.
using Model = std::map<std::string, std::vector<std::string>>;

struct Definition {
  int version = 1;
  std::string name;
  std::string description;
  bool preview = false;                          // the vendor may change what it asks at any time
  std::string partial;                           // why the service shows only a part of what there is; empty: it shows everything
  KeyRule key;                                   // inside a record
  std::optional<std::string> open_while_absent;  // pointer: the record is open while this is absent
  std::optional<std::string> start_pointer;      // pointer to the record's start time (window checks, start_day)
  std::optional<std::string> end_pointer;
  std::vector<std::string> job_only;                   // pointers, `*` for every element: what only the job's form has
  std::vector<std::string> digest_ignore;              // pointers, `*` for every element: what may differ without being a change
  Model model;                                         // empty: nothing is known, and nothing new is told
  std::vector<std::string> permissions;                // any of
  std::map<std::string, std::string> refused_members;  // top-level members a stream's `query` must not have → why
  WindowPlaces window = IntervalPlace{InBody{"/interval"}};
  common::Duration max_window{};  // longest interval of the query; 0: no bound known
  common::Duration retention{};   // how long the service keeps what it shows, unless the user says otherwise; 0: no bound known
  // Pointer to the length of the buckets in which the query answers, in its body (ISO 8601, such as PT15M).
  std::optional<std::string> bucket;
  // Pointer to the time zone in whose days the service counts buckets, in the same body; absent there: UTC.
  std::optional<std::string> time_zone;
  // A record is returned for every window it touches, those of later days too; else for the day it began on alone.
  bool spans_days = false;
  std::optional<std::vector<common::Duration>> ages;  // of `live`, unless the user says others
  std::map<std::string, std::string>
      required_members;                        // pointers into the query's body that must lead to something → what to say
  std::map<std::string, ListRule> list_rules;  // by pointer into the query's body
  std::optional<QuerySource> query;
  std::optional<JobSource> job;
  std::optional<ByIdSource> by_id;  // needs open_while_absent and start
};

inline bool is_snapshot(const Definition& definition) {
  return std::holds_alternative<Snapshot>(definition.window);
}
// Its records are seen again on later days than they began on.
inline bool is_seen_on_many_days(const Definition& definition) {
  return definition.spans_days || is_snapshot(definition);
}

// What a record must have to have its key.
inline std::vector<std::string> key_pointers(const Definition& definition) {
  if (const auto* pointer = std::get_if<std::string>(&definition.key)) return {*pointer};
  std::vector<std::string> pointers;
  for (const KeyPart& part : std::get<std::vector<KeyPart>>(definition.key)) pointers.push_back(part.pointer);
  return pointers;
}

// Whether a record that a job does not return can be asked for, beside one that is known to exist.
inline bool can_tell_what_is_gone(const Definition& definition) {
  constexpr int kBesideEachOther = 2;
  return definition.job && definition.start_pointer && definition.by_id && definition.by_id->max_ids >= kBesideEachOther;
}

}  // namespace connector::source
