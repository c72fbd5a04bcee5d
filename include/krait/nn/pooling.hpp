// Defines the pooling layers of classifiers, which compute one vector from a whole sequence.
#ifndef KRAIT_NN_POOLING_HPP
#define KRAIT_NN_POOLING_HPP

#include <cstdint>

#include "krait/core/finite.hpp"
#include "krait/layout/panels.hpp"
#include "krait/nn/elementwise.hpp"
#include "krait/nn/float_state.hpp"

namespace krait {

namespace detail {
template <std::size_t d_model>
struct PoolFacts : ElementwiseFacts<d_model> {
  static constexpr bool pools = true;
};
}  // namespace detail

// MeanPool computes the mean of all input vectors so far. It adds the vectors in their order. A sequence may have at most 2^32
// - 1 vectors.
template <std::size_t d_model>
struct MeanPool : detail::PoolFacts<d_model> {
  using State = detail::FloatState<d_model, true>;  // the sum of the vectors so far, and their number
};

// MaxPool computes the largest value of each channel over all input vectors so far. NaN counts as the largest value.
template <std::size_t d_model>
struct MaxPool : detail::PoolFacts<d_model> {
  struct State {
    // The largest value of each channel so far, which is -infinity before the first vector. The stored bits are the exclusive
    // or of the value's bits and the bits of -infinity, so that a state of zeros starts a sequence, as in every other layer.
    Strips<d_model> largest{};
    KRAIT_INLINE constexpr State() = default;
    // Returns true if no channel is NaN or +infinity. -infinity is accepted, because every channel is -infinity before the
    // first vector.
    KRAIT_INLINE bool is_finite() const noexcept {
      for (const float stored : largest.values) {
        const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, stored) ^ 0xFF800000u;
        if (bits_are_nan(bits) || bits == 0x7F800000u) return false;
      }
      return true;
    }
  };
};

// LastPool outputs the last input vector.
template <std::size_t d_model>
struct LastPool : detail::PoolFacts<d_model> {
  using State = NoState;
};

}  // namespace krait

#endif
