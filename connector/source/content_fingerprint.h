#pragma once

// The content fingerprint: a hash of everything that decides what counts as a change of a record. It stands in the ledger's
// identity; with another one, records that are read look changed and are published as they are read. Pure.

#include "connector/source/definition.h"

#include <string>

namespace connector::source {

// The version of the content digest, what it leaves out, and what only the job's form has; `1:…` as fingerprint().
std::string content_fingerprint(const Definition& definition);

}  // namespace connector::source
