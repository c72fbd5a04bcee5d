// int8 weights: two rows' weights in one 16-bit number.
#ifndef KRAIT_LAYOUT_INT8_PAIRS_HPP
#define KRAIT_LAYOUT_INT8_PAIRS_HPP

#include <cstddef>
#include <cstdint>

#include "krait/core/platform.hpp"

namespace krait {

// int8 in pairs of neighbouring rows, each a 16-bit number, so that a core with 16-bit products adds up both at once:
// 256 times the second plus the first. In groups of eight columns, a pair's side by side.
inline constexpr std::size_t int8_group = 8;
KRAIT_INLINE constexpr std::int16_t int8_pair(int first, int second) {
  return static_cast<std::int16_t>(256 * second + first);
}
KRAIT_INLINE constexpr int first_of_pair(std::int16_t pair) { return static_cast<std::int8_t>(pair); }
KRAIT_INLINE constexpr int second_of_pair(std::int16_t pair) { return (pair + 128) >> 8; }
// Of the row at `place`, whose pair it is.
KRAIT_INLINE constexpr int element_of_pair(std::int16_t pair, std::size_t place) {
  return place % 2 == 0 ? first_of_pair(pair) : second_of_pair(pair);
}

// Of a row of their inputs, which are 16-bit numbers times step. sum: of these numbers, only where a kernel uses it.
struct InputScale {
  float step;
  std::int32_t sum;
};

}  // namespace krait

#endif
