#pragma once

// The same JSON written otherwise: members in another order, other white space, other escapes. Numbers and the order of elements
// stay. For tests of what must not depend on spelling.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace tests::support {

// A number below `count`.
using Choose = std::function<std::size_t(std::size_t count)>;

// `json` must be valid JSON; what comes of anything else is any text.
std::string respell(std::string_view json, const Choose& choose);

}  // namespace tests::support
