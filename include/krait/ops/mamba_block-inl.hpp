// Runs MambaBlock: the projections, the convolution, the recurrence and the gate.
#if defined(KRAIT_OPS_MAMBA_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#undef KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#else
#define KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#endif

#include "krait/nn/mamba_block.hpp"
#include "krait/ops/conv1d-inl.hpp"
#include "krait/ops/linear-inl.hpp"
#include "krait/ops/ssm-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

template <std::size_t tokens, BlockDims dims>
HWY_INLINE void run(const MambaBlock<dims>& block, typename MambaBlock<dims>::State& state,
                    typename MambaBlock<dims>::template Scratch<tokens>& scratch, TokenSpan<const float> in, TokenSpan<float> out,
                    std::size_t n) {
  using Block = MambaBlock<dims>;
  const TokenSpan<float> x = scratch.x.span(), z = scratch.ssm.delta.span();
  constexpr std::size_t channels = padded(dims.d_inner), first_z = Block::xz_order.group_start(1);
  apply_linear<tokens, channels>(block.in_proj, scratch.linear, in, x, n);
  apply_conv1d(block.conv1d, state.conv_state, x, n, Silu{});
  apply_ssm<tokens>(block.ssm, state.ssm_state, scratch.ssm, scratch.linear, x, n);
  // z is computed after the recurrence, because it is stored in the memory of the recurrence's delta.
  apply_linear<tokens, channels>(block.in_proj, scratch.linear, in, z, n, first_z);
  for (std::size_t t = 0; t < n; ++t) gate_row(x[t], z[t], channels);
  apply_linear<tokens, dims.d_model>(block.out_proj, scratch.linear, x.as_const(), out, n);
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
