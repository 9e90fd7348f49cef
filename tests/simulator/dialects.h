#pragma once

// The wire dialects of docs/seed-systems.md: the same world and the same question, asked and answered in five other ways, each
// below /dialects/<name> with a token endpoint of its own. Strict: what a dialect does not know is refused, never ignored.
// Written from the table, not from the stream definitions. One thread.

#include "tests/simulator/service.h"

#include <string>
#include <string_view>

namespace tests::simulator {

struct Dialect;

// By its name, such as 003; null if there is none. It lives as long as the program.
const Dialect* find_dialect(std::string_view name);
// What follows /dialects/<name>, with the dialect; null and the path as it was otherwise.
const Dialect* take_dialect(std::string_view& path);

// Tokens of one dialect are worth nothing in another.
Tokens& tokens_of(Service& service, const Dialect& dialect);

bool is_dialect_query(const Dialect& dialect, std::string_view method, std::string_view path);
Outcome<Answer> query_in_dialect(Service& service, Call& call, const Dialect& dialect);

// Appends the record as the dialect shows it at `now`, with all of its fields.
void append_record(std::string& out, const World& world, const Conversation& conversation, Instant now, const Dialect& dialect);

}  // namespace tests::simulator
