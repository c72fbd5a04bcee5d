// Whole files, read and written.
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
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "krait/core/status.hpp"

namespace krait::detail::inline KRAIT_BUILD {
inline Status file_problem(Problem problem, const std::filesystem::path& path, std::string_view reason) {
  std::string name = path.string();
  if (const std::size_t room = Status{}.where.characters.size(); name.size() > room) {  // the end says most
    std::size_t cut = name.size() - room + 3;
    for (int i = 0; i < 3 && (name[cut] & 0xC0) == 0x80; ++i) ++cut;  // not within a code point
    name.replace(0, cut, "...");
  }
  return {problem, name, reason,
          problem == Problem::cannot_read ? "a readable file that is not empty" : "a path that can be written"};
}
// The system's message for the latest stream operation, or a general one if the system gave none.
inline std::string stream_reason() {
  return errno == 0 ? "input or output failed" : std::generic_category().message(errno);
}
}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// read_file(path, bytes): all bytes of a regular file. A file that is missing, empty, a directory or unreadable is
// refused, and `bytes` is unchanged. Allocates the file's size.
inline Status read_file(const std::filesystem::path& path, std::vector<std::byte>& bytes) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return detail::file_problem(Problem::cannot_read, path, error.message());
  if (size == 0) return detail::file_problem(Problem::cannot_read, path, "an empty file");
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return detail::file_problem(Problem::cannot_read, path, detail::stream_reason());
  std::vector<std::byte> read(static_cast<std::size_t>(size));
  if (!stream.read(reinterpret_cast<char*>(read.data()), static_cast<std::streamsize>(size)))
    return detail::file_problem(Problem::cannot_read, path, "fewer bytes than the file's size");
  bytes = std::move(read);
  return {};
}

// write_file(path, bytes): writes beside the path first and renames when all is there, so that a file of that name is
// either the old or the new one, whole. A symbolic link is replaced, and the permissions are a new file's. Whether the
// bytes outlive a loss of power is the file system's matter.
inline Status write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
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
