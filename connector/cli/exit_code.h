#pragma once

// How the process ends; stable across versions (docs/operations.md, "Exit codes").

#include "common/result.h"

namespace connector::cli {

inline constexpr int kDone = 0;
inline constexpr int kInternalError = 1;
inline constexpr int kConfigurationError = 2;  // also foreign or unreadable state
inline constexpr int kCredentialsError = 3;    // or permission
inline constexpr int kFencedError = 4;
inline constexpr int kKafkaRefused = 5;
inline constexpr int kDifferenceFound = 6;
inline constexpr int kInterrupted = 7;

int exit_code_of(const common::Error& error);

}  // namespace connector::cli
