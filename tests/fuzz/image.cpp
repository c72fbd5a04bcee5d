// A fuzz target that calls krait::view_image with arbitrary bytes, as the image of a small language model.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#include "fuzz.hpp"
#include "krait/image.hpp"
#include "krait/nn/mamba.hpp"

namespace {

using fuzz::below, fuzz::Bytes, fuzz::Random;

// The weights are f32, because f32 tensors have no padding between them.
constexpr auto dims = krait::resolve({.vocab_size = 3, .d_model = 2, .n_layers = 1, .d_state = 2, .d_conv = 2, .expand = 1});
constexpr auto other_dims = krait::resolve({.vocab_size = 3, .d_model = 2, .n_layers = 1, .d_state = 2, .d_conv = 2,
                                            .expand = 1, .norm_bias = true, .tied = false});

struct ImageFile {
  using Model = krait::Mamba<dims>;

  static krait::Status load(Model& model, std::span<const std::byte> file) {
    // The copy has exactly as many bytes as the file, so that AddressSanitizer detects reads beyond its end.
    struct Free {
      void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{64}); }
    };
    const std::unique_ptr<std::byte[], Free> room(new (std::align_val_t{64}) std::byte[file.size()]);
    std::copy(file.begin(), file.end(), room.get());
    const krait::Image<Model>* image = nullptr;
    krait::Status status = krait::view_image({room.get(), file.size()}, image);
    fuzz::require((image != nullptr) == bool(status), "view_image sets the pointer if and only if the Status is ok");
    if (status) std::memcpy(static_cast<void*>(&model), &image->model, sizeof(Model));
    return status;
  }
  static Bytes save(const Model& model) {
    static krait::Image<Model> image;
    krait::write_image(model, image);
    return {image.bytes().begin(), image.bytes().end()};
  }

  template <class M>
  static Bytes random_image(Random& random) {
    static krait::Image<M> image;
    krait::for_each_param(image.model, [&](std::string_view, auto& tensor) {
      krait::assign(tensor, [&](std::size_t, std::size_t) { return static_cast<float>(below(random, 2048)) / 64.0f - 16.0f; });
    });
    krait::write_image(image.model, image);
    return {image.bytes().begin(), image.bytes().end()};
  }
  static Bytes good(Random& random) {
    return below(random, 8) == 0 ? random_image<krait::Mamba<other_dims>>(random) : random_image<Model>(random);
  }

  // Damages one part of the image. In seven of eight cases, the checksums are then corrected, so that the damage must be found
  // by other checks.
  static Bytes damaged(Bytes file, Random& random, std::size_t max_size) {
    if (file.size() < sizeof(krait::ImageHeader)) return good(random);
    krait::ImageHeader header;
    std::memcpy(&header, file.data(), sizeof(header));
    const std::size_t room = file.size() - sizeof(header);
    const std::size_t text = std::min<std::size_t>(header.structure_bytes, room);
    switch (below(random, 6)) {
      case 0: header.structure_bytes = static_cast<std::uint32_t>(random()) >> below(random, 32); break;
      case 1: header.model_bytes = static_cast<std::uint32_t>(random()) >> below(random, 32); break;
      case 2: mutate_part(file, sizeof(header), text, max_size); break;
      case 3: mutate_part(file, sizeof(header) + text, room - text, max_size); break;
      case 4: file.resize(below(random, file.size() + 64)); break;
      case 5: {
        Bytes bytes(sizeof(header));
        std::memcpy(bytes.data(), &header, sizeof(header));
        fuzz::mutate_bytes(bytes, bytes.size());
        bytes.resize(sizeof(header));
        std::memcpy(&header, bytes.data(), sizeof(header));
      }
    }
    if (file.size() < sizeof(header)) return file;
    if (below(random, 8) != 0) fit_checksums(file, header);
    std::memcpy(file.data(), &header, sizeof(header));
    return file;
  }

 private:
  // Mutates `size` bytes from `begin`. If the mutation leaves fewer bytes, zeros fill the rest, so that the size of the file
  // does not change.
  static void mutate_part(Bytes& file, std::size_t begin, std::size_t size, std::size_t max_size) {
    Bytes part(file.begin() + static_cast<std::ptrdiff_t>(begin), file.begin() + static_cast<std::ptrdiff_t>(begin + size));
    fuzz::mutate_bytes(part, std::min(part.size(), max_size));
    part.resize(size);
    std::copy(part.begin(), part.end(), file.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  static void fit_checksums(const Bytes& file, krait::ImageHeader& header) {
    const std::span<const std::byte> behind = std::span(file).subspan(sizeof(header));
    const std::size_t text_bytes = (std::size_t{header.structure_bytes} + 63) / 64 * 64;
    if (text_bytes > behind.size()) return;
    const std::span<const std::byte> model = behind.subspan(text_bytes);
    header.fingerprint = krait::crc32(model.first(std::min(model.size(), sizeof(Model))),
                                      krait::crc32(behind.first(header.structure_bytes)));
    header.checksum = krait::detail::header_checksum(header, behind.first(text_bytes));
  }
};

}  // namespace

FUZZ_TARGET(ImageFile)
