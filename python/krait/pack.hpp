// The functions of the program that krait pack generates: read a checkpoint, write its model as an image, print its sizes.
// The functions for --check are in pack_check.hpp.
#ifndef KRAIT_PYTHON_PACK_HPP
#define KRAIT_PYTHON_PACK_HPP

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string_view>

#include "krait/image.hpp"
#include "krait/load.hpp"
#include "krait/nn/activation.hpp"
#include "krait/nn/mamba.hpp"
#include "krait/nn/pooling.hpp"
#include "krait/nn/positional_embedding.hpp"
#include "krait/nn/stack.hpp"
#include "krait/nn/strided_conv1d.hpp"

namespace pack {

inline bool done(const krait::Status& status) {
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok();
}

// A checkpoint, which is read and parsed once.
struct Checkpoint {
  krait::FileBytes bytes;
  krait::safetensors::File file;

  bool read(const char* path) { return done(krait::read_file(path, bytes)) && done(krait::safetensors::parse(bytes, file)); }
};

// Prints a model's memory in bytes, its multiply-adds per step and its parameters: a line of names and numbers, and then a line
// "param NAME OFFSET EXTENT..." for each parameter, where OFFSET is its position within the model in bytes.
template <class Model>
void print_sizes(std::string_view storage) {
  std::printf("%.*s flash %zu state %zu scratch %zu multiply_adds %zu parameters %zu\n", static_cast<int>(storage.size()),
              storage.data(), krait::flash_bytes<Model>, krait::state_bytes<Model>, krait::scratch_bytes<Model>,
              krait::multiply_adds_per_step<Model>, krait::parameter_count<Model>);
  const auto model = std::make_unique<Model>();
  krait::for_each_param(*model, [&]<class T>(std::string_view name, const T& tensor) {
    const auto offset = reinterpret_cast<const std::byte*>(&tensor) - reinterpret_cast<const std::byte*>(model.get());
    std::printf("param %.*s %td", static_cast<int>(name.size()), name.data(), offset);
    for (const std::size_t extent : T::shape) std::printf(" %zu", extent);
    std::puts("");
  });
}

// Loads the checkpoint into the image's model, writes the image to the file PATH, and prints the image's fingerprint and format
// version, the offset of its model in bytes, and the model's sizes with every storage type. The output is words and numbers,
// because nlohmann-json's writer would double the time that this program takes to compile. Returns false after an error, which
// it prints.
template <template <krait::Storage> class Packed, class Model>
bool write(const Checkpoint& checkpoint, krait::Image<Model>& image, const char* path) {
  if (!done(krait::load(checkpoint.file, image.model))) return false;
  krait::write_image(image.model, image);
  if (!done(krait::write_file(image.bytes(), path))) return false;

  std::printf("image fingerprint %lu version %u model_at %zu\n", static_cast<unsigned long>(image.header.fingerprint),
              unsigned{krait::ImageHeader::wanted.version}, sizeof(image) - sizeof(Model));
  using enum krait::Storage;
  print_sizes<typename Packed<f32>::Model>("f32");
  print_sizes<typename Packed<bf16>::Model>("bf16");
  print_sizes<typename Packed<f16>::Model>("f16");
  print_sizes<typename Packed<int8>::Model>("int8");
  return true;
}

}  // namespace pack

#endif
