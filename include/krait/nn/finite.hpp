// Finds NaN and infinity in a state.
#ifndef KRAIT_NN_FINITE_HPP
#define KRAIT_NN_FINITE_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "krait/layout/panels.hpp"
#include "krait/nn/stack.hpp"

namespace krait::detail::inline KRAIT_BUILD {

// Converts to any type, in unevaluated code.
struct Anything {
  template <class T>
  operator T() const;
};
template <class T, class... Initialisers>
concept InitialisedBy = requires { T{std::declval<Initialisers>()...}; };
// The number of members of an aggregate without base classes, up to 5.
template <class T, class... Initialisers>
consteval std::size_t count_members() {
  if constexpr (sizeof...(Initialisers) < 5 && InitialisedBy<T, Initialisers..., Anything>)
    return count_members<T, Initialisers..., Anything>();
  else
    return sizeof...(Initialisers);
}

// Reads bits, because comparisons may ignore NaN with -ffast-math.
constexpr bool all_finite(const float& value) noexcept {
  return (__builtin_bit_cast(std::uint32_t, value) & 0x7F800000u) != 0x7F800000u;
}
template <std::size_t... i, class... Ts>
constexpr bool all_finite(const Slots<std::index_sequence<i...>, Ts...>& slots) noexcept;
template <class T, std::size_t n>
constexpr bool all_finite(const std::array<T, n>& values) noexcept;
template <RowLayout order, std::size_t columns, std::size_t width>
constexpr bool all_finite(const Panels<order, columns, width, Storage::f32>& panels) noexcept {
  return all_finite(panels.values);
}
template <class T>
  requires(std::is_class_v<T> || std::is_integral_v<T> || std::is_enum_v<T>)
constexpr bool all_finite(const T& state) noexcept {
  if constexpr (!std::is_class_v<T> || std::is_empty_v<T>) {
    return true;
  } else {
    static_assert(std::is_aggregate_v<T> && !InitialisedBy<T, Anything, Anything, Anything, Anything, Anything>,
                  "krait::is_finite(state): a layer's State must be an aggregate of at most 4 members");
    constexpr std::size_t members = count_members<T>();
    if constexpr (members == 1) {
      const auto& [a] = state;
      return all_finite(a);
    } else if constexpr (members == 2) {
      const auto& [a, b] = state;
      return all_finite(a) && all_finite(b);
    } else if constexpr (members == 3) {
      const auto& [a, b, c] = state;
      return all_finite(a) && all_finite(b) && all_finite(c);
    } else {
      const auto& [a, b, c, d] = state;
      return all_finite(a) && all_finite(b) && all_finite(c) && all_finite(d);
    }
  }
}
template <class T, std::size_t n>
constexpr bool all_finite(const std::array<T, n>& values) noexcept {
  for (const T& value : values)
    if (!all_finite(value)) return false;
  return true;
}
template <std::size_t i, class T>
constexpr bool slot_is_finite(const Slot<i, T>& slot) noexcept {
  if constexpr (std::is_empty_v<T>) return true;
  else return all_finite(slot.object);
}
template <std::size_t... i, class... Ts>
constexpr bool all_finite(const Slots<std::index_sequence<i...>, Ts...>& slots) noexcept {
  return (slot_is_finite<i, Ts>(slots) && ...);
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// is_finite(state): false if any number of a model's or layer's state is NaN or infinite, whatever the compiler's flags. A NaN stays
// in a state until `state = {}`. Reads the state once. Allocates nothing, throws nothing.
template <class State>
[[nodiscard]] constexpr bool is_finite(const State& state) noexcept {
  return detail::all_finite(state);
}

}  // namespace krait::inline KRAIT_BUILD

#endif
