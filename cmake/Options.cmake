# What every target of ours is compiled with: `project_options` is linked PRIVATE, never installed, nothing is set globally.
option(GK_WERROR "Warnings are errors" OFF)
set(GK_SANITIZE "" CACHE STRING "Value of -fsanitize= for every target (address,undefined | thread | fuzzer-no-link,address,undefined)")
option(GK_COVERAGE "Instrument for llvm-cov" OFF)
option(GK_FUZZ "Build the libFuzzer targets" OFF)

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(project_options INTERFACE)
add_library(project::options ALIAS project_options)
target_compile_features(project_options INTERFACE cxx_std_23)
target_include_directories(project_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(project_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wno-missing-designated-field-initializers
  $<$<BOOL:${GK_WERROR}>:-Werror>)
# Asio and Beast are compiled once (common/http/beast_impl.cpp), so every translation unit must agree on it.
target_compile_definitions(project_options INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED XXH_INLINE_ALL)
if(GK_SANITIZE)
  target_compile_options(project_options INTERFACE -fsanitize=${GK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(project_options INTERFACE -fsanitize=${GK_SANITIZE})
endif()
if(GK_COVERAGE)
  target_compile_options(project_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(project_options INTERFACE -fprofile-instr-generate)
endif()

# gk_module(name SOURCES a.cpp … PUBLIC targets… PRIVATE targets…): one directory, one static library, one namespace.
function(gk_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE project::options ${ARG_PRIVATE})
    gk_precompiled(${name} product)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_PUBLIC})
  endif()
endfunction()

# gk_test(name LABEL unit|integration|crash SOURCES … LINK …): one GoogleTest program. Unit cases are found when ctest runs and are tests
# of their own, but not in a sanitized build, where starting a program costs more than most cases. A program of another label is one test,
# since its cases share what is dear to start (a broker).
function(gk_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE project::options ${ARG_LINK} GTest::gmock_main)
  gk_precompiled(${name} test)
  if(ARG_LABEL STREQUAL "unit" AND NOT GK_SANITIZE)
    if(NOT ARG_TIMEOUT)
      set(ARG_TIMEOUT 120)
    endif()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  else()
    if(NOT ARG_TIMEOUT)
      set(ARG_TIMEOUT 900)
    endif()
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  endif()
endfunction()

# gk_fuzz(name SOURCES … LINK … CORPUS folders…): one libFuzzer target, built under the `fuzz` preset only. Its test (label fuzz) runs for
# $GK_FUZZ_SECONDS on the seeds of CORPUS; what it finds new is kept in the build folder for the next run, what fails in findings/, and
# is told, so that a machine that is gone has told it too.
if(GK_FUZZ)
  add_custom_target(fuzz_targets)
endif()
function(gk_fuzz name)
  if(NOT GK_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;CORPUS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE project::options ${ARG_LINK})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzz_targets ${name})
  set(found ${CMAKE_CURRENT_BINARY_DIR}/corpus/${name})
  set(findings ${CMAKE_CURRENT_BINARY_DIR}/findings)
  file(MAKE_DIRECTORY ${found} ${findings})
  set(seeds "")
  foreach(folder IN LISTS ARG_CORPUS)
    cmake_path(ABSOLUTE_PATH folder NORMALIZE)
    list(APPEND seeds ${folder})
  endforeach()
  add_test(NAME ${name}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/fuzz/run $<TARGET_FILE:${name}> ${found} ${findings}/${name} ${seeds})
  set_tests_properties(${name} PROPERTIES LABELS fuzz)
endfunction()
