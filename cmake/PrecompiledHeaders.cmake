# What nearly every translation unit reads anyway, parsed once a build tree: halves a build that nothing is cached for. Off where people
# work and in what ships, so that a header that leans on it does not compile there (and what is precompiled cannot be shared by clones).
option(GK_PRECOMPILED_HEADERS "Precompile what nearly every translation unit includes" OFF)

set(gk_precompiled_product
  <algorithm> <array> <chrono> <cstdint> <deque> <expected> <functional> <map> <memory> <optional> <random> <set> <span> <string> <string_view>
  <unordered_map> <utility> <variant> <vector>
  <boost/asio/any_io_executor.hpp> <boost/asio/awaitable.hpp> <boost/asio/bind_cancellation_slot.hpp> <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp>
  <boost/asio/redirect_error.hpp> <boost/asio/steady_timer.hpp> <boost/asio/this_coro.hpp> <boost/asio/use_awaitable.hpp> <boost/json/array.hpp> <boost/json/object.hpp> <boost/json/value.hpp>)
set(gk_precompiled_test ${gk_precompiled_product} <gmock/gmock.h> <gtest/gtest.h>)

# gk_precompiled(target product|test): a no-op where it is off.
function(gk_precompiled target kind)
  if(GK_PRECOMPILED_HEADERS)
    target_precompile_headers(${target} REUSE_FROM precompiled_${kind})
    if(NOT target STREQUAL "common") # Asio's headers have objects that want its code, whoever uses them
      target_link_libraries(${target} PRIVATE common)
    endif()
  endif()
endfunction()

# A precompiled header names the folder it was made in, so a compiler cache must neither hand it to another clone nor tell what includes it by
# its bytes, but by what the compiler reads: ccache takes that from the file beside it (pch_external_checksum, scripts/test).
function(gk_write_checksum target headers)
  list(TRANSFORM headers REPLACE "^(.+)$" "#include \\1\n" OUTPUT_VARIABLE includes)
  set(file ${PROJECT_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.pch.sum)
  set(sanitize "")
  if(GK_SANITIZE)
    set(sanitize -fsanitize=${GK_SANITIZE})
  endif()
  file(WRITE ${file}.cpp ${includes})
  execute_process(
    COMMAND ${CMAKE_CXX_COMPILER} -std=c++23 ${sanitize} -DBOOST_ASIO_SEPARATE_COMPILATION -DBOOST_ASIO_NO_DEPRECATED -E -P ${file}.cpp
    OUTPUT_VARIABLE read COMMAND_ERROR_IS_FATAL ANY)
  string(SHA256 sum "${CMAKE_CXX_COMPILER_VERSION} ${read}")
  file(WRITE ${file} ${sum})
endfunction()

if(GK_PRECOMPILED_HEADERS)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled.cpp CONTENT "")
  foreach(kind IN ITEMS product test)
    add_library(precompiled_${kind} OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/precompiled.cpp)
    set_target_properties(precompiled_${kind} PROPERTIES CXX_COMPILER_LAUNCHER "")
    target_link_libraries(precompiled_${kind} PRIVATE project::options Boost::json)
    target_precompile_headers(precompiled_${kind} PRIVATE ${gk_precompiled_${kind}})
    gk_write_checksum(precompiled_${kind} "${gk_precompiled_${kind}}")
  endforeach()
  target_link_libraries(precompiled_test PRIVATE GTest::gmock)
endif()
