// Defines ImageFile, which opens an image (a packed model) by its path. ImageFile is for hosts, not for microcontrollers: it
// uses the file system and, on systems without mmap, the heap.
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

// ImageFile<Model> opens an image file and gives access to its model without a copy. On POSIX systems it maps the file into
// memory, so that processes share one copy of the weights; on other systems it reads the file into memory. A file must not be
// truncated while it is mapped. Writing to its path with krait::write_file() is safe, because write_file() replaces the file by
// a new one. Moving an ImageFile does not invalidate references to its model.
template <Layer Model>
class ImageFile {
 public:
  // Maps or reads an image file and checks it as view_image() does. If the Status is ok, references to the model of a
  // previously opened file become invalid. Otherwise, this object is unchanged.
  Status open(const std::filesystem::path& path) {
    detail::FileView file;
    if (Status status = file.open(path); !status) return status;
    const Image<Model>* image = nullptr;
    if (Status status = view_image(file.bytes(), image); !status) return status;
    file_ = std::move(file);
    return {};
  }

  [[nodiscard]] bool is_open() const noexcept { return !file_.bytes().empty(); }
  // model() and fingerprint() return the model and its fingerprint. Call them only if is_open() returns true.
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
