#pragma once

// What sections of a stream definition have in common: each reads its part and reports what is wrong with it. Used by
// config/definition.cpp and by them alone.

#include "config/reader.h"
#include "connector/source/definition.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace config {

// --- values
// ---------------------------------------------------------------------------------------------------------------------

// Without `*`.
std::optional<std::string> check_plain_pointer(const std::string& pointer);
void read_pointer(Section& section, std::string_view key, std::optional<std::string>& pointer);

// --- requests
// -------------------------------------------------------------------------------------------------------------------

enum class Direction : std::uint8_t { kRequest, kAnswer };

// `request`: that carries it, or null if either will do.
std::optional<connector::source::Place> read_place(Section& section, std::string_view key, Need need, Direction direction,
                                                   const connector::source::RequestTemplate* request);

struct RequestRule {
  bool wants_job = false;    // {job} must stand in the path, else must not
  bool takes_query = false;  // other places of the path are filled from the stream's `query`
};

void read_request(Section request, connector::source::RequestTemplate& out, Need need, const RequestRule& rule);
connector::source::Pages read_pages(Section pages, const connector::source::RequestTemplate& request);

// --- records
// --------------------------------------------------------------------------------------------------------------------

void read_records(Section& section, connector::source::RecordsRule& records);
void read_key(Section& root, connector::source::KeyRule& key);
// What points into a record must find something in the envelopes that composite records are; and all requests yield the same.
void check_records(Section& root, const connector::source::Definition& definition);

}  // namespace config
