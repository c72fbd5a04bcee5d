// Defines ImageFile, which opens an image (a packed model) by its path. For hosts only, because it uses the file system and,
// where there is no mmap, the heap.
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

// ImageFile<Model> opens an image file and gives access to its model without a copy. On POSIX systems it maps the file, so that
// processes share one copy of the weights; on others it reads the file into memory. A mapped file must not be truncated;
// write_file() is safe, because it replaces the file. Moving an ImageFile does not invalidate references to its model.
template <Layer Model>
class ImageFile {
 public:
  // Maps or reads an image file and checks it as view_image() does. If the Status is not ok, this object is unchanged.
  // Otherwise, references to the model of a file opened before become invalid.
  Status open(const std::filesystem::path& path) {
    detail::FileView file;
    if (Status status = file.open(path); !status) return status;
    const Image<Model>* image = nullptr;
    if (Status status = view_image(file.bytes(), image); !status) return status;
    file_ = std::move(file);
    return {};
  }

  [[nodiscard]] bool is_open() const noexcept { return !file_.bytes().empty(); }
  // model() and fingerprint() return the model and its fingerprint. Both require is_open().
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
