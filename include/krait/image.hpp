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

#include "krait/layout/panels.hpp"
#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "krait/core/check.hpp"
#include "krait/core/crc32.hpp"
#include "krait/core/reflect.hpp"
#include "krait/core/status.hpp"
#include "krait/nn/layer.hpp"

namespace krait::detail::inline KRAIT_BUILD {

using StructureLine = Text<192>;

// " f32 [64, 40]", and what else decides where a tensor's elements rest.
template <RowLayout order, std::size_t columns, std::size_t width, Storage storage>
constexpr void describe_storage(StructureLine& line, const Panels<order, columns, width, storage>*) {
  constexpr std::array<std::string_view, 4> names{"f32", "bf16", "f16", "int8"};
  (line += " ") += names[static_cast<std::size_t>(storage)];
}
template <RowLayout order, std::size_t columns, std::size_t width, Storage storage>
constexpr void describe_order(StructureLine& line, const Panels<order, columns, width, storage>*) {
  if (order.groups > 0) ((line += " in ") += order.groups) += " groups";
}
template <class T>
constexpr void describe_tensor(StructureLine& line) {
  constexpr const T* tensor = nullptr;
  describe_storage(line, tensor);
  std::string_view before = " [";
  for (const std::size_t extent : T::shape) (line += std::exchange(before, ", ")) += extent;
  line += "]";
  describe_order(line, tensor);
}

// A line for everything in a model that decides what its bytes mean. Alike elements of an array are described once.
template <class T, class Sink>
constexpr void describe(const ParamName& name, Sink& sink) {
  StructureLine line(name);
  if constexpr (Parameter<T>) {
    describe_tensor<T>(line);
    sink += line += "\n";
  } else if constexpr (Reflected<T>) {
    if constexpr (requires { T::eps; })
      sink += ((line += " eps ") += static_cast<std::uint64_t>(double{T::eps} * 1e12 + 0.5)) += "e-12\n";
    const ParamName prefix = name.size == 0 ? name : name + std::string_view(".");
    for_each_member_type<T>([&]<class Member>(std::string_view segment) {
      if constexpr (Flat<Member>) describe<Member>(name, sink);
      else describe<Member>(prefix + segment, sink);
    });
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    sink += ((line += " array of ") += std::tuple_size_v<T>) += "\n";
    describe<typename T::value_type>(name + std::string_view(".0"), sink);
  } else if constexpr (Layer<T>) {
    sink += ((((line += " layer [") += T::d_out) += "] with a state of ") += state_bytes<T>) += " bytes\n";
  }
}
template <class Model, class Sink>
constexpr void describe_model(Sink& sink) {
  StructureLine line(TakesTokens<Model> ? "model tokens below " : "model [");
  sink += ((((line += Model::d_in) += TakesTokens<Model> ? "" : "]") += " to [") += Model::d_out) += "]\n";
  describe<Model>({}, sink);
}

struct TextLength {
  std::size_t size = 0;
  constexpr void operator+=(std::string_view more) { size += more.size(); }
};
template <class Model>
consteval std::size_t structure_length() {
  TextLength length;
  describe_model<Model>(length);
  return length.size;
}
template <class Model>
consteval auto make_structure() {
  Text<structure_length<Model>()> text;
  describe_model<Model>(text);
  return text;
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait {

// What a model is made of, in lines such as "mixer.in_proj.weight f32 [256, 64] in 2 groups": two models whose bytes mean
// the same have the same structure. Made at compile time.
template <Layer Model>
inline constexpr auto structure = detail::make_structure<Model>();

// An image begins on, and is parted at, multiples of this many bytes: a model's alignment.
inline constexpr std::size_t image_alignment = 64;

// What an image and a snapshot begin with.
struct FormatHeader {
  std::array<char, 8> magic;
  std::uint32_t byte_order;
  std::uint32_t version;
  KRAIT_INLINE bool operator==(const FormatHeader&) const = default;
};
inline constexpr std::uint32_t native_order = 0x01020304;

struct ImageHeader {
  // The version grows whenever the same structure comes to lie otherwise.
  static constexpr FormatHeader wanted{{'K', 'R', 'A', 'I', 'T', '\r', '\n', '\x1A'}, native_order, 2};

  FormatHeader format;
  std::uint32_t model_bytes;
  std::uint32_t structure_bytes;  // zeros behind the text, up to a whole 64
  std::uint32_t fingerprint;      // CRC-32 of the structure's text and then the model
  std::array<std::uint32_t, 8> zeros;
  std::uint32_t checksum;  // CRC-32 of all of the above and then the structure with its zeros
};
static_assert(sizeof(ImageHeader) == image_alignment);

// A packed model. The same model gives the same bytes on every machine of one byte order.
template <Layer Model>
struct Image {
  static_assert(alignof(Model) == image_alignment, "krait::Image<Model>: Model must have parameters");
  static_assert(sizeof(Model) <= 0xFFFFFFFF, "krait::Image<Model>: Model must take less than 4 GiB");

  ImageHeader header;
  std::array<char, ceil_div(structure<Model>.size, image_alignment) * image_alignment> text;
  alignas(image_alignment) Model model;

  KRAIT_INLINE std::span<const std::byte> bytes() const { return {reinterpret_cast<const std::byte*>(this), sizeof(*this)}; }
};

}  // namespace krait

namespace krait::detail::inline KRAIT_BUILD {

inline constexpr std::array<std::byte, image_alignment> no_bytes{};

inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// f(values) for every array of numbers in a model, in memory order. The walk without its names, which cost code.
template <class T, class F>
void for_each_array(const T& part, F& f) {
  if constexpr (Parameter<T>) {
    f(part.values);
    if constexpr (requires { part.scales; }) f(part.scales);
  } else if constexpr (Reflected<T>) {
    with_members(part, [&](const auto&... members) { (for_each_array(members, f), ...); });
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    for (const auto& element : part) for_each_array(element, f);
  }
}

// f(offset, bytes) for all that a model says, in memory order: what lies between is padding, which may hold anything.
template <class Model, class F>
void for_each_run(const Model& model, F f) {
  const auto run = [&](const auto& values) {
    const auto bytes = std::as_bytes(std::span(values));
    f(static_cast<std::size_t>(bytes.data() - reinterpret_cast<const std::byte*>(&model)), bytes);
  };
  for_each_array(model, run);
}

inline std::uint32_t header_checksum(const ImageHeader& header, std::span<const std::byte> text) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  return crc32(text, crc32(bytes.first(offsetof(ImageHeader, checksum))));
}

// What stands before the first `end`; the text loses it and the `end`.
inline std::string_view take_until(char end, std::string_view& text) {
  const std::size_t size = std::min(text.find(end), text.size());
  const std::string_view taken(text.data(), size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return taken;
}

// The first line in which two structures differ.
inline Status compare_structure(std::string_view found, std::string_view wanted) {
  while (!found.empty() || !wanted.empty()) {
    const std::string_view line = take_until('\n', found), wanted_line = take_until('\n', wanted);
    if (line == wanted_line) continue;
    std::string_view facts = line, wanted_facts = wanted_line;
    const std::string_view name = take_until(' ', facts), wanted_name = take_until(' ', wanted_facts);
    return {Problem::other_model, wanted_line.empty() ? "behind the last parameter" : wanted_name,
            line.empty() ? "the end" : name == wanted_name ? facts : line, wanted_line.empty() ? "the end" : wanted_facts};
  }
  return {};
}

// "64 bytes".
inline Text<80> count(std::size_t number, std::string_view unit) { return (Text<80>() += number) += unit; }

inline Status check_format(std::string_view where, const FormatHeader& found, const FormatHeader& wanted) {
  const auto text = [](const FormatHeader& format) { return std::string_view(format.magic.data(), format.magic.size()); };
  if (found.magic != wanted.magic) return {Problem::not_an_image, where, text(found), text(wanted)};
  if (found.byte_order != wanted.byte_order)
    return {Problem::bad_byte_order, where, found.byte_order == 0x04030201 ? "the opposite order" : "no known order",
            "this machine's"};
  if (found.version != wanted.version)
    return {Problem::bad_version, where, count(found.version, ""), count(wanted.version, "")};
  return {};
}

// All that is to be checked of an image, whatever its model's type.
inline Status check_image(std::span<const std::byte> bytes, std::string_view structure, std::size_t model_bytes) {
  ImageHeader header;
  if (bytes.size() < sizeof(header))
    return {Problem::truncated, "image", count(bytes.size(), " bytes"), count(sizeof(header), " bytes of header")};
  if (const auto beyond = reinterpret_cast<std::uintptr_t>(bytes.data()) % image_alignment; beyond != 0)
    return {Problem::misaligned, "image", count(beyond, " bytes behind a multiple of 64"), "a multiple of 64"};
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (Status status = check_format("image", header.format, ImageHeader::wanted); !status) return status;

  const auto behind = bytes.subspan(sizeof(header));
  const std::size_t text_blocks = header.structure_bytes / image_alignment + (header.structure_bytes % image_alignment != 0);
  if (behind.size() / image_alignment < text_blocks)
    return {Problem::truncated, "image", count(behind.size(), " bytes of structure"),
            count(header.structure_bytes, " and zeros up to a whole 64")};
  const auto text = behind.first(text_blocks * image_alignment), model = behind.subspan(text.size());
  if (const std::uint32_t found = header_checksum(header, text); found != header.checksum)
    return {Problem::bad_checksum, "image's header", count(found, ""), count(header.checksum, "")};

  const std::string_view found(reinterpret_cast<const char*>(text.data()), header.structure_bytes);
  if (Status status = compare_structure(found, structure); !status) return status;
  if (header.model_bytes != model_bytes)
    return {Problem::other_model, "model", count(header.model_bytes, " bytes"), count(model_bytes, " bytes")};
  if (model.size() < model_bytes)
    return {Problem::truncated, "image", count(model.size(), " bytes of model"), count(model_bytes, " bytes of model")};
  if (const std::uint32_t crc = crc32(model.first(model_bytes), crc32(as_bytes(found))); crc != header.fingerprint)
    return {Problem::bad_checksum, "image's model", count(crc, ""), count(header.fingerprint, "")};
  return {};
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// fingerprint(model): a number that is another for other weights or another structure, and the same on every machine of
// one byte order. Reads the whole model; an image has it in its header.
template <Layer Model>
std::uint32_t fingerprint(const Model& model) {
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
void write_image(const Model& model, Image<Model>& image) {
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
Status view_image(std::span<const std::byte> bytes, const Image<Model>*& image) {
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
    if constexpr (found.vocab_size != packed.vocab_size)
      static_assert(got<found.vocab_size>::template wants<packed.vocab_size>,
                    "krait::packed<Model>(model): the packed model has another vocab_size than Model");
    else if constexpr (found.d_model != packed.d_model)
      static_assert(got<found.d_model>::template wants<packed.d_model>,
                    "krait::packed<Model>(model): the packed model has another d_model than Model");
    else if constexpr (found.n_layers != packed.n_layers)
      static_assert(got<found.n_layers>::template wants<packed.n_layers>,
                    "krait::packed<Model>(model): the packed model has another n_layers than Model");
    else if constexpr (found.d_inner != packed.d_inner)
      static_assert(got<found.d_inner>::template wants<packed.d_inner>,
                    "krait::packed<Model>(model): the packed model has another d_inner than Model");
    else if constexpr (found.d_state != packed.d_state)
      static_assert(got<found.d_state>::template wants<packed.d_state>,
                    "krait::packed<Model>(model): the packed model has another d_state than Model");
    else
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
constexpr const Model& packed(const Packed& model) {
  if constexpr (check::is_packed<Model, Packed>()) return model;
  else return reinterpret_cast<const Model&>(model);  // so that nothing else fails
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
