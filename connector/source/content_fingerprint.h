#pragma once

// The content fingerprint: a hash of everything that decides what counts as a change of a record. It stands in the ledger's
// identity; with another one, records that are read look changed and are published as they are read. Pure.

#include "connector/source/definition.h"
#include "connector/source/options.h"

#include <string>

namespace connector::source {

// The version of the content digest, what it leaves out, what only the job's form has, and the stream's projection and redaction
// (of their key a hash by it, so that another key is noticed); `1:…` as fingerprint(). Throws std::runtime_error if OpenSSL
// cannot hash.
std::string content_fingerprint(const Definition& definition, const StreamOptions& options);

}  // namespace connector::source
