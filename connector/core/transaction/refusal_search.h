#pragma once

// Finding the record that a broker refuses: it answers for a whole produce request, so the suspects are sent in ever smaller
// company until one stands alone. Pure.

#include "connector/core/ports/transactional_producer.h"

#include <cstddef>
#include <vector>

namespace connector::core {

// `refused`: places whose report said so in the attempt just aborted. Marks the records found at fault `at_fault` and the others
// kSuspect for the next attempt. False if nothing can be narrowed: the refusal was not about a record.
bool narrow(TransactionBatch& batch, const std::vector<std::size_t>& refused, RecordFate at_fault = RecordFate::kRefused);

}  // namespace connector::core
