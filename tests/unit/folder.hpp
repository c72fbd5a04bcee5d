// Defines Folder, a temporary folder for a test.
#ifndef KRAIT_TESTS_FOLDER_HPP
#define KRAIT_TESTS_FOLDER_HPP

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

namespace fs = std::filesystem;

// A temporary folder, which is removed at the end of a test.
struct Folder {
  fs::path path;
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "krait_XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~Folder() {
    fs::permissions(path, fs::perms::owner_all);
    fs::remove_all(path);
  }
  auto files() const { return std::distance(fs::directory_iterator(path), fs::directory_iterator()); }
};

#endif
