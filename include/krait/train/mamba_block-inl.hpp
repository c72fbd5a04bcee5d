// Training of MambaBlock: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_MAMBA_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_MAMBA_BLOCK_INL_HPP
#undef KRAIT_TRAIN_MAMBA_BLOCK_INL_HPP
#else
#define KRAIT_TRAIN_MAMBA_BLOCK_INL_HPP
#endif

#include "krait/ops/mamba_block-inl.hpp"
#include "krait/train/conv1d-inl.hpp"
#include "krait/train/ssm-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, BlockDims dims, class Tape, class Work>
HWY_INLINE void record(const MambaBlock<dims>& block, State<MambaBlock<dims>>& state, Tape& tape, Work& work,
                       TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  using Block = MambaBlock<dims>;
  constexpr std::size_t channels = padded(dims.d_inner);
  const NoState none;
  NoScratch<tokens> no_scratch;
  if constexpr (requires { tape.xz; }) {
    const TokenSpan<float> xz = tape.xz.span(), x = tape.x.span(), y = tape.y.span(), gated = work.gated.span();
    if constexpr (dims.d_conv > 1) copy_floats(state.conv_state.window.data(), tape.conv.data(), tape.conv.size());
    apply_linear<tokens, Block::InProj::padded_out>(block.in_proj, none, no_scratch, in, xz, n);
    for (std::size_t t = 0; t < n; ++t) copy_floats(xz[t], x[t], channels);
    apply_conv1d(block.conv1d, state.conv_state, x, n, {0, channels}, Silu{});
    record_ssm<tokens>(block.ssm, state.ssm_state, tape.ssm, work.ssm, x.as_const(), y, n);
    for (std::size_t t = 0; t < n; ++t) {
      copy_floats(y[t], gated[t], channels);
      gate_row(gated[t], xz[t] + channels, channels);
    }
    apply_linear<tokens, dims.d_model>(block.out_proj, none, no_scratch, gated.as_const(), out, n);
  } else {
    run<tokens>(block, state, work, in, out, n);
    // `run` has left the inputs of out_proj in work.x.
    copy_tokens_padded(work.x.span().as_const(), tape.gated.span(), dims.d_inner, n);
  }
}

template <std::size_t tokens, bool dx, BlockDims dims, class Tape, class Work, class G>
HWY_INLINE void backward(const MambaBlock<dims>& block, Tape& tape, [[maybe_unused]] Work& work, TokenSpan<const float> in,
                         TokenSpan<float> dout, TokenSpan<float> din, G& gradients, State<MambaBlock<dims>>* dstate,
                         std::size_t n) {
  using krait::detail::gradient_of_member;
  constexpr std::size_t channels = padded(dims.d_inner);
  auto&& out_proj = gradient_of_member<3>(gradients);
  if constexpr (!requires { tape.xz; }) {  // only out_proj is trained
    add_weight_gradients(block.out_proj, tape.gated.span().as_const(), dout.as_const(), out_proj, n);
  } else {
    const TokenSpan<float> xz = tape.xz.span(), y = tape.y.span(), x = tape.x.span(), gated = work.gated.span(),
                           dgated = work.dgated.span(), dxz = work.dxz.span();
    for (std::size_t t = 0; t < n; ++t) {
      copy_floats(y[t], gated[t], channels);
      gate_row(gated[t], xz[t] + channels, channels);
    }
    linear_backward(block.out_proj, gated.as_const(), dout.as_const(), dgated, out_proj, n, work.columns);
    const TokenSpan<float> dy = gated, dx_of_ssm = dgated;
    for (std::size_t t = 0; t < n; ++t)
      gate_backward(y[t], xz[t] + channels, dgated[t], dy[t], dxz[t] + channels, channels);
    auto&& ssm = gradient_of_member<2>(gradients);
    ssm_backward<tokens>(block.ssm, tape.ssm, work.ssm, work.columns, x.as_const(), dy.as_const(), dx_of_ssm, ssm,
                         dstate ? &dstate->ssm_state : nullptr, n);
    auto&& conv1d = gradient_of_member<1>(gradients);
    apply_conv1d_backward<true>(block.conv1d, tape.conv.data(), xz.as_const(), dx_of_ssm, dxz, conv1d,
                                dstate ? &dstate->conv_state : nullptr, n);
    auto&& in_proj = gradient_of_member<0>(gradients);
    linear_backward<dx>(block.in_proj, in, dxz.as_const(), din, in_proj, n, work.columns);
  }
}

KRAIT_END_TARGET

#endif
