#pragma once

// Dead letters as `dead-letters list` and `retry` show them, to people and to programs. What comes from the service (keys,
// details, bytes) cannot disturb a terminal: control characters are escaped, what is not UTF-8 is replaced.

#include "common/json.h"
#include "connector/app/dead_letters.h"

#include <ostream>
#include <string>
#include <string_view>

namespace connector::cli {

// On one line, without control characters.
std::string printable(std::string_view text);

void print_list(const app::DeadLetterList& list, bool show_bytes, std::ostream& out);
common::json::Object list_as_json(const app::DeadLetterList& list, bool show_bytes);

void print_retry(const app::RetryReport& report, bool dry_run, std::ostream& out);
common::json::Object retry_as_json(const app::RetryReport& report, bool dry_run);

}  // namespace connector::cli
