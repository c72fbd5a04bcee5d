// What counts as a row of floats, as a sequence of rows and as tokens, when a user hands one in.
#ifndef KRAIT_CORE_ROWS_HPP
#define KRAIT_CORE_ROWS_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <span>
#include <type_traits>

#include "krait/core/tensor.hpp"

namespace krait::detail {

// The number of elements that a type promises; 0 where it promises none.
template <class T>
inline constexpr std::size_t extent = 0;
template <class T, std::size_t n>
inline constexpr std::size_t extent<T[n]> = n;
template <class T, std::size_t n>
inline constexpr std::size_t extent<std::array<T, n>> = n;
template <class T, std::size_t n, std::size_t... rest>
inline constexpr std::size_t extent<Tensor<T, n, rest...>> = n;
template <class T, std::size_t n>
inline constexpr std::size_t extent<std::span<T, n>> = n == std::dynamic_extent ? 0 : n;

template <class T>
using element = std::remove_reference_t<decltype(*std::data(std::declval<T&>()))>;

// Contiguous, with a size: arrays, vectors, spans, Tensors.
template <class T>
concept Contiguous = requires(T& range) {
  std::data(range);
  { std::size(range) } -> std::convertible_to<std::size_t>;
};

// A row of floats whose length is in its type.
template <class T>
concept Row = Contiguous<T> && std::same_as<std::remove_cv_t<element<T>>, float> && (extent<std::remove_cv_t<T>> > 0);

// Any number of rows, side by side in memory.
template <class T>
concept RowSequence = Contiguous<T> && Row<element<T>> &&
                      sizeof(element<T>) == extent<std::remove_cv_t<element<T>>> * sizeof(float);

template <class T>
concept Token = std::integral<T> && !std::same_as<std::remove_cv_t<T>, bool>;

template <class T>
concept TokenSequence = Contiguous<T> && Token<element<T>>;

template <class T>
inline constexpr std::size_t row_extent = extent<std::remove_cvref_t<T>>;

}  // namespace krait::detail

#endif
