#pragma once

// The pagination kinds of a definition, as calls and answers spell them: what to look for in a page, where the next position
// goes. Which page comes next is decided by core/planning. Pure.

#include "common/http/message.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/planning/query_paging.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"
#include "connector/source/page_slicer.h"
#include "connector/source/request_template.h"

#include <cstdint>
#include <optional>
#include <string>

namespace connector::source {

// The scalars that paging needs from a page, found again by their place in SliceSpec::wanted.
class PageScalars {
 public:
  // Adds to `spec.wanted` what `pages` and the rest need.
  PageScalars(const Pages& pages, const std::optional<Total>& total, const std::string& availability_pointer, SliceSpec& spec);
  // Of a job's results.
  PageScalars(const JobSource& job, SliceSpec& spec);

  [[nodiscard]] std::optional<std::int64_t> total(const SlicedPage& page) const;
  [[nodiscard]] std::optional<std::int64_t> page_count(const SlicedPage& page) const;
  // The first place that holds text; a cursor in a header is looked up there.
  [[nodiscard]] std::optional<std::string> next(const SlicedPage& page, const common::http::Headers& headers) const;
  [[nodiscard]] std::optional<common::Instant> availability(const SlicedPage& page) const;
  // What a page of a job's results has, even an empty one: date or mark. Without either in the definition: anything.
  [[nodiscard]] bool is_of_a_job(const SlicedPage& page) const;

 private:
  struct FromBody {
    std::size_t wanted;
  };
  struct FromHeader {
    std::string name;
  };
  std::optional<std::size_t> total_;
  std::optional<std::size_t> page_count_;
  std::optional<std::size_t> availability_;
  std::optional<std::size_t> mark_;
  std::vector<std::variant<FromBody, FromHeader>> next_;
  std::string parameter_;  // a next URI without it is none; empty: any is one
};

// Page size and position in the request. AtStart asks for the first page; AtJob's cursor is that of its results.
void put_position(RequestBuilder& builder, const Pages& pages, const core::Position& position, int page_size);

// The configured size, the definition's maximum if none is configured.
int page_size_of(const Pages& pages, int configured);
core::PageChain chain_of(const Pages& pages);

// Null: no job reads there.
const core::JobId* job_of(const core::Position& position);

// "page 3", "cursor …", "job 1234 cursor …": for logs and dead letters. Cursors are cut to 40 characters.
std::string describe(const core::Position& position);

}  // namespace connector::source
