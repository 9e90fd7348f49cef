#pragma once

// librdkafka's errors become ours here, once (docs/kafka.md, "Errors and reactions"). Pure functions.

#include "common/result.h"

#include <librdkafka/rdkafka.h>

#include <string_view>

namespace connector::kafka {

// What a bare code means, as a delivery report or an administrative answer carries it. Of transactional calls use to_error: there
// the flags decide (_TIMED_OUT alone means nothing).
common::ErrorCode classify(rd_kafka_resp_err_t code);

// "<doing>: <librdkafka's text> (<code name>)"
common::Error to_error(rd_kafka_resp_err_t code, std::string_view doing, std::string_view detail = {});
// Of init, begin, commit, abort and produce: fatal, abortable and retriable are told apart.
common::Error to_error(const rd_kafka_error_t& error, std::string_view doing);

// Error events that no retry mends: a password, certificate, name or protocol that somebody must correct. `_TRANSPORT` covers
// both an absent broker and a refused certificate; only librdkafka's text tells them apart.
bool needs_operator(rd_kafka_resp_err_t code, std::string_view text);

}  // namespace connector::kafka
