// Defines FloatState, the state of layers that keep floats and, if needed, a number of tokens.
#ifndef KRAIT_NN_FLOAT_STATE_HPP
#define KRAIT_NN_FLOAT_STATE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "krait/core/finite.hpp"
#include "krait/layout/panels.hpp"

namespace krait::detail {

// FloatState<n, counted> contains n floats and, if `counted` is true, an unsigned integer, all 0 at first. The bits of the
// integer are stored as the element after the floats, because an integer beside an array that is aligned to 64 bytes would take
// 64 bytes.
template <std::size_t n, bool counted>
struct FloatState {
  static constexpr std::size_t floats = n;
  Strips<n + counted> values{};
  KRAIT_INLINE constexpr FloatState() = default;
  KRAIT_INLINE float* data() { return values.data(); }
  KRAIT_INLINE const float* data() const { return values.data(); }
  KRAIT_INLINE std::uint32_t count() const
    requires counted
  {
    std::uint32_t number;
    std::memcpy(&number, values.data() + n, sizeof(number));
    return number;
  }
  KRAIT_INLINE void set_count(std::uint32_t number)
    requires counted
  {
    std::memcpy(values.data() + n, &number, sizeof(number));
  }
  KRAIT_INLINE bool is_finite() const noexcept {
    for (std::size_t i = 0; i < n; ++i)
      if (!all_finite(values.values[i])) return false;
    return true;
  }
};

}  // namespace krait::detail

#endif
