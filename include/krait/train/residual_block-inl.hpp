// Training of ResidualBlock: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_RESIDUAL_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_RESIDUAL_BLOCK_INL_HPP
#undef KRAIT_TRAIN_RESIDUAL_BLOCK_INL_HPP
#else
#define KRAIT_TRAIN_RESIDUAL_BLOCK_INL_HPP
#endif

#include "krait/ops/residual_block-inl.hpp"
#include "krait/train/mamba2_block-inl.hpp"
#include "krait/train/mamba_block-inl.hpp"
#include "krait/train/norm-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, auto dims, class Tape, class Work>
HWY_INLINE void record(const ResidualBlock<dims>& block, State<ResidualBlock<dims>>& state, Tape& tape, Work& work,
                       TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  NoState none;
  NoScratch<tokens> no_scratch;
  const TokenSpan<float> normed = work.normed.span(), mixed = work.dnormed.span();
  run<tokens>(block.norm, none, no_scratch, in, normed, n);
  clear_padding(normed, dims.d_model, n);
  record<tokens>(block.mixer, state, tape, work.mixer, normed.as_const(), mixed, n);
  for (std::size_t t = 0; t < n; ++t) add_row(in[t], mixed[t], out[t], dims.d_model);
}
template <std::size_t tokens, bool dx, auto dims, class Tape, class Work, class G>
HWY_NOINLINE void backward(const ResidualBlock<dims>& block, Tape& tape, Work& work, TokenSpan<const float> in,
                           TokenSpan<float> dout, TokenSpan<float> din, G& gradients, State<ResidualBlock<dims>>* dstate,
                           std::size_t n) {
  using Recording = krait::detail::Recording<ResidualBlock<dims>, G, dx>;
  NoState none;
  NoScratch<tokens> no_scratch;
  const TokenSpan<float> normed = work.normed.span(), dnormed = work.dnormed.span();
  auto&& norm = krait::detail::gradient_of_member<0>(gradients);
  auto&& mixer = krait::detail::gradient_of_member<1>(gradients);
  run<tokens>(block.norm, none, no_scratch, in, normed, n);
  clear_padding(normed, dims.d_model, n);
  if constexpr (dx)
    for (std::size_t t = 0; t < n; ++t) copy_padded(dout[t], din[t], dims.d_model);
  backward<tokens, Recording::mixer_dx>(block.mixer, tape, work.mixer, normed.as_const(), dout, dnormed, mixer, dstate, n);
  if constexpr (Recording::mixer_dx)
    apply_norm_backward(block.norm, in, dnormed.as_const(), dx ? din : TokenSpan<float>{nullptr, 0}, norm, n, true);
}

KRAIT_END_TARGET

#endif
