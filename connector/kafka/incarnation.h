#pragma once

// What tells one life of a task's owner from every other: a random id, and for people the machine it runs on.

#include <random>
#include <string>

namespace connector::kafka {

// 32 hexadecimal digits.
std::string make_incarnation(std::mt19937_64& random);
// "unknown" if the system does not say.
std::string host_name();

}  // namespace connector::kafka
