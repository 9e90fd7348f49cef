#pragma once

// The membership fingerprint: a hash of everything that decides which records belong to a stream. It stands in the ledger's
// identity; a difference refuses the start. Pure.

#include "connector/source/definition.h"
#include "connector/source/options.h"

#include <string>

namespace connector::source {

// Endpoints, fixed request members, the user's filters and the key, with the hashes that a redaction makes of it; spelling
// (member order) does not count, and neither do lanes, page sizes or windows. 32 hexadecimal digits behind the version of the
// algorithm: `1:…`.
std::string membership_fingerprint(const Definition& definition, const StreamOptions& options);

}  // namespace connector::source
