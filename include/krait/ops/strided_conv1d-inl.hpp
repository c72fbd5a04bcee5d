// Runs StridedConv1d, which multiplies the concatenation of the latest frames by a weight.
#if defined(KRAIT_OPS_STRIDED_CONV1D_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_STRIDED_CONV1D_INL_HPP
#undef KRAIT_OPS_STRIDED_CONV1D_INL_HPP
#else
#define KRAIT_OPS_STRIDED_CONV1D_INL_HPP
#endif

#include <algorithm>
#include <cstring>

#include "krait/nn/strided_conv1d.hpp"
#include "krait/ops/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns the number of leading tokens that have no output yet, because the layer has not seen enough frames. Writes zeros as
// the outputs of these tokens.
template <std::size_t tokens, StridedConv1dDims dims>
HWY_INLINE std::size_t run(const StridedConv1d<dims>& layer, State<StridedConv1d<dims>>& state,
                           Scratch<StridedConv1d<dims>, tokens>& scratch, TokenSpan<const float> in, TokenSpan<float> out,
                           std::size_t n) {
  using L = StridedConv1d<dims>;
  constexpr std::size_t in_state = L::template Scratch<tokens>::in_state, copied = L::kept - in_state;
  float* const frames = scratch.frames.data();
  if constexpr (copied > 0) copy_floats(state.data() + in_state, frames, copied);
  for (std::size_t t = 0; t < n; ++t) copy_floats(in[t], frames + copied + t * L::d_in, L::d_in);
  std::size_t skipped = 0;
  if constexpr (L::warm_up > 0) {
    const std::uint32_t seen = state.count();
    skipped = std::min<std::size_t>(n, L::warm_up - seen);
    state.set_count(seen + static_cast<std::uint32_t>(skipped));
    for (std::size_t t = 0; t < skipped; ++t) std::memset(out[t], 0, L::d_out * sizeof(float));
  }
  // The window of token t starts d_in floats after the window of token t - 1, so neighbouring windows overlap.
  const TokenSpan<const float> windows{frames, L::d_in};
  if constexpr (in_state > 0) {
    if (skipped == 0) {
      scratch.linear.scales[0] = quantise_row(state.data(), in_state, frames, L::window, scratch.linear.inputs.data());
      const Quantised x{{scratch.linear.inputs.data(), padded(L::window)}, scratch.linear.scales.data()};
      multiply_all<tokens, L::d_out>(state, layer.weight, bias_of(layer), x, out, 1);
    }
    std::memmove(state.data(), state.data() + L::d_in, (L::kept - L::d_in) * sizeof(float));
    copy_floats(frames + copied, state.data() + L::kept - L::d_in, L::d_in);
  } else {
    if (skipped < n)
      apply_weight<tokens, L::d_out>(layer.weight, bias_of(layer), state, scratch.linear, windows.from(skipped),
                                     out.from(skipped), n - skipped);
    if constexpr (L::kept > 0) copy_floats(frames + n * L::d_in, state.data(), L::kept);
  }
  return skipped;
}

KRAIT_END_TARGET

#endif
