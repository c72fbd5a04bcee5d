// What went wrong with bytes from outside, in a form that needs no heap.
#ifndef KRAIT_CORE_STATUS_HPP
#define KRAIT_CORE_STATUS_HPP

#include <string_view>

#include "krait/core/text.hpp"

namespace krait {

enum class Problem {
  none,
  cannot_read,       // the file: missing, a folder, unreadable
  cannot_write,
  truncated,         // fewer bytes than announced
  header_too_large,
  header_not_json,
  header_form,       // JSON, but not of the form the format has
  duplicate,         // one name twice
  bad_dtype,
  bad_shape,
  bad_offsets,       // out of range, or not what the shape needs
  overlap,           // one byte for two tensors
  hole,              // bytes for no tensor
  missing,           // a parameter the model has and the file has not
  unknown,           // a tensor the file has and the model has not
  not_finite,        // NaN, or infinity where it has no meaning
  head_not_tied,     // a head of its own for a model whose head is its embedding
  misaligned,        // bytes that are to be viewed in place
  not_an_image,      // and so on: an image's or a snapshot's header
  bad_byte_order,
  bad_version,
  bad_checksum,
  other_model,       // an image or a snapshot of a model that this is not
};

// Converts to true if all is well. Else `where` names the tensor, parameter or file concerned, `found` what was there and
// `wanted` what should have been; message() is one sentence of all three.
struct [[nodiscard]] Status {
  Problem problem = Problem::none;
  Text<96> where{};
  Text<80> found{};
  Text<80> wanted{};

  constexpr explicit operator bool() const { return problem == Problem::none; }

  // Control characters, which names from outside may hold, are shown as '?'.
  constexpr Text<320> message() const {
    Text<320> text;
    if (problem == Problem::none) return text += what(problem);
    if (where.size > 0) (text += where) += ": ";
    ((((text += what(problem)) += ": found ") += found) += ", wanted ") += wanted;
    for (char& c : text.characters)
      if (&c < text.characters.data() + text.size && (static_cast<unsigned char>(c) < ' ' || c == '\x7F')) c = '?';
    return text;
  }

  static constexpr std::string_view what(Problem problem) {
    switch (problem) {
      case Problem::none: return "no problem";
      case Problem::cannot_read: return "cannot be read";
      case Problem::cannot_write: return "cannot be written";
      case Problem::truncated: return "ends too early";
      case Problem::header_too_large: return "header is too large";
      case Problem::header_not_json: return "header is not JSON";
      case Problem::header_form: return "header does not have the form of safetensors";
      case Problem::duplicate: return "name stands there twice";
      case Problem::bad_dtype: return "dtype is wrong";
      case Problem::bad_shape: return "shape is wrong";
      case Problem::bad_offsets: return "data offsets are wrong";
      case Problem::overlap: return "data overlaps another tensor's";
      case Problem::hole: return "bytes belong to no tensor";
      case Problem::missing: return "parameter is missing";
      case Problem::unknown: return "tensor is none of the model's";
      case Problem::not_finite: return "value is not finite";
      case Problem::head_not_tied: return "head differs from the embedding it should be";
      case Problem::misaligned: return "address is not aligned";
      case Problem::not_an_image: return "first bytes are not the format's";
      case Problem::bad_byte_order: return "byte order is another machine's";
      case Problem::bad_version: return "layout version is not this library's";
      case Problem::bad_checksum: return "bytes are damaged: CRC-32 is wrong";
      case Problem::other_model: return "belongs to another model";
    }
    return "unknown problem";
  }
};

}  // namespace krait

#endif
