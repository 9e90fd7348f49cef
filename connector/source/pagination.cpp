#include "connector/source/pagination.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace connector::source {

namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

std::size_t want(SliceSpec& spec, const std::string& pointer) {
  spec.wanted.push_back(pointer);
  return spec.wanted.size() - 1;
}

// With a value.
bool has_parameter(std::string_view uri, std::string_view name) {
  for (auto at = uri.find_first_of("?&"); at != std::string_view::npos; at = uri.find('&', at + 1)) {
    const std::string_view rest = uri.substr(at + 1);
    if (rest.starts_with(name) && rest.substr(name.size()).starts_with('=')) {
      const std::string_view value = rest.substr(name.size() + 1);
      return !value.empty() && value.front() != '&';
    }
  }
  return false;
}

std::optional<std::int64_t> to_count(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), count);
  if (error != std::errc() || end != text->data() + text->size() || count < 0) return std::nullopt;
  return count;
}

}  // namespace

PageScalars::PageScalars(const Pages& pages, const std::optional<Total>& total, const std::string& availability_pointer,
                         SliceSpec& spec) {
  if (total && total->trust != TotalTrust::kNone) total_ = want(spec, total->pointer);
  if (!availability_pointer.empty()) availability_ = want(spec, availability_pointer);
  if (const auto* numbered = std::get_if<PageNumberPages>(&pages); numbered != nullptr && numbered->page_count) {
    page_count_ = want(spec, *numbered->page_count);
  }
  if (const auto* uri = std::get_if<NextUriPages>(&pages)) {
    next_.emplace_back(FromBody{want(spec, uri->next_from)});
    parameter_ = uri->parameter;
  }
  if (const auto* cursor = std::get_if<CursorPages>(&pages)) {
    for (const Place& place : cursor->next_from) {
      if (const auto* in = std::get_if<InBody>(&place)) next_.emplace_back(FromBody{want(spec, in->pointer)});
      if (const auto* in = std::get_if<InHeader>(&place)) next_.emplace_back(FromHeader{in->name});
    }
  }
}

PageScalars::PageScalars(const JobSource& job, SliceSpec& spec)
    : PageScalars(job.pages, std::nullopt, job.availability_date, spec) {
  if (!job.page_mark.empty()) mark_ = want(spec, job.page_mark);
}

std::optional<std::int64_t> PageScalars::total(const SlicedPage& page) const {
  return total_ ? to_count(page.wanted[*total_]) : std::nullopt;
}

std::optional<std::int64_t> PageScalars::page_count(const SlicedPage& page) const {
  return page_count_ ? to_count(page.wanted[*page_count_]) : std::nullopt;
}

std::optional<std::string> PageScalars::next(const SlicedPage& page, const common::http::Headers& headers) const {
  for (const auto& source : next_) {
    std::optional<std::string> found;
    if (const auto* body = std::get_if<FromBody>(&source)) found = page.wanted[body->wanted];
    if (const auto* header = std::get_if<FromHeader>(&source)) {
      if (const auto value = headers.find(header->name)) found = std::string(*value);
    }
    if (found && !found->empty() && (parameter_.empty() || has_parameter(*found, parameter_))) return found;
  }
  return std::nullopt;
}

std::optional<common::Instant> PageScalars::availability(const SlicedPage& page) const {
  if (!availability_ || !page.wanted[*availability_]) return std::nullopt;
  const auto instant = common::parse_instant(*page.wanted[*availability_]);
  return instant ? std::optional(*instant) : std::nullopt;
}

bool PageScalars::is_of_a_job(const SlicedPage& page) const {
  if (mark_) return page.wanted[*mark_].has_value();
  return !availability_ || availability(page).has_value();
}

void put_position(RequestBuilder& builder, const Pages& pages, const core::Position& position, int page_size) {
  const std::optional<std::string> cursor =
      std::visit(Overloaded{[](const core::AtCursor& at) -> std::optional<std::string> { return at.cursor; },
                            [](const core::AtJob& at) -> std::optional<std::string> { return at.cursor; },
                            [](const auto&) -> std::optional<std::string> { return std::nullopt; }},
                 position);
  std::visit(Overloaded{[](const NoPages&) {},
                        [&](const PageNumberPages& numbered) {
                          const auto* at = std::get_if<core::AtPage>(&position);
                          builder.put(numbered.number, at != nullptr ? at->number : numbered.first);
                          if (numbered.size) builder.put(*numbered.size, std::int64_t{page_size});
                        },
                        [&](const CursorPages& kind) {
                          if (cursor) builder.put(kind.next_to, *cursor);
                          if (kind.size) builder.put(*kind.size, std::int64_t{page_size});
                        },
                        [&](const NextUriPages& kind) {
                          if (cursor) {
                            builder.follow(*cursor);
                          } else if (kind.size) {
                            builder.put(*kind.size, std::int64_t{page_size});
                          }
                        }},
             pages);
}

int page_size_of(const Pages& pages, int configured) {
  const int max = std::visit(Overloaded{[](const NoPages&) { return 0; }, [](const auto& kind) { return kind.max_size; }}, pages);
  return configured > 0 && max > 0 ? std::min(configured, max) : max;
}

core::PageChain chain_of(const Pages& pages) {
  return std::visit(Overloaded{[](const NoPages&) { return core::PageChain::kSingle; },
                               [](const PageNumberPages&) { return core::PageChain::kNumbered; },
                               [](const auto&) { return core::PageChain::kToken; }},
                    pages);
}

const core::JobId* job_of(const core::Position& position) {
  const auto* at = std::get_if<core::AtJob>(&position);
  return at == nullptr ? nullptr : &at->job;
}

std::string describe(const core::Position& position) {
  const auto cut = [](const std::string& cursor) {
    constexpr std::size_t kShown = 40;
    return cursor.size() <= kShown ? cursor : cursor.substr(0, kShown) + "…";
  };
  return std::visit(
      Overloaded{[](const core::AtStart&) { return std::string("start"); },
                 [](const core::AtPage& at) { return "page " + std::to_string(at.number); },
                 [&](const core::AtCursor& at) { return "cursor " + cut(at.cursor); },
                 [&](const core::AtJob& at) { return "job " + at.job.str() + (at.cursor ? " cursor " + cut(*at.cursor) : ""); }},
      position);
}

}  // namespace connector::source
