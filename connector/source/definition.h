#pragma once

// A stream definition: the declarative description of a kind of record (docs/stream-definitions.md). Values only; config/ reads
// them from YAML, request_template, pagination and job turn them into calls.

#include "common/http/message.h"
#include "common/instant.h"
#include "common/json.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
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
  std::string path;           // {job} is replaced by the job id
  common::json::Object body;  // fixed members; the stream's `query` is merged over them
};

enum class TotalTrust : std::uint8_t { kExact, kApproximate, kNone };
struct Total {
  std::string pointer;
  TotalTrust trust = TotalTrust::kNone;
};

struct NoPages {};
struct PageNumberPages {
  Place number;
  std::optional<Place> size;
  int first = 1;
  int max_size = 100;
  std::int64_t max_depth = 0;             // page × size; 0: none known
  std::optional<std::string> page_count;  // pointer, where the service gives one
};
struct CursorPages {
  std::vector<Place> next_from;  // in order of preference
  Place next_to;
  std::optional<Place> size;
  int max_size = 1000;
};
struct NextUriPages {
  std::string next_from;  // pointer to the next URI
  std::optional<Place> size;
  int max_size = 100;
};
using Pages = std::variant<NoPages, PageNumberPages, CursorPages, NextUriPages>;

struct QuerySource {
  RequestTemplate request;
  std::string records;  // pointer to the array; absent, null and [] all mean no more
  std::optional<Total> total;
  Pages pages;
};

struct JobSource {
  RequestTemplate submit;  // answers 202 with the id at `id`
  std::string id = "/jobId";
  RequestTemplate status;  // GET <submit>/{job}
  std::string state = "/state";
  std::string error_message = "/errorMessage";
  RequestTemplate results;       // GET <submit>/{job}/results
  RequestTemplate cancel;        // DELETE <submit>/{job}
  RequestTemplate availability;  // GET <submit>/availability
  std::string availability_date = "/dataAvailabilityDate";
  std::string records;
  Pages pages;
};

// Reading records whose keys are known, many a request.
struct ByIdSource {
  RequestTemplate request;
  Place ids = InQuery{"id"};  // joined by commas
  int max_ids = 50;           // of a request
  std::string records;
};

// One interval field, or two.
struct IntervalPlace {
  Place place;
};
struct FromToPlaces {
  Place from;
  Place to;
};
using WindowPlaces = std::variant<IntervalPlace, FromToPlaces>;

// What the service is known to send: the names of the members of objects, by pointers to these (`*` for every element and every
// member; empty: the record). Members of objects that are not in it may be anything.
using Model = std::map<std::string, std::vector<std::string>>;

struct Definition {
  int version = 1;
  std::string name;
  std::string description;
  std::string key;                               // pointer inside a record
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
  std::optional<QuerySource> query;
  std::optional<JobSource> job;
  std::optional<ByIdSource> by_id;  // needs open_while_absent and start
};

// What a record must have to have its key.
inline std::vector<std::string> key_pointers(const Definition& definition) {
  return {definition.key};
}

// Whether a record that a job does not return can be asked for, beside one that is known to exist.
inline bool can_tell_what_is_gone(const Definition& definition) {
  constexpr int kBesideEachOther = 2;
  return definition.job && definition.start_pointer && definition.by_id && definition.by_id->max_ids >= kBesideEachOther;
}

}  // namespace connector::source
