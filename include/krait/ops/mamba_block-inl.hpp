// MambaBlock and ResidualBlock.
#if defined(KRAIT_OPS_MAMBA_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#undef KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#else
#define KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#endif

#include "krait/nn/residual_block.hpp"
#include "krait/ops/ssm-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

template <std::size_t tokens, BlockDims dims>
HWY_INLINE void run(const MambaBlock<dims>& block, typename MambaBlock<dims>::State& state,
                    typename MambaBlock<dims>::template Scratch<tokens>& scratch, Rows<const float> in, Rows<float> out,
                    std::size_t n) {
  using Block = MambaBlock<dims>;
  const Rows<float> x = rows_of(scratch.x), z = rows_of(scratch.ssm.delta);
  constexpr std::size_t channels = padded(dims.d_inner), first_z = Block::xz_order.group_start(1);
  const auto z_weights = weights_of(block.in_proj.weight).panel(first_z, dims.d_model);
  apply_linear<tokens, channels>(block.in_proj, scratch.linear, in, x, n);
  apply_conv1d(block.conv1d, state.conv_state, x, n, Silu{});
  apply_ssm<tokens>(block.ssm, state.ssm_state, scratch.ssm, scratch.linear, x, n, z_weights.values);
  // Only now, for z goes where delta was.
  apply_linear<tokens, channels>(block.in_proj, scratch.linear, in, z, n, first_z);
  for (std::size_t t = 0; t < n; ++t) gate_row(x[t], z[t], channels);
  apply_linear<tokens, dims.d_model>(block.out_proj, scratch.linear, x.as_const(), out, n);
}

template <std::size_t tokens, BlockDims dims>
HWY_NOINLINE void run(const ResidualBlock<dims>& block, typename ResidualBlock<dims>::State& state,
                      typename ResidualBlock<dims>::template Scratch<tokens>& scratch, Rows<const float> in,
                      Rows<float> out, std::size_t n) {
  NoState none;
  NoScratch<tokens> no_scratch;
  const Rows<float> row = rows_of(scratch.row);
  run<tokens>(block.norm, none, no_scratch, in, row, n);
  run<tokens>(block.mixer, state, scratch.mixer, row.as_const(), row, n);
  for (std::size_t t = 0; t < n; ++t) add_row(in[t], row[t], out[t], dims.d_model);
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
