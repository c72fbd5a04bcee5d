// Defines Tensor, the multi-dimensional array type of the inputs and outputs of krait::forward, prefill and step.
#ifndef KRAIT_CORE_TENSOR_HPP
#define KRAIT_CORE_TENSOR_HPP

#include <array>
#include <cstddef>

#include "krait/core/platform.hpp"

namespace krait {

template <class T, std::size_t extent, std::size_t... rest>
struct Tensor;

namespace detail {
// TensorElement<T, extents...>::type is the element type of a Tensor, where `extents` are all extents but the first. It is a
// Tensor with these extents, or T if there are none.
template <class T, std::size_t... extents>
struct TensorElement {
  using type = Tensor<T, extents...>;
};
template <class T>
struct TensorElement<T> {
  using type = T;
};
}  // namespace detail

// Tensor is a row-major array whose shape is part of its type: Tensor<float, 5, 256> contains 5 elements of type
// Tensor<float, 256>. It is an aggregate and can be initialised with a list, as in Tensor<float, 3>{{1, 2, 3}}.
template <class T, std::size_t extent, std::size_t... rest>
struct Tensor {
  using Element = typename detail::TensorElement<T, rest...>::type;
  static constexpr std::size_t rank = 1 + sizeof...(rest);
  std::array<Element, extent> values;

  KRAIT_INLINE constexpr Element& operator[](std::size_t i) noexcept { return values[i]; }
  KRAIT_INLINE constexpr const Element& operator[](std::size_t i) const noexcept { return values[i]; }
  KRAIT_INLINE constexpr Element* data() noexcept { return values.data(); }
  KRAIT_INLINE constexpr const Element* data() const noexcept { return values.data(); }
  KRAIT_INLINE static constexpr std::size_t size() noexcept { return extent; }
  KRAIT_INLINE constexpr auto begin() noexcept { return values.begin(); }
  KRAIT_INLINE constexpr auto begin() const noexcept { return values.begin(); }
  KRAIT_INLINE constexpr auto end() noexcept { return values.end(); }
  KRAIT_INLINE constexpr auto end() const noexcept { return values.end(); }
  KRAIT_INLINE bool operator==(const Tensor&) const = default;
};

}  // namespace krait

#endif
