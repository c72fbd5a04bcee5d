// Opens a packed model by its path. Host only: it uses the file system and, without mmap, the heap.
//
//   krait::ImageFile<Model> file;
//   if (krait::Status status = file.open("model.image"); !status.ok()) std::puts(status.message().c_str());
//   krait::step(file.model(), state, token, logits);
#ifndef KRAIT_IMAGE_FILE_HPP
#define KRAIT_IMAGE_FILE_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <cstdint>
#include <filesystem>
#include <utility>

#include "krait/core/status.hpp"
#include "krait/image.hpp"
#include "krait/io/file.hpp"
#include "krait/io/file_view.hpp"

namespace krait::inline KRAIT_BUILD {

// An image file that is viewed in place. Maps the file on POSIX, so several processes share one copy of the weights, and reads it
// elsewhere. While it is mapped, the file must not become shorter; write_file() is safe, because it replaces the file. Can be
// moved; references to the model stay valid.
template <Layer Model>
class ImageFile {
 public:
  // Maps or reads the file, and checks it as view_image() does. If the Status is not ok, this object is unchanged. Otherwise
  // references to the previous model become invalid.
  Status open(const std::filesystem::path& path) {
    detail::FileView file;
    if (Status status = file.open(path); !status) return status;
    const Image<Model>* image = nullptr;
    if (Status status = view_image(file.bytes(), image); !status) return status;
    file_ = std::move(file);
    return {};
  }

  [[nodiscard]] bool is_open() const noexcept { return !file_.bytes().empty(); }
  // These two require is_open().
  const Model& model() const noexcept { return image().model; }
  std::uint32_t fingerprint() const noexcept { return image().header.fingerprint; }

 private:
  detail::FileView file_;

  const Image<Model>& image() const noexcept { return *reinterpret_cast<const Image<Model>*>(file_.bytes().data()); }
};

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
