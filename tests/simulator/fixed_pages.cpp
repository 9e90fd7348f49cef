#include "tests/simulator/fixed_pages.h"

#include <algorithm>

namespace tests::simulator {

namespace {
constexpr std::string_view kHead = "{\"conversations\":[";
constexpr std::string_view kIdKey = "\"conversationId\":\"";
constexpr std::string_view kStartKey = "\"conversationStart\":\"";
constexpr std::string_view kEndKey = "\"conversationEnd\":\"";
constexpr std::size_t kTailRoom = 512;
}  // namespace

FixedPages::FixedPages(const World& world, Form form, std::size_t rows) : world_(world), template_(kHead) {
  for (std::size_t index = 0; index < rows; ++index) {
    if (index > 0) {
      template_ += ',';
    }
    Place place;
    const std::size_t begin = template_.size();
    std::string record;
    const Conversation conversation = world.conversation(index);
    append_record(record, world, conversation, std::max(conversation.end, conversation.first_end) + world.options().wrap_up,
                  form);
    template_ += record;
    place.end = template_.size();
    place.id = template_.find(kIdKey, begin) + kIdKey.size();
    place.start = template_.find(kStartKey, begin) + kStartKey.size();
    place.end_time = template_.find(kEndKey, begin) + kEndKey.size();
    place.life = conversation.end - conversation.start;
    records_.push_back(place);
  }
}

std::shared_ptr<const std::string> FixedPages::page(std::uint64_t first, std::size_t count, std::string_view tail) {
  // A buffer the server has finished with is only ours again.
  auto free = std::ranges::find_if(buffers_, [](const auto& buffer) { return buffer.use_count() == 1; });
  if (free == buffers_.end()) {
    auto buffer = std::make_shared<std::string>();
    buffer->reserve(template_.size() + kTailRoom);
    free = buffers_.insert(buffers_.end(), std::move(buffer));
  }
  std::string& body = **free;
  const std::size_t end = count == 0 ? kHead.size() : records_.at(count - 1).end;
  body.assign(template_, 0, end);
  for (std::size_t row = 0; row < count; ++row) {
    body.replace(records_[row].id, 36, world_.id_of(first + row));
    const Instant start = world_.start_of(first + row);
    body.replace(records_[row].start, 24, common::format_instant(start));
    body.replace(records_[row].end_time, 24, common::format_instant(start + records_[row].life));
  }
  body += ']';
  if (!tail.empty()) {
    body += ',';
    body += tail;
  }
  body += '}';
  return *free;
}

}  // namespace tests::simulator
