#pragma once

// What a projection and redaction make of the places that a definition names: where they are in a record as it is published.
// Pure.

#include "connector/source/content_digest.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"

#include <string>
#include <vector>

namespace connector::source {

// Pointers into a published record; an empty one: it does not say.
struct PublishedShape {
  std::string start;
  std::string open_while_absent;
  bool has_key = false;  // at the definition's own place
  ContentRules rules;    // of the content digest
};

// Without projection and redaction everything is where the definition says. A field that draws from what only the job's form has
// counts as such, even if not all of it does: the form that lacks it must not look different for that.
PublishedShape published_shape(const Definition& definition, const StreamOptions& options);

// Pointers of `redaction.hash` that may lead to a record's key or to something in it, sorted: its key is then another one.
std::vector<std::string> hashes_of_key(const Definition& definition, const RedactionOptions& redaction);
bool rewrites_key(const Definition& definition, const RedactionOptions& redaction);

}  // namespace connector::source
