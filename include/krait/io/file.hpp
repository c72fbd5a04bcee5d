// Defines read_file and write_file, which read and write whole files.
#ifndef KRAIT_IO_FILE_HPP
#define KRAIT_IO_FILE_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "krait/core/status.hpp"

namespace krait::detail::inline KRAIT_BUILD {

// AlignedAllocator is an allocator that gives containers memory aligned to `alignment` bytes.
template <class T, std::size_t alignment>
struct AlignedAllocator {
  using value_type = T;
  template <class Other>
  struct rebind {
    using other = AlignedAllocator<Other, alignment>;
  };
  AlignedAllocator() = default;
  template <class Other>
  AlignedAllocator(const AlignedAllocator<Other, alignment>&) noexcept {}
  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{alignment}));
  }
  void deallocate(T* data, std::size_t) noexcept { ::operator delete(data, std::align_val_t{alignment}); }
  bool operator==(const AlignedAllocator&) const = default;
};

// Returns the Status for a file that cannot be read or written. The Status contains the path, or only its end if the path is
// long. `wanted` has a default for each of the two problems.
inline Status file_problem(Problem problem, const std::filesystem::path& path, std::string_view reason,
                           std::string_view wanted = {}) {
  std::string name = path.string();
  if (const std::size_t room = decltype(Status::where)::max_size; name.size() > room) {  // a long path is cut at its start
    std::size_t cut = name.size() - room + 3;
    for (int i = 0; i < 3 && (name[cut] & 0xC0) == 0x80; ++i) ++cut;  // avoids cutting a UTF-8 code point in two
    name.replace(0, cut, "...");
  }
  if (wanted.empty())
    wanted = problem == Problem::cannot_read ? "a readable file that is not empty" : "a path that can be written";
  return {problem, name, reason, wanted};
}
// Returns the system's error message for the latest stream operation, or a general message if the system gives none.
inline std::string stream_reason() {
  return errno == 0 ? "an input or output error" : std::generic_category().message(errno);
}
// Writes the size of a file in bytes to `size`. Fails for an empty file and for anything that is not a regular file.
inline Status file_size(const std::filesystem::path& path, std::size_t& size) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const bool has_checkpoint = std::filesystem::exists(path / "model.safetensors", error);
    return file_problem(Problem::cannot_read, path, "a folder",
                        has_checkpoint ? "a file, such as model.safetensors in it" : "a file");
  }
  const std::uintmax_t found = std::filesystem::file_size(path, error);
  if (error) return file_problem(Problem::cannot_read, path, error.message());
  if (found == 0) return file_problem(Problem::cannot_read, path, "an empty file");
  size = static_cast<std::size_t>(found);
  if (size != found) return file_problem(Problem::cannot_read, path, "a file larger than the address space");
  return {};
}
}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// FileBytes is a vector of bytes that is aligned to 64 bytes, as view_image() requires.
using FileBytes = std::vector<std::byte, detail::AlignedAllocator<std::byte, 64>>;

// read_file(path, bytes) reads a whole file into FileBytes or another std::vector<std::byte>. Fails if the file is missing,
// empty, a directory or unreadable; `bytes` is then unchanged. Allocates as many bytes as the file has.
template <class Allocator>
Status read_file(const std::filesystem::path& path, std::vector<std::byte, Allocator>& bytes) {
  std::size_t size = 0;
  if (Status status = detail::file_size(path, size); !status) return status;
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return detail::file_problem(Problem::cannot_read, path, detail::stream_reason());
  std::vector<std::byte, Allocator> read(size);
  if (!stream.read(reinterpret_cast<char*>(read.data()), static_cast<std::streamsize>(size)))
    return detail::file_problem(Problem::cannot_read, path, "fewer bytes than the file's size");
  bytes = std::move(read);
  return {};
}

// write_file(bytes, path) writes a file or replaces one. It writes a temporary file in the same folder and then renames it, so
// that the path always refers to either the complete old file or the complete new one. A symbolic link is replaced, not the
// file that it refers to. The new file does not inherit the permissions of the old one. The file system decides whether the
// bytes survive a loss of power.
inline Status write_file(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  std::filesystem::path beside = path;
  beside += "." + std::to_string(now) + ".partial";
  errno = 0;
  std::ofstream stream(beside, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  std::string reason = stream ? "" : detail::stream_reason();
  std::error_code error;
  if (reason.empty()) {
    std::filesystem::rename(beside, path, error);
    if (error) reason = error.message();
  }
  if (reason.empty()) return {};
  std::filesystem::remove(beside, error);
  return detail::file_problem(Problem::cannot_write, path, reason);
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
