// Defines TokenSpan and TokenBuffer, which describe the tokens of a sequence in memory while a layer processes them, and AnyOf,
// scratch memory that is used for several purposes in turn.
#ifndef KRAIT_LAYOUT_TOKEN_SPAN_HPP
#define KRAIT_LAYOUT_TOKEN_SPAN_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>

#include "krait/layout/row_layout.hpp"

namespace krait {

// TokenSpan refers to tokens that are stored at a constant distance: token t starts at data + t * stride. stride is a number of
// elements.
template <class T>
struct TokenSpan {
  T* data;
  std::size_t stride;
  KRAIT_INLINE constexpr T* operator[](std::size_t t) const { return data + t * stride; }
  KRAIT_INLINE constexpr TokenSpan from(std::size_t t) const { return {data + t * stride, stride}; }
  KRAIT_INLINE constexpr TokenSpan from_channel(std::size_t c) const { return {data + c, stride}; }
  KRAIT_INLINE constexpr TokenSpan<const T> as_const() const { return {data, stride}; }
};

// Range is a range of channels or of a layer's outputs: begin, begin + 1, ..., end - 1.
struct Range {
  std::size_t begin, end;
  KRAIT_INLINE constexpr std::size_t size() const { return end - begin; }
};

// TokenBuffer is scratch memory for `tokens` tokens of `channels` floats. Each token is padded to a multiple of 16 floats.
template <std::size_t tokens, std::size_t channels>
struct TokenBuffer {
  static constexpr std::size_t stride = padded(channels);
  alignas(64) std::array<float, tokens * stride> values;

  KRAIT_INLINE TokenSpan<float> span() { return {values.data(), stride}; }
};

namespace detail {

// AnyOf is memory for an object of any one of the types Ts. The types must be trivially default-constructible.
template <class... Ts>
struct AnyOf {
  alignas(Ts...) std::array<std::byte, std::max({sizeof(Ts)...})> bytes;

  // Starts an object of type T, with unspecified content, and ends the object before it.
  template <class T>
  KRAIT_INLINE T& start() { return *::new (static_cast<void*>(bytes.data())) T; }

  // Like start(), for a function that has itself used the object that ends. Compilers assume that objects of different types do
  // not overlap. Without the empty asm statement, they could move stores to the new object before the last loads from the old
  // one.
  template <class T>
  KRAIT_INLINE T& restart() {
    asm("" : "+m"(bytes));
    return start<T>();
  }
};

}  // namespace detail

}  // namespace krait

#endif
