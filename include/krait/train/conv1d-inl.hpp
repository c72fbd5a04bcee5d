// Training of Conv1d layers: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_CONV1D_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_CONV1D_INL_HPP
#undef KRAIT_TRAIN_CONV1D_INL_HPP
#else
#define KRAIT_TRAIN_CONV1D_INL_HPP
#endif

#include "krait/kernels/conv1d_backward-inl.hpp"
#include "krait/ops/conv1d-inl.hpp"
#include "krait/train/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// Computes the gradients of n tokens of a convolution, whose outputs a SiLU may follow. `before` is the window before the first
// token. Overwrites dout. A null din is not computed. din may be dout only if d_conv is 1.
template <bool silu_after, Conv1dDims dims, class G>
HWY_INLINE void apply_conv1d_backward(const Conv1d<dims>& layer, const float* before, TokenSpan<const float> in,
                                      TokenSpan<float> dout, TokenSpan<float> din, G& gradients, State<Conv1d<dims>>* dstate,
                                      std::size_t n) {
  float *weight = nullptr, *bias = nullptr;
  if constexpr (krait::detail::is_trained<G>) {
    weight = krait::detail::floats_of(krait::detail::gradient_of_member<0>(gradients));
    if constexpr (dims.bias) bias = krait::detail::floats_of(krait::detail::gradient_of_member<1>(gradients));
  }
  conv1d_backward<silu_after>({.weight = layer.weight.data(), .bias = bias_of(layer), .window = before, .x = in,
                               .dy = dout, .dx = din, .dweight = weight, .dbias = bias,
                               .dwindow = dstate && dims.d_conv > 1 ? dstate->window.data() : nullptr},
                              dims.d_conv, padded(dims.channels), n);
}

template <std::size_t tokens, Conv1dDims dims, class Tape, class Work>
HWY_INLINE void record(const Conv1d<dims>& layer, State<Conv1d<dims>>& state, Tape& tape, Work& work, TokenSpan<const float> in,
                       TokenSpan<float> out, std::size_t n) {
  if constexpr (dims.d_conv > 1) copy_floats(state.window.data(), tape.before.data(), tape.before.size());
  run<tokens>(layer, state, work, in, out, n);
}
template <std::size_t tokens, bool dx, Conv1dDims dims, class Tape, class Work, class G>
HWY_INLINE void backward(const Conv1d<dims>& layer, Tape& tape, Work&, TokenSpan<const float> in, TokenSpan<float> dout,
                         TokenSpan<float> din, G& gradients, State<Conv1d<dims>>* dstate, std::size_t n) {
  apply_conv1d_backward<false>(layer, tape.before.data(), in, dout, dx ? din : TokenSpan<float>{nullptr, 0}, gradients, dstate,
                               n);
}

KRAIT_END_TARGET

#endif
