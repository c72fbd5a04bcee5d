// Defines FileView, which gives read access to the bytes of a file. On POSIX systems, FileView maps the file with mmap; on
// other systems, it reads the file into heap memory.
#ifndef KRAIT_IO_FILE_VIEW_HPP
#define KRAIT_IO_FILE_VIEW_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#if defined(__unix__) || defined(__APPLE__)
#define KRAIT_MAPS_FILES
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

#include "krait/core/status.hpp"
#include "krait/io/file.hpp"

namespace krait::detail::inline KRAIT_BUILD {

#ifdef KRAIT_MAPS_FILES
// FileView maps a file read-only. The mapping starts at a page boundary, so it is aligned to 64 bytes.
class FileView {
 public:
  FileView() = default;
  FileView(FileView&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  FileView& operator=(FileView&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~FileView() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  // Maps a file. This FileView must not have a file open already.
  Status open(const std::filesystem::path& path) {
    std::size_t size = 0;
    if (Status status = file_size(path, size); !status) return status;
    errno = 0;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return file_problem(Problem::cannot_read, path, stream_reason());
    void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    const Status status = data == MAP_FAILED ? file_problem(Problem::cannot_read, path, stream_reason()) : Status{};
    ::close(file);
    if (status.ok()) bytes_ = {static_cast<const std::byte*>(data), size};
    return status;
  }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};
#undef KRAIT_MAPS_FILES
#else
// FileView reads a file into memory that is aligned to 64 bytes.
class FileView {
 public:
  Status open(const std::filesystem::path& path) { return read_file(path, bytes_); }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  FileBytes bytes_;
};
#endif

}  // namespace krait::detail::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
