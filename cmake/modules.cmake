# Compiler settings all targets share, and how a module is declared.
add_library(thurn_flags INTERFACE)
target_compile_options(thurn_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Werror
  -fstack-protector-strong -fcf-protection)
target_compile_definitions(thurn_flags INTERFACE _GLIBCXX_ASSERTIONS
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_REGEX)
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_definitions(thurn_flags INTERFACE $<$<NOT:$<BOOL:${THURN_SANITIZE}>>:_FORTIFY_SOURCE=2>)
endif()
target_link_options(thurn_flags INTERFACE -fuse-ld=lld -Wl,-z,relro,-z,now)
target_include_directories(thurn_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
if(THURN_SANITIZE)
  target_compile_options(thurn_flags INTERFACE -fsanitize=${THURN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(thurn_flags INTERFACE -fsanitize=${THURN_SANITIZE})
endif()
if(THURN_FUZZ)
  target_compile_options(thurn_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(thurn_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Relative paths and no build folder in the hash: clones and presets of this machine share what was compiled once.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CMAKE_SOURCE_DIR}/tools/cached)
endif()

# thurn_module(NAME DEPENDS modules… LIBRARIES link targets… [IO])
#
# One static library of src/NAME/*.cc without the tests, and one test program of src/NAME/*_test.cc with
# tests/support. IO says that the module uses Asio and shares the precompiled header.
function(thurn_module name)
  cmake_parse_arguments(MODULE "IO" "" "DEPENDS;LIBRARIES;TEST_DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/asio_impl)\\.cc$")  # Asio itself is thurn_asio
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(TRANSFORM MODULE_DEPENDS PREPEND thurn_)
  list(TRANSFORM MODULE_TEST_DEPENDS PREPEND thurn_)
  if(sources)
    add_library(thurn_${name} STATIC ${sources})
    target_link_libraries(thurn_${name} PUBLIC thurn_flags ${MODULE_DEPENDS} ${MODULE_LIBRARIES})
    if(MODULE_IO)
      target_precompile_headers(thurn_${name} REUSE_FROM thurn_asio)
      target_link_libraries(thurn_${name} PUBLIC thurn_asio)
    endif()
  else()
    add_library(thurn_${name} INTERFACE)
    target_link_libraries(thurn_${name} INTERFACE thurn_flags ${MODULE_DEPENDS} ${MODULE_LIBRARIES})
  endif()
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE thurn_${name} ${MODULE_TEST_DEPENDS} thurn_support GTest::gtest GTest::gmock GTest::gtest_main)
    if(MODULE_IO)
      target_precompile_headers(${name}_test REUSE_FROM thurn_asio)
    endif()
    add_test(NAME ${name} COMMAND ${name}_test --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.suppressions")
  endif()
endfunction()
