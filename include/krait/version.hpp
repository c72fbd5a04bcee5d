// Defines the version of the library. meson.build, CMakeLists.txt and packaging/assemble read it from this file.
#ifndef KRAIT_VERSION_HPP
#define KRAIT_VERSION_HPP

#define KRAIT_VERSION_MAJOR 0
#define KRAIT_VERSION_MINOR 2
#define KRAIT_VERSION_PATCH 0
#define KRAIT_VERSION_STRING "0.2.0"

// The version as one number, which increases with every version. For example, version 0.2.0 is 200.
#define KRAIT_VERSION (KRAIT_VERSION_MAJOR * 10000 + KRAIT_VERSION_MINOR * 100 + KRAIT_VERSION_PATCH)

#endif
