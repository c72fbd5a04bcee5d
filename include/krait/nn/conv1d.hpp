#ifndef KRAIT_NN_CONV1D_HPP
#define KRAIT_NN_CONV1D_HPP

#include "krait/core/check.hpp"
#include "krait/nn/layer.hpp"
#include "krait/layout/params.hpp"

namespace krait {

namespace detail {
template <Conv1dDims dims>
consteval bool check_conv1d() {
  static_assert(check::got<dims.channels>::template at_least<1>, "krait::Conv1d<dims>: channels must be at least 1");
  static_assert(check::got<dims.d_conv>::template at_least<1>,
                "krait::Conv1d<dims>: d_conv must be at least 1: a convolution needs one tap");
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
  // The last d_conv - 1 inputs, oldest first.
  struct State {
    Strips<dims.channels, (dims.d_conv > 1 ? dims.d_conv - 1 : 0)> window{};  // [channels, d_conv - 1]
    KRAIT_INLINE constexpr State() = default;
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    TokenBuffer<tokens, dims.channels> xy;  // x becomes y in place
  };
};
}  // namespace detail

// Causal depthwise convolution: y_t = bias + sum over j of weight[j] x_{t - d_conv + 1 + j}; inputs before the first
// are 0. One chain for each channel: from the bias (or 0), oldest tap first. No activation.
template <Conv1dDims dims>
struct Conv1d : detail::Conv1dFacts<dims> {
  KRAIT_PARAMS(Conv1d,
    (Taps<dims.channels, dims.d_conv>, weight));  // [channels, 1, d_conv], oldest tap first
};

template <Conv1dDims dims>
  requires(dims.bias)
struct Conv1d<dims> : detail::Conv1dFacts<dims> {
  KRAIT_PARAMS(Conv1d,
    (Taps<dims.channels, dims.d_conv>, weight),  // [channels, 1, d_conv], oldest tap first
    (Vector<plain(dims.channels)>, bias));       // [channels]
};

}  // namespace krait

#endif
