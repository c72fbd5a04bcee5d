// Runs Conv1d layers, which are causal depthwise convolutions over time.
#if defined(KRAIT_OPS_CONV1D_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_CONV1D_INL_HPP
#undef KRAIT_OPS_CONV1D_INL_HPP
#else
#define KRAIT_OPS_CONV1D_INL_HPP
#endif

#include "krait/kernels/conv1d-inl.hpp"
#include "krait/nn/conv1d.hpp"
#include "krait/ops/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// Replaces the n tokens x by after(conv1d(x)), where `after` is an activation function, in the channels in `part`. The bounds
// of `part` are multiples of 16, and the channels of each token are padded to a multiple of 16.
template <Conv1dDims dims, class After>
HWY_INLINE void apply_conv1d(const Conv1d<dims>& layer, typename Conv1d<dims>::State& state, TokenSpan<float> x,
                             std::size_t n, Range part, After after) {
  const float* bias = bias_of(layer);
  conv1d_rows<dims.d_conv>(layer.weight.data() + part.begin * dims.d_conv, bias ? bias + part.begin : nullptr,
                           state.window.data() + part.begin * (dims.d_conv - 1), x.from_channel(part.begin), part.size(), n,
                           after);
}
template <std::size_t tokens, Conv1dDims dims>
HWY_INLINE void run(const Conv1d<dims>& layer, State<Conv1d<dims>>& state, Scratch<Conv1d<dims>, tokens>& scratch,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  const TokenSpan<float> xy = scratch.xy.span();
  for (std::size_t t = 0; t < n; ++t) copy_padded(in[t], xy[t], dims.channels);
  apply_conv1d(layer, state, xy, n, {0, padded(dims.channels)}, NoActivation{});
  for (std::size_t t = 0; t < n; ++t) copy_floats(xy[t], out[t], dims.channels);
}

KRAIT_END_TARGET

#endif
