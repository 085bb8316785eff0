# SPDX-License-Identifier: Apache-2.0
# fairlead_module(name [ASIO] [DEPENDS module...] [LIBRARIES library...])
#
# The module src/<name>: every *.cc there except *_test.cc becomes the library
# fairlead_<name>; the *_test.cc become the program <name>_test, run by ctest.
# ASIO: the module uses Asio or Beast and shares the precompiled header.
function(fairlead_module name)
  cmake_parse_arguments(ARG "ASIO" "" "DEPENDS;LIBRARIES" ${ARGN})
  set(dir ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cc)
  file(GLOB tests CONFIGURE_DEPENDS ${dir}/*_test.cc)
  if(tests)
    list(REMOVE_ITEM sources ${tests})
  endif()
  list(TRANSFORM ARG_DEPENDS PREPEND fairlead_)

  if(NOT sources)  # headers only
    add_library(fairlead_${name} INTERFACE)
    target_include_directories(fairlead_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(fairlead_${name} INTERFACE ${ARG_DEPENDS} ${ARG_LIBRARIES})
    return()
  endif()
  add_library(fairlead_${name} STATIC ${sources})
  target_include_directories(fairlead_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(fairlead_${name} PUBLIC ${ARG_DEPENDS} ${ARG_LIBRARIES})
  if(ARG_ASIO)
    target_precompile_headers(fairlead_${name} REUSE_FROM fairlead_pch)
  endif()

  if(tests)
    add_executable(${name}_test ${tests})
    target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(${name}_test PRIVATE fairlead_${name} GTest::gmock GTest::gtest_main)
    if(ARG_ASIO)
      target_precompile_headers(${name}_test REUSE_FROM fairlead_pch)
    endif()
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES TIMEOUT 120)
  endif()
endfunction()
