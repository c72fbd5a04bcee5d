// Defines the headers of images and snapshots, and checks untrusted bytes against them.
#ifndef KRAIT_IMAGE_FORMAT_HPP
#define KRAIT_IMAGE_FORMAT_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "krait/core/crc32.hpp"
#include "krait/core/platform.hpp"
#include "krait/core/status.hpp"

namespace krait {

// The alignment of an image and of its sections, in bytes. It equals the alignment of a model.
inline constexpr std::size_t image_alignment = 64;

// FormatHeader is the first part of the header of images and snapshots.
struct FormatHeader {
  std::array<char, 8> magic;
  std::uint32_t byte_order;
  std::uint32_t version;
  KRAIT_INLINE bool operator==(const FormatHeader&) const = default;
};
// The value of byte_order in an image or snapshot. A machine of the opposite byte order reads it as 0x04030201.
inline constexpr std::uint32_t native_order = 0x01020304;

// ImageHeader is the first 64 bytes of an image. A text that describes the model's structure follows, and then the model.
struct ImageHeader {
  // The last number is the version of the format. It is incremented whenever the memory layout of any model changes.
  static constexpr FormatHeader wanted{{'K', 'R', 'A', 'I', 'T', '\r', '\n', '\x1A'}, native_order, 2};

  FormatHeader format;
  std::uint32_t model_bytes;
  std::uint32_t structure_bytes;  // length of the text of the model's structure, without the zeros that pad the text
  std::uint32_t fingerprint;      // one CRC-32 of the text of the model's structure and the bytes of the model
  std::array<std::uint32_t, 8> zeros;
  // One CRC-32 of the header's members above and the text of the model's structure with the zeros that pad it.
  std::uint32_t checksum;
};
static_assert(sizeof(ImageHeader) == image_alignment);

}  // namespace krait

namespace krait::detail::inline KRAIT_BUILD {

// Returns the characters of a string as bytes.
inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// Returns the value of ImageHeader::checksum for a header and the padded text of the model's structure.
inline std::uint32_t header_checksum(const ImageHeader& header, std::span<const std::byte> text) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  return crc32(text, crc32(bytes.first(offsetof(ImageHeader, checksum))));
}

// Returns the part of `text` before the first occurrence of the character `end`, and removes this part and the character from
// `text`. If `end` does not occur, returns all of `text`.
inline std::string_view take_until(char end, std::string_view& text) {
  const std::size_t size = std::min(text.find(end), text.size());
  const std::string_view taken(text.data(), size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return taken;
}

// Compares the texts that describe the structures of two models. If they are equal, the returned Status is ok; otherwise, it
// contains the first line that differs.
inline Status compare_structure(std::string_view found, std::string_view wanted) {
  while (!found.empty() || !wanted.empty()) {
    const std::string_view line = take_until('\n', found), wanted_line = take_until('\n', wanted);
    if (line == wanted_line) continue;
    std::string_view facts = line, wanted_facts = wanted_line;
    const std::string_view name = take_until(' ', facts), wanted_name = take_until(' ', wanted_facts);
    if (wanted_line.empty()) return {Problem::other_model, name, facts, "no parameter of this name"};
    return {Problem::other_model, wanted_name,
            line.empty() ? "no parameter of this name" : name == wanted_name ? facts : line, wanted_facts};
  }
  return {};
}

// Returns a number in decimal, followed by `unit`, such as "64 bytes".
inline Text<80> count(std::size_t number, std::string_view unit) { return (Text<80>() += number) += unit; }

// Checks the magic bytes, the byte order and the version of an image or snapshot. `where` is its name in the returned Status.
inline Status check_format(std::string_view where, const FormatHeader& found, const FormatHeader& wanted) {
  const auto text = [](const FormatHeader& format) { return std::string_view(format.magic.data(), format.magic.size()); };
  if (found.magic != wanted.magic) return {Problem::not_an_image, where, text(found), text(wanted)};
  if (found.byte_order != wanted.byte_order)
    return {Problem::bad_byte_order, where,
            found.byte_order == 0x04030201 ? "numbers in the opposite byte order" : "an invalid byte order",
            "this machine's byte order"};
  if (found.version != wanted.version)
    return {Problem::bad_version, where, count(found.version, ""), count(wanted.version, "")};
  return {};
}

// Checks that `bytes` are a complete and undamaged image of a model with this structure and with model_bytes bytes.
inline Status check_image(std::span<const std::byte> bytes, std::string_view structure, std::size_t model_bytes) {
  ImageHeader header;
  if (bytes.size() < sizeof(header))
    return {Problem::truncated, "image", count(bytes.size(), " bytes"), count(sizeof(header), " bytes of header")};
  if (const auto beyond = reinterpret_cast<std::uintptr_t>(bytes.data()) % image_alignment; beyond != 0)
    return {Problem::misaligned, "image", count(beyond, " bytes after a multiple of 64"),
            "a multiple of 64: use krait::ImageFile, krait::FileBytes or alignas(64)"};
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (Status status = check_format("image", header.format, ImageHeader::wanted); !status) return status;

  const auto behind = bytes.subspan(sizeof(header));
  const std::size_t text_blocks = header.structure_bytes / image_alignment + (header.structure_bytes % image_alignment != 0);
  if (behind.size() / image_alignment < text_blocks)
    return {Problem::truncated, "image", count(behind.size(), " bytes of structure"),
            count(header.structure_bytes, " padded to a multiple of 64")};
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

#endif
