// Defines is_finite, which returns whether the numbers in a state are neither NaN nor infinite.
#ifndef KRAIT_CORE_FINITE_HPP
#define KRAIT_CORE_FINITE_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "krait/core/half.hpp"
#include "krait/core/platform.hpp"

namespace krait::detail {

template <class State>
concept HasIsFinite = requires(const State& state) {
  { state.is_finite() } -> std::same_as<bool>;
};
template <class State>
struct state_type {
  static constexpr bool has_is_finite = HasIsFinite<State>;
};

// Returns whether every float in `part`, a state or a part of one, is finite. Tests the bits of floats, because with
// -ffast-math the compiler may remove comparisons that detect NaN.
template <class T>
KRAIT_INLINE constexpr bool all_finite(const T& part) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    const auto bits = __builtin_bit_cast(std::uint32_t, part);
    return !bits_are_nan(bits) && !bits_are_infinite(bits);
  } else if constexpr (std::is_empty_v<T>) {
    return true;
  } else if constexpr (HasIsFinite<T>) {
    return part.is_finite();
  } else {
    static_assert(state_type<T>::has_is_finite,
                  "krait::is_finite: a layer's State must have a function bool is_finite() const");
    return false;
  }
}
template <class T, std::size_t n>
KRAIT_INLINE constexpr bool all_finite(const std::array<T, n>& parts) noexcept {
  for (const T& part : parts)
    if (!all_finite(part)) return false;
  return true;
}

}  // namespace krait::detail

namespace krait::inline KRAIT_BUILD {

// is_finite(state) returns whether all numbers in the state of a model or layer are finite (neither NaN nor infinite), also
// with -ffast-math. A NaN in a state stays there until the caller resets the state by `state = {}`. Reads the state once.
// Allocates nothing, throws nothing.
template <class State>
[[nodiscard]] constexpr bool is_finite(const State& state) noexcept {
  return detail::all_finite(state);
}

}  // namespace krait::inline KRAIT_BUILD

#endif
