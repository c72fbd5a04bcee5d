// Defines Image, a packed model. A program runs the model directly from the image's bytes, without a copy: the bytes may be in
// flash, in a memory-mapped file or linked into the program. This header uses neither the heap nor streams.
//
//   krait::write_image(model, image);             // writes a krait::Image<Model>; store image.bytes() in a file or in flash
//   const krait::Image<Model>* image = nullptr;
//   if (krait::Status status = krait::view_image(bytes, image); !status) ...
//   krait::step(image->model, state, token, logits);
//
// docs/images.md specifies the format.
#ifndef KRAIT_IMAGE_HPP
#define KRAIT_IMAGE_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "krait/core/check.hpp"
#include "krait/core/crc32.hpp"
#include "krait/core/reflect.hpp"
#include "krait/core/status.hpp"
#include "krait/image/format.hpp"
#include "krait/image/structure.hpp"
#include "krait/layout/panels.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

// Image<Model> is a packed model with its header. Machines of the same byte order produce the same bytes from the same model.
template <Layer Model>
struct Image {
  static_assert(alignof(Model) == image_alignment, "krait::Image<Model>: Model must have parameters");
  static_assert(sizeof(Model) <= 0xFFFFFFFF, "krait::Image<Model>: Model must be smaller than 4 GiB");

  ImageHeader header;
  std::array<char, ceil_div(structure<Model>.size, image_alignment) * image_alignment> text;
  alignas(image_alignment) Model model;

  KRAIT_INLINE std::span<const std::byte> bytes() const noexcept { return {reinterpret_cast<const std::byte*>(this), sizeof(*this)}; }
};

}  // namespace krait

namespace krait::detail::inline KRAIT_BUILD {

// Zeros. fingerprint() includes them in its CRC in place of the model's padding, whose content is unspecified.
inline constexpr std::array<std::byte, image_alignment> no_bytes{};

// Calls f(offset, bytes) for the values of every parameter and for the scales of every int8 parameter, in memory order.
// `offset` is the position of `bytes` in the model. All other bytes of the model are padding, whose content is unspecified.
template <class Model, class F>
void for_each_run(const Model& model, F f) {
  const auto run = [&](const auto& values) {
    const auto bytes = std::as_bytes(std::span(values));
    f(static_cast<std::size_t>(bytes.data() - reinterpret_cast<const std::byte*>(&model)), bytes);
  };
  const auto arrays = [&](NoPath, const auto& tensor) {
    run(tensor.values);
    if constexpr (requires { tensor.scales; }) run(tensor.scales);
  };
  visit_parameters(NoPath{}, arrays, model);
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// fingerprint(model) reads the whole model and returns a CRC-32 of its structure and weights, which identifies the model.
// Machines of the same byte order compute the same number. The header of the model's image also contains this number.
template <Layer Model>
[[nodiscard]] std::uint32_t fingerprint(const Model& model) noexcept {
  std::uint32_t crc = crc32(detail::as_bytes(structure<Model>));
  std::size_t at = 0;
  const auto gap_to = [&](std::size_t end) {
    for (std::size_t count; at < end; at += count) {
      count = std::min(end - at, detail::no_bytes.size());
      crc = crc32(std::span(detail::no_bytes).first(count), crc);
    }
  };
  detail::for_each_run(model, [&](std::size_t offset, std::span<const std::byte> bytes) {
    gap_to(offset);
    crc = crc32(bytes, crc);
    at = offset + bytes.size();
  });
  gap_to(sizeof(Model));
  return crc;
}

// write_image(model, image) packs a model: it writes every byte of `image`, including the padding, which becomes zero. `model`
// may be image.model itself; then no weights are copied. Allocates nothing.
template <Layer Model>
void write_image(const Model& model, Image<Model>& image) noexcept {
  auto* const to = reinterpret_cast<std::byte*>(&image.model);
  std::size_t at = 0;
  detail::for_each_run(model, [&](std::size_t offset, std::span<const std::byte> bytes) {
    std::memset(to + at, 0, offset - at);
    std::memmove(to + offset, bytes.data(), bytes.size());
    at = offset + bytes.size();
  });
  std::memset(to + at, 0, sizeof(Model) - at);

  image.text = {};
  std::copy_n(structure<Model>.characters.begin(), structure<Model>.size, image.text.begin());
  image.header = {.format = ImageHeader::wanted,
                  .model_bytes = sizeof(Model),
                  .structure_bytes = structure<Model>.size,
                  .fingerprint = fingerprint(image.model),
                  .zeros = {},
                  .checksum = 0};
  image.header.checksum = detail::header_checksum(image.header, std::as_bytes(std::span(image.text)));
}

// view_image(bytes, image) checks that `bytes`, which may have any content, are an image of the type Model, and makes `image`
// point to them. Nothing is copied, so the bytes must outlive the use of `image`. The function checks alignment, size, magic
// bytes, byte order, version, checksums and structure (names, shapes and storage types). It ignores bytes after the image, so
// `bytes` may be a whole flash partition. If the Status is not ok, `image` is unchanged. Allocates nothing and reads the model
// once.
template <Layer Model>
Status view_image(std::span<const std::byte> bytes, const Image<Model>*& image) noexcept {
  Status status = detail::check_image(bytes, structure<Model>, sizeof(Model));
  if (status) image = reinterpret_cast<const Image<Model>*>(bytes.data());
  return status;
}

}  // namespace krait::inline KRAIT_BUILD

namespace krait::check {
// Causes a compile error if Found, the model type that a program names, is not Packed, the type of the packed model. Returns
// whether they are the same type. The message contains both values of the first dim that differs (of vocab_size, d_model,
// n_layers, d_inner and d_state) or, if none of these differs, both types.
template <class Found, class Packed>
consteval bool is_packed() {
  constexpr bool have_dims = requires { Found::model_dims; Packed::model_dims; };
  constexpr bool same = std::is_same_v<Found, Packed>;
  if constexpr (have_dims && !same) {
    constexpr auto found = Found::model_dims;
    constexpr auto packed = Packed::model_dims;
#define KRAIT_SAME(dim)                                                                                               \
  if constexpr (found.dim != packed.dim)                                                                              \
    static_assert(got<found.dim>::template wants<packed.dim>,                                                         \
                  "krait::packed<Model>(model): the packed model must have the dims of Model; they differ in " #dim); \
  else
    KRAIT_SAME(vocab_size)
    KRAIT_SAME(d_model)
    KRAIT_SAME(n_layers)
    KRAIT_SAME(d_inner)
    KRAIT_SAME(d_state)
#undef KRAIT_SAME
      static_assert(got_type<Found>::template wants<Packed>, "krait::packed<Model>(model): the packed model must have the dims of Model");
  } else {
    static_assert(got_type<Found>::template wants<Packed>, "krait::packed<Model>(model): Model must be the packed model's type");
  }
  return same;
}
}  // namespace krait::check

namespace krait::inline KRAIT_BUILD {

// packed<Model>(model) returns its argument, a reference to a packed model. If the argument's type is not Model, the type that
// the program expects, the call does not compile.
template <class Model, class Packed>
constexpr const Model& packed(const Packed& model) noexcept {
  if constexpr (check::is_packed<Model, Packed>()) return model;
  else return reinterpret_cast<const Model&>(model);  // reached only after an error in is_packed; avoids a second error
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
