// Where the tokens of a sequence are stored while a layer processes them.
#ifndef KRAIT_LAYOUT_TOKEN_SPAN_HPP
#define KRAIT_LAYOUT_TOKEN_SPAN_HPP

#include <array>
#include <cstddef>

#include "krait/layout/row_layout.hpp"

namespace krait {

// Tokens in memory: token t's elements start at data + t * stride.
template <class T>
struct TokenSpan {
  T* data;
  std::size_t stride;
  KRAIT_INLINE constexpr T* operator[](std::size_t t) const { return data + t * stride; }
  KRAIT_INLINE constexpr TokenSpan from(std::size_t t) const { return {data + t * stride, stride}; }
  KRAIT_INLINE constexpr TokenSpan<const T> as_const() const { return {data, stride}; }
};

// Scratch memory for `tokens` tokens of `channels` floats each, padded to whole strips.
template <std::size_t tokens, std::size_t channels>
struct TokenBuffer {
  static constexpr std::size_t stride = padded(channels);
  alignas(64) std::array<float, tokens * stride> values;

  KRAIT_INLINE TokenSpan<float> span() { return {values.data(), stride}; }
};

}  // namespace krait

#endif
