#ifndef KRAIT_NN_CONV1D_HPP
#define KRAIT_NN_CONV1D_HPP

#include "krait/core/check.hpp"
#include "krait/core/finite.hpp"
#include "krait/layout/params.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

namespace detail {
template <Conv1dDims dims>
consteval bool check_conv1d() {
  static_assert(check::got<dims.channels>::template at_least<1>, "krait::Conv1d<dims>: channels must be at least 1");
  static_assert(check::got<dims.d_conv>::template at_least<1>,
                "krait::Conv1d<dims>: d_conv, the number of taps, must be at least 1");
  return true;
}
template <Conv1dDims dims>
struct Conv1dFacts {
  static_assert(check_conv1d<dims>());
  static constexpr bool works_in_place = true;
  static constexpr std::size_t d_in = dims.channels;
  static constexpr std::size_t d_out = dims.channels;
  static constexpr std::size_t d_conv = dims.d_conv;
  static constexpr bool has_bias = dims.bias;
  static constexpr std::size_t multiply_adds = dims.channels * dims.d_conv;
  // The state of a convolution: the last d_conv - 1 inputs of each channel, oldest first.
  struct State {
    Strips<dims.channels, (dims.d_conv > 1 ? dims.d_conv - 1 : 0)> window{};  // shape [channels, d_conv - 1]
    KRAIT_INLINE constexpr State() = default;
    KRAIT_INLINE bool is_finite() const noexcept { return detail::all_finite(window.values); }
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    TokenBuffer<tokens, dims.channels> xy;  // the inputs x, overwritten by the outputs y
  };
};
}  // namespace detail

// Conv1d is a causal depthwise convolution over time, without an activation. For each channel,
//   y[t] = bias + sum over j = 0 ... d_conv - 1 of weight[j] x[t - d_conv + 1 + j],
// where x[t] is 0 for t < 0. To compute y[t], fused multiply-adds add the products to the bias (or 0) one after the other,
// beginning with the oldest input.
template <Conv1dDims dims>
struct Conv1d : detail::Conv1dFacts<dims> {
  KRAIT_PARAMS(Conv1d,
    (Taps<dims.channels, dims.d_conv>, weight));  // shape [channels, 1, d_conv]; the first tap multiplies the oldest input
};

template <Conv1dDims dims>
  requires(dims.bias)
struct Conv1d<dims> : detail::Conv1dFacts<dims> {
  KRAIT_PARAMS(Conv1d,
    (Taps<dims.channels, dims.d_conv>, weight),  // shape [channels, 1, d_conv]; the first tap multiplies the oldest input
    (Vector<plain(dims.channels)>, bias));       // shape [channels]
};

}  // namespace krait

#endif
