// Training of Activation layers: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_ACTIVATION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_ACTIVATION_INL_HPP
#undef KRAIT_TRAIN_ACTIVATION_INL_HPP
#else
#define KRAIT_TRAIN_ACTIVATION_INL_HPP
#endif

#include "krait/kernels/slope-inl.hpp"
#include "krait/ops/activation-inl.hpp"
#include "krait/train/linear-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, ActivationFunction function, std::size_t d_model, class Tape, class Work>
HWY_INLINE void record(const Activation<function, d_model>& layer, NoState& state, Tape&, Work&, TokenSpan<const float> in,
                       TokenSpan<float> out, std::size_t n) {
  NoScratch<tokens> scratch;
  run<tokens>(layer, state, scratch, in, out, n);
}
template <std::size_t tokens, bool dx, ActivationFunction function, std::size_t d_model, class Tape, class Work, class G>
HWY_INLINE void backward(const Activation<function, d_model>&, Tape&, Work&, TokenSpan<const float> in, TokenSpan<float> dout,
                         TokenSpan<float> din, G&, NoState*, std::size_t n) {
  if constexpr (dx) {
    for (std::size_t t = 0; t < n; ++t) activation_backward<function>(in[t], dout[t], din[t], d_model);
    clear_padding(din, d_model, n);
  }
}

KRAIT_END_TARGET

#endif
