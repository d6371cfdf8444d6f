# Refuses a compiler that destroys an aggregate temporary inside co_await twice (g++ 12 does) or that lacks
# <expected> (clang 14 does). Runs once per build folder.
if(NOT DEFINED THURN_COROUTINES_RUN)
  try_run(THURN_COROUTINES_RUN THURN_COROUTINES_BUILT
    ${CMAKE_BINARY_DIR}/probe ${CMAKE_CURRENT_LIST_DIR}/coroutine_probe.cc
    CXX_STANDARD 23 CXX_STANDARD_REQUIRED ON
    COMPILE_OUTPUT_VARIABLE probe_log)
endif()
if(NOT THURN_COROUTINES_BUILT)
  message(FATAL_ERROR "${CMAKE_CXX_COMPILER} cannot build thurn: it lacks C++23's <expected> or coroutines.\n"
    "Install clang-19 (apt-get install clang-19 lld-19) and configure with a preset: cmake --preset release\n${probe_log}")
endif()
if(NOT THURN_COROUTINES_RUN EQUAL 0)
  message(FATAL_ERROR "${CMAKE_CXX_COMPILER} miscompiles coroutines: a temporary inside co_await is destroyed twice.\n"
    "Install clang-19 (apt-get install clang-19 lld-19) and configure with a preset: cmake --preset release")
endif()
