// Defines Status, the result of functions that read files and other untrusted bytes. A Status needs no heap.
#ifndef KRAIT_CORE_STATUS_HPP
#define KRAIT_CORE_STATUS_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "krait/core/text.hpp"

namespace krait::inline KRAIT_BUILD {

// Returns the number of bytes of the UTF-8 code point at the start of `text`, or 1 if `text` does not start with valid UTF-8.
// `text` must not be empty.
constexpr std::size_t code_point_bytes(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(text[i])}; };
  const std::size_t size = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : byte(0) >= 0xC0 ? 2 : 1;
  if (size == 1 || text.size() < size) return 1;
  std::uint32_t value = byte(0) & 0x7Fu >> size;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return 1;
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  const bool is_surrogate = value >= 0xD800u && value <= 0xDFFFu;
  const bool is_shortest = value >= (size == 4 ? 0x10000u : size == 3 ? 0x800u : 0x80u);
  return byte(0) < 0xF8 && is_shortest && !is_surrogate && value <= 0x10FFFFu ? size : 1;
}

// Problem is the kind of problem that a Status reports.
enum class Problem {
  none,
  cannot_read,       // the file is missing, unreadable or a folder
  cannot_write,
  truncated,         // there are fewer bytes than the header requires
  other_format,      // the first bytes identify another format, such as a PyTorch pickle
  header_too_large,
  header_not_json,
  header_form,       // the header is JSON, but without the structure that the format requires
  duplicate,         // a name occurs twice
  bad_dtype,         // load does not support the dtype of a tensor
  bad_shape,
  bad_offsets,       // the data of a tensor is out of range, or its size does not match the shape
  overlap,           // some bytes belong to two tensors
  hole,              // some bytes belong to no tensor
  missing,           // the file lacks a parameter of the model
  unknown,           // the file has a tensor that is not a parameter of the model
  not_finite,        // the file has a NaN, or an infinity in a parameter that must be finite
  head_not_tied,     // the file's head and embedding differ, but the model has one tensor for both
  misaligned,        // the address of an image is not a multiple of 64
  not_an_image,      // an image or snapshot starts with wrong magic bytes
  bad_byte_order,
  bad_version,
  bad_checksum,
  other_model,       // the image or snapshot belongs to another model
};

// Status is the result of a function that can fail. ok() and the conversion to bool return true if there is no problem.
// Otherwise, `where` names the tensor, parameter or file, `found` describes the content that was refused, and `wanted`
// describes content that would have been accepted. message() returns one sentence with all three:
// std::puts(status.message().c_str()).
struct [[nodiscard]] Status {
  Problem problem = Problem::none;
  Text<96> where{};
  Text<80> found{};
  Text<80> wanted{};

  [[nodiscard]] constexpr bool ok() const noexcept { return problem == Problem::none; }
  constexpr explicit operator bool() const noexcept { return ok(); }

  // Returns the message in printable ASCII: a '?' replaces each control character, each other code point outside ASCII and each
  // byte that is not valid UTF-8.
  [[nodiscard]] constexpr Text<320> message() const noexcept {
    Text<320> text;
    if (ok()) return text += what(problem);
    if (where.size > 0) (text += where) += ": ";
    ((((text += what(problem)) += ": found ") += found) += ", wanted ") += wanted;
    const Text<320> raw = text;
    text.clear();
    for (std::string_view rest = raw; !rest.empty(); rest.remove_prefix(code_point_bytes(rest)))
      text += std::string_view(rest[0] >= ' ' && rest[0] <= '~' ? rest.data() : "?", 1);
    return text;
  }

  static constexpr std::string_view what(Problem problem) noexcept {
    switch (problem) {
      case Problem::none: return "no problem";
      case Problem::cannot_read: return "file cannot be read";
      case Problem::cannot_write: return "file cannot be written";
      case Problem::truncated: return "data is incomplete";
      case Problem::other_format: return "file is not in the safetensors format";
      case Problem::header_too_large: return "header is too large";
      case Problem::header_not_json: return "header is not valid JSON";
      case Problem::header_form: return "header does not follow the safetensors format";
      case Problem::duplicate: return "duplicate name";
      case Problem::bad_dtype: return "dtype is not supported";
      case Problem::bad_shape: return "shape is wrong";
      case Problem::bad_offsets: return "data_offsets do not fit the file, the dtype or the shape";
      case Problem::overlap: return "data overlaps another tensor's data";
      case Problem::hole: return "bytes belong to no tensor";
      case Problem::missing: return "parameter is missing";
      case Problem::unknown: return "model has no parameter of this name";
      case Problem::not_finite: return "value is not finite";
      case Problem::head_not_tied: return "output head differs from the embedding";
      case Problem::misaligned: return "address is not aligned";
      case Problem::not_an_image: return "magic bytes are wrong";
      case Problem::bad_byte_order: return "byte order differs from this machine's";
      case Problem::bad_version: return "layout version differs from this library's";
      case Problem::bad_checksum: return "data is damaged (its CRC-32 is wrong)";
      case Problem::other_model: return "data belongs to another model";
    }
    return "unknown problem";
  }
};

}  // namespace krait::inline KRAIT_BUILD

#endif
