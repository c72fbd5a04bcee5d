# Finds the headers of Highway and Boost.Hana, for CMakeLists.txt and for the installed package.
include_guard()

# Sets `result` to the include directories of the first target of ARGN that exists, or to an empty list if none exists.
function(krait_target_headers result)
  set(folders "")
  foreach(target IN LISTS ARGN)
    if(TARGET ${target} AND NOT folders)
      get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    endif()
  endforeach()
  set(${result} "${folders}" PARENT_SCOPE)
endfunction()

# Appends a library's include directories to `result`. Takes the first of these that exists: a target of the project (ARGN lists
# the names), the cache variable `variable`, the library's CMake package, the folder that find_path finds. If none exists, sets
# `problem` to an error message.
function(krait_find_headers result problem variable header package version)
  krait_target_headers(found ${ARGN})
  if(NOT found AND NOT ${variable})
    find_package(${package} ${version} QUIET)
    krait_target_headers(found ${ARGN})
  endif()
  if(NOT found)
    find_path(${variable} ${header} DOC "The folder that contains ${header}")
    set(found "${${variable}}")
    if(NOT EXISTS "${found}/${header}")
      string(REGEX REPLACE "^.*-NOTFOUND$" "not set" place "${found}")
      list(GET ARGN 0 target)
      set(${problem} "krait: found no ${header}: ${variable} is ${place}, and there is no target ${target} and no CMake \
package ${package} ${version}. Set ${variable} to the folder that contains ${header}." PARENT_SCOPE)
    endif()
  endif()
  # A cross compiler must not search the host's /usr/include, which contains the host's C library. If a folder contains a C
  # library that is not the compiler's own, the compiler instead searches a new folder in the build tree, which contains only a
  # link to the headers of Highway or Boost.
  string(REGEX REPLACE "/.*" "" library ${header})
  foreach(folder IN LISTS found)
    if(EXISTS "${folder}/stdio.h" AND NOT folder IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
      set(alone "${CMAKE_BINARY_DIR}/krait_headers/${library}")
      file(MAKE_DIRECTORY "${alone}")
      file(CREATE_LINK "${folder}/${library}" "${alone}/${library}" SYMBOLIC)
      set(folder "${alone}")
    endif()
    list(APPEND ${result} "${folder}")
  endforeach()
  set(${result} "${${result}}" PARENT_SCOPE)
endfunction()

# Sets `result` to the include directories of Highway and Boost.Hana, or `problem` to a message that names the missing header.
# If the project has a target Boost::hana, krait links this target instead, because it has dependencies of its own. Programs
# that choose their target at run time link hwy::hwy themselves.
function(krait_dependencies result problem)
  set(folders "")
  set(missing "")
  krait_find_headers(folders missing KRAIT_HIGHWAY_INCLUDE_DIR hwy/highway.h hwy 1.0.3 hwy::hwy hwy)
  if(NOT TARGET Boost::hana AND NOT missing)
    krait_find_headers(folders missing KRAIT_BOOST_INCLUDE_DIR boost/hana.hpp Boost 1.74 Boost::headers Boost::boost)
  endif()
  set(${result} "${folders}" PARENT_SCOPE)
  set(${problem} "${missing}" PARENT_SCOPE)
endfunction()
