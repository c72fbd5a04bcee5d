// Training of RmsNorm and LayerNorm: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_NORM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_NORM_INL_HPP
#undef KRAIT_TRAIN_NORM_INL_HPP
#else
#define KRAIT_TRAIN_NORM_INL_HPP
#endif

#include "krait/kernels/norm_backward-inl.hpp"
#include "krait/ops/norm-inl.hpp"
#include "krait/train/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// Computes the gradients of n tokens of a norm. A null din is not computed; if `accumulate` is true, the gradient is added to
// it.
template <NormKind kind, NormDims dims, class G>
HWY_INLINE void apply_norm_backward(const Norm<kind, dims>& layer, TokenSpan<const float> in, TokenSpan<const float> dout,
                                    TokenSpan<float> din, G& gradients, std::size_t n, bool accumulate) {
  float *weight = nullptr, *bias = nullptr;
  if constexpr (krait::detail::is_trained<G>) {
    weight = krait::detail::floats_of(krait::detail::gradient_of_member<0>(gradients));
    if constexpr (dims.bias) bias = krait::detail::floats_of(krait::detail::gradient_of_member<1>(gradients));
  }
  for (std::size_t t = 0; t < n; ++t)
    norm_backward<kind>(in[t], layer.weight.data(), dims.eps, dout[t], din.data ? din[t] : nullptr, weight, bias, dims.d_model,
                        accumulate);
}

template <std::size_t tokens, NormKind kind, NormDims dims, class Tape, class Work>
HWY_INLINE void record(const Norm<kind, dims>& layer, NoState& state, Tape&, Work&, TokenSpan<const float> in,
                       TokenSpan<float> out, std::size_t n) {
  NoScratch<tokens> scratch;
  run<tokens>(layer, state, scratch, in, out, n);
}
template <std::size_t tokens, bool dx, NormKind kind, NormDims dims, class Tape, class Work, class G>
HWY_INLINE void backward(const Norm<kind, dims>& layer, Tape&, Work&, TokenSpan<const float> in, TokenSpan<float> dout,
                         TokenSpan<float> din, G& gradients, NoState*, std::size_t n) {
  apply_norm_backward(layer, in, dout.as_const(), dx ? din : TokenSpan<float>{nullptr, 0}, gradients, n, false);
  if constexpr (dx) clear_padding(din, dims.d_model, n);
}

KRAIT_END_TARGET

#endif
