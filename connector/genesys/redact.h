#pragma once

// The last net under G10: what a peer wrote may repeat what we sent it, so text of a peer passes here before it becomes part of
// an error or a log line. Pure.

#include "common/secret.h"

#include <initializer_list>
#include <string>
#include <string_view>

namespace connector::genesys {

// Every occurrence of a secret (of at least four characters) becomes `***`.
std::string redact(std::string text, std::initializer_list<std::string_view> secrets);

}  // namespace connector::genesys
