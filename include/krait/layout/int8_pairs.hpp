// Defines how int8 weights are stored: in pairs. A pair is a 16-bit integer that contains the weights of two neighbouring rows
// of a matrix, in one column.
#ifndef KRAIT_LAYOUT_INT8_PAIRS_HPP
#define KRAIT_LAYOUT_INT8_PAIRS_HPP

#include <cstddef>
#include <cstdint>

#include "krait/core/platform.hpp"

namespace krait {

// The number of columns in a group of int8 weights. For two neighbouring rows, a group contains eight pairs, which are stored
// one after the other.
inline constexpr std::size_t int8_group = 8;

// Returns the pair 256 * second + first of two int8 weights within +-127. The product of an input and a pair is 256 times the
// product of the input and `second` plus the product of the input and `first`, so one 16-bit multiply-accumulate adds both
// products.
KRAIT_INLINE constexpr std::int16_t int8_pair(int first, int second) {
  return static_cast<std::int16_t>(256 * second + first);
}

// first_of_pair and second_of_pair return the two int8 weights of a pair 256 * second + first.
KRAIT_INLINE constexpr int first_of_pair(std::int16_t pair) { return static_cast<std::int8_t>(pair); }
KRAIT_INLINE constexpr int second_of_pair(std::int16_t pair) { return (pair + 128) >> 8; }

// Returns the int8 weight of one row from a pair. `place` is the row's position in the order in which rows are stored. If
// `place` is even, the row's weight is the first of the pair; if `place` is odd, it is the second.
KRAIT_INLINE constexpr int element_of_pair(std::int16_t pair, std::size_t place) {
  return place % 2 == 0 ? first_of_pair(pair) : second_of_pair(pair);
}

// The scale of one token's quantised inputs: input k is about q[k] * step, where q[k] is a 16-bit integer.
struct InputScale {
  float step;
  std::int32_t sum;  // the sum of the token's quantised inputs q[k], for the kernel for AVX-512 VNNI; 0 on other targets
};

}  // namespace krait

#endif
