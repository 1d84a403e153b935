# Flags that every target of kith shares. `kith_library(name)` makes a static library with them.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Paths below the checkout count as relative, so that every clone shares what another one compiled.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

add_library(kith_flags INTERFACE)
target_include_directories(kith_flags INTERFACE ${CMAKE_SOURCE_DIR})
# Assertions guard our own bugs and stay on in release: no header of ours looks at NDEBUG.
target_compile_definitions(kith_flags INTERFACE _GLIBCXX_ASSERTIONS KITH_VERSION="${PROJECT_VERSION}")
target_compile_options(kith_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wimplicit-fallthrough>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms of GCC 12 about std::string and comparisons of vectors when it inlines at -O2 and above.
  target_compile_options(kith_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict -Wno-stringop-overread -Wno-maybe-uninitialized>)
endif()
if(KITH_WERROR)
  target_compile_options(kith_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(KITH_SANITIZE)
  target_compile_options(kith_flags INTERFACE -fsanitize=${KITH_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(kith_flags INTERFACE -fsanitize=${KITH_SANITIZE})
  if(KITH_SANITIZE MATCHES "undefined")
    target_compile_options(kith_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # What the sanitizers add makes GCC 12 see lengths below zero; they themselves find real ones.
    target_compile_options(kith_flags INTERFACE
      $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow -Wno-array-bounds>)
  endif()
  if(KITH_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences are not understood by GCC 12's TSan; it only warns about that.
    target_compile_options(kith_flags INTERFACE -Wno-tsan)
  endif()
endif()

function(kith_library name)
  add_library(${name} STATIC)
  target_link_libraries(${name} PUBLIC kith_flags)
endfunction()
