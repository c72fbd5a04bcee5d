// A model as bytes that are viewed in place: in flash, in a mapped file, linked in. No heap, no streams, no copy.
//
//   krait::write_image(model, image);             // Image<Model>; image.bytes() go to a file or to flash
//   const krait::Image<Model>* image = nullptr;
//   if (krait::Status status = krait::view_image(bytes, image); !status) ...
//   krait::step(image->model, state, token, logits);
//
// docs/images.md has the bytes in a table.
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

// A packed model. The same model gives the same bytes on every machine of one byte order.
template <Layer Model>
struct Image {
  static_assert(alignof(Model) == image_alignment, "krait::Image<Model>: Model must have parameters");
  static_assert(sizeof(Model) <= 0xFFFFFFFF, "krait::Image<Model>: Model must take less than 4 GiB");

  ImageHeader header;
  std::array<char, ceil_div(structure<Model>.size, image_alignment) * image_alignment> text;
  alignas(image_alignment) Model model;

  KRAIT_INLINE std::span<const std::byte> bytes() const noexcept { return {reinterpret_cast<const std::byte*>(this), sizeof(*this)}; }
};

}  // namespace krait

namespace krait::detail::inline KRAIT_BUILD {

inline constexpr std::array<std::byte, image_alignment> no_bytes{};

// f(offset, bytes) for all that a model says, in memory order: what lies between is padding, which may hold anything.
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

// fingerprint(model): a number that is another for other weights or another structure, and the same on every machine of
// one byte order. Reads the whole model; an image has it in its header.
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

// write_image(model, image): every byte of the image, its padding zero. `model` may be image.model itself: then nothing
// is copied. Allocates nothing.
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

// view_image(bytes, image): makes `image` point to the bytes, which may be any bytes at all, if they are an image of this
// very model: nothing is copied, and they must stay where they are. Checked once: alignment, size, magic, byte order,
// version, checksums, structure (names, shapes, storage). What lies behind the image is not looked at, so the bytes may be
// a whole flash partition. Where the Status is not ok, `image` is as it was. Allocates nothing; reads the model once.
template <Layer Model>
Status view_image(std::span<const std::byte> bytes, const Image<Model>*& image) noexcept {
  Status status = detail::check_image(bytes, structure<Model>, sizeof(Model));
  if (status) image = reinterpret_cast<const Image<Model>*>(bytes.data());
  return status;
}

}  // namespace krait::inline KRAIT_BUILD

namespace krait::check {
// What is to be said where a program's model is not the packed one: the first dim that differs, or else both types.
template <class Found, class Packed>
consteval bool is_packed() {
  constexpr bool have_dims = requires { Found::model_dims; Packed::model_dims; };
  constexpr bool same = std::is_same_v<Found, Packed>;
  if constexpr (have_dims && !same) {
    constexpr ModelDims found = Found::model_dims, packed = Packed::model_dims;
#define KRAIT_SAME(dim)                                                                             \
  if constexpr (found.dim != packed.dim)                                                            \
    static_assert(got<found.dim>::template wants<packed.dim>,                                       \
                  "krait::packed<Model>(model): the packed model has another " #dim " than Model"); \
  else
    KRAIT_SAME(vocab_size)
    KRAIT_SAME(d_model)
    KRAIT_SAME(n_layers)
    KRAIT_SAME(d_inner)
    KRAIT_SAME(d_state)
#undef KRAIT_SAME
      static_assert(got_type<Found>::template wants<Packed>, "krait::packed<Model>(model): the packed model has other dims than Model");
  } else {
    static_assert(got_type<Found>::template wants<Packed>, "krait::packed<Model>(model): Model must be the packed model's type");
  }
  return same;
}
}  // namespace krait::check

namespace krait::inline KRAIT_BUILD {

// packed<Model>(model): the same model, if it is of the type that the program is written for; else it does not compile.
template <class Model, class Packed>
constexpr const Model& packed(const Packed& model) noexcept {
  if constexpr (check::is_packed<Model, Packed>()) return model;
  else return reinterpret_cast<const Model&>(model);  // so that nothing else fails
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
