#include "krait/io/file.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>

#include "folder.hpp"
#include "krait/init.hpp"
#include "krait/load.hpp"
#include "krait/save.hpp"

using krait::Problem;

namespace {

using Bytes = std::vector<std::byte>;

// Drops root's rights (effective user 65534) while in scope, because root may read and write every file.
struct AsNobody {
  bool was_root = ::geteuid() == 0;
  AsNobody() { if (was_root) REQUIRE(::seteuid(65534) == 0); }
  ~AsNobody() { if (was_root && ::seteuid(0) != 0) std::abort(); }
};

Bytes bytes(std::size_t count, unsigned char value) { return Bytes(count, std::byte{value}); }

void cannot_read(const fs::path& path, const std::string& reason,
                 const std::string& wanted = "a readable file that is not empty") {
  Bytes read = bytes(3, 7);
  const krait::Status status = krait::read_file(path, read);
  CHECK(status.problem == Problem::cannot_read);
  CHECK(std::string(status.message()) ==
        path.string() + ": file cannot be read: found " + reason + ", wanted " + wanted);
  CHECK(read == bytes(3, 7));
}
void cannot_write(const fs::path& path, std::span<const std::byte> content, const std::string& reason) {
  const krait::Status status = krait::write_file(content, path);
  CHECK(status.problem == Problem::cannot_write);
  CHECK(std::string(status.message()) ==
        path.string() + ": file cannot be written: found " + reason + ", wanted a path that can be written");
}

}  // namespace

TEST_CASE("write_file replaces an existing file, and read_file returns the bytes that were written") {
  const Folder folder;
  Bytes all(256 * 257), read;
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i % 257);  // includes the bytes of line ends
  CHECK(krait::write_file(bytes(100'000, 1), folder.path / "file"));
  CHECK(krait::write_file(all, folder.path / "file"));
  CHECK(krait::read_file(folder.path / "file", read));
  CHECK(read == all);
  CHECK(folder.files() == 1);
}

TEST_CASE("read_file fails with the system's error message for a missing, unreadable or empty file, folder or device") {
  const Folder folder;
  cannot_read(folder.path / "missing", "No such file or directory");
  cannot_read(folder.path / "missing" / "file", "No such file or directory");
  cannot_read(folder.path, "a folder", "a file");
  CHECK(krait::write_file({}, folder.path / "empty"));
  cannot_read(folder.path / "empty", "an empty file");
  cannot_read("/dev/zero", "Operation not supported");
  CHECK(krait::write_file(bytes(9, 9), folder.path / "model.safetensors"));
  cannot_read(folder.path, "a folder", "a file, such as model.safetensors in it");
  CHECK(krait::write_file(bytes(9, 9), folder.path / "secret"));
  fs::permissions(folder.path, fs::perms(0555));
  fs::permissions(folder.path / "secret", fs::perms::none);
  const AsNobody nobody;
  cannot_read(folder.path / "secret", "Permission denied");
}

TEST_CASE("read_file fails for a file that has fewer bytes than the file system reports") {
  const fs::path page = "/sys/devices/system/cpu/online";  // Linux reports a size of 4096, but the file has one line
  std::error_code none;
  if (fs::file_size(page, none) == 4096) cannot_read(page, "fewer bytes than the file's size");
}

TEST_CASE("an error message shows the end of a path that is too long, after \"...\"") {
  const fs::path path = fs::path(std::string(150, 'a')) / "model.safetensors";
  Bytes read;
  const krait::Status status = krait::read_file(path, read);
  CHECK(std::string(status.where) == "..." + std::string(96 - 3 - 18, 'a') + "/model.safetensors");
}

TEST_CASE("an error message cuts a path that is too long between two code points") {
  for (const std::string name : {"", "a", "ab", "abc"}) {
    std::string path = name;
    for (int i = 0; i < 60; ++i) path += "\xF0\x9F\x90\x8D";
    Bytes read;
    const krait::Status status = krait::read_file(path, read);
    CHECK(std::string(status.message()).starts_with("..." + std::string(23, '?') + ": file cannot be read: found "));
  }
}

TEST_CASE("write_file fails for a path that cannot be written, and leaves no temporary file") {
  const Folder folder;
  cannot_write(folder.path / "missing" / "file", bytes(9, 9), "No such file or directory");
  fs::create_directory(folder.path / "folder");
  cannot_write(folder.path / "folder", bytes(9, 9), "Is a directory");
  CHECK(folder.files() == 1);
  fs::permissions(folder.path, fs::perms(0555));
  const AsNobody nobody;
  cannot_write(folder.path / "file", bytes(9, 9), "Permission denied");
  CHECK(folder.files() == 1);
}

TEST_CASE("a write that fails half way (file too large) leaves the old file unchanged") {
  const Folder folder;
  const Bytes old = bytes(5000, 1);
  REQUIRE(krait::write_file(old, folder.path / "file"));
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit little{.rlim_cur = 10'000, .rlim_max = limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &little) == 0);
  const krait::Status status = krait::write_file(bytes(1'000'000, 2), folder.path / "file");
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  CHECK(std::string(status.found) == "File too large");
  Bytes read;
  CHECK(krait::read_file(folder.path / "file", read));
  CHECK(read == old);
  CHECK(folder.files() == 1);
}

TEST_CASE("load_file and save_file do in one call what load and save do with a file's bytes") {
  using Model = krait::Mamba<krait::resolve({.vocab_size = 5, .d_model = 3, .n_layers = 2})>;
  const Folder folder;
  const fs::path path = folder.path / "model.safetensors";
  const auto model = std::make_unique<Model>(krait::init<Model>(krait::key(2)));
  const std::map<std::string, std::string> metadata{{"by", "a test"}};
  REQUIRE(krait::save_file(*model, path, metadata).ok());
  Bytes written;
  REQUIRE(krait::read_file(path, written).ok());
  CHECK(written == krait::save(*model, metadata));

  const auto loaded = std::make_unique<Model>();
  REQUIRE(krait::load_file(path, *loaded).ok());
  CHECK(krait::save(*loaded) == krait::save(*model));
  CHECK(krait::load_file(path, *loaded, {.prefix = "model."}).problem == Problem::missing);

  CHECK(krait::load_file(folder.path / "absent", *loaded).problem == Problem::cannot_read);
  CHECK(krait::save_file(*model, folder.path / "absent" / "file").problem == Problem::cannot_write);
  CHECK(krait::save(*loaded) == krait::save(*model));
}

TEST_CASE("the elements of FileBytes start at an address that is a multiple of 64") {
  const Folder folder;
  std::vector<krait::FileBytes> all(20);
  for (std::size_t i = 0; i < all.size(); ++i) {
    REQUIRE(krait::write_file(bytes(1 + 37 * i, 3), folder.path / "file").ok());
    REQUIRE(krait::read_file(folder.path / "file", all[i]).ok());
    CHECK(reinterpret_cast<std::uintptr_t>(all[i].data()) % 64 == 0);
    CHECK(all[i] == krait::FileBytes(1 + 37 * i, std::byte{3}));
  }
}
