// Tensor: the array type of inputs and outputs.
#ifndef KRAIT_CORE_TENSOR_HPP
#define KRAIT_CORE_TENSOR_HPP

#include <array>
#include <cstddef>

#include "krait/core/platform.hpp"

namespace krait {

// A row-major array with its shape in its type: Tensor<float, 5, 256> is 5 rows of Tensor<float, 256>.
template <class T, std::size_t extent, std::size_t... rest>
struct Tensor;

template <class T, std::size_t extent>
struct Tensor<T, extent> {
  static constexpr std::size_t rank = 1;
  std::array<T, extent> values;

  KRAIT_INLINE constexpr T& operator[](std::size_t i) { return values[i]; }
  KRAIT_INLINE constexpr const T& operator[](std::size_t i) const { return values[i]; }
  KRAIT_INLINE constexpr T* data() { return values.data(); }
  KRAIT_INLINE constexpr const T* data() const { return values.data(); }
  KRAIT_INLINE static constexpr std::size_t size() { return extent; }
  KRAIT_INLINE constexpr auto begin() { return values.begin(); }
  KRAIT_INLINE constexpr auto begin() const { return values.begin(); }
  KRAIT_INLINE constexpr auto end() { return values.end(); }
  KRAIT_INLINE constexpr auto end() const { return values.end(); }
  KRAIT_INLINE bool operator==(const Tensor&) const = default;
};

template <class T, std::size_t extent, std::size_t next, std::size_t... rest>
struct Tensor<T, extent, next, rest...> {
  static constexpr std::size_t rank = 2 + sizeof...(rest);
  using Row = Tensor<T, next, rest...>;
  std::array<Row, extent> values;

  KRAIT_INLINE constexpr Row& operator[](std::size_t i) { return values[i]; }
  KRAIT_INLINE constexpr const Row& operator[](std::size_t i) const { return values[i]; }
  KRAIT_INLINE constexpr Row* data() { return values.data(); }
  KRAIT_INLINE constexpr const Row* data() const { return values.data(); }
  KRAIT_INLINE static constexpr std::size_t size() { return extent; }
  KRAIT_INLINE constexpr auto begin() { return values.begin(); }
  KRAIT_INLINE constexpr auto begin() const { return values.begin(); }
  KRAIT_INLINE constexpr auto end() { return values.end(); }
  KRAIT_INLINE constexpr auto end() const { return values.end(); }
  KRAIT_INLINE bool operator==(const Tensor&) const = default;
};

}  // namespace krait

#endif
