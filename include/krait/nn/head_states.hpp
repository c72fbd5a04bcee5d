// Defines the states of a recurrence with heads, as in Mamba-2 and Mamba-3.
#ifndef KRAIT_NN_HEAD_STATES_HPP
#define KRAIT_NN_HEAD_STATES_HPP

#include <array>

#include "krait/layout/panels.hpp"

namespace krait::detail {

// HeadStates contains the states h [heads, headdim, d_state]. The channels of each head are padded to a multiple of 16, so that
// no SIMD vector covers two heads, whatever headdim is.
template <std::size_t heads, std::size_t headdim, std::size_t d_state>
struct HeadStates : Strips<heads * padded(headdim), d_state> {
  static constexpr std::array<std::size_t, 3> extents{heads, headdim, d_state};
  KRAIT_INLINE constexpr float get(std::size_t head, std::size_t channel, std::size_t n) const {
    return Strips<heads * padded(headdim), d_state>::get(head * padded(headdim) + channel, n);
  }
};

}  // namespace krait::detail

#endif
